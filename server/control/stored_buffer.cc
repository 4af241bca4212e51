#include "server/control/stored_buffer.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/base/error_info.h"
#include "server/control/wire_audio.h"

namespace rtmixd {
namespace {

absl::Status WrongState(const std::string& buffer_id, const std::string& state,
                        const std::string& wanted) {
  return MakeError(absl::StatusCode::kFailedPrecondition,
                   {.reason = ErrorReason::kWrongState,
                    .field = "buffer_id",
                    .value = buffer_id,
                    .limit = wanted},
                   absl::StrCat("buffer_id ", buffer_id, " ", state, "; must be ", wanted));
}

}  // namespace

// One call that uploads.
class StoredBuffer::Upload : public BufferWriter {
 public:
  explicit Upload(std::shared_ptr<StoredBuffer> buffer) : buffer_(std::move(buffer)) {}
  ~Upload() override {
    buffer_->EndWriting(/*complete=*/false);
    buffer_->NotifyIfChanged();
  }

  absl::Status Append(int64_t position, SampleFormat format, std::string_view bytes) override {
    absl::Status status = buffer_->Append(position, format, bytes);
    buffer_->NotifyIfChanged();
    return status;
  }
  absl::Status Complete() override {
    absl::Status status = buffer_->CompleteUpload();
    buffer_->NotifyIfChanged();
    return status;
  }
  BufferInfo info() const override { return buffer_->Info(); }

 private:
  const std::shared_ptr<StoredBuffer> buffer_;
};

class StoredBuffer::Reader : public BufferReader {
 public:
  Reader(std::shared_ptr<StoredBuffer> buffer, ChangeCallback on_change)
      : buffer_(std::move(buffer)),
        subscription_(buffer_->signal_.Subscribe(std::move(on_change))) {}

  int64_t Read(int64_t first_frame, int64_t frames, SampleFormat format,
               std::string* bytes) override {
    const AudioStorage& storage = *buffer_->storage_;
    const int64_t read = std::max<int64_t>(0, std::min(frames, storage.frames() - first_frame));
    const int64_t frame_bytes = int64_t{storage.channels()} * BytesPerSample(format);
    bytes->resize(read * frame_bytes);
    for (int64_t done = 0; done < read;) {
      const auto stretch = storage.Read(first_frame + done, read - done);
      EncodeWireAudio(stretch.samples, stretch.channel_stride_frames, storage.channels(),
                      stretch.frames, format, bytes->data() + done * frame_bytes);
      done += stretch.frames;
    }
    return read;
  }
  BufferInfo info() const override { return buffer_->Info(); }

