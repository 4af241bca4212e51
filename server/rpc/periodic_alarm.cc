#include "server/rpc/periodic_alarm.h"

#include <utility>

namespace rtmixd {

std::shared_ptr<PeriodicAlarm> PeriodicAlarm::Start(absl::Duration interval,
                                                    std::function<void()> function) {
  std::shared_ptr<PeriodicAlarm> alarm(new PeriodicAlarm(interval, std::move(function)));
  const MutexLock lock(&alarm->mutex_);
  alarm->Arm();
  return alarm;
}

void PeriodicAlarm::Stop() {
  const MutexLock lock(&mutex_);
  function_ = nullptr;
  alarm_.Cancel();
}

void PeriodicAlarm::Arm() {
  // gRPC calls the closure once, also when the alarm is cancelled, and it keeps this object until
  // then.
  alarm_.Set(absl::ToChronoTime(absl::Now() + interval_),
             [self = shared_from_this()](bool /*ok*/) { self->Fire(); });
}

void PeriodicAlarm::Fire() {
  const MutexLock lock(&mutex_);
  if (function_ == nullptr) return;
  function_();
  Arm();
}

}  // namespace rtmixd
