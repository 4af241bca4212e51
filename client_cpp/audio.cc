#include "client_cpp/audio.h"

#include <bit>
#include <cstring>

namespace rtmixd::client {

static_assert(std::endian::native == std::endian::little);

std::vector<std::vector<float>> Planar(absl::Span<const float> interleaved, int channels) {
  const size_t frames = interleaved.size() / static_cast<size_t>(channels);
  std::vector<std::vector<float>> planes(static_cast<size_t>(channels), std::vector<float>(frames));
  for (size_t frame = 0; frame < frames; ++frame) {
    for (size_t channel = 0; channel < planes.size(); ++channel) {
      planes[channel][frame] = interleaved[frame * planes.size() + channel];
    }
  }
  return planes;
}

std::string EncodeFloat32(absl::Span<const float> samples) {
  return std::string(reinterpret_cast<const char*>(samples.data()), samples.size() * sizeof(float));
}

void DecodeFloat32(absl::string_view bytes, std::vector<float>& samples) {
  const size_t old_size = samples.size();
  const size_t count = bytes.size() / sizeof(float);
  if (count == 0) return;
  samples.resize(old_size + count);
  std::memcpy(samples.data() + old_size, bytes.data(), count * sizeof(float));
}

v1::ChannelMap ToChannelMap(const std::vector<int>& channels) {
  v1::ChannelMap map;
  map.mutable_channels()->Add(channels.begin(), channels.end());
  return map;
}

}  // namespace rtmixd::client
