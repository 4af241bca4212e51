#ifndef RTMIXD_CLIENT_CPP_WATCHDOG_H_
#define RTMIXD_CLIENT_CPP_WATCHDOG_H_

#include <grpcpp/client_context.h>

#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace rtmixd::client {

// Cancels a call that makes no progress. Exists because reads and writes of a transfer block for as
// long as they like, and a deadline for the whole of it cannot be told beforehand.
//
// Threading: Kick, Pause and expired on any thread; it has a thread of its own.
class Watchdog {
 public:
  // Cancels `context`, which must outlive this, once `limit` has passed without a Kick.
  Watchdog(grpc::ClientContext& context, absl::Duration limit);
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;
  ~Watchdog();

  // There was progress, or it is the peer's turn again.
  void Kick() ABSL_LOCKS_EXCLUDED(mu_);
  // It is not the peer's turn: time does not count until the next Kick.
  void Pause() ABSL_LOCKS_EXCLUDED(mu_);
  // Whether it has cancelled the call.
  bool expired() const ABSL_LOCKS_EXCLUDED(mu_);

 private:
  void Watch() ABSL_LOCKS_EXCLUDED(mu_);

  grpc::ClientContext& context_;
  const absl::Duration limit_;

  mutable absl::Mutex mu_;
  absl::Time deadline_ ABSL_GUARDED_BY(mu_);
  bool paused_ ABSL_GUARDED_BY(mu_) = false;
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  bool expired_ ABSL_GUARDED_BY(mu_) = false;

  std::thread thread_;
};

}  // namespace rtmixd::client

#endif  // RTMIXD_CLIENT_CPP_WATCHDOG_H_
