#ifndef RTMIXD_SERVER_REALTIME_ATOMIC_WORDS_H_
#define RTMIXD_SERVER_REALTIME_ATOMIC_WORDS_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

namespace rtmixd {

// A value stored as 64-bit atomic words, so that one thread may overwrite it while others read it
// without a data race. A reader can see words of different stores; the class that owns the value
// tells it so with a counter, as follows, and needs no fence (ThreadSanitizer knows none):
//
//   writer                              reader
//   counter.store(begun, relaxed)       before = counter.load(acquire)
//   words.StoreRelease(value)           value = words.LoadAcquire()
//   counter.store(done, release)        after = counter.load(relaxed)
//
// A reader that saw a single word of a later store synchronizes with it, so its `after` sees the
// counter that was stored before that word, or a later one, and it knows. On x86-64 these are plain
// moves; on AArch64 one stlr or ldar a word. (Boehm, "Can Seqlocks Get Along With Programming
// Language Memory Models?", 2012, has the problem and its other solutions.)
//
// Threading: StoreRelease by one thread, LoadAcquire by any; both wait-free.
template <typename T>
class AtomicWords {
  static_assert(std::is_trivially_copyable_v<T>);
  static_assert(std::is_default_constructible_v<T>);
  static_assert(std::atomic<uint64_t>::is_always_lock_free);

 public:
  AtomicWords() = default;
  AtomicWords(const AtomicWords&) = delete;
  AtomicWords& operator=(const AtomicWords&) = delete;

  // Stores `value` word by word. Only the writer calls it. Wait-free.
  void StoreRelease(const T& value) noexcept {
    std::array<uint64_t, kWords> plain{};
    std::memcpy(plain.data(), &value, sizeof(T));
    for (std::size_t i = 0; i < kWords; ++i) words_[i].store(plain[i], std::memory_order_release);
  }

  // Returns what the words hold, possibly of several stores. Any thread. Wait-free.
  T LoadAcquire() const noexcept {
    std::array<uint64_t, kWords> plain{};
    for (std::size_t i = 0; i < kWords; ++i) plain[i] = words_[i].load(std::memory_order_acquire);
    T value{};
    std::memcpy(static_cast<void*>(&value), plain.data(), sizeof(T));
    return value;
  }

 private:
  static constexpr std::size_t kWords = (sizeof(T) + sizeof(uint64_t) - 1) / sizeof(uint64_t);

  std::array<std::atomic<uint64_t>, kWords> words_{};
};

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_REALTIME_ATOMIC_WORDS_H_
