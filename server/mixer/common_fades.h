#ifndef RTMIXD_SERVER_MIXER_COMMON_FADES_H_
#define RTMIXD_SERVER_MIXER_COMMON_FADES_H_

#include <array>
#include <cstdint>

#include "server/mixer/fade.h"
#include "server/mixer/mix_kernel.h"

namespace rtmixd {

// The fades in whose midst voices are, one of which many voices often have in common: a chord that
// swells, those of one gain in a session that fades. While nothing else happens, gains follow from
// the stream's counter of frames: they are made once a block, for all who joined, and nobody looks
// at a voice for its fade.
//
// Threading: the audio thread only. Nothing allocates.
class CommonFades {
 public:
  // In short blocks their gains stay in the nearest cache, beside those that voices make for
  // themselves.
  static constexpr int kMaxFades = 16;

  // How many floats of memory the gains take.
  static int64_t Floats(int max_frames) noexcept {
    return kMaxFades * LinesOf(max_frames) * kCacheLineFloats;
  }
  // `gains` begin a cache line, have that many floats, and outlive it. `kernel` outlives it.
  CommonFades(int max_frames, float* gains, const MixKernel& kernel)
      : kernel_(kernel), lines_(LinesOf(max_frames)), gains_(gains) {}
  CommonFades(const CommonFades&) = delete;
  CommonFades& operator=(const CommonFades&) = delete;

  // Makes the gains of a block of `frames` frames from stream frame `first_frame` on.
  void BeginRt(int64_t first_frame, int frames) noexcept;

  // Whether there are any.
  bool any() const noexcept { return used_ != 0; }
  // Whether there is no room for one more.
  bool full() const noexcept { return used_ == (uint32_t{1} << kMaxFades) - 1; }
  // The gains_line, as of WholeSpan, where each block has those of `ramp`, each times `scale`, from
  // stream frame `frame` on, on which the ramp is in the midst of its fade. As long as the fade
  // lasts beyond the end of the block, and until LeaveRt. 0: there is no room left.
  uint16_t JoinRt(const GainRamp& ramp, float scale, int64_t frame) noexcept;
  // What it has of this block stays there up to the next one.
  void LeaveRt(uint16_t gains_line) noexcept;
  // Whether there are gains of all of this block.
  bool Covers(uint16_t gains_line) const noexcept {
    return fades_[NumberOf(gains_line)].end_frame > block_end_frame_;
  }

 private:
  struct Fade {
    GainRamp ramp{1.0f};  // as of `frame`
    float scale = 1.0f;
    int32_t users = 0;
    int64_t frame = 0;
    int64_t end_frame = 0;
  };

  static int64_t LinesOf(int frames) noexcept {
    return (frames + kCacheLineFloats - 1) / kCacheLineFloats;
  }
  int NumberOf(uint16_t gains_line) const noexcept {
    return (gains_line - 1) / static_cast<int>(lines_);
  }

  const MixKernel& kernel_;
  const int64_t lines_;  // of the gains of a fade
  float* const gains_;   // of fade 0, those of fade 1 and so on
  int64_t block_end_frame_ = 0;
  uint32_t used_ = 0;  // bit n: fade n has users
  std::array<Fade, kMaxFades> fades_;
};

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_MIXER_COMMON_FADES_H_
