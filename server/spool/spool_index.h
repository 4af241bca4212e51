#ifndef RTMIXD_SERVER_SPOOL_SPOOL_INDEX_H_
#define RTMIXD_SERVER_SPOOL_SPOOL_INDEX_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "rtmixd/v1/spool.pb.h"
#include "server/base/mutex.h"

namespace rtmixd {

// What recordings a folder holds: ID.wav with the audio of each, and ID.json with its report. Ids
// are made here; no other name ever becomes that of a file.
//
// Threading: thread-safe. Open, Save, Delete and Prune may wait for the disk, without the lock.
class SpoolIndex {
 public:
  // Makes the folder if it is not there, and takes it for this process alone. What an earlier
  // server did not finish becomes SPOOLED_RECORDING_STATE_INTERRUPTED.
  static absl::StatusOr<std::unique_ptr<SpoolIndex>> Open(const std::string& folder);
  SpoolIndex(const SpoolIndex&) = delete;
  SpoolIndex& operator=(const SpoolIndex&) = delete;
  ~SpoolIndex();

  static std::string NewId();
  std::string AudioPath(const std::string& recording_id) const;

  // Keeps a recording in the list, new or changed; in its file with Save.
  void Put(const v1::SpooledRecording& recording) ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status Save(const v1::SpooledRecording& recording) const;
  // Waits until new files are found again after a loss of power.
  void SyncFolder() const;

  // NOT_FOUND.
  absl::StatusOr<v1::SpooledRecording> Get(const std::string& recording_id) const
      ABSL_LOCKS_EXCLUDED(mutex_);
  // Oldest first.
  std::vector<v1::SpooledRecording> List() const ABSL_LOCKS_EXCLUDED(mutex_);
  // NOT_FOUND; FAILED_PRECONDITION (kWrongState) while it is recorded.
  absl::Status Delete(const std::string& recording_id) ABSL_LOCKS_EXCLUDED(mutex_);
  // Deletes what is older than `max_age`, and the oldest ones until no more than `max_bytes` are
  // left; never what is recorded.
  void Prune(int64_t max_bytes, absl::Duration max_age, absl::Time now) ABSL_LOCKS_EXCLUDED(mutex_);

  int64_t size() const ABSL_LOCKS_EXCLUDED(mutex_);
  int64_t used_bytes() const ABSL_LOCKS_EXCLUDED(mutex_);
  int64_t free_bytes() const;

 private:
  SpoolIndex(std::string folder, int folder_fd)
      : folder_(std::move(folder)), folder_fd_(folder_fd) {}
  void Load();
  void RemoveFiles(const std::string& recording_id) const;

  const std::string folder_;
  const int folder_fd_;
  mutable Mutex mutex_;
  std::map<std::string, v1::SpooledRecording> recordings_ ABSL_GUARDED_BY(mutex_);  // by id
};

// Bytes of its audio.
int64_t BytesOf(const v1::SpooledRecording& recording);

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_SPOOL_SPOOL_INDEX_H_
