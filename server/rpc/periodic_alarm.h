#ifndef RTMIXD_SERVER_RPC_PERIODIC_ALARM_H_
#define RTMIXD_SERVER_RPC_PERIODIC_ALARM_H_

#include <grpcpp/alarm.h>

#include <functional>
#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "server/base/mutex.h"

namespace rtmixd {

// Calls a function again and again, from gRPC's own threads, so that streams which must speak once
// a second need no thread each.
//
// Threading: Stop from any thread, but not from inside the function; after it has returned the
// function is not running and will not be called.
class PeriodicAlarm : public std::enable_shared_from_this<PeriodicAlarm> {
 public:
  // The first call comes after `interval`. The function must not block.
  static std::shared_ptr<PeriodicAlarm> Start(absl::Duration interval,
                                              std::function<void()> function);

  void Stop();

 private:
  PeriodicAlarm(absl::Duration interval, std::function<void()> function)
      : interval_(interval), function_(std::move(function)) {}
  void Arm() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Fire();

  const absl::Duration interval_;
  Mutex mutex_;
  std::function<void()> function_ ABSL_GUARDED_BY(mutex_);  // null when stopped
  grpc::Alarm alarm_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_RPC_PERIODIC_ALARM_H_
