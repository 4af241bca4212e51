#ifndef RTMIXD_SERVER_RPC_WRITE_PUMP_H_
#define RTMIXD_SERVER_RPC_WRITE_PUMP_H_

#include <functional>
#include <optional>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "server/base/mutex.h"

namespace rtmixd {

// The sending half of a stream: whenever it may write and somebody says that there may be something
// new, it asks its source for the next message. Nothing is queued, so that a slow client costs one
// message and always gets the newest state.
//
// Threading: Kick and Fail from any thread; Wrote from the reactor's OnWriteDone. `next`, `write`
// and `finish` are called by one thread at a time and with no lock held.
template <typename Response>
class WritePump {
 public:
  struct Source {
    // Fills the next message and returns true; or returns false, and sets `*end` if there will
    // never be another.
    std::function<bool(Response* response, std::optional<absl::Status>* end)> next;
    std::function<void(const Response*)> write;       // StartWrite
    std::function<void(const absl::Status&)> finish;  // Finish; called once
  };

  explicit WritePump(Source source) : source_(std::move(source)) {}

  // There may be something new.
  void Kick() {
    {
      const MutexLock lock(&mutex_);
      if (busy_) {
        again_ = true;
        return;
      }
      busy_ = true;
    }
    Run();
  }

  // Ends the stream with `status` after the write that is under way.
  void Fail(const absl::Status& status) {
    {
      const MutexLock lock(&mutex_);
      if (!failure_.has_value()) failure_ = status;
    }
    Kick();
  }

  // A write has ended; `ok` is false if the stream is broken.
  void Wrote(bool ok) {
    if (!ok) {
      const MutexLock lock(&mutex_);
      if (!failure_.has_value()) failure_ = absl::CancelledError("the call broke off");
    }
    Run();
  }

 private:
  // Runs until a write is under way, the stream is finished or there is nothing to do. Entered by
  // the one thread that made `busy_` true or whose write kept it so.
  void Run() {
    for (;;) {
      std::optional<absl::Status> end;
      {
        const MutexLock lock(&mutex_);
        end = failure_;
        again_ = false;
      }
      if (!end.has_value()) {
        response_.Clear();
        if (source_.next(&response_, &end)) {
          source_.write(&response_);
          return;  // busy until Wrote
        }
      }
      if (end.has_value()) {
        source_.finish(*end);
        return;  // busy for ever
      }
      const MutexLock lock(&mutex_);
      if (!again_) {
        busy_ = false;
        return;
      }
    }
  }

  const Source source_;
  Response response_;  // belongs to whoever is in Run, or to the write under way
  Mutex mutex_;
  bool busy_ ABSL_GUARDED_BY(mutex_) = false;
  bool again_ ABSL_GUARDED_BY(mutex_) = false;
  std::optional<absl::Status> failure_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_RPC_WRITE_PUMP_H_
