// The server is killed (SIGKILL, as by the kernel when memory runs out) while clients play, record
// and wait, and is started again on the same port. They are told, what they remember is refused by
// name, and with a spool what was recorded is still there.
//
// It needs root, for a network of its own, in which nobody else takes the port meanwhile.

#include <signal.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "client_cpp/action.h"
#include "client_cpp/buffer.h"
#include "client_cpp/play_stream.h"
#include "client_cpp/record_stream.h"
#include "client_cpp/session.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/integration/recordings.h"
#include "tests/integration/server_process.h"
#include "tests/integration/spooled.h"
#include "tests/support/child_process.h"
#include "tests/support/network_namespace.h"
#include "tests/support/polling.h"

namespace rtmixd {
namespace {

using testing::HasSubstr;

constexpr absl::Duration kLongEnough = absl::Seconds(60);
// 3 s, and what a busy machine adds.
constexpr absl::Duration kToldWithin = absl::Milliseconds(3500);
constexpr int64_t kSecondFrames = 48000;

class CrashTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    const auto network = NetworkNamespace::Create();
    ASSERT_TRUE(network.ok()) << network.status();
    // Before there are threads.
    ASSERT_TRUE((*network)->Enter().ok());
  }

  void SetUp() override {
    folder_ = absl::StrCat(testing::TempDir(), "/crash_test.", getpid());
    ASSERT_NO_FATAL_FAILURE(StartServer());
  }

  void TearDown() override {
    session_ = nullptr;
    server_ = nullptr;
    std::filesystem::remove_all(folder_);
  }

  void StartServer() {
    // The port of before, if there is one: clients find it again by themselves.
    auto server =
        ServerProcess::Start({"--device", "virtual", "--spool", folder_}, "127.0.0.1", port_);
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    const std::string& target = server_->target();
    ASSERT_TRUE(absl::SimpleAtoi(target.substr(target.rfind(':') + 1), &port_));
    auto client = client::Client::Connect(target);
    ASSERT_TRUE(client.ok()) << client.status();
    client_ = *client;
    auto session = client::Session::Create(client_, {.label = "CI job 812"});
    ASSERT_TRUE(session.ok()) << session.status();
    session_ = *session;
  }

  void Kill() {
    server_->process().Signal(SIGKILL);
    ASSERT_TRUE(server_->process().Wait(kLongEnough).ok());
  }

  std::string folder_;
  int port_ = 0;
  std::unique_ptr<ServerProcess> server_;
  std::shared_ptr<client::Client> client_;
  std::shared_ptr<client::Session> session_;
};

TEST_F(CrashTest, ClientsAreToldAndNothingOldIsTakenForSomethingNew) {
  const auto recorded = PlayAndRecord(session_, LongNoise(30 * kSecondFrames));
  ASSERT_TRUE(recorded.ok()) << recorded.status();
  v1::PlayConfig play_config;
  play_config.set_channels(1);
  auto play = client::PlayStream::Open(session_, play_config);
  ASSERT_TRUE(play.ok()) << play.status();
  ASSERT_TRUE((*play)->Write(LongNoise(1000), kLongEnough).ok());
  auto record = client::RecordStream::Open(session_, v1::RecordConfig());
  ASSERT_TRUE(record.ok()) << record.status();
  ASSERT_FALSE((*record)->Read(1, kLongEnough).value().samples.empty());
  absl::Status waited;
  absl::Time waited_until;
  std::thread waiter([&] {
    waited = client::WaitActions(*session_, {recorded->record_action_id}, kLongEnough).status();
    waited_until = absl::Now();
  });
  const std::string instance_id = client_->info().instance_id();
  const std::string token = session_->token();
  const std::shared_ptr<client::Session> old_session = session_;

  const absl::Time killed = absl::Now();
  ASSERT_NO_FATAL_FAILURE(Kill());
  EXPECT_TRUE(
      PollUntil([&] { return !(*play)->attached() && !(*record)->attached(); }, kToldWithin));
  waiter.join();
  EXPECT_EQ(waited.code(), absl::StatusCode::kUnavailable) << waited;
  EXPECT_LE(waited_until - killed, kToldWithin);

  ASSERT_NO_FATAL_FAILURE(StartServer());
  // Its streams look for the server again, and learn that this is another one.
  const absl::Time restarted = absl::Now();
  absl::Status read;
  while (read.ok()) read = (*record)->Read(kSecondFrames, kLongEnough).status();
  EXPECT_EQ(read.code(), absl::StatusCode::kUnauthenticated) << read;
  EXPECT_THAT(std::string(read.message()), HasSubstr("restarted"));
  const absl::Status written = (*play)->Wait(kLongEnough).status();
  EXPECT_EQ(written.code(), absl::StatusCode::kUnauthenticated) << written;
  EXPECT_THAT(std::string(written.message()), HasSubstr("restarted"));
  EXPECT_LE(absl::Now() - restarted, kToldWithin);
  std::printf("told after %s of the crash, and after %s of the restart\n",
              absl::FormatDuration(waited_until - killed).c_str(),
              absl::FormatDuration(absl::Now() - restarted).c_str());
  EXPECT_NE(client_->info().instance_id(), instance_id);
  // As many things as there were before.
  const auto again = PlayAndRecord(session_, LongNoise(kSecondFrames));
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_NE(again->record_action_id, recorded->record_action_id);
  EXPECT_NE(again->buffer_id, recorded->buffer_id);
  EXPECT_NE(session_->id(), old_session->id());

  // The old token, through the client that reconnects, and through a new one.
  for (client::Client* client : {&old_session->client(), client_.get()}) {
    const auto kept = client->Call(&client::Stubs::sessions, &v1::SessionService::Stub::KeepSession,
                                   v1::KeepSessionRequest(), {.token = token, .retry = true});
    EXPECT_EQ(kept.status().code(), absl::StatusCode::kUnauthenticated) << kept.status();
    EXPECT_THAT(std::string(kept.status().message()), HasSubstr("restarted"));
  }
  // Old ids, with a new token.
  v1::GetActionRequest get_action;
  get_action.set_action_id(recorded->record_action_id);
  const auto action = client_->Call(&client::Stubs::actions, &v1::ActionService::Stub::GetAction,
                                    get_action, session_->call());
  EXPECT_EQ(action.status().code(), absl::StatusCode::kNotFound) << action.status();
  EXPECT_THAT(std::string(action.status().message()), HasSubstr("restarted"));
  const absl::Status buffer = client::Buffer::Open(session_, recorded->buffer_id).status();
  EXPECT_EQ(buffer.code(), absl::StatusCode::kNotFound) << buffer;
  EXPECT_THAT(std::string(buffer.message()), HasSubstr("restarted"));
  v1::PlayConfig reattach;
  reattach.set_channels(1);
  reattach.set_reattach_action_id((*play)->action_id());
  const absl::Status reattached = client::PlayStream::Open(session_, reattach).status();
  EXPECT_EQ(reattached.code(), absl::StatusCode::kNotFound) << reattached;
  EXPECT_THAT(std::string(reattached.message()), HasSubstr("restarted"));
}

