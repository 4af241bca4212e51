// The path of a program that uses the client library, against a real server on its virtual device,
// whose outputs come back at its inputs: streams whose connection breaks, audio sent in parts.
#include "client_cpp/client.h"

#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "absl/synchronization/notification.h"
#include "client_cpp/action.h"
#include "client_cpp/audio_stream.h"
#include "client_cpp/buffer.h"
#include "client_cpp/play_rec.h"
#include "client_cpp/session.h"
#include "tests/client_cpp/tool.h"
#include "tests/support/dice.h"
#include "tests/support/polling.h"
#include "tests/support/tcp_relay.h"

namespace rtmixd {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(30);

std::vector<float> Noise(int64_t samples, unsigned seed) {
  std::mt19937 generator(seed);
  std::uniform_int_distribution<int> distribution(-16000, 16000);
  std::vector<float> noise(static_cast<size_t>(samples));
  for (float& sample : noise) sample = static_cast<float>(distribution(generator)) / 32768.0F;
  return noise;
}

class ClientTest : public testing::Test {
 protected:
  void SetUp() override {
    auto tool = Tool::Start({});
    ASSERT_TRUE(tool.ok()) << tool.status();
    tool_ = *std::move(tool);
    auto client = client::Client::Connect(tool_->target());
    ASSERT_TRUE(client.ok()) << client.status();
    auto session = client::Session::Create(*client, {.label = "client_test"});
    ASSERT_TRUE(session.ok()) << session.status();
    session_ = *session;
  }

