#ifndef RTMIXD_SERVER_SPOOL_SPOOL_READER_H_
#define RTMIXD_SERVER_SPOOL_SPOOL_READER_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/base/mutex.h"
#include "server/control/audio_stream.h"
#include "server/control/change_signal.h"
#include "server/control/types.h"

namespace rtmixd {

// Does one thing after the other that may wait for the disk, for those who must not.
//
// Threading: thread-safe. The destructor waits until all is done.
class DiskThread {
 public:
  DiskThread();
  DiskThread(const DiskThread&) = delete;
  DiskThread& operator=(const DiskThread&) = delete;
  ~DiskThread();

  void Do(std::function<void()> work);

 private:
  void Run();

  Mutex mutex_;
  CondVar changed_;
  bool stop_ ABSL_GUARDED_BY(mutex_) = false;
  std::deque<std::function<void()>> work_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

// Reads the audio of a recording from its file, a piece at a time, ahead by none.
//
// Threading: one thread at a time.
class SpoolReader {
 public:
  SpoolReader(DiskThread& disk, std::string path, ChangeCallback on_change);

  struct Piece {
    int64_t frames = 0;  // fewer than asked for: the file has no more
    std::string bytes;
  };
  // The frames from `first_frame` on, if they were asked for before and are there; else asks for
  // them, and on_change comes when it is worth to call again. With the same arguments until then.
  std::optional<absl::StatusOr<Piece>> Read(int64_t first_frame, int64_t frames,
                                            SampleFormat format);

 private:
  // Outlives the reader while the disk is waited for.
  struct Shared {
    std::string path;
    ChangeSignal signal;
    Mutex mutex;
    bool asked ABSL_GUARDED_BY(mutex) = false;
    std::optional<absl::StatusOr<Piece>> piece ABSL_GUARDED_BY(mutex);
  };

  DiskThread& disk_;
  const std::shared_ptr<Shared> shared_;
  const std::unique_ptr<ChangeSignal::Subscription> subscription_;
};

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_SPOOL_SPOOL_READER_H_
