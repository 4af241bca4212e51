#include "server/control/change_signal.h"

#include <algorithm>
#include <thread>
#include <utility>

namespace rtmixd {

struct ChangeSignal::Watcher {
  explicit Watcher(ChangeCallback callback) : on_change(std::move(callback)) {}

  const ChangeCallback on_change;
  Mutex mutex;
  CondVar idle;  // running became false
  bool running ABSL_GUARDED_BY(mutex) = false;
  std::thread::id runner ABSL_GUARDED_BY(mutex);
  bool again ABSL_GUARDED_BY(mutex) = false;  // something changed while it ran
  bool gone ABSL_GUARDED_BY(mutex) = false;
};

ChangeSignal::Subscription::Subscription(std::shared_ptr<Watcher> watcher)
    : watcher_(std::move(watcher)) {}

ChangeSignal::Subscription::~Subscription() {
  MutexLock lock(&watcher_->mutex);
  watcher_->gone = true;
  while (watcher_->running && watcher_->runner != std::this_thread::get_id()) {
    watcher_->idle.Wait(&watcher_->mutex);
  }
}

std::unique_ptr<ChangeSignal::Subscription> ChangeSignal::Subscribe(ChangeCallback on_change) {
  auto watcher = std::make_shared<Watcher>(std::move(on_change));
  MutexLock lock(&mutex_);
  std::erase_if(watchers_, [](const std::weak_ptr<Watcher>& other) { return other.expired(); });
  watchers_.push_back(watcher);
  return std::make_unique<Subscription>(std::move(watcher));
}

bool ChangeSignal::HasSubscribers() const {
  MutexLock lock(&mutex_);
  return std::any_of(watchers_.begin(), watchers_.end(),
                     [](const std::weak_ptr<Watcher>& watcher) { return !watcher.expired(); });
}

void ChangeSignal::Notify() {
  std::vector<std::weak_ptr<Watcher>> watchers;
  {
    MutexLock lock(&mutex_);
    watchers = watchers_;
  }
  for (const std::weak_ptr<Watcher>& weak : watchers) {
    // Held for the whole call: a callback may destroy its own subscription.
    const std::shared_ptr<Watcher> watcher = weak.lock();
    if (watcher == nullptr) continue;
    {
      MutexLock lock(&watcher->mutex);
      if (watcher->running) watcher->again = true;
      if (watcher->running || watcher->gone) continue;
      watcher->running = true;
      watcher->runner = std::this_thread::get_id();
    }
    for (bool more = true; more;) {
      watcher->on_change();
      MutexLock lock(&watcher->mutex);
      more = watcher->again && !watcher->gone;
      watcher->again = false;
      if (!more) {
        watcher->running = false;
        watcher->idle.SignalAll();
      }
    }
  }
}

}  // namespace rtmixd
