#include "client_cpp/rtmixctl/audio_file.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"

namespace rtmixd::rtmixctl {
namespace {

struct Container {
  const char* ending;
  int format;
};

// RF64 becomes a plain WAV on closing, unless it has grown too large for one.
constexpr std::array<Container, 9> kContainers = {{{"wav", SF_FORMAT_RF64},
                                                   {"flac", SF_FORMAT_FLAC},
                                                   {"ogg", SF_FORMAT_OGG},
                                                   {"oga", SF_FORMAT_OGG},
                                                   {"aiff", SF_FORMAT_AIFF},
                                                   {"aif", SF_FORMAT_AIFF},
                                                   {"au", SF_FORMAT_AU},
                                                   {"w64", SF_FORMAT_W64},
                                                   {"caf", SF_FORMAT_CAF}}};

struct Encoding {
  int format;
  int integer_bits;
};

Encoding EncodingOf(FileEncoding encoding, int container) {
  switch (encoding) {
    case FileEncoding::kFloat32:
      return {SF_FORMAT_FLOAT, 0};
    case FileEncoding::kInt16:
      return {SF_FORMAT_PCM_16, 16};
    case FileEncoding::kInt24:
      return {SF_FORMAT_PCM_24, 24};
    case FileEncoding::kInt32:
      return {SF_FORMAT_PCM_32, 32};
    case FileEncoding::kDefault:
      break;
  }
  if (container == SF_FORMAT_FLAC) return {SF_FORMAT_PCM_24, 24};
  if (container == SF_FORMAT_OGG) return {SF_FORMAT_VORBIS, 0};
  return {SF_FORMAT_FLOAT, 0};
}

}  // namespace

std::string WhyNotOpened() {
  absl::string_view why = sf_strerror(nullptr);
  absl::ConsumePrefix(&why, "System error : ");
  absl::ConsumeSuffix(&why, ".");
  return std::string(why);
}

absl::StatusOr<client::Audio> ReadAudioFile(const std::string& path) {
  SF_INFO info = {};
  SNDFILE* const file = sf_open(path.c_str(), SFM_READ, &info);
  if (file == nullptr) {
    const std::string why = absl::StrCat("cannot read ", path, ": ", WhyNotOpened());
    return sf_error(nullptr) == SF_ERR_SYSTEM ? absl::NotFoundError(why)
                                              : absl::FailedPreconditionError(why);
  }
  client::Audio audio;
  audio.channels = info.channels;
  audio.sample_rate_hz = info.samplerate;
  // The header's count may be wrong or unknown, so what can be read decides.
  std::vector<float> block(static_cast<size_t>(info.channels) * 65536);
  while (true) {
    const sf_count_t frames = sf_readf_float(file, block.data(), 65536);
    if (frames <= 0) break;
    audio.samples.insert(audio.samples.end(), block.begin(),
                         block.begin() + static_cast<std::ptrdiff_t>(frames * info.channels));
  }
  const int error = sf_error(file);
  const std::string why = sf_strerror(file);
  sf_close(file);
  if (error != SF_ERR_NO_ERROR) {
    return absl::DataLossError(absl::StrCat("cannot read all of ", path, ": ", why));
  }
  return audio;
}

int32_t EncodeInteger(float sample, int bits) {
  const double scale = std::ldexp(1.0, bits - 1);
  const double value =
      std::clamp(std::nearbyint(static_cast<double>(sample) * scale), -scale, scale - 1);
  return static_cast<int32_t>(value * std::ldexp(1.0, 32 - bits));
}

absl::StatusOr<std::unique_ptr<AudioFileWriter>> AudioFileWriter::Create(const std::string& path,
                                                                         int channels,
                                                                         double sample_rate_hz,
                                                                         FileEncoding encoding) {
  const size_t dot = path.rfind('.');
  const std::string ending =
      dot == std::string::npos ? "" : absl::AsciiStrToLower(path.substr(dot + 1));
  const auto* const container =
      std::find_if(kContainers.begin(), kContainers.end(),
                   [&ending](const Container& entry) { return ending == entry.ending; });
  if (container == kContainers.end()) {
    return absl::InvalidArgumentError(
        absl::StrCat("cannot write ", path,
                     ": its name must end in .wav, .flac, .ogg, .aiff, .au, .w64 or .caf"));
  }
  const Encoding chosen = EncodingOf(encoding, container->format);
  SF_INFO info = {};
  info.channels = channels;
  info.samplerate = static_cast<int>(std::lround(sample_rate_hz));
  info.format = container->format | chosen.format;
  if (sf_format_check(&info) == SF_FALSE) {
    return absl::InvalidArgumentError(
        absl::StrCat("cannot write ", path, ": .", ending, " files cannot hold ", channels,
                     " channels of this --format at ", info.samplerate, " Hz"));
  }
  SNDFILE* const file = sf_open(path.c_str(), SFM_WRITE, &info);
  if (file == nullptr) {
    return absl::UnknownError(absl::StrCat("cannot write ", path, ": ", WhyNotOpened()));
  }
  sf_command(file, SFC_RF64_AUTO_DOWNGRADE, nullptr, SF_TRUE);
  sf_command(file, SFC_SET_CLIPPING, nullptr, SF_TRUE);
  return std::unique_ptr<AudioFileWriter>(
      new AudioFileWriter(path, file, channels, chosen.integer_bits));
}

AudioFileWriter::AudioFileWriter(std::string path, SNDFILE* file, int channels, int integer_bits)
    : path_(std::move(path)), file_(file), channels_(channels), integer_bits_(integer_bits) {}

AudioFileWriter::~AudioFileWriter() { Close().IgnoreError(); }

absl::Status AudioFileWriter::Write(absl::Span<const float> interleaved) {
  const auto frames = static_cast<sf_count_t>(interleaved.size()) / channels_;
  sf_count_t written = 0;
  if (integer_bits_ == 0) {
    written = sf_writef_float(file_, interleaved.data(), frames);
  } else {
    // The library scales by 2^(bits-1) - 1, which would change samples that came from integers.
    integers_.resize(interleaved.size());
    std::transform(interleaved.begin(), interleaved.end(), integers_.begin(),
                   [this](float sample) { return EncodeInteger(sample, integer_bits_); });
    written = sf_writef_int(file_, integers_.data(), frames);
  }
  frames_ += written;
  if (written != frames) {
    return absl::UnknownError(absl::StrCat("cannot write ", path_, ": ", sf_strerror(file_)));
  }
  return absl::OkStatus();
}

absl::Status AudioFileWriter::WriteSilence(int64_t frames) {
  constexpr int64_t kBlockFrames = 4096;
  const std::vector<float> zeros(static_cast<size_t>(kBlockFrames * channels_));
  while (frames > 0) {
    const int64_t count = std::min(frames, kBlockFrames);
    absl::Status status =
        Write(absl::MakeSpan(zeros).subspan(0, static_cast<size_t>(count * channels_)));
    if (!status.ok()) return status;
    frames -= count;
  }
  return absl::OkStatus();
}

absl::Status AudioFileWriter::Close() {
  if (file_ == nullptr) return absl::OkStatus();
  if (sf_close(std::exchange(file_, nullptr)) != 0) {
    return absl::UnknownError(absl::StrCat("cannot complete ", path_));
  }
  return absl::OkStatus();
}

}  // namespace rtmixd::rtmixctl
