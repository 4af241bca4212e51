#ifndef RTMIXD_SERVER_RPC_WORKER_H_
#define RTMIXD_SERVER_RPC_WORKER_H_

#include <deque>
#include <functional>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "server/base/mutex.h"

namespace rtmixd {

// A thread for calls that take long: memory to be touched, batches of thousands. Exists so that the
// streams of others, which gRPC's callback threads carry, do not wait for them.
//
// Threading: Run from any thread.
class Worker {
 public:
  Worker();
  // Does what is left.
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // Has it done, after all that came before.
  void Run(std::function<void()> work);

 private:
  void DoAll();

  Mutex mutex_;
  CondVar changed_;
  std::deque<std::function<void()>> waiting_ ABSL_GUARDED_BY(mutex_);
  bool stop_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_RPC_WORKER_H_
