#ifndef RTMIXD_SERVER_CONTROL_STORED_BUFFER_H_
#define RTMIXD_SERVER_CONTROL_STORED_BUFFER_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/base/mutex.h"
#include "server/control/audio_storage.h"
#include "server/control/audio_stream.h"
#include "server/control/change_signal.h"
#include "server/control/types.h"

namespace rtmixd {

// One buffer: its audio, who may write to it, and who wants to know when it grows. BufferStore
// finds it by its id; its writers and readers hold it themselves, so that it can be deleted under
// them.
//
//   open --> recording --> open (left open) or complete
//     +----> complete, by its writer, or when nobody can write to it any more: it was deleted or
//     its
//            session ended, and no recording runs
//
// Threading: thread-safe; its lock is a leaf: nothing else is locked or called under it. Audio is
// decoded, encoded and allocated outside of it.
class StoredBuffer : public std::enable_shared_from_this<StoredBuffer> {
 public:
  StoredBuffer(std::string buffer_id, std::string session_id, BufferSpec spec,
               absl::Time create_time, std::shared_ptr<AudioStorage> storage, int max_chunk_bytes);

  BufferInfo Info() const;
  const std::string& buffer_id() const { return buffer_id_; }
  int channels() const { return spec_.channels; }
  bool keep() const { return spec_.keep; }
  // Its audio if it is complete; else FAILED_PRECONDITION (kWrongState).
  absl::StatusOr<std::shared_ptr<const AudioStorage>> CompleteAudio() const;
  // The session that owns it; empty after that has ended.
  std::string Owner() const;

  // Nobody can find it any more. An upload is refused from now on, a recording goes on.
  void MarkDeleted();
  // Its session has ended. An upload is refused from now on, a recording goes on.
  void MarkOrphaned();

  // FAILED_PRECONDITION (kWrongState) if it is complete or something writes to it.
  absl::StatusOr<std::unique_ptr<BufferWriter>> OpenUpload();
  absl::StatusOr<std::unique_ptr<class BufferRecorder>> OpenRecorder(const std::string& action_id);
  std::unique_ptr<BufferReader> OpenReader(ChangeCallback on_change);

  bool HasReaders() const { return signal_.HasSubscribers(); }
  // Tells its readers if it has changed since the last time. Call it with no lock held.
  void NotifyIfChanged();

 private:
  friend class BufferRecorder;
  class Upload;
  class Reader;
  enum class Writing { kNone, kUpload, kRecording };

  absl::Status Append(int64_t position, SampleFormat format, std::string_view bytes);
  absl::Status CheckUploadable() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status CheckOpen() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status CompleteUpload();
  void EndWriting(bool complete);
  // Completes it if nobody can write to it any more.
  void CompleteIfClosedOff() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::string buffer_id_;
  const BufferSpec spec_;
  const absl::Time create_time_;
  const std::shared_ptr<AudioStorage> storage_;  // appended to by the one writer only
  const int max_chunk_bytes_;
  ChangeSignal signal_;
  std::atomic<bool> changed_{false};

  mutable Mutex mutex_;
  std::string session_id_ ABSL_GUARDED_BY(mutex_);
  std::string record_action_id_ ABSL_GUARDED_BY(mutex_);
  Writing writing_ ABSL_GUARDED_BY(mutex_) = Writing::kNone;
  bool complete_ ABSL_GUARDED_BY(mutex_) = false;
  bool deleted_ ABSL_GUARDED_BY(mutex_) = false;
};

// A recording's hold on the buffer that it appends to. Destroying it without Finish leaves the
// buffer as if the recording had never been admitted, but for what it has published.
//
// Threading: one thread at a time; info by any.
class BufferRecorder {
 public:
  BufferRecorder(std::shared_ptr<StoredBuffer> buffer, std::string action_id_before);
  ~BufferRecorder();
  BufferRecorder(const BufferRecorder&) = delete;
  BufferRecorder& operator=(const BufferRecorder&) = delete;

  int channels() const;
  // As AudioStorage; allocates, so not under a lock that others wait for.
  absl::Status Grow(int64_t frames);
  AudioStorage::Stretch<float> Room(int64_t ahead_frames, int64_t max_frames);
  void Publish(int64_t frames);
  // Nothing will follow: the buffer is complete, or open again.
  void Finish(bool leave_open);
  BufferInfo info() const;
  // What it appends to.
  std::shared_ptr<const AudioStorage> audio() const;

 private:
  const std::shared_ptr<StoredBuffer> buffer_;
  const std::string action_id_before_;
  bool finished_ = false;
};

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_CONTROL_STORED_BUFFER_H_
