// The server is told to stop (SIGTERM, as by systemd) while clients play, record, watch and wait.
// Work that fits into the grace is finished; everything else ends with a reason that its client is
// told; the process exits with 0 and leaves no process behind.

#include <signal.h>

#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "client_cpp/action.h"
#include "client_cpp/audio.h"
#include "client_cpp/error.h"
#include "client_cpp/play_stream.h"
#include "client_cpp/record_stream.h"
#include "client_cpp/session.h"
#include "gtest/gtest.h"
#include "tests/integration/recordings.h"
#include "tests/integration/server_process.h"
#include "tests/support/event_watch.h"

namespace rtmixd {
namespace {

constexpr absl::Duration kLongEnough = absl::Seconds(60);
constexpr int64_t kSecondFrames = 48000;
// Of rtmixctl: the server cannot be reached, or left.
constexpr int kUnreachableExitCode = 3;

class GracefulStopTest : public testing::Test {
 protected:
  void StartServer(const std::string& grace_seconds) {
    auto server = ServerProcess::Start({"--device", "virtual", "--grace", grace_seconds});
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    auto client = client::Client::Connect(server_->target());
    ASSERT_TRUE(client.ok()) << client.status();
    client_ = *client;
    auto session = client::Session::Create(client_, {.label = "still there"});
    ASSERT_TRUE(session.ok()) << session.status();
    session_ = *session;
  }

  std::unique_ptr<ChildProcess> StartTool(std::vector<std::string> command) {
    command.insert(command.begin(), {kToolProgram, "--target", server_->target()});
    auto child = ChildProcess::Start(command);
    EXPECT_TRUE(child.ok()) << child.status();
    return child.ok() ? *std::move(child) : nullptr;
  }

  void ExpectServerExits() {
    EXPECT_EQ(server_->process().Wait(kLongEnough).value_or(-1), 0);
    EXPECT_NE(server_->process().output().find("stopping\n"), std::string::npos);
    EXPECT_FALSE(server_->process().GroupIsAlive());
  }

  // Schedules a play of so many frames now, and waits until it sounds.
  std::string StartPlay(int64_t frames) {
    v1::ScheduleActionsRequest request;
    v1::InlineAudio& audio = *request.add_actions()->mutable_play()->mutable_inline_audio();
    audio.set_channels(1);
    audio.set_sample_format(v1::SAMPLE_FORMAT_FLOAT32);
    audio.set_data(client::EncodeFloat32(std::vector<float>(static_cast<size_t>(frames), 0.25F)));
    const auto scheduled = client::ScheduleActions(*session_, request);
    EXPECT_TRUE(scheduled.ok()) << scheduled.status();
    return scheduled.ok() ? scheduled->actions(0).action_id() : "";
  }

