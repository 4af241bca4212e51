#ifndef RTMIXD_CLIENT_CPP_LATENCY_EXCITATION_H_
#define RTMIXD_CLIENT_CPP_LATENCY_EXCITATION_H_

#include <complex>
#include <cstdint>
#include <vector>

namespace rtmixd::client {

// What is played to measure a delay: a period of noise that holds every frequency of its band
// equally strong, each with a phase that the seed decides, to be played over and over. With all
// magnitudes the same its autocorrelation is known exactly, sum of cos(2 pi k n / period) over the
// bins k of the band, one pulse per period and nothing else; with phases from the seed another
// measurement's excitation, or this one's from a minute ago, is noise to it. Its amplitudes are
// those of noise, which makes what clips them show (DelayEstimator).
//
// The band leaves out hum and drift below, and above what converters filter.
class Excitation {
 public:
  // The part of the rate at which the band begins and ends: at 48 kHz, 240 Hz and 20.16 kHz.
  static constexpr double kLowest = 0.005;
  static constexpr double kHighest = 0.42;
  static constexpr int kMinPeriodFrames = 1024;

  // `period_frames` even, at least kMinPeriodFrames.
  Excitation(uint64_t seed, int period_frames);

  int period_frames() const { return static_cast<int>(wave_.size()); }
  // First and last bin of the band.
  int lowest_bin() const { return lowest_bin_; }
  int highest_bin() const { return highest_bin_; }
  // One period; its highest peak is 1 or -1.
  const std::vector<double>& wave() const { return wave_; }
  // Its transform; 0 outside of the band.
  const std::vector<std::complex<double>>& bins() const { return bins_; }

  // `frames` frames of it from frame `first` of the period on, with `amplitude` at the highest
  // peak.
  std::vector<float> Play(int64_t first, int64_t frames, double amplitude) const;

 private:
  int lowest_bin_;
  int highest_bin_;
  std::vector<std::complex<double>> bins_;
  std::vector<double> wave_;
};

}  // namespace rtmixd::client

#endif  // RTMIXD_CLIENT_CPP_LATENCY_EXCITATION_H_
