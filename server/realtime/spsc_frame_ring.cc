#include "server/realtime/spsc_frame_ring.h"

#include <algorithm>
#include <bit>

namespace rtmixd {
namespace {

// A loop, so that ThreadSanitizer sees every access whatever it is told to think of memcpy, which
// the optimizer makes of it.
void Copy(const float* __restrict from, int64_t samples, float* __restrict to) noexcept {
  for (int64_t i = 0; i < samples; ++i) to[i] = from[i];
}

int64_t Capacity(int64_t min_capacity_frames) {
  return static_cast<int64_t>(std::bit_ceil(static_cast<uint64_t>(min_capacity_frames)));
}

int64_t Stride(int64_t capacity_frames) {
  return capacity_frames + static_cast<int64_t>(kCacheLineBytes / sizeof(float));
}

}  // namespace

int64_t SpscFrameRing::MemoryBytes(int channels, int64_t min_capacity_frames) {
  return channels * Stride(Capacity(min_capacity_frames)) * static_cast<int64_t>(sizeof(float));
}

SpscFrameRing::SpscFrameRing(int channels, int64_t min_capacity_frames)
    : channels_(channels),
      capacity_frames_(Capacity(min_capacity_frames)),
      stride_(Stride(capacity_frames_)),
      samples_(static_cast<std::size_t>(channels * stride_)) {
  assert(channels > 0 && min_capacity_frames > 0);
}

int64_t SpscFrameRing::free_frames() noexcept {
  // Acquire: the consumer has done with the frames it gave back.
  known_read_ = read_.load(std::memory_order_acquire);
  return capacity_frames_ - (write_.load(std::memory_order_relaxed) - known_read_);
}

int64_t SpscFrameRing::Write(const float* const* planar, int64_t frames) noexcept {
  assert(frames >= 0);
  const int64_t write = write_.load(std::memory_order_relaxed);
  int64_t room = capacity_frames_ - (write - known_read_);
  if (room < frames) room = free_frames();
  const int64_t taken = std::min(frames, room);
  const int64_t offset = write & (capacity_frames_ - 1);
  const int64_t before_wrap = std::min(taken, capacity_frames_ - offset);
  for (int c = 0; c < channels_; ++c) {
    float* const channel = samples_.data() + c * stride_;
    Copy(planar[c], before_wrap, channel + offset);
    Copy(planar[c] + before_wrap, taken - before_wrap, channel);
  }
  write_.store(write + taken, std::memory_order_release);
  return taken;
}

int64_t SpscFrameRing::available_frames() noexcept {
  known_write_ = write_.load(std::memory_order_acquire);
  return known_write_ - read_.load(std::memory_order_relaxed);
}

std::array<SpscFrameRing::Stretch, 2> SpscFrameRing::Peek(int64_t frames) noexcept {
  assert(frames >= 0);
  const int64_t read = read_.load(std::memory_order_relaxed);
  int64_t available = known_write_ - read;
  if (available < frames) available = available_frames();
  const int64_t seen = std::min(frames, available);
  const int64_t offset = read & (capacity_frames_ - 1);
  const int64_t before_wrap = std::min(seen, capacity_frames_ - offset);
  const float* const base = samples_.data();
  return {Stretch{before_wrap, base + offset, stride_}, Stretch{seen - before_wrap, base, stride_}};
}

void SpscFrameRing::Advance(int64_t frames) noexcept {
  const int64_t read = read_.load(std::memory_order_relaxed);
  assert(frames >= 0 && frames <= write_.load(std::memory_order_relaxed) - read);
  // Release: the frames are the producer's only after they have been read.
  read_.store(read + frames, std::memory_order_release);
}

int64_t SpscFrameRing::SkipTo(int64_t position) noexcept {
  const int64_t read = read_.load(std::memory_order_relaxed);
  const int64_t skipped = std::clamp<int64_t>(position - read, 0, available_frames());
  Advance(skipped);
  return skipped;
}

}  // namespace rtmixd
