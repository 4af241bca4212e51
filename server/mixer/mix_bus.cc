#include "server/mixer/mix_bus.h"

#include <algorithm>
#include <memory>

#include "server/realtime/cache_line.h"

namespace rtmixd {
namespace {

// For what is made for spans that are added together: a part of the nearest cache.
constexpr int kRoomBytes = 8 << 10;

}  // namespace

MixBus::MixBus(int channels, int max_frames, const MixKernel& kernel)
    : kernel_(kernel),
      planar_(channels),
      room_floats_(std::max<int64_t>(max_frames, kRoomBytes / sizeof(float))),
      room_memory_(room_floats_ + kCacheLineFloats),
      scratch_gains_(max_frames) {
  // A cache line apart, for the reason given in SpscFrameRing.
  const size_t stride = max_frames + kCacheLineFloats;
  samples_.resize(channels * stride);
  for (int c = 0; c < channels; ++c) planar_[c] = samples_.data() + c * stride;
  void* room = room_memory_.data();
  size_t bytes = room_memory_.size() * sizeof(float);
  room_ =
      static_cast<float*>(std::align(kCacheLineBytes, room_floats_ * sizeof(float), room, bytes));
}

void MixBus::BeginRt(int64_t first_frame, int frames) noexcept {
  first_frame_ = first_frame;
  frames_ = frames;
  ReleaseRoomRt();
  for (float* const channel : planar_) std::fill_n(channel, frames, 0.0f);
}

}  // namespace rtmixd
