#ifndef RTMIXD_SERVER_MIXER_MIX_BUS_H_
#define RTMIXD_SERVER_MIXER_MIX_BUS_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "server/mixer/mix_kernel.h"

namespace rtmixd {

// The planar sum of a block. What is added waits in short lists, one per channel, and is summed a
// list at a time: so the kernel keeps the sum of a stretch in registers while it adds one voice
// after the other, and reads each voice's samples once. The order on each channel is the order of
// the AddRt calls.
//
// Threading: the audio thread only. Only the constructor allocates, and it touches the memory.
class MixBus {
 public:
  // `kernel` outlives the bus.
  MixBus(int channels, int max_frames, const MixKernel& kernel);
  MixBus(const MixBus&) = delete;
  MixBus& operator=(const MixBus&) = delete;

  // Begins a block of `frames` (<= max_frames) of silence.
  void BeginRt(int frames) noexcept;

  // Room for as many gains as the block has frames; what is written there holds until SumRt. May
  // sum what was added so far.
  float* GainsRt() noexcept;
  // The same for a moment: whoever calls next writes over it.
  float* ScratchGainsRt() noexcept { return scratch_gains_.data(); }
  const MixKernel& kernel() const noexcept { return kernel_; }

  // Adds a span to channel `channel` (from 0); its samples and gains must hold until SumRt.
  void AddRt(int channel, const MixSpan& span) noexcept {
    Waiting& waiting = waiting_[channel];
    if (waiting.count == kWaitingSpans) SumChannelRt(channel);
    waiting.spans[waiting.count++] = span;
  }

  // Sums all that was added; the sum is then in planar().
  void SumRt() noexcept;

  // Multiplies the sum of `channel` with a gain for each frame, from frame `offset` on.
  void ScaleRt(int channel, const float* gains, int offset, int frames) noexcept {
    kernel_.multiply(gains, planar_[channel] + offset, frames);
  }

  // Brings the sum of `channel` into [-1, 1]; returns how many samples changed.
  int64_t ClipRt(int channel) noexcept { return kernel_.clip(planar_[channel], frames_); }

  int channels() const noexcept { return static_cast<int>(planar_.size()); }
  int frames() const noexcept { return frames_; }
  const float* const* planar() const noexcept { return planar_.data(); }

 private:
  static constexpr int kWaitingSpans = 64;  // 2 KiB a channel: the lists of few channels stay in L1
  static constexpr int kGainRows = 64;
  struct Waiting {
    int count = 0;
    std::array<MixSpan, kWaitingSpans> spans{};
  };

  void SumChannelRt(int channel) noexcept;

  const MixKernel& kernel_;
  int frames_ = 0;
  std::vector<float> samples_;
  std::vector<float*> planar_;
  std::vector<Waiting> waiting_;
  std::vector<float> gains_;  // kGainRows rows, each as long as the longest block
  size_t gain_stride_;
  std::vector<float> scratch_gains_;
  int gain_rows_used_ = 0;
};

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_MIXER_MIX_BUS_H_
