#include "server/mixer/common_fades.h"

#include <bit>
#include <cassert>

namespace rtmixd {

void CommonFades::BeginRt(int64_t first_frame, int frames) noexcept {
  block_end_frame_ = first_frame + frames;
  for (uint32_t left = used_; left != 0; left &= left - 1) {
    const int n = std::countr_zero(left);
    Fade& fade = fades_[n];
    // Whoever is in it looks at its end by himself.
    if (fade.end_frame <= block_end_frame_) continue;
    fade.ramp.AdvanceRt(first_frame - fade.frame);
    fade.frame = first_frame;
    kernel_.ramp(fade.ramp.Course(fade.scale), gains_ + n * lines_ * kCacheLineFloats, frames);
  }
}

uint16_t CommonFades::JoinRt(const GainRamp& ramp, float scale, int64_t frame) noexcept {
  assert(ramp.midst_frames() > 0);
  const int64_t end_frame = frame + ramp.midst_frames();
  int n = 0;
  for (; n < kMaxFades; ++n) {
    const Fade& fade = fades_[n];
    if (fade.end_frame != end_frame || fade.users == 0 || fade.scale != scale) continue;
    GainRamp there = fade.ramp;
    there.AdvanceRt(frame - fade.frame);
    if (there == ramp) break;
  }
  if (n == kMaxFades) {
    n = std::countr_one(used_);
    if (n >= kMaxFades) return 0;
    used_ |= uint32_t{1} << n;
    fades_[n] = {.ramp = ramp, .scale = scale, .users = 0, .frame = frame, .end_frame = end_frame};
  }
  ++fades_[n].users;
  return static_cast<uint16_t>(n * lines_ + 1);
}

void CommonFades::LeaveRt(uint16_t gains_line) noexcept {
  const int n = NumberOf(gains_line);
  assert(fades_[n].users > 0);
  if (--fades_[n].users == 0) used_ &= ~(uint32_t{1} << n);
}

}  // namespace rtmixd
