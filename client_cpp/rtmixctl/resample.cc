#include "client_cpp/rtmixctl/resample.h"

#include <samplerate.h>

#include <cmath>

#include "absl/strings/str_cat.h"

namespace rtmixd::rtmixctl {

absl::StatusOr<client::Audio> Resample(client::Audio audio, double sample_rate_hz) {
  if (audio.sample_rate_hz == sample_rate_hz) return audio;
  const double ratio = sample_rate_hz / audio.sample_rate_hz;
  client::Audio result;
  result.channels = audio.channels;
  result.sample_rate_hz = sample_rate_hz;
  const auto frames = std::llround(static_cast<double>(audio.frames()) * ratio);
  result.samples.resize(static_cast<size_t>(frames * audio.channels));
  SRC_DATA data = {};
  data.data_in = audio.samples.data();
  data.input_frames = static_cast<decltype(data.input_frames)>(audio.frames());
  data.data_out = result.samples.data();
  data.output_frames = static_cast<decltype(data.output_frames)>(frames);
  data.src_ratio = ratio;
  const int error = src_simple(&data, SRC_SINC_BEST_QUALITY, audio.channels);
  if (error != 0) {
    return absl::InvalidArgumentError(absl::StrCat("cannot resample from ", audio.sample_rate_hz,
                                                   " to ", sample_rate_hz,
                                                   " Hz: ", src_strerror(error)));
  }
  result.samples.resize(static_cast<size_t>(data.output_frames_gen) *
                        static_cast<size_t>(audio.channels));
  return result;
}

}  // namespace rtmixd::rtmixctl
