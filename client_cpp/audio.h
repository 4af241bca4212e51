#ifndef RTMIXD_CLIENT_CPP_AUDIO_H_
#define RTMIXD_CLIENT_CPP_AUDIO_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "rtmixd/v1/common.pb.h"

namespace rtmixd::client {

// Audio in memory, as files have it.
struct Audio {
  int channels = 0;
  // Frames per second; 0 if unknown.
  double sample_rate_hz = 0;
  // Interleaved, full scale is +-1; whole frames.
  std::vector<float> samples;

  int64_t frames() const {
    return channels == 0 ? 0 : static_cast<int64_t>(samples.size()) / channels;
  }
};

// The same samples, one vector per channel.
std::vector<std::vector<float>> Planar(absl::Span<const float> interleaved, int channels);

// SAMPLE_FORMAT_FLOAT32 on the wire, and back. Hosts are little endian, as the wire is.
std::string EncodeFloat32(absl::Span<const float> samples);
// Appends to `samples`; bytes beyond the last whole sample are ignored.
void DecodeFloat32(absl::string_view bytes, std::vector<float>& samples);

// A map of channels numbered from 1, one for each channel of the sound.
v1::ChannelMap ToChannelMap(const std::vector<int>& channels);

}  // namespace rtmixd::client

#endif  // RTMIXD_CLIENT_CPP_AUDIO_H_
