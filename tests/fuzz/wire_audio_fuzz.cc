// Our own parser of audio: bytes of a message to samples and back, compared with what another
// computation, in integers and long doubles, says of each sample.

#include <fuzzer/FuzzedDataProvider.h>

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "server/base/error_info.h"
#include "server/control/types.h"
#include "server/control/wire_audio.h"
#include "tests/fuzz/require.h"

namespace rtmixd {
namespace {

constexpr float kCanary = 12345.0f;

// The sample at `bytes`, by its definition.
float Expected(const char* bytes, SampleFormat format) {
  uint64_t bits = 0;
  const int size = BytesPerSample(format);
  for (int i = 0; i < size; ++i) {
    bits |= uint64_t{static_cast<unsigned char>(bytes[i])} << (8 * i);
  }
  if (format == SampleFormat::kFloat32) return std::bit_cast<float>(static_cast<uint32_t>(bits));
  const int64_t full_scale = int64_t{1} << (8 * size - 1);
  const auto value =
      static_cast<int64_t>(bits) - (bits >= static_cast<uint64_t>(full_scale) ? 2 * full_scale : 0);
  return static_cast<float>(static_cast<double>(value) / static_cast<double>(full_scale));
}

// The integer that stands for `sample`, by its definition.
int64_t ExpectedInteger(float sample, int size) {
  const long double full_scale = std::ldexp(1.0L, 8 * size - 1);
  if (std::isnan(sample)) return 0;
  const long double scaled = std::nearbyint(static_cast<long double>(sample) * full_scale);
  return static_cast<int64_t>(std::fmin(std::fmax(scaled, -full_scale), full_scale - 1));
}

// Planar memory for `channels`, with a canary behind each.
struct Planar {
  Planar(int channels, int64_t frames)
      : stride_frames(frames + 1), samples(channels * (frames + 1), kCanary) {}
  float at(int channel, int64_t frame) const { return samples[channel * stride_frames + frame]; }

  int64_t stride_frames;
  std::vector<float> samples;
};

void DecodeAndEncode(const std::string& bytes, SampleFormat format, int channels, int64_t frames) {
  Planar planar(channels, frames);
  DecodeWireAudio(bytes.data(), format, channels, frames, planar.samples.data(),
                  planar.stride_frames);
  const int size = BytesPerSample(format);
  for (int c = 0; c < channels; ++c) {
    for (int64_t f = 0; f < frames; ++f) {
      const float expected = Expected(bytes.data() + (f * channels + c) * size, format);
      RTMIXD_REQUIRE(std::bit_cast<uint32_t>(planar.at(c, f)) == std::bit_cast<uint32_t>(expected),
                     std::to_string(f));
      RTMIXD_REQUIRE(std::isfinite(planar.at(c, f)), std::to_string(f));
    }
    RTMIXD_REQUIRE(planar.at(c, frames) == kCanary, std::to_string(c));
  }
  std::string back(bytes.size(), '\0');
  EncodeWireAudio(planar.samples.data(), planar.stride_frames, channels, frames, format,
                  back.data());
  // A float has 24 bits, so that large int32 come back rounded.
  if (format != SampleFormat::kInt32) RTMIXD_REQUIRE(back == bytes, "");
}

// Any float, finite or not, to integers.
void Encode(const std::string& bytes, SampleFormat format) {
  const int64_t frames = static_cast<int64_t>(bytes.size() / sizeof(float));
  std::vector<float> samples(frames);
  if (frames > 0) std::memcpy(samples.data(), bytes.data(), frames * sizeof(float));
  const int size = BytesPerSample(format);
  std::string wire(frames * size, '\0');
  EncodeWireAudio(samples.data(), frames, 1, frames, format, wire.data());
  if (format == SampleFormat::kFloat32) return;
  for (int64_t f = 0; f < frames; ++f) {
    uint64_t bits = 0;
    for (int i = 0; i < size; ++i) {
      bits |= uint64_t{static_cast<unsigned char>(wire[f * size + i])} << (8 * i);
    }
    const uint64_t mask = (uint64_t{1} << (8 * size)) - 1;
    const auto expected = static_cast<uint64_t>(ExpectedInteger(samples[f], size)) & mask;
    RTMIXD_REQUIRE(bits == expected, std::to_string(samples[f]));
  }
}

void Fuzz(FuzzedDataProvider& choices) {
  constexpr SampleFormat kFormats[] = {SampleFormat::kFloat32, SampleFormat::kInt16,
                                       SampleFormat::kInt24, SampleFormat::kInt32};
  const SampleFormat format = choices.PickValueInArray(kFormats);
  const int channels = choices.ConsumeIntegralInRange(1, choices.ConsumeBool() ? 4 : 5000);
  const std::string bytes = choices.ConsumeRemainingBytesAsString();
  const absl::StatusOr<int64_t> frames = CheckWireAudio(bytes, format, channels);
  Encode(bytes, format);
  const int64_t frame_bytes = int64_t{channels} * BytesPerSample(format);
  if (frames.ok()) {
    RTMIXD_REQUIRE(*frames * frame_bytes == static_cast<int64_t>(bytes.size()), "");
    DecodeAndEncode(bytes, format, channels, *frames);
    return;
  }
  const auto info = GetErrorInfo(frames.status());
  RTMIXD_REQUIRE(frames.status().code() == absl::StatusCode::kInvalidArgument, "");
  RTMIXD_REQUIRE(info.has_value() && info->field == "data", "");
  if (bytes.size() % frame_bytes != 0) return;
  bool finite = true;
  for (size_t i = 0; i + 4 <= bytes.size(); i += 4) {
    finite = finite && std::isfinite(Expected(bytes.data() + i, SampleFormat::kFloat32));
  }
  RTMIXD_REQUIRE(format == SampleFormat::kFloat32 && !finite, "");
}

}  // namespace
}  // namespace rtmixd

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  FuzzedDataProvider choices(data, size);
  rtmixd::Fuzz(choices);
  return 0;
}
