#ifndef RTMIXD_TESTS_INTEGRATION_RECORDINGS_H_
#define RTMIXD_TESTS_INTEGRATION_RECORDINGS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "client_cpp/audio.h"

namespace rtmixd {

// The recording of alsa-utils with this name, like "Front_Center": somebody says it; 48 kHz, one
// channel.
absl::StatusOr<client::Audio> AlsaRecording(const std::string& name);

// espeak-ng says `text`; one channel at `sample_rate_hz`.
absl::StatusOr<client::Audio> Speech(const std::string& text, double sample_rate_hz);

// Both after each other, again and again, until there are so many frames; one channel, 48 kHz. Long
// silence is left out, so that nearly every frame differs from those around it.
absl::StatusOr<std::vector<float>> LongSpeech(int64_t frames);

// Writes 48 kHz float WAV.
absl::Status WriteWav(const std::string& path, int channels, absl::Span<const float> interleaved);
absl::StatusOr<client::Audio> ReadWav(const std::string& path);

// One channel of interleaved audio, numbered from 0.
std::vector<float> Channel(absl::Span<const float> interleaved, int channels, int channel);

// Index of the first sample that differs in its bits or has no counterpart; -1 if all are equal.
// The sign of a zero does not count: a sum that starts from zero loses it.
int64_t FirstDifference(absl::Span<const float> a, absl::Span<const float> b);

}  // namespace rtmixd

#endif  // RTMIXD_TESTS_INTEGRATION_RECORDINGS_H_
