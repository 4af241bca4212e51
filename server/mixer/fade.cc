#include "server/mixer/fade.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <numbers>

namespace rtmixd {

float FadeGain(float from, float to, int64_t frames, FadeShape shape, int64_t frame) {
  if (frame >= frames) return to;
  if (frame <= 0) return from;
  const bool rises = to >= from;
  const double low = rises ? from : to;
  const double high = rises ? to : from;
  const double x =
      static_cast<double>(rises ? frame : frames - frame) / static_cast<double>(frames);
  const double s = shape == FadeShape::kEqualPower ? std::sin(std::numbers::pi / 2 * x) : x;
  return static_cast<float>(low + (high - low) * s);
}

MixRamp GainRamp::Course(float scale) const noexcept {
  assert(moving());
  const bool rises = to_ >= from_;
  return {.low = rises ? from_ : to_,
          .rise = static_cast<double>(rises ? to_ : from_) - (rises ? from_ : to_),
          .per_frame = 1 / static_cast<double>(frames_),
          .frame = static_cast<double>(rises ? position_ : frames_ - position_),
          .step = rises ? 1.0 : -1.0,
          .shape = shape_,
          .scale = scale};
}

float GainRamp::gain() const noexcept {
  if (!moving()) return to_;
  if (position_ == 0) return from_;
  float gain = 0;
  PortableMixKernel().ramp(Course(1.0f), &gain, 1);
  return gain;
}

void GainRamp::StartRt(float to, const Fade& fade) noexcept {
  from_ = gain();
  to_ = to;
  position_ = 0;
  frames_ = fade.frames;
  shape_ = fade.shape;
}

void GainRamp::WriteRt(const MixKernel& kernel, float scale, float* gains, int frames) noexcept {
  const int ramped =
      moving() ? static_cast<int>(std::min<int64_t>(frames, frames_ - position_)) : 0;
  if (ramped > 0) kernel.ramp(Course(scale), gains, ramped);
  if (ramped > 0 && position_ == 0) gains[0] = from_ * scale;
  std::fill(gains + ramped, gains + frames, to_ * scale);
  AdvanceRt(frames);
}

}  // namespace rtmixd
