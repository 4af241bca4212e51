#ifndef RTMIXD_SERVER_MIXER_MIX_KERNEL_H_
#define RTMIXD_SERVER_MIXER_MIX_KERNEL_H_

#include <cstdint>

#include "server/realtime/cache_line.h"

namespace rtmixd {

inline constexpr int kCacheLineFloats = kCacheLineBytes / sizeof(float);

// A voice's piece that fills a block: sample i of its channel c is samples[c * stride + i]. Small:
// what a block costs with many voices is how often it reads and writes these.
struct WholeSpan {
  const float* samples;
  float gain;           // of all frames, if `gains_line` is 0
  int16_t stride;       // at most kMaxMixFrames
  uint16_t gains_line;  // n > 0: frame i has the gain that is at (n - 1) * kCacheLineFloats + i
};
static_assert(sizeof(WholeSpan) == 16);

// A piece of one voice's channel that need not fill the block: samples[i] goes to frame offset + i
// of the bus. 0 <= offset, 0 < frames, offset + frames <= the frames of the block.
struct MixSpan {
  const float* samples;
  const float* gains;  // one for each sample; null: `gain` for all
  float gain;
  int16_t offset;
  int16_t frames;
};
inline constexpr int kMaxMixFrames = 1 << 14;  // of a block

// The course of a fade.
enum class FadeShape : uint8_t {
  kLinear,
  kEqualPower,  // a quarter of a sine
};

// A stretch of a fade: the gain of its frame i is low + rise * S((frame + i * step) * per_frame),
// with S as in fade.h, rounded to float and multiplied with `scale`; 0 <= (frame + i * step) *
// per_frame <= 1.
struct MixRamp {
  double low;
  double rise;
  double per_frame;  // > 0
  double frame;
  double step;  // 1 or -1
  FadeShape shape;
  float scale;
};

// The inner loops of the mixer, as functions chosen once when a mixer is made. All kernels give the
// same bits, so that what a test proves on one machine holds on all.
//
// Threading: the functions keep no state; they may run on the audio thread.
struct MixKernel {
  const char* name;

  // For channel `channel` of each span in order, bus[i] = fma(gain, sample i, bus[i]) on all
  // `frames` of the block. `gains` is where the gains of those that have a gains_line are; null if
  // none has. With `fetch_next` what follows each span is fetched into the cache meanwhile, as much
  // as the span has.
  void (*sum_whole)(const WholeSpan* spans, int count, int channel, int frames, const float* gains,
                    bool fetch_next, float* bus) noexcept;
  // bus[offset + i] = fma(gain, samples[i], bus[offset + i]), with gains[i] as the gain where there
  // are gains.
  void (*sum)(const MixSpan& span, float* bus) noexcept;

  // Writes the gains of `frames` frames of a fade.
  void (*ramp)(const MixRamp& ramp, float* gains, int frames) noexcept;
  // factors[i] *= gains[i].
  void (*multiply)(const float* gains, float* factors, int frames) noexcept;

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
