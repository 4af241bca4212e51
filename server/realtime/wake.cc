#include "server/realtime/wake.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace rtmixd {
namespace {

constexpr int64_t kNanosPerSecond = 1'000'000'000;

int64_t MonotonicNanos() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * kNanosPerSecond + now.tv_nsec;
}

// Waits at most `timeout_nanos` (negative: no limit) for `fd` to become readable. A signal ends it
// early.
bool PollOnce(int fd, int64_t timeout_nanos) {
  pollfd polled{.fd = fd, .events = POLLIN, .revents = 0};
  const timespec timeout{.tv_sec = timeout_nanos / kNanosPerSecond,
                         .tv_nsec = timeout_nanos % kNanosPerSecond};
  return ppoll(&polled, 1, timeout_nanos < 0 ? nullptr : &timeout, nullptr) > 0;
}

}  // namespace

std::unique_ptr<EventFdWaker> EventFdWaker::Create() {
  const int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (fd < 0) return nullptr;
  return std::unique_ptr<EventFdWaker>(new EventFdWaker(fd));
}

EventFdWaker::EventFdWaker(int fd) : fd_(fd) {}

EventFdWaker::~EventFdWaker() { close(fd_); }

// Both sides exchange, so that one of the two comes second and synchronizes with the first: either
// the audio thread sees the request, or the waiter sees what was published. A plain store and load
// could both miss each other.
void EventFdWaker::Arm() noexcept { armed_.exchange(true, std::memory_order_acq_rel); }

void EventFdWaker::WakeIfArmedRt() noexcept {
  if (armed_.exchange(false, std::memory_order_acq_rel)) Notify();
}

void EventFdWaker::Notify() noexcept {
  // Fails only with EAGAIN, when 2^64 - 2 wakes have not been taken: then the waiter is awake
  // anyway.
  const eventfd_t one = 1;
  [[maybe_unused]] const ssize_t written = write(fd_, &one, sizeof(one));
}

bool EventFdWaker::WaitFor(int64_t timeout_nanos) noexcept {
  const bool limited = timeout_nanos >= 0;
  const int64_t start_nanos = limited ? MonotonicNanos() : 0;
  int64_t left_nanos = limited ? timeout_nanos : -1;
  while (!PollOnce(fd_, left_nanos)) {
    if (!limited) continue;
    left_nanos = timeout_nanos - (MonotonicNanos() - start_nanos);
    if (left_nanos <= 0) return false;
  }
  eventfd_t wakes = 0;
  return read(fd_, &wakes, sizeof(wakes)) == sizeof(wakes);
}

}  // namespace rtmixd
