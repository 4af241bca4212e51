#ifndef RTMIXD_TESTS_MIXER_PLANAR_SOUND_H_
#define RTMIXD_TESTS_MIXER_PLANAR_SOUND_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "server/mixer/voice.h"

namespace rtmixd {

// Audio in memory that a voice can play, in segments as the mixer wants them, filled by a function.
class PlanarSound {
 public:
  PlanarSound(int channels, int64_t frames,
              const std::function<float(int channel, int64_t frame)>& sample)
      : channels_(channels), frames_(frames) {
    for (int64_t first = 0; first < frames; first += AudioView::kSegmentFrames) {
      segments_.push_back(std::make_unique<float[]>(channels * AudioView::kSegmentFrames));
      pointers_.push_back(segments_.back().get());
    }
    for (int c = 0; c < channels; ++c) {
      for (int64_t f = 0; f < frames; ++f) {
        segments_[f / AudioView::kSegmentFrames]
                 [c * AudioView::kSegmentFrames + f % AudioView::kSegmentFrames] = sample(c, f);
      }
    }
  }

  float sample(int channel, int64_t frame) const {
    return pointers_[frame / AudioView::kSegmentFrames]
                    [channel * AudioView::kSegmentFrames + frame % AudioView::kSegmentFrames];
  }
  int channels() const { return channels_; }
  AudioView view() const { return view(frames_); }
  // Its first `frames` frames.
  AudioView view(int64_t frames) const { return {pointers_.data(), channels_, frames}; }

 private:
  const int channels_;
  const int64_t frames_;
  std::vector<std::unique_ptr<float[]>> segments_;
  std::vector<const float*> pointers_;
};

}  // namespace rtmixd

#endif  // RTMIXD_TESTS_MIXER_PLANAR_SOUND_H_