  std::unique_ptr<Tool> tool_;
  std::shared_ptr<client::Session> session_;
};

TEST_F(ClientTest, StreamsGoOnAfterBreaksWithoutLosingAFrame) {
  constexpr int64_t kFrames = 2 * 48000;
  const std::vector<float> sound = Noise(kFrames, 1);
  v1::DuplexConfig config;
  config.mutable_play()->set_channels(1);
  // All of it is on the server before it sounds, so that no break can be heard.
  config.mutable_play()->set_ring_frames(kFrames);
  config.mutable_play()->set_prebuffer_frames(kFrames);
  config.mutable_record()->mutable_channel_map()->add_channels(1);
  auto stream = client::AudioStream::Open(session_, config);
  ASSERT_TRUE(stream.ok()) << stream.status();

  const auto half = absl::MakeConstSpan(sound).subspan(0, kFrames / 2);
  ASSERT_EQ((*stream)->Write(half, kPatience).value(), kFrames / 2);
  (*stream)->BreakConnection();
  const auto rest = absl::MakeConstSpan(sound).subspan(kFrames / 2);
  ASSERT_EQ((*stream)->Write(rest, kPatience).value(), kFrames / 2);
  (*stream)->EndOfSound();

  std::vector<float> recorded;
  const auto read = [&]() -> bool {
    auto audio = (*stream)->Read(4800, kPatience);
    if (!audio.ok()) {
      EXPECT_TRUE(absl::IsOutOfRange(audio.status())) << audio.status();
      return false;
    }
    EXPECT_EQ(audio->lost_frames, 0);
    EXPECT_EQ(audio->position, static_cast<int64_t>(recorded.size()));
    recorded.insert(recorded.end(), audio->samples.begin(), audio->samples.end());
    return !audio->samples.empty();
  };
  bool broken = false;
  while (true) {
    ASSERT_TRUE(read());
    const auto play = (*stream)->WaitPlay(absl::ZeroDuration());
    ASSERT_TRUE(play.ok()) << play.status();
    if (play->has_value()) {
      EXPECT_EQ((*play)->done_frames(), kFrames);
      (*stream)->StopRecording((*play)->end_frame() + 4800);
      break;
    }
    if (!broken && (*stream)->play_progress().played_position() > 0) {
      (*stream)->BreakConnection();
      broken = true;
    }
  }
  while (read()) {
  }
  EXPECT_GE((*stream)->reattached(), 1);
  const auto report = (*stream)->WaitRecord(kPatience);
  ASSERT_TRUE(report.ok() && report->has_value());
  EXPECT_EQ((*report)->done_frames(), static_cast<int64_t>(recorded.size()));
  EXPECT_EQ((*report)->gap_frames(), 0);
  EXPECT_TRUE(std::search(recorded.begin(), recorded.end(), sound.begin(), sound.end()) !=
              recorded.end())
      << "the sound is not in the recording as it was sent";
}

TEST_F(ClientTest, BufferGrowsInPartsAndIsFetchedFromAnywhere) {
  const std::vector<float> sound = Noise(2 * 50000, 2);
  auto buffer = client::Buffer::Create(session_, {.channels = 2, .sample_rate_hz = 48000});
  ASSERT_TRUE(buffer.ok()) << buffer.status();
  const auto all = absl::MakeConstSpan(sound);
  ASSERT_TRUE((*buffer)->Append(all.subspan(0, 60000), /*complete=*/false).ok());
  EXPECT_EQ((*buffer)->Info()->state(), v1::BUFFER_STATE_OPEN);
  ASSERT_TRUE((*buffer)->Append(all.subspan(60000), /*complete=*/true).ok());
  EXPECT_EQ((*buffer)->Info()->state(), v1::BUFFER_STATE_COMPLETE);
  EXPECT_EQ((*buffer)->Info()->frames(), 50000);

  std::vector<float> fetched;
  const absl::Status status = (*buffer)->Download(
      {.first_frame = 1000, .frames = 20000}, [&](int64_t, absl::Span<const float> samples) {
        fetched.insert(fetched.end(), samples.begin(), samples.end());
        return absl::OkStatus();
      });
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_TRUE(absl::MakeConstSpan(fetched) == all.subspan(2000, 40000));
}

TEST_F(ClientTest, HalfAFrameIsRefusedBeforeAnythingIsSent) {
  auto buffer = client::Buffer::Create(session_, {.channels = 2});
  ASSERT_TRUE(buffer.ok()) << buffer.status();
  EXPECT_TRUE(absl::IsInvalidArgument((*buffer)->Append(Noise(3, 3), true)));
  EXPECT_EQ((*buffer)->Info()->frames(), 0);
}

TEST_F(ClientTest, BufferIsGoneWithItsOwner) {
  std::string id;
  {
    auto buffer = client::Buffer::Create(session_, {.channels = 2});
    ASSERT_TRUE(buffer.ok()) << buffer.status();
    id = (*buffer)->id();
  }
  EXPECT_TRUE(absl::IsNotFound(client::Buffer::Open(session_, id).status()));
}

TEST_F(ClientTest, AdoptedSessionIsLeftToItsOwner) {
  {
    auto client = client::Client::Connect(tool_->target());
    ASSERT_TRUE(client.ok());
    auto adopted = client::Session::Adopt(*client, session_->token());
    ASSERT_TRUE(adopted.ok()) << adopted.status();
    EXPECT_EQ((*adopted)->id(), session_->id());
    EXPECT_FALSE(client::Session::Adopt(*client, "wrong").ok());
  }
  EXPECT_TRUE(client::Buffer::Create(session_, {.channels = 1}).ok());
}

TEST_F(ClientTest, WaitForDoneIsOverBeforeTheReportIsFinal) {
  v1::ScheduleActionsRequest request;
  request.add_actions()->mutable_record()->set_frames(4800);
  const auto scheduled = client::ScheduleActions(*session_, request);
  ASSERT_TRUE(scheduled.ok()) << scheduled.status();
  const client::Action action(session_, scheduled->actions(0).action_id());
  const auto done = action.Wait(kPatience, client::WaitFor::kDone);
  ASSERT_TRUE(done.ok()) << done.status();
  // The first seconds of a stream are judged long after they were.
  EXPECT_EQ(done->state(), v1::ACTION_STATE_DONE);
  EXPECT_EQ(done->done_frames(), 4800);
  const auto ended = action.Wait(kPatience);
  ASSERT_TRUE(ended.ok()) << ended.status();
  EXPECT_EQ(ended->state(), v1::ACTION_STATE_ENDED);
  EXPECT_EQ(ended->end_frame(), done->end_frame());
}

// Transfers through connections that are cut on the way.
class BrokenTransferTest : public ClientTest {
 protected:
  static constexpr int kChannels = 2;
  static constexpr int64_t kFrames = 500'000;
  static constexpr int64_t kCutBytes = 1'200'000;  // of 4 000 000
  // What calls add to the audio; less than the part of it that is sent before the cut.
  static constexpr int64_t kOverheadBytes = 400'000;
  // What some calls without audio take.
  static constexpr int64_t kRefusedBytes = 2000;

