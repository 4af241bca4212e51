#include "tests/client_cpp/score.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "absl/strings/str_format.h"

namespace rtmixd {

Score::Score(int64_t frames)
    : samples_(static_cast<size_t>(frames)), gains_(static_cast<size_t>(frames)) {}

void Score::Put(int64_t frame, float sample, double gain) {
  samples_.at(static_cast<size_t>(frame)) = sample;
  gains_.at(static_cast<size_t>(frame)) = gain;
}

void Score::Put(int64_t frame, const std::vector<float>& sound, const std::vector<int64_t>& numbers,
                const std::vector<double>& gains) {
  for (size_t i = 0; i < numbers.size(); ++i) {
    Put(frame + static_cast<int64_t>(i), sound.at(static_cast<size_t>(numbers[i])),
        gains.empty() ? 1 : gains.at(i));
  }
}

std::string Score::Compare(absl::Span<const float> heard) const {
  if (heard.size() != samples_.size()) {
    return absl::StrFormat("%d frames were heard instead of %d", heard.size(), samples_.size());
  }
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  for (size_t i = 0; i < heard.size(); ++i) {
    const float gain = static_cast<float>(gains_[i]);
    const bool right = heard[i] == samples_[i] * gain ||
                       heard[i] == samples_[i] * std::nextafter(gain, kInfinity) ||
                       heard[i] == samples_[i] * std::nextafter(gain, -kInfinity);
    if (!right) {
      return absl::StrFormat("frame %d: %.9g was heard instead of %.9g times %.9g", i, heard[i],
                             samples_[i], gains_[i]);
    }
  }
  return "";
}

std::vector<int64_t> Numbers(int64_t sound_frames, const Part& part) {
  std::vector<int64_t> numbers;
  int64_t pass = 1;
  for (int64_t at = part.offset;
       at < sound_frames && static_cast<int64_t>(numbers.size()) < part.max_frames;) {
    numbers.push_back(at);
    ++at;
    if (pass < part.passes && at == part.end) {
      at = part.begin;
      ++pass;
    }
  }
  return numbers;
}

double FadeGain(double from, double to, int64_t i, int64_t n, v1::FadeShape shape) {
  if (i >= n) return to;
  const double part = static_cast<double>(i) / static_cast<double>(n);
  const double x = to >= from ? part : 1 - part;
  const double low = std::min(from, to);
  const double high = std::max(from, to);
  const double s = shape == v1::FADE_SHAPE_EQUAL_POWER ? std::sin(M_PI * x / 2) : x;
  return low + (high - low) * s;
}

}  // namespace rtmixd
