// The main job between two hosts: the server runs in one network namespace, the clients (this
// process and rtmixctl) in another, and their packets go through a veth pair or a cable with 20 ms
// of delay each way. Real recordings are sent over, played on the server's virtual device, come
// back through its loopback, are recorded and fetched. The client must hold the bits it sent, on
// the frame it asked for.

#include "tests/integration/two_hosts.h"

#include <unistd.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "client_cpp/play_rec.h"
#include "client_cpp/play_stream.h"
#include "client_cpp/record_stream.h"
#include "client_cpp/session.h"
#include "gtest/gtest.h"
#include "tests/integration/recordings.h"

namespace rtmixd {
namespace {

constexpr absl::Duration kOneWayDelay = absl::Milliseconds(20);
constexpr absl::Duration kLongEnough = absl::Seconds(60);
constexpr int64_t kSecondFrames = 48000;

class TwoHostsPlayTest : public TwoHostsTest {
 protected:
  void Connect() {
    auto client = client::Client::Connect(server().target());
    ASSERT_TRUE(client.ok()) << client.status();
    client_ = *client;
    auto session = client::Session::Create(client_, {.label = "two hosts"});
    ASSERT_TRUE(session.ok()) << session.status();
    session_ = *session;
    const auto stream = GetStream(*client_);
    ASSERT_TRUE(stream.ok()) << stream.status();
    ASSERT_EQ(stream->sample_rate_hz(), 48000);
    latency_frames_ = stream->input_latency_frames() + stream->output_latency_frames();
  }

  int64_t NextFrame() { return GetStream(*client_).value().next_frame(); }

  // Plays on output 2 from a frame on, records inputs 1 and 2, and compares.
  void ExpectSoundComesBack(const client::Audio& sound) {
    client::PlayRecOptions options;
    options.outputs = {2};
    options.inputs = {1, 2};
    options.tail_frames = 4800;
    options.start_frame = NextFrame() + 2 * kSecondFrames;
    options.timeout = kLongEnough;
    const auto result = client::PlayRec(session_, sound, options);
    ASSERT_TRUE(result.ok()) << result.status();

    EXPECT_EQ(result->scheduled.origin_frame(), *options.start_frame);
    for (const v1::ActionReport* report : {&result->play, &result->record}) {
      EXPECT_EQ(report->end_reason(), v1::END_REASON_COMPLETED);
      EXPECT_EQ(report->touched(), v1::TOUCHED_NO);
      EXPECT_EQ(report->late_frames(), 0);
      EXPECT_EQ(report->done_frames(), report->total_frames());
    }
    EXPECT_EQ(result->play.start_frame(), *options.start_frame);
    EXPECT_EQ(result->record.start_frame(), *options.start_frame + latency_frames_);
    std::vector<float> expected = sound.samples;
    expected.resize(expected.size() + 4800, 0.0F);
    EXPECT_EQ(FirstDifference(Channel(result->recording.samples, 2, 1), expected), -1);
    EXPECT_EQ(FirstDifference(Channel(result->recording.samples, 2, 0),
                              std::vector<float>(expected.size(), 0.0F)),
              -1);
  }

  void ExpectAllSoundsComeBack() {
    for (const char* const name : {"Front_Center", "Noise", "Side_Left"}) {
      SCOPED_TRACE(name);
      const auto sound = AlsaRecording(name);
      ASSERT_TRUE(sound.ok()) << sound.status();
      ASSERT_GT(sound->frames(), kSecondFrames / 2);
      ExpectSoundComesBack(*sound);
    }
    const auto speech = Speech("The quick brown fox jumps over the lazy dog.", 48000);
    ASSERT_TRUE(speech.ok()) << speech.status();
    ExpectSoundComesBack(*speech);
  }

  // rtmixctl as a user calls it.
  void ExpectToolDoesTheSame() {
    const std::string out = absl::StrCat(testing::TempDir(), "/response.wav");
    const std::string sent = "/usr/share/sounds/alsa/Rear_Right.wav";
    const auto said = RunCommand({kToolProgram, "--target", server().target(), "playrec", sent, out,
                                  "--outputs", "1", "--inputs", "1", "--in", "1", "--strict"},
                                 kLongEnough);
    ASSERT_TRUE(said.ok()) << said.status();
    const auto expected = ReadWav(sent);
    const auto recorded = ReadWav(out);
    ASSERT_TRUE(expected.ok() && recorded.ok());
    EXPECT_EQ(FirstDifference(recorded->samples, expected->samples), -1);
    unlink(out.c_str());
  }

