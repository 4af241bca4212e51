// The server on a real sound server: JACK with its dummy driver, whose loopback device brings back
// one period later what was played on it, reached through PortAudio. Recordings are played and
// recorded by the client library. JACK's dummy driver loses frames whenever the machine stalls, so
// what is asserted is that the recording equals the sound except around the xruns that the report
// tells of.

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

namespace rtmixd {
namespace {

constexpr absl::Duration kLongEnough = absl::Seconds(60);
constexpr int kPeriodFrames = 256;
// What an xrun touches: its own block and the two after it, and what was on its way then.
constexpr int64_t kReachBefore = 2 * kPeriodFrames;
constexpr int64_t kReachAfter = 3 * kPeriodFrames;
constexpr int64_t kSecondFrames = 48000;

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
    std::vector<bool> touched(sound.samples.size(), false);
    for (const v1::Xrun& xrun : result->record.xruns()) {
      const int64_t at = xrun.frame() - result->record.start_frame();
      for (int64_t i = at - kReachBefore; i < at + kReachAfter; ++i) {
        if (i >= 0 && i < sound.frames()) touched[static_cast<size_t>(i)] = true;
      }
    }
    int64_t exact_frames = 0;
    for (size_t i = 0; i < touched.size(); ++i) {
      if (touched[i]) continue;
      ASSERT_EQ(result->recording.samples[i], sound.samples[i])
          << "frame " << result->record.start_frame() + static_cast<int64_t>(i)
          << " without an xrun near it";
      ++exact_frames;
    }
    std::printf("%ld of %ld frames exact, the rest near one of %ld xruns\n",
                static_cast<long>(exact_frames), static_cast<long>(sound.frames()),
                static_cast<long>(result->record.xrun_count()));
    EXPECT_GE(exact_frames, sound.frames() / 2);
    EXPECT_EQ(result->record.touched() == v1::TOUCHED_YES, result->record.xruns_size() > 0);
  }
}

}  // namespace
}  // namespace rtmixd
