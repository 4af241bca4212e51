#include "server/mixer/mix_bus.h"

#include <algorithm>

#include "server/realtime/cache_line.h"

namespace rtmixd {

MixBus::MixBus(int channels, int max_frames, const MixKernel& kernel)
    : kernel_(kernel), planar_(channels), waiting_(channels) {
  // A cache line apart, for the reason given in SpscFrameRing.
  const size_t stride = max_frames + kCacheLineBytes / sizeof(float);
  samples_.resize(channels * stride);
  for (int c = 0; c < channels; ++c) planar_[c] = samples_.data() + c * stride;
}

void MixBus::BeginRt(int frames) noexcept {
  frames_ = frames;
  for (float* const channel : planar_) std::fill_n(channel, frames, 0.0f);
}

void MixBus::SumRt() noexcept {
  for (int c = 0; c < channels(); ++c) SumChannelRt(c);
}

void MixBus::SumChannelRt(int channel) noexcept {
  Waiting& waiting = waiting_[channel];
  kernel_.sum(waiting.spans.data(), waiting.count, frames_, planar_[channel]);
  waiting.count = 0;
}

}  // namespace rtmixd
