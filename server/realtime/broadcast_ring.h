#ifndef RTMIXD_SERVER_REALTIME_BROADCAST_RING_H_
#define RTMIXD_SERVER_REALTIME_BROADCAST_RING_H_

#include <atomic>
#include <bit>
#include <cassert>
#include <cstdint>
#include <memory>

#include "server/realtime/atomic_words.h"
#include "server/realtime/cache_line.h"

namespace rtmixd {

// A log of the last `capacity` values, told by one writer to any number of readers that it knows
// nothing of. It exists because a queue per reader would make the audio thread pay for each of
// them, and because a slow reader must neither stop the writer nor lose values without being told.
//
// Values have absolute positions: the first pushed is at 0, and positions never wrap. Each reader
// keeps its own; one that was overtaken learns it from Read and goes on at begin_position().
//
// Threading: PushRt by one thread, usually the audio thread; all else by any thread. Everything is
// wait-free; memory is allocated and touched by the constructor only.
template <typename T>
class BroadcastRing {
  static_assert(std::atomic<int64_t>::is_always_lock_free);

 public:
  enum class ReadResult {
    kOk,           // *out holds the value
    kNotYet,       // the position has not been written
    kOverwritten,  // the position has been given to a later value, or is negative
  };

  // `capacity` is a power of two, in values.
  explicit BroadcastRing(int64_t capacity)
      : capacity_(capacity), slots_(std::make_unique<AtomicWords<T>[]>(capacity)) {
    assert(capacity > 0 && std::has_single_bit(static_cast<uint64_t>(capacity)));
  }

  // Appends `value` in place of the oldest. Writer only.
  void PushRt(const T& value) noexcept {
    const int64_t position = end_.load(std::memory_order_relaxed);
    // Relaxed: the release of the words below carries it to whoever sees one of them.
    claimed_.store(position + 1, std::memory_order_relaxed);
    slots_[position & (capacity_ - 1)].StoreRelease(value);
    end_.store(position + 1, std::memory_order_release);
  }

  // Returns the position that the next value will have. What was written before PushRt of the
  // values below it is visible after. Any thread.
  int64_t end_position() const noexcept { return end_.load(std::memory_order_acquire); }

  // Returns the oldest position not yet given to a later value. Any thread.
  int64_t begin_position() const noexcept {
    const int64_t claimed = claimed_.load(std::memory_order_acquire);
    return claimed > capacity_ ? claimed - capacity_ : 0;
  }

  int64_t capacity() const noexcept { return capacity_; }

  // Copies the value at `position` to `*out`; leaves `*out` alone unless it returns kOk. Any
  // thread.
  ReadResult Read(int64_t position, T* out) const noexcept {
    if (position >= end_.load(std::memory_order_acquire)) return ReadResult::kNotYet;
    if (position < begin_position()) return ReadResult::kOverwritten;
    const T value = slots_[position & (capacity_ - 1)].LoadAcquire();
    // Had a word come from a later value, this would see its claim: see AtomicWords.
    if (claimed_.load(std::memory_order_relaxed) > position + capacity_) {
      return ReadResult::kOverwritten;
    }
    *out = value;
    return ReadResult::kOk;
  }

 private:
  const int64_t capacity_;
  const std::unique_ptr<AtomicWords<T>[]> slots_;
  // Values below `end_` have been written; `claimed_` is one more while a value is being written.
  alignas(kCacheLineBytes) std::atomic<int64_t> claimed_{0};
  std::atomic<int64_t> end_{0};
};

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_REALTIME_BROADCAST_RING_H_
