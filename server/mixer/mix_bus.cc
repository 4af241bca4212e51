#include "server/mixer/mix_bus.h"

#include <algorithm>

#include "server/realtime/cache_line.h"

namespace rtmixd {

MixBus::MixBus(int channels, int max_frames, const MixKernel& kernel)
    : kernel_(kernel), planar_(channels), gains_(max_frames), scratch_gains_(max_frames) {
  // A cache line apart, for the reason given in SpscFrameRing.
  const size_t stride = max_frames + kCacheLineBytes / sizeof(float);
  samples_.resize(channels * stride);
  for (int c = 0; c < channels; ++c) planar_[c] = samples_.data() + c * stride;
}

void MixBus::BeginRt(int frames) noexcept {
  frames_ = frames;
  for (float* const channel : planar_) std::fill_n(channel, frames, 0.0f);
}

}  // namespace rtmixd
