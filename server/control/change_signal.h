#ifndef RTMIXD_SERVER_CONTROL_CHANGE_SIGNAL_H_
#define RTMIXD_SERVER_CONTROL_CHANGE_SIGNAL_H_

#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "server/base/mutex.h"
#include "server/control/audio_stream.h"

namespace rtmixd {

// Tells watchers that something has changed, and lets each go for good: once the destructor of a
// subscription has returned, its callback is not running and will not run again. It exists because
// gRPC calls come and go while the pump calls them.
//
// Threading: thread-safe. Callbacks run on the thread that calls Notify, with no lock of this class
// held, never two at a time of one subscription; what changes during a callback brings another one.
// A subscription may be destroyed inside its own callback; any other thread that destroys it waits
// for a running callback, and must hold no lock that the callback takes.
class ChangeSignal {
 private:
  struct Watcher;

 public:
  // May outlive the signal.
  class Subscription {
   public:
    explicit Subscription(std::shared_ptr<Watcher> watcher);
    ~Subscription();
    Subscription(const Subscription&) = delete;
    Subscription& operator=(const Subscription&) = delete;

   private:
    const std::shared_ptr<Watcher> watcher_;
  };

  ChangeSignal() = default;
  ChangeSignal(const ChangeSignal&) = delete;
  ChangeSignal& operator=(const ChangeSignal&) = delete;

  [[nodiscard]] std::unique_ptr<Subscription> Subscribe(ChangeCallback on_change);
  bool HasSubscribers() const;
  // Calls every subscriber of this moment. Call it with no lock held.
  void Notify();

 private:
  mutable Mutex mutex_;
  std::vector<std::weak_ptr<Watcher>> watchers_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_CONTROL_CHANGE_SIGNAL_H_
