#include "server/mixer/play_feed.h"

#include <algorithm>

namespace rtmixd {

PlayFeed::PlayFeed(int channels, int64_t min_capacity_frames, int64_t prebuffer_frames)
    : ring_(channels, min_capacity_frames),
      prebuffer_frames_(std::min(prebuffer_frames, ring_.capacity_frames())) {}

int64_t PlayFeed::Write(const float* const* planar, int64_t frames) noexcept {
  if (end_.load(std::memory_order_relaxed) != kNone) return 0;
  return ring_.Write(planar, frames);
}

void PlayFeed::SetEnd() noexcept { end_.store(write_position(), std::memory_order_release); }

void PlayFeed::SetIdle() noexcept { idle_.store(write_position(), std::memory_order_release); }

void PlayFeed::SetDoubt() noexcept { doubt_.store(write_position(), std::memory_order_release); }

void PlayFeed::ClearDoubt() noexcept { doubt_.store(kNone, std::memory_order_release); }

void PlayFeed::Flush() noexcept { flush_.store(write_position(), std::memory_order_release); }

PlayFeed::Look PlayFeed::LookRt() noexcept {
  Look look{};
  // The marks before the write position: what they refer to is then known to be there.
  look.end = end_.load(std::memory_order_acquire);
  look.idle = idle_.load(std::memory_order_acquire);
  look.doubt = doubt_.load(std::memory_order_acquire);
  look.flush = flush_.load(std::memory_order_acquire);
  look.read = ring_.read_position();
  look.write = ring_.write_position();
  return look;
}

}  // namespace rtmixd
