#include "client_cpp/latency/excitation.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "client_cpp/latency/fourier.h"

namespace rtmixd::client {
namespace {

// Steele, Lea and Flood's SplitMix64 ("Fast splittable pseudorandom number generators", 2014):
// defined in integers alone, so that every implementation of the excitation has the same phases.
uint64_t SplitMix64(uint64_t& state) {
  state += 0x9e3779b97f4a7c15U;
  uint64_t mixed = state;
  mixed = (mixed ^ (mixed >> 30U)) * 0xbf58476d1ce4e5b9U;
  mixed = (mixed ^ (mixed >> 27U)) * 0x94d049bb133111ebU;
  return mixed ^ (mixed >> 31U);
}

}  // namespace

Excitation::Excitation(uint64_t seed, int period_frames)
    : lowest_bin_(static_cast<int>(std::ceil(kLowest * period_frames))),
      highest_bin_(static_cast<int>(std::floor(kHighest * period_frames))),
      bins_(static_cast<size_t>(period_frames) / 2 + 1) {
  for (int k = lowest_bin_; k <= highest_bin_; ++k) {
    const double turns = std::ldexp(static_cast<double>(SplitMix64(seed) >> 11U), -53);
    bins_[static_cast<size_t>(k)] = std::polar(1.0, 2 * std::numbers::pi * turns);
  }
  wave_ = InverseRealTransform(bins_);
  double peak = 0;
  for (const double sample : wave_) peak = std::max(peak, std::abs(sample));
  for (double& sample : wave_) sample /= peak;
  for (std::complex<double>& bin : bins_) bin /= peak;
}

std::vector<float> Excitation::Play(int64_t first, int64_t frames, double amplitude) const {
  std::vector<float> sound(static_cast<size_t>(frames));
  for (size_t n = 0; n < sound.size(); ++n) {
    sound[n] =
        static_cast<float>(amplitude * wave_[(static_cast<size_t>(first) + n) % wave_.size()]);
  }
  return sound;
}

}  // namespace rtmixd::client
