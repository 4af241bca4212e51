#include "server/spool/spool_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/control/wire_audio.h"

namespace rtmixd {
namespace {

absl::Status Failed(int error, const std::string& path) {
  return absl::ErrnoToStatus(error == 0 ? EIO : error, absl::StrCat("cannot write ", path));
}

}  // namespace

absl::StatusOr<std::unique_ptr<SpoolFile>> SpoolFile::Create(const std::string& path, int channels,
                                                             double sample_rate_hz) {
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  if (fd < 0) return Failed(errno, path);
  SF_INFO info = {};
  info.channels = channels;
  info.samplerate = static_cast<int>(std::lround(sample_rate_hz));
  info.format = SF_FORMAT_RF64 | SF_FORMAT_FLOAT;
  errno = 0;
  SNDFILE* const file = sf_open_fd(fd, SFM_WRITE, &info, SF_FALSE);
  if (file == nullptr) {
    const int error = errno;
    close(fd);
    unlink(path.c_str());
    return Failed(error, path);
  }
  // A plain WAV until it is too long for one.
  sf_command(file, SFC_RF64_AUTO_DOWNGRADE, nullptr, SF_TRUE);
  // It is written on closing only, and would be missing or wrong before.
  sf_command(file, SFC_SET_ADD_PEAK_CHUNK, nullptr, SF_FALSE);
  sf_command(file, SFC_UPDATE_HEADER_NOW, nullptr, 0);
  return std::unique_ptr<SpoolFile>(new SpoolFile(path, fd, file));
}

SpoolFile::~SpoolFile() {
  sf_close(file_);
  close(fd_);
}

absl::Status SpoolFile::Write(int64_t position, const AudioStorage& audio, int64_t audio_frame,
                              int64_t frames) {
  const int channels = audio.channels();
  if (position_ != position && sf_seek(file_, position, SEEK_SET) != position) {
    return Failed(errno, path_);
  }
  position_ = position;
  for (int64_t done = 0; done < frames;) {
    const auto stretch = audio.Read(audio_frame + done, frames - done);
    interleaved_.resize(static_cast<size_t>(stretch.frames * channels));
    EncodeWireAudio(stretch.samples, stretch.channel_stride_frames, channels, stretch.frames,
                    SampleFormat::kFloat32, reinterpret_cast<char*>(interleaved_.data()));
    errno = 0;
    if (sf_writef_float(file_, interleaved_.data(), stretch.frames) != stretch.frames) {
      const int error = errno;
      position_ = -1;
      return Failed(error, path_);
    }
    done += stretch.frames;
    position_ += stretch.frames;
  }
  sf_command(file_, SFC_UPDATE_HEADER_NOW, nullptr, 0);
  return absl::OkStatus();
}

absl::Status SpoolFile::Sync() {
  if (fdatasync(fd_) != 0) return Failed(errno, path_);
  return absl::OkStatus();
}

int64_t FramesInFile(const std::string& path) {
  SF_INFO info = {};
  SNDFILE* const file = sf_open(path.c_str(), SFM_READ, &info);
  if (file == nullptr) return 0;
  sf_close(file);
  return info.frames;
}

}  // namespace rtmixd
