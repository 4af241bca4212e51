#ifndef RTMIXD_TESTS_REALTIME_INTERLEAVER_H_
#define RTMIXD_TESTS_REALTIME_INTERLEAVER_H_

#include <cstdint>
#include <functional>

namespace rtmixd {

// Runs two pieces of code interleaved at chosen machine instructions, as two threads would if each
// were stopped there. It exists because threads meet in the middle of a copy only by chance, and
// seldom on a machine that is busy; this way they meet there every time, and the same way every
// time.
//
// It shows every order that a sequentially consistent machine could; what comes of memory orders
// that are too weak is for tsan and for threads to show. The processor stops after each instruction
// (the trap flag of x86-64), and the pieces run on stacks of their own, so leave sanitizers out.
//
// Threading: one thread at a time in the whole process.
class Interleaver {
 public:
  // Returns how many instructions `code` takes.
  static int64_t CountSteps(const std::function<void()>& code);

  // Runs `first` up to its instruction `first_steps`, then `second` up to `second_steps`, then the
  // rest of `first`, then the rest of `second`. One that ends before its stop is not stopped; if
  // `first` is not, `second` runs after it.
  static void Run(const std::function<void()>& first, int64_t first_steps,
                  const std::function<void()>& second, int64_t second_steps);
};

}  // namespace rtmixd

#endif  // RTMIXD_TESTS_REALTIME_INTERLEAVER_H_
