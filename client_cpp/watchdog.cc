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
  deadline_ = absl::Now() + limit_;
}

bool Watchdog::expired() const {
  absl::MutexLock lock(&mu_);
  return expired_;
}

void Watchdog::Watch() {
  absl::MutexLock lock(&mu_);
  while (!mu_.AwaitWithDeadline(absl::Condition(&stopping_), deadline_)) {
    if (absl::Now() < deadline_) continue;
    expired_ = true;
    context_.TryCancel();
    return;
  }
}

}  // namespace rtmixd::client
