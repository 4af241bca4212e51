#include "server/mixer/mix_bus.h"

#include <algorithm>

#include "server/realtime/cache_line.h"

namespace rtmixd {

MixBus::MixBus(int channels, int max_frames, const MixKernel& kernel)
    : kernel_(kernel),
      planar_(channels),
      waiting_(channels),
      gains_(size_t{kGainRows} * max_frames),
      gain_stride_(max_frames),
      scratch_gains_(max_frames) {
  // A cache line apart, for the reason given in SpscFrameRing.
  const size_t stride = max_frames + kCacheLineBytes / sizeof(float);
  samples_.resize(channels * stride);
  for (int c = 0; c < channels; ++c) planar_[c] = samples_.data() + c * stride;
}

void MixBus::BeginRt(int frames) noexcept {
  frames_ = frames;
  for (float* const channel : planar_) std::fill_n(channel, frames, 0.0f);
}

float* MixBus::GainsRt() noexcept {
  if (gain_rows_used_ == kGainRows) SumRt();
  return gains_.data() + gain_stride_ * gain_rows_used_++;
}

void MixBus::SumRt() noexcept {
  for (int c = 0; c < channels(); ++c) SumChannelRt(c);
  gain_rows_used_ = 0;
}

void MixBus::SumChannelRt(int channel) noexcept {
  Waiting& waiting = waiting_[channel];
  kernel_.sum(waiting.spans.data(), waiting.count, frames_, planar_[channel]);
  waiting.count = 0;
}

}  // namespace rtmixd
