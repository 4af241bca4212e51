#include "client_cpp/latency/delay_estimator.h"

#include <algorithm>
#include <cmath>
#include <complex>
#include <cstddef>
#include <numbers>
#include <numeric>

#include "client_cpp/latency/fourier.h"

namespace rtmixd::client {
namespace {

using Bins = std::vector<std::complex<double>>;

// What converters of 16 bits have for full scale.
constexpr double kFullScale = 1 - 0x1p-15;
// -120 dB in energy.
constexpr double kSilentEnergy = 1e-12;
// Converters' filters and couplings ring for less.
constexpr int kReachFrames = 256;
// A second peak this strong is a second path; band limits alone make 0.33 beyond kPeakFrames.
constexpr double kSecondPeak = 0.6;
constexpr int kPeakFrames = 2;
// Clipping is judged on the loudest samples, as many as this and four times that, up to a sixteenth
// of all. Chance alone is one standard error; so many, and so large a part of the amplitude that
// the distortion of a sound converter is none:
constexpr size_t kFewestLoud = 16;
constexpr double kClippedErrors = -7;
constexpr double kClippedPart = -0.005;
// Below, nothing more is made of it.
constexpr double kHopeless = 0.5;
constexpr int kNewtonSteps = 8;

double Energy(absl::Span<const double> signal) {
  return std::inner_product(signal.begin(), signal.end(), signal.begin(), 0.0);
}

// The recording over what was played.
Bins Response(const Excitation& excitation, double amplitude, absl::Span<const float> recorded) {
  const std::vector<double> signal(recorded.begin(), recorded.end());
  Bins bins = RealTransform(signal);
  for (size_t k = 0; k < bins.size(); ++k) {
    const std::complex<double> played = excitation.bins()[k];
    bins[k] = played == 0.0 ? 0.0 : bins[k] / (amplitude * played);
  }
  return bins;
}

// Whether the loudest samples of one sign came back weaker than the linear path makes them.
bool IsLoudWeaker(absl::Span<const double> linear, absl::Span<const double> rest, double sign) {
  const double deviation = std::sqrt(Energy(rest) / static_cast<double>(rest.size()));
  std::vector<size_t> order(linear.size());
  std::iota(order.begin(), order.end(), 0);
  const size_t most = std::max(kFewestLoud, linear.size() / 16);
  std::partial_sort(
      order.begin(), order.begin() + static_cast<ptrdiff_t>(most), order.end(),
      [&linear, sign](size_t a, size_t b) { return sign * linear[a] > sign * linear[b]; });
  double excess = 0;
  double loudness = 0;
  size_t next = kFewestLoud;
  for (size_t i = 0; i < most; ++i) {
    excess += sign * rest[order[i]];
    loudness += sign * linear[order[i]];
    if (i + 1 != next) continue;
    next *= 4;
    const double errors = deviation * std::sqrt(static_cast<double>(i + 1));
    if (excess < kClippedErrors * errors && excess < kClippedPart * loudness) return true;
  }
  return false;
}

// Whether something on the way clips. Each sign by itself: what cuts one off lets the linear path
// come out too weak for the other.
bool IsCompressed(const Excitation& excitation, const Bins& response,
                  absl::Span<const double> near_peak) {
  Bins linear = RealTransform(near_peak);
  Bins rest = response;
  for (size_t k = 0; k < rest.size(); ++k) {
    rest[k] = (rest[k] - linear[k]) * excitation.bins()[k];
    linear[k] *= excitation.bins()[k];
  }
  const std::vector<double> linear_signal = InverseRealTransform(linear);
  const std::vector<double> rest_signal = InverseRealTransform(rest);
  return IsLoudWeaker(linear_signal, rest_signal, 1) ||
         IsLoudWeaker(linear_signal, rest_signal, -1);
}

// The response at a delay between samples, and its derivatives.
struct Interpolated {
  double value = 0;
  double slope = 0;
  double curvature = 0;
};

Interpolated Interpolate(const Excitation& excitation, const Bins& response, double delay_frames) {
  Interpolated at;
  const double size = excitation.period_frames();
  for (int k = excitation.lowest_bin(); k <= excitation.highest_bin(); ++k) {
    const double turn = 2 * std::numbers::pi * k / size;
    const std::complex<double> part =
        response[static_cast<size_t>(k)] * std::polar(2 / size, turn * delay_frames);
    at.value += part.real();
    at.slope -= turn * part.imag();
    at.curvature -= turn * turn * part.real();
  }
  return at;
}

}  // namespace

DelayEstimate EstimateDelay(const Excitation& excitation, double amplitude,
                            absl::Span<const float> recorded, const DelayCriteria& criteria) {
  DelayEstimate estimate;
  const int size = excitation.period_frames();
  for (const float sample : recorded) {
    // Not finite included.
    if (!(std::abs(sample) < kFullScale)) {
      estimate.verdict = v1::LATENCY_VERDICT_CLIPPED;
      return estimate;
    }
  }
  const Bins response = Response(excitation, amplitude, recorded);
  // What a path that does nothing has at 0.
  const double unit = 2.0 * (excitation.highest_bin() - excitation.lowest_bin() + 1) / size;
  const std::vector<double> impulse = InverseRealTransform(response);
  const double energy = Energy(impulse);
  if (energy < kSilentEnergy * unit) {
    estimate.verdict = v1::LATENCY_VERDICT_SILENT;
    return estimate;
  }
  const auto at = [&impulse, size](int n) {
    return impulse[static_cast<size_t>(((n % size) + size) % size)];
  };
  const int peak = static_cast<int>(
      std::max_element(impulse.begin(), impulse.end(),
                       [](double a, double b) { return std::abs(a) < std::abs(b); }) -
      impulse.begin());

  std::vector<double> near_peak(impulse.size());
  double second = 0;
  for (int i = -kReachFrames; i <= kReachFrames; ++i) {
    near_peak[static_cast<size_t>((peak + i + size) % size)] = at(peak + i);
    if (std::abs(i) > kPeakFrames) second = std::max(second, std::abs(at(peak + i)));
  }
  const double inside = Energy(near_peak);
  constexpr double kInside = 2 * kReachFrames + 1;
  const double noise = (energy - inside) / (size - kInside) * kInside;
  estimate.confidence = std::clamp((inside - noise) / energy, 0.0, 1.0);

  if (estimate.confidence < kHopeless) {
    estimate.verdict = v1::LATENCY_VERDICT_UNCERTAIN;
    return estimate;
  }

  // Newton's steps from the highest sample stay on the peak, which is wider than the samples are
  // apart, as long as there is one.
  double delay = peak;
  Interpolated peak_at = Interpolate(excitation, response, delay);
  for (int step = 0; step < kNewtonSteps && peak_at.curvature * peak_at.value < 0; ++step) {
    const double change = std::clamp(-peak_at.slope / peak_at.curvature, -0.5, 0.5);
    delay += change;
    peak_at = Interpolate(excitation, response, delay);
    if (std::abs(change) < 1e-7) break;
  }
  // A period is a circle: just before its beginning is at its end.
  estimate.delay_frames = delay > size - kPeakFrames ? delay - size : delay;
  estimate.gain = std::abs(peak_at.value) / unit;
  estimate.inverted = peak_at.value < 0;
  estimate.impulse_response = impulse;
  for (double& sample : estimate.impulse_response) sample /= unit;

  // What is late misses its beginning, which looks like anything.
  if (estimate.delay_frames > criteria.max_delay_frames) {
    estimate.verdict = v1::LATENCY_VERDICT_LATE;
  } else if (IsCompressed(excitation, response, near_peak)) {
    estimate.verdict = v1::LATENCY_VERDICT_CLIPPED;
  } else if (estimate.confidence < criteria.min_confidence) {
    estimate.verdict = v1::LATENCY_VERDICT_UNCERTAIN;
  } else if (estimate.gain < criteria.min_gain) {
    estimate.verdict = v1::LATENCY_VERDICT_FAINT;
  } else if (second > kSecondPeak * std::abs(at(peak))) {
    estimate.verdict = v1::LATENCY_VERDICT_AMBIGUOUS;
  } else {
    estimate.verdict = v1::LATENCY_VERDICT_FOUND;
  }
  return estimate;
}

}  // namespace rtmixd::client
