#include "client_cpp/rtmixctl/interrupt.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <thread>
#include <utility>

#include "absl/base/attributes.h"
#include "absl/base/const_init.h"
#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "client_cpp/rtmixctl/exit_code.h"

namespace rtmixd::rtmixctl {
namespace {

// A flag that says nothing about other memory: relaxed.
std::atomic<bool> seen{false};

ABSL_CONST_INIT absl::Mutex mu(absl::kConstInit);
std::function<void(int)>& Handler() {
  static auto& handler = *new std::function<void(int)>;
  return handler;
}

void TakeSignals(const sigset_t& signals) {
  while (true) {
    int signal = 0;
    if (sigwait(&signals, &signal) != 0) continue;
    absl::MutexLock lock(&mu);
    if (Handler() != nullptr) {
      Handler()(signal);
    } else if (seen.exchange(true, std::memory_order_relaxed)) {
      _exit(static_cast<int>(ExitCode::kInterrupted));
    }
  }
}

}  // namespace

void Interrupt::Install() {
  // A pipe that its reader closed is an error of write(), not the end.
  signal(SIGPIPE, SIG_IGN);
  sigset_t signals;
  sigemptyset(&signals);
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&signals, number);
  // Threads inherit the mask.
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::thread([signals] { TakeSignals(signals); }).detach();
}

bool Interrupt::Seen() { return seen.load(std::memory_order_relaxed); }

void Interrupt::Redirect(std::function<void(int)> handler) {
  absl::MutexLock lock(&mu);
  Handler() = std::move(handler);
}

}  // namespace rtmixd::rtmixctl
