#ifndef RTMIXD_SERVER_REALTIME_WAKE_H_
#define RTMIXD_SERVER_REALTIME_WAKE_H_

#include <atomic>
#include <cstdint>
#include <memory>

#include "server/realtime/cache_line.h"

namespace rtmixd {

// Lets one thread sleep until the audio thread has something for it. It exists because the audio
// thread can signal no condition variable: it makes one system call that does not block (a write to
// an eventfd), and only when it was asked to.
//
// The waiter never misses what the audio thread published if it goes
//
//   Arm();  look at what was published;  WaitFor() if there was nothing;  look again
//
// and the audio thread goes: publish; WakeIfArmedRt(). Wakes coalesce, and one can come without
// reason.
//
// Threading: each method says.
class EventFdWaker {
 public:
  // Returns a waker, or nullptr with errno set if the system has no file descriptor left.
  static std::unique_ptr<EventFdWaker> Create();
  ~EventFdWaker();
  EventFdWaker(const EventFdWaker&) = delete;
  EventFdWaker& operator=(const EventFdWaker&) = delete;

  // Asks for one wake by the next WakeIfArmedRt. What the audio thread published before the last
  // one is visible after. Any thread but the audio thread; wait-free.
  void Arm() noexcept;

  // Wakes the waiter if Arm was called since the last time. One atomic exchange, and at most one
  // system call, which does not block. Audio thread only.
  void WakeIfArmedRt() noexcept;

  // Wakes the waiter, armed or not: now, or when it next waits. Any thread but the audio thread.
  void Notify() noexcept;

  // Blocks until woken or until `timeout_nanos` have passed (negative: no limit); returns whether
  // it was woken. Takes all wakes so far. An Arm that was not answered stays. Only the waiter, one
  // thread.
  bool WaitFor(int64_t timeout_nanos) noexcept;

 private:
  explicit EventFdWaker(int fd);

  const int fd_;
  alignas(kCacheLineBytes) std::atomic<bool> armed_{false};
  static_assert(std::atomic<bool>::is_always_lock_free);
};

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_REALTIME_WAKE_H_