 private:
  const std::shared_ptr<StoredBuffer> buffer_;
  const std::unique_ptr<ChangeSignal::Subscription> subscription_;
};

StoredBuffer::StoredBuffer(std::string buffer_id, std::string session_id, BufferSpec spec,
                           absl::Time create_time, std::shared_ptr<AudioStorage> storage,
                           int max_chunk_bytes)
    : buffer_id_(std::move(buffer_id)),
      spec_(std::move(spec)),
      create_time_(create_time),
      storage_(std::move(storage)),
      max_chunk_bytes_(max_chunk_bytes),
      session_id_(std::move(session_id)) {}

BufferInfo StoredBuffer::Info() const {
  BufferInfo info;
  info.buffer_id = buffer_id_;
  info.label = spec_.label;
  info.channels = spec_.channels;
  info.sample_rate_hz = spec_.sample_rate_hz;
  info.keep = spec_.keep;
  info.create_time = create_time_;
  info.bytes = storage_->bytes();
  MutexLock lock(&mutex_);
  // The frames under the lock: whoever reads that it is complete reads how long it is.
  info.frames = storage_->frames();
  info.state = complete_                         ? BufferState::kComplete
               : writing_ == Writing::kRecording ? BufferState::kRecording
                                                 : BufferState::kOpen;
  info.record_action_id = record_action_id_;
  info.session_id = session_id_;
  return info;
}

std::string StoredBuffer::Owner() const {
  MutexLock lock(&mutex_);
  return session_id_;
}

absl::StatusOr<std::shared_ptr<const AudioStorage>> StoredBuffer::CompleteAudio() const {
  MutexLock lock(&mutex_);
  if (!complete_) return WrongState(buffer_id_, "can still grow", "complete");
  return storage_;
}

void StoredBuffer::MarkDeleted() {
  MutexLock lock(&mutex_);
  deleted_ = true;
  CompleteIfClosedOff();
}

void StoredBuffer::MarkOrphaned() {
  MutexLock lock(&mutex_);
  session_id_.clear();
  CompleteIfClosedOff();
}

void StoredBuffer::CompleteIfClosedOff() {
  if (complete_ || writing_ == Writing::kRecording) return;
  if (!deleted_ && !session_id_.empty()) return;
  complete_ = true;
  changed_.store(true, std::memory_order_release);
}

absl::Status StoredBuffer::CheckOpen() const {
  if (complete_) return WrongState(buffer_id_, "is complete", "open");
  if (writing_ == Writing::kUpload) return WrongState(buffer_id_, "is being uploaded", "open");
  if (writing_ == Writing::kRecording) return WrongState(buffer_id_, "is being recorded", "open");
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<BufferWriter>> StoredBuffer::OpenUpload() {
  MutexLock lock(&mutex_);
  if (absl::Status status = CheckOpen(); !status.ok()) return status;
  writing_ = Writing::kUpload;
  return std::make_unique<Upload>(shared_from_this());
}

absl::StatusOr<std::unique_ptr<BufferRecorder>> StoredBuffer::OpenRecorder(
    const std::string& action_id) {
  MutexLock lock(&mutex_);
  if (absl::Status status = CheckOpen(); !status.ok()) return status;
  writing_ = Writing::kRecording;
  changed_.store(true, std::memory_order_release);
  return std::make_unique<BufferRecorder>(shared_from_this(),
                                          std::exchange(record_action_id_, action_id));
}

std::unique_ptr<BufferReader> StoredBuffer::OpenReader(ChangeCallback on_change) {
  return std::make_unique<Reader>(shared_from_this(), std::move(on_change));
}

void StoredBuffer::NotifyIfChanged() {
  // Acquire: whom this calls sees what changed.
  if (changed_.exchange(false, std::memory_order_acquire)) signal_.Notify();
}

absl::Status StoredBuffer::CheckUploadable() const {
  if (deleted_) return NotFound("buffer_id", buffer_id_, "buffer any more");
  if (session_id_.empty()) {
    return MakeError(absl::StatusCode::kUnauthenticated, {.reason = ErrorReason::kSessionExpired},
                     absl::StrCat("the session that uploads to ", buffer_id_, " has ended"));
  }
  if (complete_) return WrongState(buffer_id_, "is complete", "open");
  return absl::OkStatus();
}

absl::Status StoredBuffer::Append(int64_t position, SampleFormat format, std::string_view bytes) {
  {
    MutexLock lock(&mutex_);
    if (absl::Status status = CheckUploadable(); !status.ok()) return status;
  }
  const int64_t next = storage_->frames();
  if (position != next) {
    return MakeError(absl::StatusCode::kInvalidArgument, {.reason = ErrorReason::kBadPosition,
                                                          .field = "position",
                                                          .value = absl::StrCat(position),
                                                          .limit = absl::StrCat(next)});
  }
  if (static_cast<int64_t>(bytes.size()) > max_chunk_bytes_) {
    return LimitExceeded("max_chunk_bytes", absl::StrCat(bytes.size()),
                         absl::StrCat(max_chunk_bytes_));
  }
  const absl::StatusOr<int64_t> frames = CheckWireAudio(bytes, format, spec_.channels);
  if (!frames.ok()) return frames.status();
  if (absl::Status status = storage_->Grow(*frames); !status.ok()) return status;
  const int64_t frame_bytes = int64_t{spec_.channels} * BytesPerSample(format);
  for (int64_t done = 0; done < *frames;) {
    const auto room = storage_->Room(done, *frames - done);
    DecodeWireAudio(bytes.data() + done * frame_bytes, format, spec_.channels, room.frames,
                    room.samples, room.channel_stride_frames);
    done += room.frames;
  }
  MutexLock lock(&mutex_);
  // It may have been closed off meanwhile, and then it must not change any more.
  if (absl::Status status = CheckUploadable(); !status.ok()) return status;
  storage_->Publish(*frames);
  changed_.store(true, std::memory_order_release);
  return absl::OkStatus();
}

absl::Status StoredBuffer::CompleteUpload() {
  MutexLock lock(&mutex_);
  if (absl::Status status = CheckUploadable(); !status.ok()) return status;
  complete_ = true;
  changed_.store(true, std::memory_order_release);
  return absl::OkStatus();
}

void StoredBuffer::EndWriting(bool complete) {
  MutexLock lock(&mutex_);
  writing_ = Writing::kNone;
  complete_ = complete_ || complete;
  changed_.store(true, std::memory_order_release);
  CompleteIfClosedOff();
}

BufferRecorder::BufferRecorder(std::shared_ptr<StoredBuffer> buffer, std::string action_id_before)
    : buffer_(std::move(buffer)), action_id_before_(std::move(action_id_before)) {}

BufferRecorder::~BufferRecorder() {
  if (finished_) return;
  {
    MutexLock lock(&buffer_->mutex_);
    buffer_->record_action_id_ = action_id_before_;
  }
  buffer_->EndWriting(/*complete=*/false);
}

int BufferRecorder::channels() const { return buffer_->channels(); }

absl::Status BufferRecorder::Grow(int64_t frames) { return buffer_->storage_->Grow(frames); }

AudioStorage::Stretch<float> BufferRecorder::Room(int64_t ahead_frames, int64_t max_frames) {
  return buffer_->storage_->Room(ahead_frames, max_frames);
}

void BufferRecorder::Publish(int64_t frames) {
  buffer_->storage_->Publish(frames);
  buffer_->changed_.store(true, std::memory_order_release);
}

void BufferRecorder::Finish(bool leave_open) {
  finished_ = true;
  buffer_->EndWriting(/*complete=*/!leave_open);
}

BufferInfo BufferRecorder::info() const { return buffer_->Info(); }

std::shared_ptr<const AudioStorage> BufferRecorder::audio() const { return buffer_->storage_; }

}  // namespace rtmixd
