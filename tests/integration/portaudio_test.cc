// The server on a real sound server: JACK with its dummy driver, whose loopback device brings back
// one period later what was played on it, reached through PortAudio. Recordings are played and
// recorded by the client library. When the machine stalls JACK takes what was in a client's buffer
// one period before, and tells of it by a flag that may come later. What is asserted is that every
// sample of the recording equals the sound or is such a stale one, and that of each stale one an
// xrun tells.

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "client_cpp/play_rec.h"
#include "client_cpp/session.h"
#include "gtest/gtest.h"
#include "tests/device/jack_server.h"
#include "tests/integration/recordings.h"
#include "tests/integration/server_process.h"
#include "tests/support/event_watch.h"

namespace rtmixd {
namespace {

constexpr absl::Duration kLongEnough = absl::Seconds(60);
constexpr int kPeriodFrames = 256;
constexpr int64_t kSecondFrames = 48000;
// Flags in a row are one xrun, where the first of them was.
constexpr int64_t kLongestXrunFrames = kSecondFrames;

class PortAudioTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(jack_.Start()) << "jackd does not start";
    auto server = ServerProcess::Start({"--device", "portaudio", "--input-device", "jack/loopback",
                                        "--output-device", "jack/loopback"});
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    auto client = client::Client::Connect(server_->target());
    ASSERT_TRUE(client.ok()) << client.status();
    client_ = *client;
    auto session = client::Session::Create(client_, {.label = "portaudio"});
    ASSERT_TRUE(session.ok()) << session.status();
    session_ = *session;
  }

  JackServer jack_{kPeriodFrames};
  std::unique_ptr<ServerProcess> server_;
  std::shared_ptr<client::Client> client_;
  std::shared_ptr<client::Session> session_;
};

TEST_F(PortAudioTest, RecordingEqualsTheSoundBetweenReportedXruns) {
  const auto stream = GetStream(*client_);
  ASSERT_TRUE(stream.ok()) << stream.status();
  ASSERT_EQ(stream->state(), v1::STREAM_STATE_RUNNING);
  EXPECT_EQ(stream->output_device().id(), "jack/loopback");
  ASSERT_EQ(client_->info().features_size(), 1);
  EXPECT_EQ(client_->info().features(0), "portaudio");
  EXPECT_EQ(stream->input_latency_frames() + stream->output_latency_frames(), kPeriodFrames);
  const auto speech = LongSpeech(4 * kSecondFrames);
  ASSERT_TRUE(speech.ok()) << speech.status();
  const client::Audio sound = {.channels = 1, .sample_rate_hz = 48000, .samples = *speech};

  for (int round = 0; round < 3; ++round) {
    SCOPED_TRACE(round);
    client::PlayRecOptions options;
    options.outputs = {2};
    options.inputs = {2};
    options.timeout = kLongEnough;
    const auto result = client::PlayRec(session_, sound, options);
    ASSERT_TRUE(result.ok()) << result.status();
    ASSERT_EQ(result->record.done_frames(), sound.frames());
    ASSERT_EQ(result->record.xrun_count(), result->record.xruns_size())
        << "more xruns than a report lists: this machine is too busy for any result";
    const std::vector<float>& heard = result->recording.samples;
    int64_t exact_frames = 0;
    int64_t last_stale_frame = -1;
    for (size_t i = 0; i < heard.size(); ++i) {
      if (heard[i] == sound.samples[i]) {
        ++exact_frames;
        continue;
      }
      const int64_t frame = result->record.start_frame() + static_cast<int64_t>(i);
      const bool stale = i < kPeriodFrames ? heard[i] == 0
                                           : heard[i] == sound.samples[i - kPeriodFrames] ||
                                                 heard[i] == heard[i - kPeriodFrames];
      ASSERT_TRUE(stale) << "frame " << frame << " is neither what was played nor stale";
      if (frame < last_stale_frame + kPeriodFrames) continue;
      last_stale_frame = frame;
      const auto told = AwaitEvents(
          *client_, {v1::EVENT_KIND_XRUN},
          [frame](const std::vector<v1::LogEntry>& xruns) {
            return !xruns.empty() && xruns.back().frame() >= frame - kLongestXrunFrames;
          },
          kLongEnough);
      ASSERT_TRUE(told.ok()) << "no xrun tells of frame " << frame << ": " << told.status();
    }
    std::printf("%ld of %ld frames exact, the others stale; %ld xruns\n",
                static_cast<long>(exact_frames), static_cast<long>(sound.frames()),
                static_cast<long>(result->record.xrun_count()));
    EXPECT_GE(exact_frames, sound.frames() / 2);
    EXPECT_EQ(result->record.touched() == v1::TOUCHED_YES, result->record.xruns_size() > 0);
  }
}

}  // namespace
}  // namespace rtmixd
