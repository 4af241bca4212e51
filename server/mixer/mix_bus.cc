#include "server/mixer/mix_bus.h"

#include <algorithm>
#include <memory>

#include "server/realtime/cache_line.h"

namespace rtmixd {
namespace {

// For what is made for spans that are added together: a part of the nearest cache.
constexpr int kRoomBytes = 8 << 10;

// The first float that begins a cache line.
float* FirstInLine(std::vector<float>* floats) {
  void* first = floats->data();
  size_t bytes = floats->size() * sizeof(float);
  return static_cast<float*>(std::align(kCacheLineBytes, sizeof(float), first, bytes));
}

}  // namespace

MixBus::MixBus(int channels, int max_frames, const MixKernel& kernel)
    : kernel_(kernel),
      planar_(channels),
      room_floats_(std::max<int64_t>(max_frames, kRoomBytes / sizeof(float))),
      gains_memory_(CommonFades::Floats(max_frames) + room_floats_ + kCacheLineFloats),
      gains_(FirstInLine(&gains_memory_)),
      room_(gains_ + CommonFades::Floats(max_frames)),
      fades_(max_frames, gains_, kernel),
      scratch_gains_(max_frames) {
  // A cache line apart, for the reason given in SpscFrameRing.
  const size_t stride = max_frames + kCacheLineFloats;
  samples_.resize(channels * stride);
  for (int c = 0; c < channels; ++c) planar_[c] = samples_.data() + c * stride;
}

void MixBus::BeginRt(int64_t first_frame, int frames) noexcept {
  first_frame_ = first_frame;
  frames_ = frames;
  ReleaseRoomRt();
  fades_.BeginRt(first_frame, frames);
  for (float* const channel : planar_) std::fill_n(channel, frames, 0.0f);
}

}  // namespace rtmixd
