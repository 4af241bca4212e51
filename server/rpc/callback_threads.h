#ifndef RTMIXD_SERVER_RPC_CALLBACK_THREADS_H_
#define RTMIXD_SERVER_RPC_CALLBACK_THREADS_H_

#include <memory>

namespace rtmixd {

// Leaves as many of gRPC's callback threads at work as pay. gRPC 1.51 has clamp(cores / 2, 2, 16)
// of them per process and cannot be told otherwise. They take turns: whichever is given an event
// wakes the next one to wait for the network in its place, so that each message costs two switches
// between threads, which may be more than all that the server does with it (docs/performance.md).
// Half of them, and the last one alone, handle the same messages for less. The others are kept
// inside a callback that does not return.
//
// Threading: any thread. While one lives, in this process no callback of gRPC's may wait for
// another one. Several are as one.
class CallbackThreads {
 public:
  CallbackThreads();
  // The last one gives them all back, and waits until they have left the callback.
  ~CallbackThreads() = default;
  CallbackThreads(const CallbackThreads&) = delete;
  CallbackThreads& operator=(const CallbackThreads&) = delete;

  // How many gRPC has, and how many of them are kept.
  static int All();
  static int Kept() { return All() / 2; }

 private:
  const std::shared_ptr<void> kept_;
};

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_RPC_CALLBACK_THREADS_H_
