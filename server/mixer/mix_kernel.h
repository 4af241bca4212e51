#ifndef RTMIXD_SERVER_MIXER_MIX_KERNEL_H_
#define RTMIXD_SERVER_MIXER_MIX_KERNEL_H_

#include <cstdint>

namespace rtmixd {

// A piece of one voice's channel that sounds in a block: samples[i] goes to frame offset + i of the
// bus. 0 <= offset, 0 < frames, offset + frames <= the frames of the block.
struct MixSpan {
  const float* samples;
  float gain;
  int32_t offset;
  int32_t frames;
};

// The inner loops of the mixer, as functions chosen once when a mixer is made. All kernels give the
// same bits, so that what a test proves on one machine holds on all.
//
// Threading: the functions keep no state; they may run on the audio thread.
struct MixKernel {
  const char* name;

  // For each span in order, bus[offset + i] = fma(gain, samples[i], bus[offset + i]).
  void (*sum)(const MixSpan* spans, int count, int frames, float* bus) noexcept;

  // Brings every sample into [-1, 1]; not-a-number (of infinities that met in the sum) becomes 0.
  // Returns how many samples it changed.
  int64_t (*clip)(float* samples, int frames) noexcept;

  // Copies, with 0 in place of not-a-number and infinity; of all others every bit. Returns how many
  // samples it replaced. `from` and `to` do not overlap.
  int64_t (*copy_finite)(const float* from, int frames, float* to) noexcept;
};

// Plain C++ with std::fma.
const MixKernel& PortableMixKernel();
// The fastest that this processor can run.
const MixKernel& BestMixKernel();

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_MIXER_MIX_KERNEL_H_
