#ifndef RTMIXD_SERVER_REALTIME_SEQLOCK_H_
#define RTMIXD_SERVER_REALTIME_SEQLOCK_H_

#include <atomic>
#include <cstdint>

#include "server/realtime/atomic_words.h"
#include "server/realtime/cache_line.h"

namespace rtmixd {

// The latest value of a T that one thread updates and others look at: what sounds now, counters
// that belong together. It exists because a reader must never make the audio thread wait; a reader
// that met a store tries again instead.
//
// Threading: StoreRt by one thread, usually the audio thread; TryLoad and Load by any thread.
// StoreRt and TryLoad are wait-free. Load is not: it ends only between two stores, so never call it
// on the audio thread.
template <typename T>
class alignas(kCacheLineBytes) Seqlock {
  static_assert(std::atomic<uint64_t>::is_always_lock_free);

 public:
  Seqlock() : Seqlock(T{}) {}
  explicit Seqlock(const T& initial) { words_.StoreRelease(initial); }

  // Replaces the value. Writer only.
  void StoreRt(const T& value) noexcept {
    const uint64_t sequence = sequence_.load(std::memory_order_relaxed);
    // Relaxed: the release of the words below carries it to whoever sees one of them.
    sequence_.store(sequence + 1, std::memory_order_relaxed);
    words_.StoreRelease(value);
    sequence_.store(sequence + 2, std::memory_order_release);
  }

  // Copies the value to `*out` and returns true; returns false and leaves `*out` alone if a store
  // came in between. Any thread.
  bool TryLoad(T* out) const noexcept {
    const uint64_t before = sequence_.load(std::memory_order_acquire);
    if (before & 1) return false;
    const T value = words_.LoadAcquire();
    // Had a word come from a later store, this would differ: see AtomicWords.
    if (sequence_.load(std::memory_order_relaxed) != before) return false;
    *out = value;
    return true;
  }

  // Returns the value, trying as often as it takes. Any thread but the audio thread.
  T Load() const noexcept {
    T value{};
    while (!TryLoad(&value)) {
    }
    return value;
  }

 private:
  std::atomic<uint64_t> sequence_{0};  // odd while a store goes on
  AtomicWords<T> words_;
};

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_REALTIME_SEQLOCK_H_
