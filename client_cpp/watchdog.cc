#include "client_cpp/watchdog.h"

#include "absl/time/clock.h"

namespace rtmixd::client {

Watchdog::Watchdog(grpc::ClientContext& context, absl::Duration limit)
    : context_(context),
      limit_(limit),
      deadline_(absl::Now() + limit),
      thread_([this] { Watch(); }) {}

Watchdog::~Watchdog() {
  {
    absl::MutexLock lock(&mu_);
    stopping_ = true;
  }
  thread_.join();
}

void Watchdog::Kick() {
  absl::MutexLock lock(&mu_);
  paused_ = false;
  deadline_ = absl::Now() + limit_;
}

void Watchdog::Pause() {
  absl::MutexLock lock(&mu_);
  paused_ = true;
}

bool Watchdog::expired() const {
  absl::MutexLock lock(&mu_);
  return expired_;
}

void Watchdog::Watch() {
  absl::MutexLock lock(&mu_);
  const auto resumed = [this] {
    mu_.AssertReaderHeld();
    return stopping_ || !paused_;
  };
  while (!mu_.AwaitWithDeadline(absl::Condition(&stopping_), deadline_)) {
    mu_.Await(absl::Condition(&resumed));
    if (stopping_) return;
    if (absl::Now() < deadline_) continue;
    expired_ = true;
    context_.TryCancel();
    return;
  }
}

}  // namespace rtmixd::client
