// The disk of the spool is full while a client records: that is told and harms the spool alone, and
// what was recorded is written when there is room again. Needs root, to mount a small file system
// in a mount namespace of its own.

#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "client_cpp/action.h"
#include "client_cpp/buffer.h"
#include "client_cpp/session.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/integration/recordings.h"
#include "tests/integration/server_process.h"
#include "tests/integration/spooled.h"
#include "tests/support/event_watch.h"

namespace rtmixd {
namespace {

constexpr absl::Duration kLongEnough = absl::Seconds(60);
constexpr int64_t kSecondFrames = 48000;

class FullDiskTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = absl::StrCat(testing::TempDir(), "/full_disk_test.", getpid());
    std::filesystem::create_directories(folder_);
    // Before there are threads.
    ASSERT_EQ(unshare(CLONE_NEWNS), 0);
    ASSERT_EQ(mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr), 0);
    ASSERT_EQ(mount("tmpfs", folder_.c_str(), "tmpfs", 0, "size=1m"), 0);
    auto server = ServerProcess::Start({"--device", "virtual", "--spool", folder_});
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    auto client = client::Client::Connect(server_->target());
    ASSERT_TRUE(client.ok()) << client.status();
    client_ = *client;
    auto session = client::Session::Create(client_, {.label = "CI job 812"});
    ASSERT_TRUE(session.ok()) << session.status();
    session_ = *session;
  }

  // A test that is killed leaves no mount behind either: the namespace goes with it.
  void TearDown() override {
    session_ = nullptr;
    server_ = nullptr;
    EXPECT_EQ(umount(folder_.c_str()), 0);
    std::filesystem::remove(folder_);
  }

  v1::ActionReport Record(const std::vector<float>& sound, std::string* buffer_id) {
    const auto recorded = PlayAndRecord(session_, sound);
    EXPECT_TRUE(recorded.ok()) << recorded.status();
    if (!recorded.ok()) return {};
    *buffer_id = recorded->buffer_id;
    const auto waited = client::WaitActions(*session_, {recorded->record_action_id}, kLongEnough);
    EXPECT_TRUE(waited.ok() && waited->ended_size() == 1) << waited.status();
    return waited.ok() && waited->ended_size() == 1 ? waited->ended(0) : v1::ActionReport();
  }

  std::vector<v1::LogEntry> Await(v1::EventKind kind) {
    const auto events = AwaitEvents(
        *client_, {kind}, [](const std::vector<v1::LogEntry>& log) { return !log.empty(); },
        kLongEnough);
    EXPECT_TRUE(events.ok()) << events.status();
    return events.ok() ? *events : std::vector<v1::LogEntry>();
  }

  v1::SpoolStatus Status() {
    const auto info =
        client_->Call(&client::Stubs::info, &v1::ServerInfoService::Stub::GetServerInfo,
                      v1::GetServerInfoRequest(), {});
    EXPECT_TRUE(info.ok() && info->has_spool()) << info.status();
    return info.ok() ? info->spool() : v1::SpoolStatus();
  }

  std::string folder_;
  std::unique_ptr<ServerProcess> server_;
  std::shared_ptr<client::Client> client_;
  std::shared_ptr<client::Session> session_;
};

TEST_F(FullDiskTest, HarmsTheSpoolAloneAndIsTold) {
  const std::vector<float> first = LongNoise(2 * kSecondFrames);       // 375 KiB
  const std::vector<float> second = LongNoise(9 * kSecondFrames / 2);  // 844 KiB
  std::string buffer_id;
  Record(first, &buffer_id);
  EXPECT_EQ(Status().failure(), "");
  EXPECT_EQ(Status().recordings(), 1);

  const v1::ActionReport report = Record(second, &buffer_id);
  ASSERT_FALSE(Await(v1::EVENT_KIND_SPOOL_FAILED).empty());
  EXPECT_THAT(Status().failure(), testing::HasSubstr("No space left"));
  EXPECT_LT(Status().free_bytes(), 64 << 10);
  // The recording itself knows nothing of it.
  EXPECT_EQ(report.end_reason(), v1::END_REASON_COMPLETED);
  EXPECT_EQ(report.gap_frames(), 0);
  const auto buffer = client::Buffer::Open(session_, buffer_id);
  ASSERT_TRUE(buffer.ok()) << buffer.status();
  std::vector<float> recorded;
  ASSERT_TRUE((*buffer)
                  ->Download(
                      {},
                      [&](int64_t /*position*/, absl::Span<const float> samples) {
                        recorded.insert(recorded.end(), samples.begin(), samples.end());
                        return absl::OkStatus();
                      },
                      nullptr)
                  .ok());
  EXPECT_EQ(FirstDifference(recorded, second), -1);

  // Room is made before the spool gives up, 10 s after the end.
  const auto list = ListSpooled(*session_);
  ASSERT_TRUE(list.ok() && list->size() == 2) << list.status();
  ASSERT_TRUE(DeleteSpooled(*session_, (*list)[0].recording_id()).ok());
  ASSERT_FALSE(Await(v1::EVENT_KIND_SPOOL_RECOVERED).empty());
  EXPECT_EQ(Status().failure(), "");
  const auto spooled = DownloadSpooled(*session_, (*list)[1].recording_id());
  ASSERT_TRUE(spooled.ok()) << spooled.status();
  EXPECT_EQ(FirstDifference(*spooled, second), -1);
  EXPECT_EQ(Status().gap_frames(), 0);
}

}  // namespace
}  // namespace rtmixd
