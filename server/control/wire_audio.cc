#include "server/control/wire_audio.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "server/base/error_info.h"

namespace rtmixd {
namespace {

static_assert(std::endian::native == std::endian::little, "samples are copied as they are");

// Per encoding: bytes of a sample, and how to get one from and to its bytes. Branch-free, so that
// loops can become vector code.
struct Float32 {
  static constexpr int kBytes = 4;
  static float Load(const char* bytes) {
    float sample;
    std::memcpy(&sample, bytes, sizeof(sample));
    return sample;
  }
  static void Store(float sample, char* bytes) { std::memcpy(bytes, &sample, sizeof(sample)); }
};

// Rounds to the nearest integer, ties to even, what lies within the range of an int32: the sum lies
// where doubles are 1 apart, so that the addition rounds, and its low bits are the integer. NaN
// becomes 0.
int32_t Round(double scaled, double min, double max) {
  const double number = scaled == scaled ? scaled : 0.0;
  const double limited = std::min(std::max(number, min), max);
  constexpr double kOnes = 0x1.8p52;
  return static_cast<int32_t>(std::bit_cast<int64_t>(limited + kOnes));
}

struct Int16 {
  static constexpr int kBytes = 2;
  static float Load(const char* bytes) {
    int16_t value;
    std::memcpy(&value, bytes, sizeof(value));
    return static_cast<float>(value) * 0x1p-15f;
  }
  static void Store(float sample, char* bytes) {
    const auto value = static_cast<int16_t>(Round(sample * 0x1p15, -0x1p15, 0x1p15 - 1));
    std::memcpy(bytes, &value, sizeof(value));
  }
};

struct Int24 {
  static constexpr int kBytes = 3;
  static float Load(const char* bytes) {
    const auto byte = [bytes](int i) { return uint32_t{static_cast<unsigned char>(bytes[i])}; };
    // In the upper three bytes, for the sign; the scale makes up for it.
    const auto value = static_cast<int32_t>(byte(0) << 8 | byte(1) << 16 | byte(2) << 24);
    return static_cast<float>(value) * 0x1p-31f;
  }
  static void Store(float sample, char* bytes) {
    const auto value = static_cast<uint32_t>(Round(sample * 0x1p23, -0x1p23, 0x1p23 - 1));
    bytes[0] = static_cast<char>(value);
    bytes[1] = static_cast<char>(value >> 8);
    bytes[2] = static_cast<char>(value >> 16);
  }
};

struct Int32 {
  static constexpr int kBytes = 4;
  static float Load(const char* bytes) {
    int32_t value;
    std::memcpy(&value, bytes, sizeof(value));
    return static_cast<float>(value) * 0x1p-31f;
  }
  static void Store(float sample, char* bytes) {
    const int32_t value = Round(sample * 0x1p31, -0x1p31, 0x1p31 - 1);
    std::memcpy(bytes, &value, sizeof(value));
  }
};

// Channels are gone through one by one, in tiles that stay in the first-level cache meanwhile.
constexpr int64_t kTileBytes = 16384;

int64_t TileFrames(int64_t frame_bytes) { return std::max<int64_t>(1, kTileBytes / frame_bytes); }

template <typename Format>
void Decode(const char* bytes, int channels, int64_t frames, float* planar,
            int64_t channel_stride_frames) {
  if (channels == 1) {
    for (int64_t f = 0; f < frames; ++f) planar[f] = Format::Load(bytes + f * Format::kBytes);
    return;
  }
  const int64_t frame_bytes = int64_t{channels} * Format::kBytes;
  const int64_t tile_frames = TileFrames(frame_bytes);
  for (int64_t first = 0; first < frames; first += tile_frames) {
    const int64_t run = std::min(tile_frames, frames - first);
    for (int c = 0; c < channels; ++c) {
      const char* const from = bytes + first * frame_bytes + c * Format::kBytes;
      float* const to = planar + c * channel_stride_frames + first;
      for (int64_t f = 0; f < run; ++f) to[f] = Format::Load(from + f * frame_bytes);
    }
  }
}

template <typename Format>
void Encode(const float* planar, int64_t channel_stride_frames, int channels, int64_t frames,
            char* bytes) {
  if (channels == 1) {
    for (int64_t f = 0; f < frames; ++f) Format::Store(planar[f], bytes + f * Format::kBytes);
    return;
  }
  const int64_t frame_bytes = int64_t{channels} * Format::kBytes;
  const int64_t tile_frames = TileFrames(frame_bytes);
  for (int64_t first = 0; first < frames; first += tile_frames) {
    const int64_t run = std::min(tile_frames, frames - first);
    for (int c = 0; c < channels; ++c) {
      const float* const from = planar + c * channel_stride_frames + first;
      char* const to = bytes + first * frame_bytes + c * Format::kBytes;
      for (int64_t f = 0; f < run; ++f) Format::Store(from[f], to + f * frame_bytes);
    }
  }
}

// Whether a float's bits are those of NaN or infinity.
bool IsNotFinite(const char* bytes) {
  constexpr uint32_t kExponent = 0x7f800000;
  uint32_t bits;
  std::memcpy(&bits, bytes, sizeof(bits));
  return (bits & kExponent) == kExponent;
}

// Index of the first sample that is NaN or infinite; `samples` if there is none.
int64_t FindNotFinite(const char* bytes, int64_t samples) {
  constexpr int64_t kRun = 1024;
  for (int64_t first = 0; first < samples; first += kRun) {
    const int64_t end = std::min(first + kRun, samples);
    uint32_t found = 0;
    for (int64_t i = first; i < end; ++i) found |= uint32_t{IsNotFinite(bytes + i * 4)};
    if (found == 0) continue;
    for (int64_t i = first; i < end; ++i) {
      if (IsNotFinite(bytes + i * 4)) return i;
    }
  }
  return samples;
}

}  // namespace

int BytesPerSample(SampleFormat format) {
  switch (format) {
    case SampleFormat::kFloat32:
      return Float32::kBytes;
    case SampleFormat::kInt16:
      return Int16::kBytes;
    case SampleFormat::kInt24:
      return Int24::kBytes;
    case SampleFormat::kInt32:
      return Int32::kBytes;
  }
  return Float32::kBytes;
}

absl::StatusOr<int64_t> CheckWireAudio(std::string_view bytes, SampleFormat format, int channels) {
  const int64_t size = static_cast<int64_t>(bytes.size());
  const int64_t frame_bytes = int64_t{channels} * BytesPerSample(format);
  if (size % frame_bytes != 0) {
    return BadField(
        "data", absl::StrCat(size, " bytes long"),
        absl::StrCat("whole frames of ", frame_bytes, " bytes (", channels, " channels)"));
  }
  if (format == SampleFormat::kFloat32) {
    const int64_t sample = FindNotFinite(bytes.data(), size / 4);
    if (sample < size / 4) {
      return MakeError(
          absl::StatusCode::kInvalidArgument,
          {.reason = ErrorReason::kBadField,
           .field = "data",
           .value = absl::StrCat(Float32::Load(bytes.data() + sample * 4)),
           .limit = "finite"},
          absl::StrCat("data at frame ", sample / channels, " channel ", sample % channels + 1,
                       " is ", Float32::Load(bytes.data() + sample * 4), "; must be finite"));
    }
  }
  return size / frame_bytes;
}

void DecodeWireAudio(const char* bytes, SampleFormat format, int channels, int64_t frames,
                     float* planar, int64_t channel_stride_frames) {
  switch (format) {
    case SampleFormat::kFloat32:
      return Decode<Float32>(bytes, channels, frames, planar, channel_stride_frames);
    case SampleFormat::kInt16:
      return Decode<Int16>(bytes, channels, frames, planar, channel_stride_frames);
    case SampleFormat::kInt24:
      return Decode<Int24>(bytes, channels, frames, planar, channel_stride_frames);
    case SampleFormat::kInt32:
      return Decode<Int32>(bytes, channels, frames, planar, channel_stride_frames);
  }
}

void EncodeWireAudio(const float* planar, int64_t channel_stride_frames, int channels,
                     int64_t frames, SampleFormat format, char* bytes) {
  switch (format) {
    case SampleFormat::kFloat32:
      return Encode<Float32>(planar, channel_stride_frames, channels, frames, bytes);
    case SampleFormat::kInt16:
      return Encode<Int16>(planar, channel_stride_frames, channels, frames, bytes);
    case SampleFormat::kInt24:
      return Encode<Int24>(planar, channel_stride_frames, channels, frames, bytes);
    case SampleFormat::kInt32:
      return Encode<Int32>(planar, channel_stride_frames, channels, frames, bytes);
  }
}

}  // namespace rtmixd
