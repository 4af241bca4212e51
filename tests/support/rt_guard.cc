#include "tests/support/rt_guard.h"

#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#if !defined(__x86_64__)
#error "RtGuard knows the registers of x86-64 only"
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#error "RtGuard replaces the functions that sanitizers replace: build without"
#endif

#ifndef PR_SET_SYSCALL_USER_DISPATCH
#define PR_SET_SYSCALL_USER_DISPATCH 59
#define PR_SYS_DISPATCH_OFF 0
#define PR_SYS_DISPATCH_ON 1
#define SYSCALL_DISPATCH_FILTER_ALLOW 0
#define SYSCALL_DISPATCH_FILTER_BLOCK 1
#endif

// glibc's own names of what is replaced below: dlsym would itself allocate.
extern "C" {
// NOLINTBEGIN(bugprone-reserved-identifier): reserved for glibc, whose they are.
void* __libc_malloc(size_t size);
void __libc_free(void* memory);
void* __libc_calloc(size_t count, size_t size);
void* __libc_realloc(void* memory, size_t size);
void* __libc_memalign(size_t alignment, size_t size);
// NOLINTEND(bugprone-reserved-identifier)

// Where the kernel goes when the handler of SIGSYS returns. It is our own, so that the one address
// from which system calls are always let through is known. Its bytes are those by which unwinders
// know such a place.
void rtmixd_guard_restorer();
void rtmixd_guard_restorer_end();
}
asm(R"(
  .pushsection .text
  nop
  .globl rtmixd_guard_restorer
  .type rtmixd_guard_restorer, @function
rtmixd_guard_restorer:
  .byte 0x48, 0xc7, 0xc0, 0x0f, 0x00, 0x00, 0x00  # movq $15, %rax (rt_sigreturn)
  syscall
  .globl rtmixd_guard_restorer_end
rtmixd_guard_restorer_end:
  nop
  .size rtmixd_guard_restorer, . - rtmixd_guard_restorer
  .popsection
)");

namespace rtmixd {
namespace {

#define RTMIXD_STATIC_TLS __attribute__((tls_model("initial-exec"))) thread_local

// Read by the kernel at each system call of a guarded thread.
RTMIXD_STATIC_TLS volatile char t_selector = SYSCALL_DISPATCH_FILTER_ALLOW;
RTMIXD_STATIC_TLS int t_depth = 0;
RTMIXD_STATIC_TLS int t_allowed_writes = 0;

constexpr int kMaxRecorded = 64;
struct Recorded {
  RtGuard::Kind kind = RtGuard::Kind::kHeap;
  const char* function = nullptr;  // nullptr for a system call
  int64_t system_call = 0;
  std::atomic<bool> complete{false};
};
std::array<Recorded, kMaxRecorded> g_recorded;
std::atomic<int> g_recorded_count{0};
std::atomic<bool> g_record{false};

// Lifts the guard of this thread for what the guard itself has to do, and for the real functions.
class ScopedLift {
 public:
  ScopedLift() : depth_(t_depth), selector_(t_selector) {
    t_selector = SYSCALL_DISPATCH_FILTER_ALLOW;
    t_depth = 0;
  }
  ~ScopedLift() {
    t_depth = depth_;
    t_selector = selector_;
  }
  ScopedLift(const ScopedLift&) = delete;
  ScopedLift& operator=(const ScopedLift&) = delete;

