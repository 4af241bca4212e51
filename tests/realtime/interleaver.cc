#include "tests/realtime/interleaver.h"

#include <signal.h>
#include <ucontext.h>

#include <cstdlib>
#include <limits>
#include <vector>

#if !defined(__x86_64__)
#error "Interleaver knows the trap flag of x86-64 only"
#endif

namespace rtmixd {
namespace {

constexpr uint64_t kTrapFlag = 0x100;
constexpr int64_t kNever = std::numeric_limits<int64_t>::max();

// A piece of code on its way. `pause` is called, once, in the midst of it.
struct Piece {
  const std::function<void()>* code = nullptr;
  int64_t stop = kNever;
  std::function<void()> pause;
  int64_t steps = 0;
};

Piece* g_stepped = nullptr;  // whose instructions are being counted

void OnTrap(int /*signal*/, siginfo_t* /*info*/, void* context) {
  Piece* const piece = g_stepped;
  if (piece->steps++ < piece->stop) return;
  static_cast<ucontext_t*>(context)->uc_mcontext.gregs[REG_EFL] &= ~static_cast<greg_t>(kTrapFlag);
  piece->pause();
}

void RunStepped(Piece* piece) {
  g_stepped = piece;
  __builtin_ia32_writeeflags_u64(__builtin_ia32_readeflags_u64() | kTrapFlag);
  (*piece->code)();
  __builtin_ia32_writeeflags_u64(__builtin_ia32_readeflags_u64() & ~kTrapFlag);
}

class ScopedTrapHandler {
 public:
  ScopedTrapHandler() {
    struct sigaction action = {};
    action.sa_sigaction = OnTrap;
    action.sa_flags =
        SA_SIGINFO | SA_NODEFER;  // the second piece is stepped while the first waits in OnTrap
    if (sigaction(SIGTRAP, &action, &before_) != 0) abort();
  }
  ~ScopedTrapHandler() { sigaction(SIGTRAP, &before_, nullptr); }
  ScopedTrapHandler(const ScopedTrapHandler&) = delete;
  ScopedTrapHandler& operator=(const ScopedTrapHandler&) = delete;

 private:
  struct sigaction before_ = {};
};

Piece* g_second = nullptr;  // for the entry on the second stack, which can be told nothing

}  // namespace

int64_t Interleaver::CountSteps(const std::function<void()>& code) {
  const ScopedTrapHandler handler;
  Piece piece;
  piece.code = &code;
  RunStepped(&piece);
  return piece.steps;
}

void Interleaver::Run(const std::function<void()>& first, int64_t first_steps,
                      const std::function<void()>& second, int64_t second_steps) {
  constexpr size_t kStackBytes = 256 * 1024;
  const ScopedTrapHandler handler;
  ucontext_t here = {};   // where the first piece, or this function, waits for the second
  ucontext_t there = {};  // where the second waits
  bool second_done = false;
  const std::function<void()> second_noted = [&] {
    second();
    second_done = true;
  };
  const auto go_on_with_second = [&] { swapcontext(&here, &there); };
  Piece one;
  one.code = &first;
  one.stop = first_steps;
  one.pause = go_on_with_second;
  Piece two;
  two.code = &second_noted;
  two.stop = second_steps;
  two.pause = [&] { swapcontext(&there, &here); };

  std::vector<char> stack(kStackBytes);
  getcontext(&there);
  there.uc_stack.ss_sp = stack.data();
  there.uc_stack.ss_size = stack.size();
  there.uc_link = &here;
  g_second = &two;
  makecontext(
      &there, [] { RunStepped(g_second); }, 0);

  RunStepped(&one);
  while (!second_done) go_on_with_second();
}

}  // namespace rtmixd
