#ifndef RTMIXD_SERVER_CONTROL_BUFFER_STORE_H_
#define RTMIXD_SERVER_CONTROL_BUFFER_STORE_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/base/mutex.h"
#include "server/control/audio_storage.h"
#include "server/control/audio_stream.h"
#include "server/control/byte_budget.h"
#include "server/control/instance_ids.h"
#include "server/control/stored_buffer.h"
#include "server/control/types.h"

namespace rtmixd {

// All buffers by their ids: who owns them, who may use them, and how much memory they may take. A
// session uses its own buffers and those kept by sessions that have ended.
//
// Errors of methods that take a buffer's id: NOT_FOUND (kNotFound); PERMISSION_DENIED
// (kForeignSession) for a buffer of another session that lives.
//
// Threading: thread-safe; may be called under the engine's mutex, but Create need not be, since it
// allocates. Its lock is held for no call but of the buffers' own locks. Callbacks of readers come
// from NotifyReaders and from the writers of uploads, never from the other methods.
class BufferStore {
 public:
  // Of the limits only those of buffers and chunks count.
  explicit BufferStore(const Limits& limits, InstanceIds ids = {});
  BufferStore(const BufferStore&) = delete;
  BufferStore& operator=(const BufferStore&) = delete;

  // A session can make buffers from here until EndSession, which deletes them, except those to be
  // kept.
  void AddSession(const std::string& session_id);
  void EndSession(const std::string& session_id);
  // What the session's audio is charged to; also for sounds that are sent along. Null if there is
  // no such session.
  std::shared_ptr<ByteBudget> Budget(const std::string& session_id) const;
  struct Usage {
    int buffers = 0;
    int64_t bytes = 0;  // deleted buffers that are still in use included
  };
  Usage GetUsage(const std::string& session_id) const;

  // INVALID_ARGUMENT: channels, rate, label, expected_frames. RESOURCE_EXHAUSTED: a limit.
  // UNAUTHENTICATED (kSessionExpired): no such session.
  absl::StatusOr<BufferInfo> Create(const std::string& session_id, const BufferSpec& spec,
                                    absl::Time now);
  absl::StatusOr<BufferInfo> Get(const std::string& session_id, const std::string& buffer_id) const;
  // Oldest first.
  std::vector<BufferInfo> List(const std::string& session_id) const;
  absl::Status Delete(const std::string& session_id, const std::string& buffer_id);

  absl::StatusOr<std::unique_ptr<BufferWriter>> OpenUpload(const std::string& session_id,
                                                           const std::string& buffer_id);
  absl::StatusOr<std::unique_ptr<BufferReader>> OpenDownload(const std::string& session_id,
                                                             const std::string& buffer_id,
                                                             ChangeCallback on_change);
  // The buffer is kRecording from now on. INVALID_ARGUMENT unless it has `channels` channels.
  absl::StatusOr<std::unique_ptr<BufferRecorder>> OpenRecorder(const std::string& session_id,
                                                               const std::string& buffer_id,
                                                               const std::string& action_id,
                                                               int channels);
  // What a voice needs of a complete buffer.
  struct Playable {
    std::shared_ptr<const AudioStorage> audio;
    double sample_rate_hz = 0;  // 0: unknown
  };
  absl::StatusOr<Playable> GetPlayable(const std::string& session_id,
                                       const std::string& buffer_id) const;

  // Calls the readers of all buffers that have changed. Call it with no lock held.
  void NotifyReaders();

 private:
  struct Session {
    std::shared_ptr<ByteBudget> budget;
    int buffers = 0;
  };
  absl::StatusOr<std::shared_ptr<StoredBuffer>> Find(const std::string& session_id,
                                                     const std::string& buffer_id) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Limits limits_;
  const InstanceIds ids_;
  const std::shared_ptr<ByteBudget> total_budget_;
  mutable Mutex mutex_;
  int64_t last_number_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::flat_hash_map<std::string, Session> sessions_ ABSL_GUARDED_BY(mutex_);
  // By the number in the id: in order of creation.
  std::map<int64_t, std::shared_ptr<StoredBuffer>> buffers_ ABSL_GUARDED_BY(mutex_);
  // Those that have readers, deleted ones too; some that had.
  std::vector<std::weak_ptr<StoredBuffer>> followed_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_CONTROL_BUFFER_STORE_H_
