#include "client_cpp/rtmixctl/wav_pipe.h"

#include <cstdint>

#include "client_cpp/audio.h"

namespace rtmixd::rtmixctl {
namespace {

int BitsOf(FileEncoding encoding) {
  switch (encoding) {
    case FileEncoding::kInt16:
      return 16;
    case FileEncoding::kInt24:
      return 24;
    default:
      return 32;
  }
}

bool IsFloat(FileEncoding encoding) {
  return encoding == FileEncoding::kDefault || encoding == FileEncoding::kFloat32;
}

void AppendLittleEndian(uint32_t value, int bytes, std::string& out) {
  for (int i = 0; i < bytes; ++i) out.push_back(static_cast<char>(value >> (8 * i) & 0xFF));
}

}  // namespace

std::string WavPipeHeader(int channels, int sample_rate_hz, FileEncoding encoding) {
  constexpr uint32_t kUnknownBytes = 0xFFFFFFFF;
  constexpr uint32_t kPcm = 1;
  constexpr uint32_t kIeeeFloat = 3;
  const int bits = BitsOf(encoding);
  const auto frame_bytes = static_cast<uint32_t>(channels * bits / 8);
  std::string header = "RIFF";
  AppendLittleEndian(kUnknownBytes, 4, header);
  header += "WAVEfmt ";
  AppendLittleEndian(16, 4, header);
  AppendLittleEndian(IsFloat(encoding) ? kIeeeFloat : kPcm, 2, header);
  AppendLittleEndian(static_cast<uint32_t>(channels), 2, header);
  AppendLittleEndian(static_cast<uint32_t>(sample_rate_hz), 4, header);
  AppendLittleEndian(static_cast<uint32_t>(sample_rate_hz) * frame_bytes, 4, header);
  AppendLittleEndian(frame_bytes, 2, header);
  AppendLittleEndian(static_cast<uint32_t>(bits), 2, header);
  header += "data";
  AppendLittleEndian(kUnknownBytes, 4, header);
  return header;
}

std::string EncodeSamples(absl::Span<const float> samples, FileEncoding encoding) {
  if (IsFloat(encoding)) return client::EncodeFloat32(samples);
  const int bits = BitsOf(encoding);
  std::string out;
  out.reserve(samples.size() * static_cast<size_t>(bits / 8));
  for (const float sample : samples) {
    const auto value = static_cast<uint32_t>(EncodeInteger(sample, bits)) >> (32 - bits);
    AppendLittleEndian(value, bits / 8, out);
  }
  return out;
}

}  // namespace rtmixd::rtmixctl