 private:
  const int depth_;
  const char selector_;
};

void Print(const char* text) {
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, text, strlen(text));
}

// Must be called with the guard lifted.
void Report(RtGuard::Kind kind, const char* function, int64_t system_call) {
  if (g_record.load()) {
    const int slot = g_recorded_count.fetch_add(1);
    if (slot >= kMaxRecorded) return;
    g_recorded[slot].kind = kind;
    g_recorded[slot].function = function;
    g_recorded[slot].system_call = system_call;
    g_recorded[slot].complete.store(true);
    return;
  }
  char text[128];
  if (function != nullptr) {
    snprintf(text, sizeof(text), "RtGuard: %s called on the audio thread\n", function);
  } else {
    snprintf(text, sizeof(text), "RtGuard: system call %lld made on the audio thread\n",
             static_cast<long long>(system_call));
  }
  Print(text);
  std::array<void*, 64> frames{};
  const int count = backtrace(frames.data(), static_cast<int>(frames.size()));
  backtrace_symbols_fd(frames.data(), count, STDERR_FILENO);
  abort();
}

// Called by every function replaced below.
void Check(RtGuard::Kind kind, const char* function) {
  if (t_depth == 0) return;
  const ScopedLift lift;
  Report(kind, function, 0);
}

// Makes the system call that the kernel has refused, and returns what the kernel does (-errno).
int64_t MakeSystemCall(const greg_t* registers) {
  int64_t result = registers[REG_RAX];
  register int64_t r10 asm("r10") = registers[REG_R10];
  register int64_t r8 asm("r8") = registers[REG_R8];
  register int64_t r9 asm("r9") = registers[REG_R9];
  asm volatile("syscall"
               : "+a"(result)
               : "D"(registers[REG_RDI]), "S"(registers[REG_RSI]), "d"(registers[REG_RDX]),
                 "r"(r10), "r"(r8), "r"(r9)
               : "rcx", "r11", "memory");
  return result;
}

void OnSystemCall(int /*signal*/, siginfo_t* info, void* context) {
  const char selector = t_selector;
  t_selector =
      SYSCALL_DISPATCH_FILTER_ALLOW;  // before all else: this handler may make system calls
  {
    const ScopedLift lift;
    const int saved_errno = errno;
    if (info->si_syscall == SYS_write && t_allowed_writes > 0) {
      --t_allowed_writes;
    } else {
      Report(RtGuard::Kind::kSystemCall, nullptr, info->si_syscall);
    }
    errno = saved_errno;
  }
  greg_t* const registers = static_cast<ucontext_t*>(context)->uc_mcontext.gregs;
  registers[REG_RAX] = MakeSystemCall(registers);
  t_selector = selector;
}

// What the kernel itself takes: glibc's sigaction would put its own restorer in.
struct KernelSigaction {
  void (*handler)(int, siginfo_t*, void*);
  uint64_t flags;
  void (*restorer)();
  uint64_t mask;
};
constexpr uint64_t kSaRestorer = 0x04000000;

bool InstallHandler() {
  // Loads what a backtrace needs; later, in the handler, it would allocate.
  std::array<void*, 2> frames{};
  backtrace(frames.data(), static_cast<int>(frames.size()));
  const KernelSigaction action = {.handler = &OnSystemCall,
                                  .flags = SA_SIGINFO | kSaRestorer,
                                  .restorer = &rtmixd_guard_restorer,
                                  .mask = 0};
  return syscall(SYS_rt_sigaction, SIGSYS, &action, nullptr, sizeof(action.mask)) == 0;
}

void Dispatch(int64_t mode) {
  const auto begin = reinterpret_cast<uintptr_t>(&rtmixd_guard_restorer);
  const auto end = reinterpret_cast<uintptr_t>(&rtmixd_guard_restorer_end);
  // The kernel compares the address after the call, so the range ends one past it. When it turns
  // dispatch off it wants zeros.
  const bool on = mode == PR_SYS_DISPATCH_ON;
  if (prctl(PR_SET_SYSCALL_USER_DISPATCH, mode, on ? begin : 0, on ? end - begin + 1 : 0,
            on ? &t_selector : nullptr) != 0) {
    perror("RtGuard needs Syscall User Dispatch (Linux 5.11 or later)");
    abort();
  }
}

// Returns the next function of that name after ours: the real one.
template <typename Function>
Function* Real(const char* name) {
  const ScopedLift lift;
  // A condition variable has had two layouts; without its version, the old functions might be
  // found.
  void* found = strncmp(name, "pthread_cond_", strlen("pthread_cond_")) == 0
                    ? dlvsym(RTLD_NEXT, name, "GLIBC_2.3.2")
                    : nullptr;
  if (found == nullptr) found = dlsym(RTLD_NEXT, name);
  if (found == nullptr) {
    Print("RtGuard: no such function: ");
    Print(name);
    Print("\n");
    abort();
  }
  return reinterpret_cast<Function*>(found);
}

}  // namespace

