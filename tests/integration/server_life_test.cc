// A whole life of the server program: clients do a bit of everything, it is told to stop in the
// midst of that, and exits. RTMIXD_TEST_SERVER names the program: the real one, which under
// AddressSanitizer exits with an error if it has not freed everything, or the one whose audio
// thread is guarded.

#include <signal.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "client_cpp/action.h"
#include "client_cpp/audio.h"
#include "client_cpp/buffer.h"
#include "client_cpp/play_rec.h"
#include "client_cpp/play_stream.h"
#include "client_cpp/record_stream.h"
#include "client_cpp/session.h"
#include "gtest/gtest.h"
#include "tests/integration/server_process.h"

namespace rtmixd {
namespace {

constexpr absl::Duration kLongEnough = absl::Seconds(60);
constexpr int64_t kSecondFrames = 48000;

v1::PlayConfig MonoPlay() {
  v1::PlayConfig config;
  config.set_channels(1);
  return config;
}

// Plays for a second, and for ever after, from an uploaded sound; the ids of both plays.
std::vector<std::string> SchedulePlays(client::Session& session, const std::string& buffer_id) {
  v1::ScheduleActionsRequest request;
  request.add_actions()->mutable_play()->set_buffer_id(buffer_id);
  auto& loop = *request.add_actions();
  loop.mutable_play()->set_buffer_id(buffer_id);
  loop.mutable_play()->mutable_loop();
  loop.mutable_play()->mutable_fade_in()->set_frames(kSecondFrames / 10);
  auto& record = *request.add_actions();
  record.mutable_record()->set_frames(kSecondFrames / 10);
  auto& later = *request.add_actions();
  later.mutable_play()->set_buffer_id(buffer_id);
  later.mutable_start()->set_offset_frames(3600 * kSecondFrames);
  const auto scheduled = client::ScheduleActions(session, request);
  EXPECT_TRUE(scheduled.ok()) << scheduled.status();
  std::vector<std::string> ids;
  if (!scheduled.ok()) return ids;
  for (const auto& action : scheduled->actions()) ids.push_back(action.action_id());
  return ids;
}

// What is open when the server is told to stop.
struct InFlight {
  std::shared_ptr<client::Session> session;
  std::unique_ptr<client::Buffer> sound;
  std::unique_ptr<client::Buffer> half_uploaded;
  std::unique_ptr<client::PlayStream> play;
  std::unique_ptr<client::RecordStream> record;
};

void Work(const std::shared_ptr<client::Client>& client, InFlight* left) {
  auto session = client::Session::Create(client, {.label = "life"});
  ASSERT_TRUE(session.ok()) << session.status();
  const client::Audio sound = {
      .channels = 1, .sample_rate_hz = 48000, .samples = std::vector<float>(kSecondFrames, 0.25F)};
  client::PlayRecOptions options;
  options.max_frames = kSecondFrames / 10;
  const auto recorded = client::PlayRec(*session, sound, options);
  ASSERT_TRUE(recorded.ok()) << recorded.status();
  auto buffer = client::Buffer::Upload(*session, sound, {});
  ASSERT_TRUE(buffer.ok()) << buffer.status();
  const std::vector<std::string> ids = SchedulePlays(**session, (*buffer)->id());
  ASSERT_EQ(ids.size(), 4U);
  const client::Action loop(*session, ids[1]);
  ASSERT_TRUE(loop.SetGain(0.5F).ok());
  ASSERT_TRUE(loop.Pause().ok());
  ASSERT_TRUE(loop.Resume().ok());
  ASSERT_TRUE((*session)->SetGain(0.5F).ok());
  ASSERT_TRUE((*session)->SetMasterGain(1).ok());

  auto play = client::PlayStream::Open(*session, MonoPlay());
  ASSERT_TRUE(play.ok()) << play.status();
  ASSERT_TRUE((*play)->Write(sound.samples, kLongEnough).ok());
  auto record = client::RecordStream::Open(*session, v1::RecordConfig());
  ASSERT_TRUE(record.ok()) << record.status();
  for (int64_t frames = 0; frames < kSecondFrames / 2;) {
    const auto read = (*record)->Read(kSecondFrames, kLongEnough);
    ASSERT_TRUE(read.ok()) << read.status();
    frames += static_cast<int64_t>(read->samples.size()) / (*record)->channels();
  }
  auto half = client::Buffer::Create(*session, {});
  ASSERT_TRUE(half.ok()) << half.status();
  ASSERT_TRUE((*half)->Append(sound.samples, /*complete=*/false).ok());
  if (left == nullptr) {
    (*play)->Finish();
    ASSERT_TRUE(loop.Cancel().ok());
    return;
  }
  *left = {.session = *std::move(session),
           .sound = *std::move(buffer),
           .half_uploaded = *std::move(half),
           .play = *std::move(play),
           .record = *std::move(record)};
}

TEST(ServerLifeTest, EndsInGoodOrder) {
  const char* const program = std::getenv("RTMIXD_TEST_SERVER");
  ASSERT_NE(program, nullptr);
  const std::filesystem::path spool =
      std::filesystem::path(testing::TempDir()) / absl::StrCat("life_spool_", getpid());
  auto server =
      ServerProcess::Start({"--device", "virtual", "--grace", "0.2", "--spool", spool.string()},
                           "127.0.0.1", /*port=*/0, program);
  ASSERT_TRUE(server.ok()) << server.status();
  {
    auto client = client::Client::Connect((*server)->target());
    ASSERT_TRUE(client.ok()) << client.status();
    for (int round = 0; round < 3; ++round) {
      ASSERT_NO_FATAL_FAILURE(Work(*client, /*left=*/nullptr));
    }
    InFlight left;
    ASSERT_NO_FATAL_FAILURE(Work(*client, &left));
    (*server)->process().Signal(SIGTERM);
    EXPECT_EQ((*server)->process().Wait(kLongEnough).value_or(-1000), 0);
  }
  EXPECT_FALSE((*server)->process().GroupIsAlive());
  std::filesystem::remove_all(spool);
}

}  // namespace
}  // namespace rtmixd
