// The latency of a real sound server: JACK with its dummy driver, whose loopback device brings back
// what was played, reached through PortAudio. Measured, stored, and used: a recording then begins
// with the sound, to the sample. JACK's dummy driver loses frames whenever the machine stalls, so a
// measurement does repeats again that an xrun touched, and so does this test with what it plays.

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "client_cpp/latency/measure_latency.h"
#include "client_cpp/play_rec.h"
#include "client_cpp/session.h"
#include "gtest/gtest.h"
#include "tests/device/jack_server.h"
#include "tests/integration/recordings.h"
#include "tests/integration/server_process.h"

namespace rtmixd {
namespace {

constexpr int kPeriodFrames = 256;
constexpr int kAttempts = 20;

class PortAudioLatencyTest : public testing::Test {
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
    auto session = client::Session::Create(client_, {.label = "latency"});
    ASSERT_TRUE(session.ok()) << session.status();
    session_ = *session;
  }

  // Measures until it is found; a machine that stalls all the time lets no repeat pass.
  void Measure(client::MeasuredLatency& measured) {
    for (int attempt = 0; attempt < kAttempts; ++attempt) {
      client::LatencyOptions options;
      options.max_delay_seconds = 0.05;
      auto result = client::MeasureLatency(session_, options);
      ASSERT_TRUE(result.ok()) << result.status();
      measured = *std::move(result);
      if (measured.measurement.verdict() != v1::LATENCY_VERDICT_XRUN) return;
    }
    FAIL() << "xruns in all of " << kAttempts << " measurements";
  }

  // Plays speech and records it, until no xrun touched that.
  void PlayRec(const client::Audio& sound, client::PlayRecResult& played) {
    for (int attempt = 0; attempt < kAttempts; ++attempt) {
      client::PlayRecOptions options;
      options.outputs = {1};
      options.inputs = {1};
      options.timeout = absl::Seconds(60);
      auto result = client::PlayRec(session_, sound, options);
      ASSERT_TRUE(result.ok()) << result.status();
      played = *std::move(result);
      if (played.record.touched() != v1::TOUCHED_YES && played.play.touched() != v1::TOUCHED_YES) {
        return;
      }
    }
    FAIL() << "xruns in all of " << kAttempts << " recordings";
  }

  JackServer jack_{kPeriodFrames};
  std::unique_ptr<ServerProcess> server_;
  std::shared_ptr<client::Client> client_;
  std::shared_ptr<client::Session> session_;
};

TEST_F(PortAudioLatencyTest, StoredItLinesUpPlayAndRecordToTheSample) {
  client::MeasuredLatency measured;
  ASSERT_NO_FATAL_FAILURE(Measure(measured));
  const v1::LatencyMeasurement& measurement = measured.measurement;
  ASSERT_EQ(measurement.verdict(), v1::LATENCY_VERDICT_FOUND)
      << v1::LatencyVerdict_Name(measurement.verdict());
  std::printf("measured %.4f frames, spread %.4f, confidence %.5f, %d repeats void\n",
              measurement.round_trip_frames(), measurement.spread_frames(),
              measurement.confidence(), measurement.voided_repeats());
  EXPECT_NEAR(measurement.round_trip_frames(), std::round(measurement.round_trip_frames()), 0.001);
  EXPECT_NEAR(measurement.gain(), 1, 1e-4);

  v1::SetCalibrationRequest request;
  *request.mutable_measurement() = measurement;
  const auto stored =
      client_->Call(&client::Stubs::calibrations, &v1::CalibrationService::Stub::SetCalibration,
                    request, session_->call());
  ASSERT_TRUE(stored.ok()) << stored.status();
  const auto stream = GetStream(*client_);
  ASSERT_TRUE(stream.ok()) << stream.status();
  EXPECT_NEAR(
      stream->calibration().excess_frames(),
      measurement.round_trip_frames() -
          static_cast<double>(stream->input_latency_frames() + stream->output_latency_frames()),
      1e-9);

  const auto speech = LongSpeech(24000);
  ASSERT_TRUE(speech.ok()) << speech.status();
  const client::Audio sound = {.channels = 1, .sample_rate_hz = 48000, .samples = *speech};
  client::PlayRecResult played;
  ASSERT_NO_FATAL_FAILURE(PlayRec(sound, played));
  EXPECT_TRUE(played.record.calibrated());
  EXPECT_EQ(played.record.start_frame() - played.play.start_frame(),
            std::llround(measurement.round_trip_frames()));
  EXPECT_TRUE(played.recording.samples == sound.samples)
      << "the recording is not the sound, bit for bit";
}

}  // namespace
}  // namespace rtmixd