  void SetUp() override {
    ASSERT_NO_FATAL_FAILURE(ClientTest::SetUp());
    auto relay = TcpRelay::Start(tool_->target());
    ASSERT_TRUE(relay.ok()) << relay.status();
    relay_ = *std::move(relay);
    auto client = client::Client::Connect(relay_->target());
    ASSERT_TRUE(client.ok()) << client.status();
    auto adopted = client::Session::Adopt(*client, session_->token());
    ASSERT_TRUE(adopted.ok()) << adopted.status();
    relayed_ = *adopted;
  }

  // Appends what comes to `to`, and complains about what comes twice or not at all.
  static client::Buffer::Sink Into(std::vector<float>* to, int64_t first_frame) {
    return [to, first_frame](int64_t position, absl::Span<const float> samples) {
      EXPECT_EQ(position, first_frame + static_cast<int64_t>(to->size()) / kChannels);
      to->insert(to->end(), samples.begin(), samples.end());
      return absl::OkStatus();
    };
  }

  const client::Audio sound_ = {
      .channels = kChannels, .sample_rate_hz = 48000, .samples = Noise(kFrames * kChannels, 4)};
  std::unique_ptr<TcpRelay> relay_;
  std::shared_ptr<client::Session> relayed_;  // the session, through the relay
};

TEST_F(BrokenTransferTest, UploadGoesOnWhereItWasCut) {
  relay_->CutAfter(TcpRelay::Way::kToServer, {kCutBytes, kCutBytes});
  auto uploaded = client::Buffer::Upload(relayed_, sound_, {});
  ASSERT_TRUE(uploaded.ok()) << uploaded.status();
  EXPECT_EQ(relay_->cuts(), 2);

  auto buffer = client::Buffer::Open(session_, (*uploaded)->id());
  ASSERT_TRUE(buffer.ok()) << buffer.status();
  const auto info = (*buffer)->Info();
  ASSERT_TRUE(info.ok()) << info.status();
  EXPECT_EQ(info->state(), v1::BUFFER_STATE_COMPLETE);
  EXPECT_EQ(info->frames(), kFrames);
  std::vector<float> fetched;
  const absl::Status status = (*buffer)->Download({}, Into(&fetched, 0));
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_TRUE(fetched == sound_.samples);
}

// The server still waits for the rest of the broken call, and takes no other for this buffer.
TEST_F(BrokenTransferTest, UploadWaitsForTheEndOfItsBrokenCall) {
  const int64_t cut_bytes = relay_->carried_bytes(TcpRelay::Way::kToServer) + kCutBytes;
  relay_->TellServer(false);
  relay_->CutAfter(TcpRelay::Way::kToServer, {kCutBytes});
  absl::Notification uploaded;
  std::thread tell([&] {
    // Calls after the cut have come by, and are refused.
    PollUntil(
        [&] {
          return uploaded.HasBeenNotified() ||
                 relay_->carried_bytes(TcpRelay::Way::kToServer) > cut_bytes + kRefusedBytes;
        },
        kPatience);
    relay_->TellServer(true);
  });
  auto buffer = client::Buffer::Upload(relayed_, sound_, {});
  uploaded.Notify();
  tell.join();
  ASSERT_TRUE(buffer.ok()) << buffer.status();
  EXPECT_EQ(relay_->cuts(), 1);
  std::vector<float> fetched;
  ASSERT_TRUE((*buffer)->Download({}, Into(&fetched, 0)).ok());
  EXPECT_TRUE(fetched == sound_.samples);
}

// What the server has of it for sure is not sent again.
TEST_F(BrokenTransferTest, PartOfABufferIsAppendedWhole) {
  auto buffer = client::Buffer::Create(relayed_, {.channels = kChannels, .sample_rate_hz = 48000});
  ASSERT_TRUE(buffer.ok()) << buffer.status();
  const auto all = absl::MakeConstSpan(sound_.samples);
  const size_t head = kFrames / 5 * kChannels;
  ASSERT_TRUE((*buffer)->Append(all.subspan(0, head), /*complete=*/false).ok());
  relay_->CutAfter(TcpRelay::Way::kToServer, {kCutBytes});
  const absl::Status appended = (*buffer)->Append(all.subspan(head), /*complete=*/false);
  ASSERT_TRUE(appended.ok()) << appended;
  EXPECT_EQ(relay_->cuts(), 1);
  EXPECT_LT(relay_->carried_bytes(TcpRelay::Way::kToServer),
            kFrames * kChannels * int64_t{sizeof(float)} + kCutBytes + kOverheadBytes);
  EXPECT_EQ((*buffer)->Info()->state(), v1::BUFFER_STATE_OPEN);
  std::vector<float> fetched;
  ASSERT_TRUE((*buffer)->Download({}, Into(&fetched, 0)).ok());
  EXPECT_TRUE(fetched == sound_.samples);
}

// Wherever the cuts fall: in the greeting of a connection, in a header, in audio.
TEST_F(BrokenTransferTest, UploadAndDownloadThatAreCutAHundredTimesEachAreExact) {
  constexpr int kCuts = 100;
  Dice dice(100);
  const auto cuts = [&dice] {
    std::vector<int64_t> bytes;
    for (int i = 0; i < kCuts; ++i)
      bytes.push_back(dice.Between(1, 2 * kFrames * kChannels * 4 / kCuts));
    return bytes;
  };
  // Twice as much as the sound may pass before the last cut: the sound is sent as often as it
  // takes.
  relay_->CutAfter(TcpRelay::Way::kToServer, cuts());
  std::vector<std::unique_ptr<client::Buffer>> uploads;
  while (relay_->cuts() < kCuts) {
    auto uploaded = client::Buffer::Upload(relayed_, sound_, {});
    ASSERT_TRUE(uploaded.ok()) << uploaded.status() << " after " << relay_->cuts() << " cuts";
    uploads.push_back(*std::move(uploaded));
  }
  for (const auto& upload : uploads) {
    auto buffer = client::Buffer::Open(session_, upload->id());
    ASSERT_TRUE(buffer.ok()) << buffer.status();
    std::vector<float> fetched;
    ASSERT_TRUE((*buffer)->Download({}, Into(&fetched, 0)).ok());
    EXPECT_TRUE(fetched == sound_.samples);
  }
  relay_->CutAfter(TcpRelay::Way::kToClient, cuts());
  while (relay_->cuts() < 2 * kCuts) {
    std::vector<float> fetched;
    const absl::Status status = uploads.front()->Download({}, Into(&fetched, 0));
    ASSERT_TRUE(status.ok()) << status << " after " << relay_->cuts() << " cuts";
    EXPECT_TRUE(fetched == sound_.samples);
  }
}

TEST_F(BrokenTransferTest, DownloadGoesOnWhereItWasCut) {
  auto buffer = client::Buffer::Upload(session_, sound_, {});
  ASSERT_TRUE(buffer.ok()) << buffer.status();
  auto relayed = client::Buffer::Open(relayed_, (*buffer)->id());
  ASSERT_TRUE(relayed.ok()) << relayed.status();
  relay_->CutAfter(TcpRelay::Way::kToClient, {kCutBytes, kCutBytes});
  std::vector<float> fetched;
  const absl::Status status = (*relayed)->Download({}, Into(&fetched, 0));
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(relay_->cuts(), 2);
  EXPECT_TRUE(fetched == sound_.samples);
}

TEST_F(BrokenTransferTest, PartOfABufferIsFetchedWhole) {
  constexpr int64_t kFirst = 12'345;
  constexpr int64_t kWanted = 400'000;
  auto buffer = client::Buffer::Upload(session_, sound_, {});
  ASSERT_TRUE(buffer.ok()) << buffer.status();
  auto relayed = client::Buffer::Open(relayed_, (*buffer)->id());
  ASSERT_TRUE(relayed.ok()) << relayed.status();
  relay_->CutAfter(TcpRelay::Way::kToClient, {kCutBytes});
  std::vector<float> fetched;
  const absl::Status status =
      (*relayed)->Download({.first_frame = kFirst, .frames = kWanted}, Into(&fetched, kFirst));
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(relay_->cuts(), 1);
  EXPECT_TRUE(absl::MakeConstSpan(fetched) ==
              absl::MakeConstSpan(sound_.samples).subspan(kFirst * kChannels, kWanted * kChannels));
}

// A sound of many channels, so that it does not fit into one message and is short all the same.
TEST(PlayRecTest, SoundLargerThanAMessageIsUploadedFirst) {
  constexpr int kChannels = 64;
  constexpr int64_t kFrames = 70'000;
  const auto tool = Tool::Start({"--virtual-inputs", "64", "--virtual-outputs", "64"});
  ASSERT_TRUE(tool.ok()) << tool.status();
  auto client = client::Client::Connect((*tool)->target());
  ASSERT_TRUE(client.ok()) << client.status();
  auto session = client::Session::Create(*client, {.label = "large"});
  ASSERT_TRUE(session.ok()) << session.status();
  const client::Audio sound = {
      .channels = kChannels, .sample_rate_hz = 48000, .samples = Noise(kFrames * kChannels, 5)};
  ASSERT_GT(static_cast<int64_t>(sound.samples.size() * sizeof(float)),
            (*client)->info().limits().max_message_bytes());

  client::PlayRecOptions options;
  options.timeout = kPatience;
  const auto result = client::PlayRec(*session, sound, options);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_NE(result->play.buffer_id(), "");
  EXPECT_EQ(result->play.done_frames(), kFrames);
  EXPECT_EQ(result->recording.channels, kChannels);
  EXPECT_TRUE(result->recording.samples == sound.samples);
  // Neither the sound nor the recording is left on the server.
  const auto buffers =
      (*client)->Call(&client::Stubs::buffers, &v1::BufferService::Stub::ListBuffers,
                      v1::ListBuffersRequest(), (*session)->call());
  ASSERT_TRUE(buffers.ok()) << buffers.status();
  EXPECT_EQ(buffers->buffers_size(), 0);
}

TEST_F(ClientTest, ABatchHasAReportAsAWhole) {
  v1::ScheduleActionsRequest request;
  request.add_actions()->mutable_record()->set_frames(4800);
  request.add_actions()->mutable_record();
  const auto scheduled = client::ScheduleActions(*session_, request);
  ASSERT_TRUE(scheduled.ok()) << scheduled.status();
  const auto running = client::WaitBatch(*session_, scheduled->batch_id(), absl::Milliseconds(10));
  ASSERT_TRUE(running.ok()) << running.status();
  EXPECT_NE(running->state(), v1::ACTION_STATE_ENDED);
  v1::CancelActionsRequest cancel;
  cancel.set_all(true);
  ASSERT_TRUE(client::CancelActions(*session_, cancel).ok());
  const auto done = client::WaitBatch(*session_, scheduled->batch_id(), absl::InfiniteDuration(),
                                      nullptr, client::WaitFor::kDone);
  ASSERT_TRUE(done.ok()) << done.status();
  EXPECT_EQ(done->pending_actions() + done->active_actions(), 0);
  const auto ended = client::WaitBatch(*session_, scheduled->batch_id(), absl::InfiniteDuration());
  ASSERT_TRUE(ended.ok()) << ended.status();
  EXPECT_EQ(ended->state(), v1::ACTION_STATE_ENDED);
  EXPECT_EQ(ended->ended_actions(), 2);
  const auto got = client::GetBatch(*session_, scheduled->batch_id());
  ASSERT_TRUE(got.ok()) << got.status();
  EXPECT_EQ(got->SerializeAsString(), ended->SerializeAsString());
  EXPECT_TRUE(absl::IsNotFound(client::GetBatch(*session_, "t-none").status()));
}

TEST_F(ClientTest, WaitNoticesThatTheServerIsGone) {
  v1::ScheduleActionsRequest request;
  request.add_actions()->mutable_record();
  const auto scheduled = client::ScheduleActions(*session_, request);
  ASSERT_TRUE(scheduled.ok()) << scheduled.status();
  tool_->server().Signal(SIGKILL);
  const auto answer =
      client::WaitActions(*session_, {scheduled->actions(0).action_id()}, absl::InfiniteDuration());
  EXPECT_TRUE(absl::IsUnavailable(answer.status())) << answer.status();
}

}  // namespace
}  // namespace rtmixd
