#ifndef RTMIXD_SERVER_SPOOL_SPOOL_FILE_H_
#define RTMIXD_SERVER_SPOOL_SPOOL_FILE_H_

#include <sndfile.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/control/audio_storage.h"

namespace rtmixd {

// A WAV file of float samples that can be read at any moment, also after the death of who writes
// it: its header is brought up to date with every write. It becomes RF64 when it outgrows 4 GiB.
//
// Threading: one thread. Every method may wait for the disk. Errors are the system's and name the
// path.
class SpoolFile {
 public:
  // Makes the file, which must not exist.
  static absl::StatusOr<std::unique_ptr<SpoolFile>> Create(const std::string& path, int channels,
                                                           double sample_rate_hz);
  SpoolFile(const SpoolFile&) = delete;
  SpoolFile& operator=(const SpoolFile&) = delete;
  ~SpoolFile();

  // Writes `frames` frames of `audio` from `audio_frame` on to `position` of the file; what lies
  // between its end and there is zero. After an error the same can be tried again.
  absl::Status Write(int64_t position, const AudioStorage& audio, int64_t audio_frame,
                     int64_t frames);
  // Waits until all that was written is on the disk.
  absl::Status Sync();

 private:
  SpoolFile(std::string path, int fd, SNDFILE* file)
      : path_(std::move(path)), fd_(fd), file_(file) {}

  const std::string path_;
  const int fd_;
  SNDFILE* const file_;
  int64_t position_ = 0;  // where the next write goes; -1 after an error
  std::vector<float> interleaved_;
};

// Frames that the WAV file at `path` says it has; 0 if there is none or it is not one.
int64_t FramesInFile(const std::string& path);

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_SPOOL_SPOOL_FILE_H_
