#include "server/spool/spool_reader.h"

#include <sndfile.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "server/base/error_info.h"
#include "server/control/wire_audio.h"

namespace rtmixd {
namespace {

absl::StatusOr<SpoolReader::Piece> ReadPiece(const std::string& path, int64_t first_frame,
                                             int64_t frames, SampleFormat format) {
  // Opened for each piece: a recording that goes on has grown by now, and its header with it.
  SF_INFO info = {};
  SNDFILE* const file = sf_open(path.c_str(), SFM_READ, &info);
  if (file == nullptr) {
    return MakeError(absl::StatusCode::kNotFound, {.reason = ErrorReason::kNotFound},
                     "the recording was deleted, or its file cannot be read");
  }
  const absl::Cleanup close_file = [file] { sf_close(file); };
  SpoolReader::Piece piece;
  piece.frames = std::clamp<int64_t>(info.frames - first_frame, 0, frames);
  std::vector<float> interleaved(static_cast<size_t>(piece.frames * info.channels));
  if (piece.frames > 0 &&
      (sf_seek(file, first_frame, SEEK_SET) != first_frame ||
       sf_readf_float(file, interleaved.data(), piece.frames) != piece.frames)) {
    return MakeError(absl::StatusCode::kDataLoss, {.reason = ErrorReason::kInternal},
                     absl::StrCat("the file of the recording cannot be read: ", sf_strerror(file)));
  }
  std::vector<float> planar(interleaved.size());
  for (int64_t f = 0; f < piece.frames; ++f) {
    for (int c = 0; c < info.channels; ++c) {
      planar[static_cast<size_t>(c * piece.frames + f)] =
          interleaved[static_cast<size_t>(f * info.channels + c)];
    }
  }
  piece.bytes.resize(planar.size() * static_cast<size_t>(BytesPerSample(format)));
  EncodeWireAudio(planar.data(), piece.frames, info.channels, piece.frames, format,
                  piece.bytes.data());
  return piece;
}

}  // namespace

DiskThread::DiskThread() : thread_([this] { Run(); }) {}

DiskThread::~DiskThread() {
  {
    MutexLock lock(&mutex_);
    stop_ = true;
  }
  changed_.SignalAll();
  thread_.join();
}

void DiskThread::Do(std::function<void()> work) {
  {
    MutexLock lock(&mutex_);
    work_.push_back(std::move(work));
  }
  changed_.SignalAll();
}

void DiskThread::Run() {
  while (true) {
    std::function<void()> work;
    {
      MutexLock lock(&mutex_);
      while (work_.empty() && !stop_) changed_.Wait(&mutex_);
      if (work_.empty()) return;
      work = std::move(work_.front());
      work_.pop_front();
    }
    work();
  }
}

SpoolReader::SpoolReader(DiskThread& disk, std::string path, ChangeCallback on_change)
    : disk_(disk),
      shared_(std::make_shared<Shared>()),
      subscription_(shared_->signal.Subscribe(std::move(on_change))) {
  shared_->path = std::move(path);
}

std::optional<absl::StatusOr<SpoolReader::Piece>> SpoolReader::Read(int64_t first_frame,
                                                                    int64_t frames,
                                                                    SampleFormat format) {
  {
    MutexLock lock(&shared_->mutex);
    if (shared_->piece.has_value()) {
      shared_->asked = false;
      return std::exchange(shared_->piece, std::nullopt);
    }
    if (shared_->asked) return std::nullopt;
    shared_->asked = true;
  }
  disk_.Do([shared = shared_, first_frame, frames, format] {
    absl::StatusOr<Piece> piece = ReadPiece(shared->path, first_frame, frames, format);
    {
      MutexLock lock(&shared->mutex);
      shared->piece = std::move(piece);
    }
    shared->signal.Notify();
  });
  return std::nullopt;
}

}  // namespace rtmixd
