#include "client_cpp/rtmixctl/resample.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <numbers>

namespace rtmixd::rtmixctl {
namespace {

constexpr double kToneHz = 1000;

double Tone(int64_t frame, double sample_rate_hz) {
  return 0.5 *
         std::sin(2 * std::numbers::pi * kToneHz * static_cast<double>(frame) / sample_rate_hz);
}

// A sine on channel 1, its negative on channel 2.
client::Audio StereoTone(int64_t frames, double sample_rate_hz) {
  client::Audio audio{.channels = 2, .sample_rate_hz = sample_rate_hz, .samples = {}};
  for (int64_t frame = 0; frame < frames; ++frame) {
    const auto value = static_cast<float>(Tone(frame, sample_rate_hz));
    audio.samples.push_back(value);
    audio.samples.push_back(-value);
  }
  return audio;
}

TEST(ResampleTest, SameRateChangesNothing) {
  const client::Audio tone = StereoTone(1000, 48000);
  const auto same = Resample(tone, 48000);
  ASSERT_TRUE(same.ok());
  EXPECT_EQ(same->samples, tone.samples);
}

TEST(ResampleTest, ToneIsTheSameToneAtTheOtherRate) {
  const auto result = Resample(StereoTone(44100, 44100), 48000);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->channels, 2);
  EXPECT_EQ(result->sample_rate_hz, 48000);
  EXPECT_LE(std::abs(result->frames() - 48000), 1);
  // Away from the ends, where the filter sees what is not there.
  for (int64_t frame = 1000; frame < 47000; ++frame) {
    const double expected = Tone(frame, 48000);
    ASSERT_NEAR(result->samples[static_cast<size_t>(2 * frame)], expected, 1e-4) << frame;
    ASSERT_NEAR(result->samples[static_cast<size_t>(2 * frame + 1)], -expected, 1e-4) << frame;
  }
}

TEST(ResampleTest, RatioBeyondTheConverterIsRefused) {
  EXPECT_TRUE(absl::IsInvalidArgument(Resample(StereoTone(100, 100), 48000).status()));
}

}  // namespace
}  // namespace rtmixd::rtmixctl
