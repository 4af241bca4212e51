#ifndef RTMIXD_SERVER_REALTIME_SPSC_QUEUE_H_
#define RTMIXD_SERVER_REALTIME_SPSC_QUEUE_H_

#include <atomic>
#include <bit>
#include <cassert>
#include <cstdint>
#include <memory>
#include <type_traits>

#include "server/realtime/cache_line.h"

namespace rtmixd {

// A queue of fixed capacity from one thread to one other: commands to the audio thread, results
// back. It exists because these two must never wait for each other.
//
// Each side keeps a copy of the other's position and looks at the real one only when the copy says
// that the queue is full (or empty), so that the cache line of the other side is touched seldom.
//
// Threading: TryPush by one thread, the producer; TryPop by one thread, the consumer; either may be
// the audio thread, and either role may pass to another thread if something else orders the two (a
// mutex, say). Everything is wait-free; memory is allocated and touched by the constructor only.
// What the producer wrote before TryPush is visible to the consumer after the TryPop that returned
// the item.
template <typename T>
class SpscQueue {
  static_assert(std::is_trivially_copyable_v<T>);
  static_assert(std::is_default_constructible_v<T>);
  static_assert(std::atomic<int64_t>::is_always_lock_free);

 public:
  // The capacity is `min_capacity` (> 0), in items, rounded up to a power of two.
  explicit SpscQueue(int64_t min_capacity)
      : capacity_(static_cast<int64_t>(std::bit_ceil(static_cast<uint64_t>(min_capacity)))),
        items_(std::make_unique<T[]>(capacity_)) {
    assert(min_capacity > 0);
  }

  // Appends `item`; returns false and changes nothing if the queue is full. Producer only.
  [[nodiscard]] bool TryPush(const T& item) noexcept {
    const int64_t end = end_.load(std::memory_order_relaxed);
    if (end - known_begin_ == capacity_) {
      // Acquire: the consumer has done with the slots it gave back.
      known_begin_ = begin_.load(std::memory_order_acquire);
      if (end - known_begin_ == capacity_) return false;
    }
    items_[end & (capacity_ - 1)] = item;
    end_.store(end + 1, std::memory_order_release);
    return true;
  }

  // Moves the oldest item to `*item`; returns false and leaves it alone if there is none. Consumer
  // only.
  [[nodiscard]] bool TryPop(T* item) noexcept {
    const int64_t begin = begin_.load(std::memory_order_relaxed);
    if (begin == known_end_) {
      known_end_ = end_.load(std::memory_order_acquire);
      if (begin == known_end_) return false;
    }
    *item = items_[begin & (capacity_ - 1)];
    // Release: the slot is the producer's only after the copy.
    begin_.store(begin + 1, std::memory_order_release);
    return true;
  }

  // Returns about how many items wait, in [0, capacity()]: for the producer no fewer than wait
  // after the call, for the consumer no more, for others a number to show. Any thread.
  int64_t size_approx() const noexcept {
    // The beginning first: it never passes the end, so the difference is not negative.
    const int64_t begin = begin_.load(std::memory_order_acquire);
    const int64_t size = end_.load(std::memory_order_acquire) - begin;
    return size < capacity_ ? size : capacity_;
  }

  int64_t capacity() const noexcept { return capacity_; }

 private:
  const int64_t capacity_;
  const std::unique_ptr<T[]> items_;
  // Positions count all items ever and never wrap.
  alignas(kCacheLineBytes) std::atomic<int64_t> end_{0};    // written by the producer
  int64_t known_begin_ = 0;                                 // the producer's copy of begin_
  alignas(kCacheLineBytes) std::atomic<int64_t> begin_{0};  // written by the consumer
  int64_t known_end_ = 0;                                   // the consumer's copy of end_
};

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_REALTIME_SPSC_QUEUE_H_