void RtGuard::Enter(int allowed_writes) {
  t_allowed_writes += allowed_writes;
  if (t_depth == 0) {
    static const bool installed = InstallHandler();
    if (!installed) {
      perror("RtGuard cannot handle SIGSYS");
      abort();
    }
    Dispatch(PR_SYS_DISPATCH_ON);
    t_selector = SYSCALL_DISPATCH_FILTER_BLOCK;
  }
  ++t_depth;
}

void RtGuard::Leave() {
  if (--t_depth > 0) return;
  t_selector = SYSCALL_DISPATCH_FILTER_ALLOW;
  t_allowed_writes = 0;
  Dispatch(PR_SYS_DISPATCH_OFF);
}

void RtGuard::RecordViolations() { g_record.store(true); }

std::vector<RtGuard::Violation> RtGuard::TakeViolations() {
  std::vector<Violation> violations;
  const int count = std::min(g_recorded_count.exchange(0), kMaxRecorded);
  for (int i = 0; i < count; ++i) {
    Recorded& recorded = g_recorded[i];
    while (!recorded.complete.exchange(false)) {
    }
    violations.push_back(
        {recorded.kind, recorded.function != nullptr
                            ? recorded.function
                            : "system call " + std::to_string(recorded.system_call)});
  }
  return violations;
}

}  // namespace rtmixd

// What follows takes the place of functions of the C library, in this program and in the libraries
// it loads: the names given by asm are those that the linker sees. What the real function does
// inside has been reported by its name, so the guard is lifted for it.

using rtmixd::Check;
using rtmixd::Real;
using rtmixd::ScopedLift;
using Kind = rtmixd::RtGuard::Kind;

