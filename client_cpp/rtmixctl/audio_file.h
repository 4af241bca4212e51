#ifndef RTMIXD_CLIENT_CPP_RTMIXCTL_AUDIO_FILE_H_
#define RTMIXD_CLIENT_CPP_RTMIXCTL_AUDIO_FILE_H_

#include <sndfile.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "client_cpp/audio.h"

namespace rtmixd::rtmixctl {

// How samples are kept in a file.
enum class FileEncoding { kDefault, kFloat32, kInt16, kInt24, kInt32 };

// Why libsndfile just could not open a file, in words.
std::string WhyNotOpened();

// Reads a whole file: WAV, FLAC, Ogg, AIFF and whatever else libsndfile reads. NOT_FOUND or
// FAILED_PRECONDITION, with the path in the message.
absl::StatusOr<client::Audio> ReadAudioFile(const std::string& path);

// Encodes to `bits` bits as the server does: round-half-to-even(sample * 2^(bits-1)), limited; the
// result stands in the upper bits.
int32_t EncodeInteger(float sample, int bits);

// Writes a file as audio comes. The container follows the name's ending (.wav, .flac, .ogg, .aiff,
// .w64, .caf, ...); WAV files grow beyond 4 GiB as RF64.
//
// Threading: one thread at a time.
class AudioFileWriter {
 public:
  // kDefault is float32 where the container has it, else the best that it has.
  static absl::StatusOr<std::unique_ptr<AudioFileWriter>> Create(const std::string& path,
                                                                 int channels,
                                                                 double sample_rate_hz,
                                                                 FileEncoding encoding);

  AudioFileWriter(const AudioFileWriter&) = delete;
  AudioFileWriter& operator=(const AudioFileWriter&) = delete;
  ~AudioFileWriter();

  absl::Status Write(absl::Span<const float> interleaved);
  absl::Status WriteSilence(int64_t frames);
  // Completes the file; the destructor does so too, but cannot tell of errors.
  absl::Status Close();
  int64_t frames() const { return frames_; }

 private:
  AudioFileWriter(std::string path, SNDFILE* file, int channels, int integer_bits);

  const std::string path_;
  SNDFILE* file_;
  const int channels_;
  // 0: the library is given floats.
  const int integer_bits_;
  int64_t frames_ = 0;
  std::vector<int> integers_;
};

}  // namespace rtmixd::rtmixctl

#endif  // RTMIXD_CLIENT_CPP_RTMIXCTL_AUDIO_FILE_H_
