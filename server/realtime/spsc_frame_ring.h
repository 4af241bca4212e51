#ifndef RTMIXD_SERVER_REALTIME_SPSC_FRAME_RING_H_
#define RTMIXD_SERVER_REALTIME_SPSC_FRAME_RING_H_

#include <array>
#include <atomic>
#include <cassert>
#include <cstdint>
#include <vector>

#include "server/realtime/cache_line.h"

namespace rtmixd {

// Audio on its way from one thread to one other: a ring of planar float32 frames. It exists so that
// a network thread can feed the audio thread, which reads in place and copies nothing.
//
// Frames have absolute positions: the first written is at 0, and positions never wrap. Frames in
// [read_position(), write_position()) wait to be read; there are never more than capacity_frames().
//
// Threading: Write and free_frames by one thread, the producer; Peek, Advance, SkipTo and
// available_frames by one thread, the consumer; the rest by any thread. Either side may be the
// audio thread: everything but construction is wait-free (Write and SkipTo take time in proportion
// to the channels and frames copied, SkipTo none). Memory is allocated and touched by the
// constructor only.
class SpscFrameRing {
  static_assert(std::atomic<int64_t>::is_always_lock_free);

 public:
  // Frames that lie one after the other in memory, on every channel.
  struct Stretch {
    int64_t frames = 0;

    // Returns `frames` samples of channel `c`, counted from 0.
    const float* channel(int c) const noexcept { return first_channel + c * stride; }

    const float* first_channel = nullptr;
    int64_t stride = 0;  // samples from one channel to the next
  };

  // The capacity is `min_capacity_frames` (> 0) rounded up to a power of two; `channels` > 0.
  SpscFrameRing(int channels, int64_t min_capacity_frames);
  // Bytes of samples that such a ring takes.
  static int64_t MemoryBytes(int channels, int64_t min_capacity_frames);
  SpscFrameRing(const SpscFrameRing&) = delete;
  SpscFrameRing& operator=(const SpscFrameRing&) = delete;

  int channels() const noexcept { return channels_; }
  int64_t capacity_frames() const noexcept { return capacity_frames_; }

  // Position of the next frame to be written: the producer's progress. Any thread.
  int64_t write_position() const noexcept { return write_.load(std::memory_order_acquire); }

  // Position of the next frame to be read: the consumer's progress. Any thread.
  int64_t read_position() const noexcept { return read_.load(std::memory_order_acquire); }

  // Copies as many of `frames` frames as there is room for, from the first on, and returns how
  // many; `planar[c]` points to `frames` samples of channel c. Producer only.
  int64_t Write(const float* const* planar, int64_t frames) noexcept;

  // Returns how many frames Write would take; this can only grow until the next Write. Producer
  // only.
  int64_t free_frames() noexcept;

  // Returns the next `frames` frames, or as many of them as wait, as up to two stretches in order;
  // the second is empty unless the first ends at the end of the memory. They hold until Advance or
  // SkipTo passes them. Consumer only.
  std::array<Stretch, 2> Peek(int64_t frames) noexcept;

  // Gives back the next `frames` frames, which must be no more than available_frames(). Consumer
  // only.
  void Advance(int64_t frames) noexcept;

  // Gives back all frames before `position`, or all that wait if `position` is not yet written
  // (call it again when more has come); a position already passed changes nothing. Returns how many
  // frames it gave back. Consumer only.
  int64_t SkipTo(int64_t position) noexcept;

  // Returns how many frames wait; this can only grow until the next Advance or SkipTo. Consumer
  // only.
  int64_t available_frames() noexcept;

 private:
  const int channels_;
  const int64_t capacity_frames_;
  // Channels lie a cache line further apart than the capacity: at a power of two, the same frame of
  // all channels would compete for one set of the cache.
  const int64_t stride_;
  std::vector<float> samples_;
  alignas(kCacheLineBytes) std::atomic<int64_t> write_{0};  // written by the producer
  int64_t known_read_ = 0;                                  // the producer's copy of read_
  alignas(kCacheLineBytes) std::atomic<int64_t> read_{0};   // written by the consumer
  int64_t known_write_ = 0;                                 // the consumer's copy of write_
};

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_REALTIME_SPSC_FRAME_RING_H_