  std::unique_ptr<ServerProcess> server_;
  std::shared_ptr<client::Client> client_;
  std::shared_ptr<client::Session> session_;
};

TEST_F(GracefulStopTest, EveryCallEndsWithAReason) {
  ASSERT_NO_FATAL_FAILURE(StartServer("0.5"));
  const std::string action_id = StartPlay(kSecondFrames * 15);
  auto play = client::PlayStream::Open(session_, [] {
    v1::PlayConfig config;
    config.set_channels(1);
    return config;
  }());
  ASSERT_TRUE(play.ok()) << play.status();
  ASSERT_TRUE((*play)->Write(std::vector<float>(kSecondFrames, 0.25F), kLongEnough).ok());
  auto record = client::RecordStream::Open(session_, v1::RecordConfig());
  ASSERT_TRUE(record.ok()) << record.status();
  ASSERT_FALSE((*record)->Read(1, kLongEnough).value().samples.empty());

  const std::string path = absl::StrCat(testing::TempDir(), "/cut_short.wav");
  const auto watch = StartTool({"watch", "--json"});
  const auto recorder = StartTool({"record", path});
  const auto waiter = std::make_unique<std::thread>();
  grpc::ClientContext meters_context;
  const auto stubs = client_->stubs();
  const auto meters = stubs->events->StreamMeters(&meters_context, v1::StreamMetersRequest());
  v1::StreamMetersResponse levels;
  ASSERT_TRUE(meters->Read(&levels));
  grpc::ClientContext clock_context;
  const auto clock = stubs->clock->StreamClock(&clock_context, v1::StreamClockRequest());
  v1::StreamClockResponse time;
  ASSERT_TRUE(clock->Read(&time));
  // The recorder's own action is the fourth.
  const auto started = AwaitEvents(
      *client_, {v1::EVENT_KIND_ACTION_STARTED},
      [](const std::vector<v1::LogEntry>& log) { return log.size() == 4; }, kLongEnough);
  ASSERT_TRUE(started.ok()) << started.status();
  ASSERT_TRUE(watch->ReadLine(kLongEnough).ok());
  absl::StatusOr<v1::WaitActionsResponse> waited;
  std::thread wait_thread(
      [&] { waited = client::WaitActions(*session_, {action_id}, kLongEnough); });

  const absl::Time told = absl::Now();
  server_->process().Signal(SIGTERM);
  while (meters->Read(&levels)) {
  }
  const absl::Status meters_status = client::FromGrpc(meters->Finish());
  while (clock->Read(&time)) {
  }
  const absl::Status clock_status = client::FromGrpc(clock->Finish());
  for (const absl::Status& status : {meters_status, clock_status}) {
    EXPECT_TRUE(absl::IsUnavailable(status)) << status;
    EXPECT_EQ(client::ErrorReasonOf(status), v1::ERROR_REASON_SHUTTING_DOWN) << status;
  }
  const auto play_report = (*play)->Wait(kLongEnough);
  ASSERT_TRUE(play_report.ok() && play_report->has_value()) << play_report.status();
  EXPECT_EQ((*play_report)->end_reason(), v1::END_REASON_SHUTDOWN);
  while ((*record)->Read(kSecondFrames, kLongEnough).ok()) {
  }
  const auto record_report = (*record)->Wait(kLongEnough);
  ASSERT_TRUE(record_report.ok() && record_report->has_value()) << record_report.status();
  EXPECT_EQ((*record_report)->end_reason(), v1::END_REASON_SHUTDOWN);
  wait_thread.join();
  ASSERT_TRUE(waited.ok()) << waited.status();
  ASSERT_EQ(waited->ended_size(), 1);
  EXPECT_EQ(waited->ended(0).end_reason(), v1::END_REASON_SHUTDOWN);
  EXPECT_EQ(watch->Wait(kLongEnough).value_or(-1), kUnreachableExitCode);
  EXPECT_EQ(recorder->Wait(kLongEnough).value_or(-1), kUnreachableExitCode);
  const auto kept = ReadWav(path);
  ASSERT_TRUE(kept.ok()) << kept.status();
  EXPECT_GT(kept->frames(), 0);
  std::remove(path.c_str());
  ExpectServerExits();
  std::printf("stopped %s after SIGTERM, with a grace of 0.5 s\n",
              absl::FormatDuration(absl::Now() - told).c_str());
}

TEST_F(GracefulStopTest, WorkThatFitsIntoTheGraceIsFinishedAndNewWorkRefused) {
  ASSERT_NO_FATAL_FAILURE(StartServer("50"));
  const std::string action_id = StartPlay(3 * kSecondFrames);
  server_->process().Signal(SIGTERM);
  ASSERT_EQ(server_->process().ReadLine(kLongEnough).value().find("virtual device"), 0);
  ASSERT_EQ(server_->process().ReadLine(kLongEnough).value(), "stopping");
  // It may take a moment more until the signal has come to the engine.
  const auto stopping = AwaitEvents(
      *client_, {v1::EVENT_KIND_SERVER_STOPPING},
      [](const std::vector<v1::LogEntry>& log) { return !log.empty(); }, kLongEnough);
  ASSERT_TRUE(stopping.ok()) << stopping.status();
  const absl::Status refused =
      client_
          ->Call(&client::Stubs::sessions, &v1::SessionService::Stub::CreateSession,
                 v1::CreateSessionRequest(), {})
          .status();
  EXPECT_EQ(client::ErrorReasonOf(refused), v1::ERROR_REASON_SHUTTING_DOWN) << refused;
  const auto waited = client::WaitActions(*session_, {action_id}, kLongEnough);
  ASSERT_TRUE(waited.ok()) << waited.status();
  ASSERT_EQ(waited->ended_size(), 1);
  EXPECT_EQ(waited->ended(0).end_reason(), v1::END_REASON_COMPLETED);
  EXPECT_EQ(waited->ended(0).done_frames(), 3 * kSecondFrames);
  EXPECT_EQ(server_->process().Wait(kLongEnough).value_or(-1), 0);
  EXPECT_FALSE(server_->process().GroupIsAlive());
}

TEST_F(GracefulStopTest, SecondSignalEndsTheGrace) {
  ASSERT_NO_FATAL_FAILURE(StartServer("3600"));
  StartPlay(15 * kSecondFrames);
  auto record = client::RecordStream::Open(session_, v1::RecordConfig());
  ASSERT_TRUE(record.ok()) << record.status();
  server_->process().Signal(SIGTERM);
  EXPECT_TRUE(absl::IsDeadlineExceeded(server_->process().Wait(absl::Milliseconds(300)).status()));
  server_->process().Signal(SIGTERM);
  ExpectServerExits();
}

}  // namespace
}  // namespace rtmixd
