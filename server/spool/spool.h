#ifndef RTMIXD_SERVER_SPOOL_SPOOL_H_
#define RTMIXD_SERVER_SPOOL_SPOOL_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "rtmixd/v1/spool.pb.h"
#include "server/base/mutex.h"
#include "server/control/recording_spool.h"
#include "server/spool/spool_file.h"
#include "server/spool/spool_index.h"
#include "server/spool/spool_reader.h"

namespace rtmixd {

// Writes recordings to a disk while they run, on a thread of its own. The buffers that are recorded
// into are its queue: it reads what they hold and it has not written, so that nothing is copied
// before. Where the disk is too slow or full it is behind, up to `max_backlog_bytes` of all
// recordings together; beyond that it leaves gaps, which it tells.
//
// Threading: thread-safe; nothing but Delete and the destructor waits for the disk.
class Spool final : public RecordingSpool {
 public:
  struct Options {
    std::string folder;
    int64_t max_bytes = int64_t{16} << 30;         // of what is kept
    absl::Duration max_age = absl::Hours(24 * 7);  // the same
    int64_t max_backlog_bytes = 256 << 20;
    // Between two writes, and between two waits for the disk (fdatasync).
    absl::Duration write_interval = absl::Milliseconds(250);
    absl::Duration sync_interval = absl::Seconds(1);
    // A recording that has ended is given up when it could not be written for so long.
    absl::Duration patience = absl::Seconds(10);
  };
  static absl::StatusOr<std::shared_ptr<Spool>> Open(const Options& options);
  // Writes what is there, if the disk takes it.
  ~Spool() override;

  // --- RecordingSpool ---
  void Begin(NewRecording recording, const ActionReport& report) override;
  void Update(const ActionReport& report) override;
  void End(const ActionReport& report) override;
  std::vector<LogEntry> TakeNews() override;

  v1::SpoolStatus status() const;
  std::vector<v1::SpooledRecording> List() const { return index_->List(); }
  absl::StatusOr<v1::SpooledRecording> Get(const std::string& recording_id) const {
    return index_->Get(recording_id);
  }
  // As SpoolIndex::Delete.
  absl::Status Delete(const std::string& recording_id);
  // `on_change` comes when a piece that was asked for is there; never after the destruction of the
  // reader has returned.
  std::unique_ptr<SpoolReader> OpenReader(const std::string& recording_id,
                                          ChangeCallback on_change);

 private:
  // A recording that is being written. What is not told under the lock is the writer's own.
  struct Job {
    NewRecording source;
    v1::SpooledRecording recording;
    std::unique_ptr<SpoolFile> file;
    int64_t written = 0;                     // position up to which it was, or was given up
    std::optional<int64_t> length;           // once it is known
    std::optional<absl::Time> behind_since;  // that it ended, and was not written
    bool saved = false;                      // its report exists
    bool stale = false;                      // its report says less than is known
    // Told, guarded by mutex_.
    std::optional<ActionReport> told;
    bool ended = false;
  };
  using JobPtr = std::shared_ptr<Job>;

  Spool(Options options, std::unique_ptr<SpoolIndex> index);
  void Run();
  // One round of the writer; `last`: nothing will come any more.
  void Round(absl::Time now, bool last);
  void Take(const JobPtr& job);
  absl::Status Write(Job& job);
  absl::Status Store(Job& job, bool sync);
  void Close(Job& job);
  static int64_t Available(const Job& job);
  void Skip(Job& job, int64_t to_position);
  void BoundBacklog(const std::vector<JobPtr>& jobs);
  void Tell(EventKind kind, const Job* job, int64_t frames, const std::string& text);
  void NoteOutcome(const absl::Status& status);

  const Options options_;
  const std::unique_ptr<SpoolIndex> index_;

  mutable Mutex mutex_;
  CondVar stop_changed_;
  bool stop_ ABSL_GUARDED_BY(mutex_) = false;
  std::map<std::string, JobPtr> jobs_ ABSL_GUARDED_BY(mutex_);  // by action id
  std::vector<LogEntry> news_ ABSL_GUARDED_BY(mutex_);
  std::string failure_ ABSL_GUARDED_BY(mutex_);
  int64_t gap_frames_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t free_bytes_ ABSL_GUARDED_BY(mutex_) = 0;

  // The writer's own.
  absl::Time next_sync_ = absl::InfinitePast();
  absl::Time retry_at_ = absl::InfinitePast();
  std::map<std::string, v1::SpooledRecording> unsaved_;  // ended, without the final report
  DiskThread disk_;
  std::thread writer_;
};

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_SPOOL_SPOOL_H_