TEST_F(CrashTest, WhatWasRecordedIsStillThere) {
  const std::vector<float> sound = LongNoise(60 * kSecondFrames);
  const std::vector<float> beginning(sound.begin(), sound.begin() + kSecondFrames);
  const auto finished = PlayAndRecord(session_, beginning);
  ASSERT_TRUE(finished.ok()) << finished.status();
  ASSERT_TRUE(client::WaitActions(*session_, {finished->record_action_id}, kLongEnough).ok());
  const auto running = PlayAndRecord(session_, sound);
  ASSERT_TRUE(running.ok()) << running.status();
  const auto buffer = client::Buffer::Open(session_, running->buffer_id);
  ASSERT_TRUE(buffer.ok()) << buffer.status();
  int64_t frames = 0;
  ASSERT_TRUE(PollUntil(
      [&] {
        const auto info = (*buffer)->Info();
        frames = info.ok() ? info->frames() : 0;
        return frames > 3 * kSecondFrames;
      },
      kLongEnough));
  ASSERT_NO_FATAL_FAILURE(Kill());
  const std::string instance_id = client_->info().instance_id();

  ASSERT_NO_FATAL_FAILURE(StartServer());
  const auto list = ListSpooled(*session_);
  ASSERT_TRUE(list.ok()) << list.status();
  ASSERT_EQ(list->size(), 2);
  const v1::SpooledRecording& whole = (*list)[0];
  EXPECT_EQ(whole.state(), v1::SPOOLED_RECORDING_STATE_COMPLETE);
  EXPECT_EQ(whole.report().action_id(), finished->record_action_id);
  EXPECT_EQ(whole.report().end_reason(), v1::END_REASON_COMPLETED);
  EXPECT_EQ(whole.instance_id(), instance_id);
  EXPECT_EQ(whole.label(), "response");
  EXPECT_EQ(whole.session_label(), "CI job 812");
  const v1::SpooledRecording& cut = (*list)[1];
  EXPECT_EQ(cut.state(), v1::SPOOLED_RECORDING_STATE_INTERRUPTED);
  EXPECT_EQ(cut.report().touched(), v1::TOUCHED_CANNOT_TELL);
  std::printf("of %lld frames that the buffer held, %lld were on the disk\n",
              static_cast<long long>(frames), static_cast<long long>(cut.frames()));
  EXPECT_GE(cut.frames(), frames - kSecondFrames);

  const auto all = DownloadSpooled(*session_, whole.recording_id());
  ASSERT_TRUE(all.ok()) << all.status();
  EXPECT_EQ(FirstDifference(*all, beginning), -1);
  const auto part = DownloadSpooled(*session_, cut.recording_id());
  ASSERT_TRUE(part.ok()) << part.status();
  ASSERT_EQ(static_cast<int64_t>(part->size()), cut.frames());
  EXPECT_EQ(FirstDifference(*part, std::vector<float>(sound.begin(), sound.begin() + cut.frames())),
            -1);
  // Any audio tool opens it.
  const auto file = ReadWav(absl::StrCat(folder_, "/", cut.recording_id(), ".wav"));
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(FirstDifference(file->samples, *part), -1);

  // From the shell.
  const std::string copy = absl::StrCat(folder_, "/copy.wav");
  const auto listed = RunCommand({kToolProgram, "--target", server_->target(), "spool"});
  ASSERT_TRUE(listed.ok()) << listed.status();
  EXPECT_THAT(*listed, HasSubstr(cut.recording_id()));
  EXPECT_THAT(*listed, HasSubstr("interrupted"));
  const auto got = RunCommand(
      {kToolProgram, "--target", server_->target(), "spool", "get", cut.recording_id(), copy});
  ASSERT_TRUE(got.ok()) << got.status();
  const auto copied = ReadWav(copy);
  ASSERT_TRUE(copied.ok()) << copied.status();
  EXPECT_EQ(FirstDifference(copied->samples, *part), -1);
  const auto deleted = RunCommand(
      {kToolProgram, "--target", server_->target(), "spool", "delete", cut.recording_id()});
  ASSERT_TRUE(deleted.ok()) << deleted.status();
  EXPECT_EQ(ListSpooled(*session_)->size(), 1);
  EXPECT_EQ(DownloadSpooled(*session_, cut.recording_id()).status().code(),
            absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace rtmixd
