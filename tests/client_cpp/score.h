#ifndef RTMIXD_TESTS_CLIENT_CPP_SCORE_H_
#define RTMIXD_TESTS_CLIENT_CPP_SCORE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "rtmixd/v1/common.pb.h"

namespace rtmixd {

// What has to be heard on one output, frame by frame, worked out from the definitions of the API by
// counting, and nothing else of the project. Silence where nothing was put.
//
// Threading: none.
class Score {
 public:
  explicit Score(int64_t frames);

  // One frame: sample times gain; it must be the only one there.
  void Put(int64_t frame, float sample, double gain = 1);
  // The frames of `sound` with these numbers, one after the other; with gains, one for each.
  void Put(int64_t frame, const std::vector<float>& sound, const std::vector<int64_t>& numbers,
           const std::vector<double>& gains = {});

  // Empty if `heard` is this, sample by sample: the float product of the sample and a gain that may
  // be one unit in the last place from the one put. Otherwise where it first is not, and how.
  std::string Compare(absl::Span<const float> heard) const;

 private:
  std::vector<float> samples_;
  std::vector<double> gains_;
};

// What part of a sound is played.
struct Part {
  int64_t offset = 0;
  int64_t max_frames = INT64_MAX;
  // A loop if `passes` is not 0.
  int64_t begin = 0;
  int64_t end = 0;
  int64_t passes = 0;
};
// The numbers of its frames in the order in which they sound.
std::vector<int64_t> Numbers(int64_t sound_frames, const Part& part);

// The gain of frame `i` of a fade of `n` frames, as common.proto has it.
double FadeGain(double from, double to, int64_t i, int64_t n, v1::FadeShape shape);

}  // namespace rtmixd

#endif  // RTMIXD_TESTS_CLIENT_CPP_SCORE_H_
