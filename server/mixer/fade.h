#ifndef RTMIXD_SERVER_MIXER_FADE_H_
#define RTMIXD_SERVER_MIXER_FADE_H_

#include <algorithm>
#include <cstdint>

#include "server/mixer/mix_kernel.h"

namespace rtmixd {

// A way of a gain to another one.
struct Fade {
  int64_t frames = 0;  // >= 0; 0: at once
  FadeShape shape = FadeShape::kLinear;
};

// Gain of frame `frame` (from 0) of a fade of `frames` from one gain to another:
//
//   x = frame / frames                                       if to >= from, else 1 - frame / frames
//   S(x) = x (kLinear), sin(pi x / 2) (kEqualPower)
//   gain = low + (high - low) S(x)                           low, high: the lesser of both, the
//   other
//
// in double precision, rounded to float; exactly `from` at frame 0, exactly `to` from `frames` on.
// Equal power falls as a cosine where it rises as a sine: the squares of a fade out from 1 and of a
// fade in to 1 that begin together add up to 1.
//
// GainRamp gives what this gives, but for at most one unit in the last place: it computes the sine
// by its series, and x with 1 / frames.
float FadeGain(float from, float to, int64_t frames, FadeShape shape, int64_t frame);

// A gain that stands or is on its way.
//
// Threading: thread-compatible. Nothing allocates or waits.
class GainRamp {
 public:
  constexpr explicit GainRamp(float gain) : from_(gain), to_(gain) {}

  bool moving() const noexcept { return position_ < frames_; }
  // For how many frames it is in the midst of a fade, as Course asks for; 0 if it is not.
  int64_t midst_frames() const noexcept { return position_ > 0 ? frames_ - position_ : 0; }
  // Of the next frame.
  float gain() const noexcept;
  // Where it will end.
  float target() const noexcept { return to_; }
  // By which it was started last; none before.
  Fade fade() const noexcept { return {.frames = frames_, .shape = shape_}; }

  // Goes to `to` from where it is now.
  void StartRt(float to, const Fade& fade) noexcept;
  // Passes `frames` frames.
  void AdvanceRt(int64_t frames) noexcept {
    if (moving()) position_ += std::min(frames, frames_ - position_);
  }
  // The course of the next frames, each gain times `scale`. Only while it moves, and up to its end;
  // its first frame is only nearly where it came from.
  MixRamp Course(float scale) const noexcept;
  // Writes the gains of the next `frames` frames, each times `scale`, and passes them.
  void WriteRt(const MixKernel& kernel, float scale, float* gains, int frames) noexcept;

  // What comes next is the same.
  bool operator==(const GainRamp&) const = default;

 private:
  float from_;
  float to_;
  // These share a word: every voice has a ramp.
  FadeShape shape_ : 1 = FadeShape::kLinear;
  int64_t position_ : 63 = 0;  // < frames_ while it moves, else equal
  int64_t frames_ = 0;
};

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_MIXER_FADE_H_