  std::shared_ptr<client::Client> client_;
  std::shared_ptr<client::Session> session_;
  int64_t latency_frames_ = 0;
};

TEST_F(TwoHostsPlayTest, RecordingsComeBackBitForBitOverAVethPair) {
  ASSERT_NO_FATAL_FAILURE(ConnectDirectly());
  ASSERT_NO_FATAL_FAILURE(StartServer());
  ASSERT_NO_FATAL_FAILURE(Connect());
  ExpectAllSoundsComeBack();
  ExpectToolDoesTheSame();
}

TEST_F(TwoHostsPlayTest, RecordingsComeBackBitForBitWith20MsEachWay) {
  ASSERT_NO_FATAL_FAILURE(ConnectByRelay({.one_way_delay = kOneWayDelay}));
  ASSERT_NO_FATAL_FAILURE(StartServer());
  const absl::Time before = absl::Now();
  ASSERT_NO_FATAL_FAILURE(Connect());
  // Shows that the delay is there: three calls, one after the other.
  EXPECT_GE(absl::Now() - before, 3 * 2 * kOneWayDelay);
  ExpectAllSoundsComeBack();
  ExpectToolDoesTheSame();
}

TEST_F(TwoHostsPlayTest, StreamsBothWaysLoseNothingWith20MsEachWay) {
  ASSERT_NO_FATAL_FAILURE(ConnectByRelay({.one_way_delay = kOneWayDelay}));
  ASSERT_NO_FATAL_FAILURE(StartServer());
  ASSERT_NO_FATAL_FAILURE(Connect());
  const auto speech = LongSpeech(6 * kSecondFrames);
  ASSERT_TRUE(speech.ok()) << speech.status();
  const auto frames = static_cast<int64_t>(speech->size());
  const int64_t start_frame = NextFrame() + 2 * kSecondFrames;

  v1::RecordConfig record_config;
  record_config.mutable_start()->set_frame(start_frame + latency_frames_);
  record_config.set_frames(frames);
  record_config.mutable_channel_map()->add_channels(3);
  auto record = client::RecordStream::Open(session_, record_config);
  ASSERT_TRUE(record.ok()) << record.status();
  v1::PlayConfig play_config;
  play_config.set_channels(1);
  play_config.mutable_start()->set_frame(start_frame);
  play_config.mutable_channel_map()->add_channels(3);
  // Stalls of this machine and of the network together stay below it.
  play_config.set_ring_frames(2 * kSecondFrames);
  auto play = client::PlayStream::Open(session_, play_config);
  ASSERT_TRUE(play.ok()) << play.status();

  const auto written = (*play)->Write(*speech, kLongEnough);
  ASSERT_TRUE(written.ok()) << written.status();
  EXPECT_EQ(*written, frames);
  (*play)->Finish();
  std::vector<float> recorded;
  while (static_cast<int64_t>(recorded.size()) < frames) {
    const auto audio = (*record)->Read(frames, kLongEnough);
    ASSERT_TRUE(audio.ok()) << audio.status();
    ASSERT_EQ(audio->lost_frames, 0);
    ASSERT_FALSE(audio->samples.empty()) << "nothing came for a minute";
    recorded.insert(recorded.end(), audio->samples.begin(), audio->samples.end());
  }
  EXPECT_EQ(FirstDifference(recorded, *speech), -1);
  const auto report = (*play)->Wait(kLongEnough);
  ASSERT_TRUE(report.ok() && report->has_value()) << report.status();
  EXPECT_EQ((*report)->start_frame(), start_frame);
  EXPECT_EQ((*report)->done_frames(), frames);
  EXPECT_EQ((*report)->underruns(), 0);
  EXPECT_EQ((*report)->end_reason(), v1::END_REASON_COMPLETED);
}

}  // namespace
}  // namespace rtmixd
