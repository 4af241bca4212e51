#ifndef RTMIXD_TESTS_SUPPORT_RT_GUARD_H_
#define RTMIXD_TESTS_SUPPORT_RT_GUARD_H_

#include <string>
#include <vector>

#include "server/realtime/audio_block.h"

namespace rtmixd {

// Catches what the audio thread must not do. Between Enter and Leave, the calling thread may not
//   - use the heap: the malloc family, and so operator new and delete,
//   - take, try, release or wait for a lock: pthread mutexes, read-write and spin locks, condition
//     variables, semaphores, and so std::mutex and its kin,
//   - ask for the time: clock_gettime, gettimeofday, time (which make no system call on most
//   machines, but do
//     on some), and so std::chrono,
//   - make a system call.
// The first violation prints what it was and a backtrace to stderr and aborts; a test of the guard
// itself can have violations recorded instead, and carried out.
//
// It exists because these mistakes seldom show: an uncontended lock or a small allocation costs
// little, until the day it costs a dropout. A program that links it has the functions above
// replaced by ones that check and go on to the real ones; the kernel stops system calls by Syscall
// User Dispatch (x86-64, Linux 5.11 or later; Enter aborts where there is none). Locks built from
// atomics alone, such as an uncontended absl::Mutex, go unseen. Sanitizers replace the same
// functions: leave them out where this is used.
//
// Threading: Enter and Leave act on the calling thread alone and nest; the rest by any thread.
class RtGuard {
 public:
  enum class Kind { kHeap, kLock, kClock, kSystemCall };

  struct Violation {
    Kind kind;
    std::string what;  // the name of the function, or "system call 1" with the number
  };

  // Starts to guard. The next `allowed_writes` calls of write(2) in this scope are let through:
  // waking somebody by an eventfd is one. An inner scope adds its own to what is left.
  static void Enter(int allowed_writes = 0);

  // Ends what the matching Enter began.
  static void Leave();

  // From now on, on all threads, records violations and lets them happen. The first 64 are kept.
  static void RecordViolations();

  // Returns what was recorded since the last call.
  static std::vector<Violation> TakeViolations();
};

// Guards the scope it lives in.
class ScopedRtGuard {
 public:
  explicit ScopedRtGuard(int allowed_writes = 0) { RtGuard::Enter(allowed_writes); }
  ~ScopedRtGuard() { RtGuard::Leave(); }
  ScopedRtGuard(const ScopedRtGuard&) = delete;
  ScopedRtGuard& operator=(const ScopedRtGuard&) = delete;
};

// Hands every block on to another sink under the guard, so that the tests of that sink can be run
// once more through this one.
//
// Threading: as AudioBlockSink.
class GuardedSink : public AudioBlockSink {
 public:
  // `sink` must outlive it.
  explicit GuardedSink(AudioBlockSink* sink) : sink_(sink) {}

  void ProcessRt(const AudioBlock& block) noexcept override {
    const ScopedRtGuard guard;
    sink_->ProcessRt(block);
  }

  // The one wake that it may make is let through.
  void AfterBlockRt() noexcept override {
    const ScopedRtGuard guard(/*allowed_writes=*/1);
    sink_->AfterBlockRt();
  }

 private:
  AudioBlockSink* const sink_;
};

}  // namespace rtmixd

#endif  // RTMIXD_TESTS_SUPPORT_RT_GUARD_H_
