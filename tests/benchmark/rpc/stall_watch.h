#ifndef RTMIXD_TESTS_BENCHMARK_RPC_STALL_WATCH_H_
#define RTMIXD_TESTS_BENCHMARK_RPC_STALL_WATCH_H_

#include <atomic>
#include <string>
#include <thread>
#include <vector>

namespace rtmixd::load {

// Notes when the machine did not run a thread that had nothing to do but to wake up each
// millisecond, at the highest real-time priority that it can get: what it missed nobody could have
// helped. Exists so that underruns of a stalled machine can be told from those of a server.
class StallWatch {
 public:
  StallWatch();
  ~StallWatch();
  StallWatch(const StallWatch&) = delete;
  StallWatch& operator=(const StallWatch&) = delete;

  struct Stall {
    double end = 0;      // Now() when it was over
    double seconds = 0;  // how late the thread was
  };
  // Ends the watch; the stalls of 10 ms and more.
  std::vector<Stall> Stop();

 private:
  void Run();

  std::atomic<bool> stop_{false};
  std::vector<Stall> stalls_;
  std::thread thread_;
};

}  // namespace rtmixd::load

#endif  // RTMIXD_TESTS_BENCHMARK_RPC_STALL_WATCH_H_