extern "C" {

void* GuardedMalloc(size_t size) asm("malloc");
void* GuardedMalloc(size_t size) {
  Check(Kind::kHeap, "malloc");
  const ScopedLift lift;
  return __libc_malloc(size);
}

void GuardedFree(void* memory) asm("free");
void GuardedFree(void* memory) {
  Check(Kind::kHeap, "free");
  const ScopedLift lift;
  __libc_free(memory);
}

void* GuardedCalloc(size_t count, size_t size) asm("calloc");
void* GuardedCalloc(size_t count, size_t size) {
  Check(Kind::kHeap, "calloc");
  const ScopedLift lift;
  return __libc_calloc(count, size);
}

void* GuardedRealloc(void* memory, size_t size) asm("realloc");
void* GuardedRealloc(void* memory, size_t size) {
  Check(Kind::kHeap, "realloc");
  const ScopedLift lift;
  return __libc_realloc(memory, size);
}

void* GuardedMemalign(size_t alignment, size_t size) asm("memalign");
void* GuardedMemalign(size_t alignment, size_t size) {
  Check(Kind::kHeap, "memalign");
  const ScopedLift lift;
  return __libc_memalign(alignment, size);
}

void* GuardedAlignedAlloc(size_t alignment, size_t size) asm("aligned_alloc");
void* GuardedAlignedAlloc(size_t alignment, size_t size) {
  Check(Kind::kHeap, "aligned_alloc");
  const ScopedLift lift;
  return __libc_memalign(alignment, size);
}

int GuardedPosixMemalign(void** memory, size_t alignment, size_t size) asm("posix_memalign");
int GuardedPosixMemalign(void** memory, size_t alignment, size_t size) {
  Check(Kind::kHeap, "posix_memalign");
  const ScopedLift lift;
  if (alignment % sizeof(void*) != 0 || !std::has_single_bit(alignment)) return EINVAL;
  void* const found = __libc_memalign(alignment, size);
  if (found == nullptr) return ENOMEM;
  *memory = found;
  return 0;
}

// Replaces function `name`, of the given parameters, by one that calls it with the given arguments.
// NOLINTBEGIN(bugprone-macro-parentheses): types and parameter lists cannot stand in parentheses
#define RTMIXD_GUARD(kind, result, name, parameters, arguments) \
  result Guarded_##name parameters asm(#name);                  \
  result Guarded_##name parameters {                            \
    Check(kind, #name);                                         \
    static std::atomic<result(*) parameters> known{nullptr};    \
    const ScopedLift lift;                                      \
    auto* real = known.load(std::memory_order_relaxed);         \
    if (real == nullptr) {                                      \
      real = Real<result parameters>(#name);                    \
      known.store(real, std::memory_order_relaxed);             \
    }                                                           \
    return real arguments;                                      \
  }
#define RTMIXD_GUARD_LOCK(type, name) RTMIXD_GUARD(Kind::kLock, int, name, (type * lock), (lock))
#define RTMIXD_GUARD_TIMED_LOCK(type, name) \
  RTMIXD_GUARD(Kind::kLock, int, name, (type * lock, const timespec* deadline), (lock, deadline))
#define RTMIXD_GUARD_CLOCK_LOCK(type, name)                                                      \
  RTMIXD_GUARD(Kind::kLock, int, name, (type * lock, clockid_t clock, const timespec* deadline), \
               (lock, clock, deadline))
// NOLINTEND(bugprone-macro-parentheses)

RTMIXD_GUARD_LOCK(pthread_mutex_t, pthread_mutex_lock)
RTMIXD_GUARD_LOCK(pthread_mutex_t, pthread_mutex_trylock)
RTMIXD_GUARD_LOCK(pthread_mutex_t, pthread_mutex_unlock)
RTMIXD_GUARD_TIMED_LOCK(pthread_mutex_t, pthread_mutex_timedlock)
RTMIXD_GUARD_CLOCK_LOCK(pthread_mutex_t, pthread_mutex_clocklock)
RTMIXD_GUARD_LOCK(pthread_rwlock_t, pthread_rwlock_rdlock)
RTMIXD_GUARD_LOCK(pthread_rwlock_t, pthread_rwlock_tryrdlock)
RTMIXD_GUARD_LOCK(pthread_rwlock_t, pthread_rwlock_wrlock)
RTMIXD_GUARD_LOCK(pthread_rwlock_t, pthread_rwlock_trywrlock)
RTMIXD_GUARD_LOCK(pthread_rwlock_t, pthread_rwlock_unlock)
RTMIXD_GUARD_LOCK(pthread_spinlock_t, pthread_spin_lock)
RTMIXD_GUARD_LOCK(pthread_spinlock_t, pthread_spin_trylock)
RTMIXD_GUARD_LOCK(pthread_spinlock_t, pthread_spin_unlock)
RTMIXD_GUARD_LOCK(pthread_cond_t, pthread_cond_signal)
RTMIXD_GUARD_LOCK(pthread_cond_t, pthread_cond_broadcast)
RTMIXD_GUARD(Kind::kLock, int, pthread_cond_wait,
             (pthread_cond_t * condition, pthread_mutex_t* mutex), (condition, mutex))
RTMIXD_GUARD(Kind::kLock, int, pthread_cond_timedwait,
             (pthread_cond_t * condition, pthread_mutex_t* mutex, const timespec* deadline),
             (condition, mutex, deadline))
RTMIXD_GUARD(Kind::kLock, int, pthread_cond_clockwait,
             (pthread_cond_t * condition, pthread_mutex_t* mutex, clockid_t clock,
              const timespec* deadline),
             (condition, mutex, clock, deadline))
RTMIXD_GUARD_LOCK(sem_t, sem_post)
RTMIXD_GUARD_LOCK(sem_t, sem_trywait)
RTMIXD_GUARD_LOCK(sem_t, sem_wait)
RTMIXD_GUARD_TIMED_LOCK(sem_t, sem_timedwait)
RTMIXD_GUARD(Kind::kClock, int, clock_gettime, (clockid_t clock, timespec* now), (clock, now))
RTMIXD_GUARD(Kind::kClock, int, gettimeofday, (timeval * now, void* zone), (now, zone))
RTMIXD_GUARD(Kind::kClock, time_t, time, (time_t * now), (now))

}  // extern "C"
