#ifndef RTMIXD_SERVER_MIXER_MIX_KERNEL_H_
#define RTMIXD_SERVER_MIXER_MIX_KERNEL_H_

#include <cstdint>

#include "server/realtime/cache_line.h"

namespace rtmixd {

inline constexpr int kCacheLineFloats = kCacheLineBytes / sizeof(float);

// A voice's piece that fills a block, and perhaps more of them: it need not change while it goes
// on. Small: what a block costs with many voices is how often it reads and writes these.
struct WholeSpan {
  // The address that the sample of the first channel on stream frame 0 would have; that of channel
  // c lies c * stride floats behind it. A number: it need not point anywhere.
  uintptr_t origin;
  float gain;           // of all frames, if `gains_line` is 0
  int16_t stride;       // at most kMaxMixFrames
  uint16_t gains_line;  // n > 0: frame i has the gain that is at (n - 1) * kCacheLineFloats + i

  // The origin of a span whose sample on stream frame `frame` is at `samples`.
  static uintptr_t Origin(const float* samples, int64_t frame) noexcept {
    return reinterpret_cast<uintptr_t>(samples) - static_cast<uint64_t>(frame) * sizeof(float);
  }
  const float* Samples(int64_t frame, int channel) const noexcept {
    const int64_t floats = frame + int64_t{stride} * channel;
    // NOLINTNEXTLINE(performance-no-int-to-ptr): as said above
    return reinterpret_cast<const float*>(origin + static_cast<uint64_t>(floats) * sizeof(float));
  }
};
static_assert(sizeof(WholeSpan) == 16);

// Of a span that is kept for the blocks to come.
struct SpanLabel {
  uint64_t route_key = 0;  // as of VoiceRoute; 0, with no end: its voice comes from a feed
  int64_t end_frame = 0;   // the span is for blocks that end by this stream frame
};

// What is to be added of spans of one voice after the other.
struct WholeSum {
  const WholeSpan* spans;
  int count;
  int64_t first_frame;  // of the block
  int frames;
  const float* gains;  // where those of a gains_line are; null if no span has one
  // What follows each span is fetched into the cache meanwhile, as much as the span has.
  bool fetch_next;
  int channel;  // of the spans
  float* bus;   // of that channel
  // Of the one after it, which costs less than a sum of its own; null: that is not added, nor can
  // it be with fetch_next.
  float* next_bus;
};

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

  // How many of the labels are for a block that ends on `block_end_frame`, up to the first that is
  // not. Sets those of the `differing_bits` in which their route keys differ from `route_key`.
  int (*count_valid)(const SpanLabel* labels, int count, int64_t block_end_frame,
                     uint64_t route_key, uint64_t* differing_bits) noexcept;
  // For each span in order, bus[i] = fma(gain, sample i, bus[i]) on all frames of the block; and
  // likewise on next_bus.
  void (*sum_whole)(const WholeSum& sum) noexcept;
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
