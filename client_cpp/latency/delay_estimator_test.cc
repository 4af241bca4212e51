#include "client_cpp/latency/delay_estimator.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <numbers>
#include <random>
#include <string>
#include <vector>

namespace rtmixd::client {
namespace {

using std::numbers::pi;

constexpr int kPeriodFrames = 4096;
constexpr double kAmplitude = 0.25;
constexpr int kMaxDelayFrames = 3000;
const DelayCriteria kCriteria = {.max_delay_frames = kMaxDelayFrames};

class Random {
 public:
  explicit Random(unsigned seed) : generator_(seed) {}
  double Uniform(double low, double high) {
    return std::uniform_real_distribution<double>(low, high)(generator_);
  }
  double Gaussian() { return gaussian_(generator_); }
  bool Coin() { return Uniform(0, 1) < 0.5; }
  int Pick(int count) { return std::uniform_int_distribution<int>(0, count - 1)(generator_); }

 private:
  std::mt19937_64 generator_;
  std::normal_distribution<double> gaussian_;
};

using Signal = std::vector<double>;

// A fractional delay made in time, with a sinc under a Hann window of `reach` to each side: another
// way than the estimator's, which works with frequencies.
Signal Delay(const Signal& period, double delay_frames, int reach) {
  const int size = static_cast<int>(period.size());
  const int whole = static_cast<int>(std::floor(delay_frames));
  const double part = delay_frames - whole;
  Signal taps(static_cast<size_t>(2 * reach + 1));
  for (int i = -reach; i <= reach; ++i) {
    const double x = i - part;
    const double sinc = std::abs(x) < 1e-12 ? 1 : std::sin(pi * x) / (pi * x);
    const double window = std::abs(x) >= reach ? 0 : 0.5 + 0.5 * std::cos(pi * x / reach);
    taps[i + reach] = sinc * window;
  }
  Signal delayed(period.size());
  for (int n = 0; n < size; ++n) {
    double sum = 0;
    for (int i = -reach; i <= reach; ++i) {
      const int from = ((n - whole - i) % size + size) % size;
      sum += taps[i + reach] * period[static_cast<size_t>(from)];
    }
    delayed[static_cast<size_t>(n)] = sum;
  }
  return delayed;
}

double Rms(const Signal& signal) {
  double sum = 0;
  for (const double sample : signal) sum += sample * sample;
  return std::sqrt(sum / static_cast<double>(signal.size()));
}

double Peak(const Signal& signal) {
  double peak = 0;
  for (const double sample : signal) peak = std::max(peak, std::abs(sample));
  return peak;
}

void Scale(Signal& signal, double factor) {
  for (double& sample : signal) sample *= factor;
}

void AddNoise(Signal& signal, double rms, Random& random) {
  for (double& sample : signal) sample += rms * random.Gaussian();
}

double FromDb(double db) { return std::pow(10, db / 20); }

DelayEstimate Estimate(const Excitation& excitation, const Signal& signal) {
  const std::vector<float> recorded(signal.begin(), signal.end());
  return EstimateDelay(excitation, kAmplitude, recorded, kCriteria);
}

// What comes back through a cable.
struct Cable {
  double delay_frames;
  double gain;  // negative: inverted
  Signal signal;
};

Cable MakeCable(const Excitation& excitation, Random& random, int reach) {
  Cable cable{.delay_frames = random.Uniform(0, kMaxDelayFrames - 1),
              .gain = FromDb(random.Uniform(-30, 6)) * (random.Coin() ? 1 : -1),
              .signal = {}};
  cable.signal = Delay(excitation.wave(), cable.delay_frames, reach);
  Scale(cable.signal, kAmplitude * cable.gain);
  return cable;
}

void ExpectFound(const DelayEstimate& estimate, const Cable& cable, double max_error_frames,
                 double max_gain_error) {
  ASSERT_EQ(estimate.verdict, v1::LATENCY_VERDICT_FOUND) << "confidence " << estimate.confidence;
  EXPECT_NEAR(estimate.delay_frames, cable.delay_frames, max_error_frames);
  EXPECT_NEAR(estimate.gain / std::abs(cable.gain), 1, max_gain_error);
  EXPECT_EQ(estimate.inverted, cable.gain < 0);
}

TEST(DelayEstimatorTest, WholeFramesAreExact) {
  const Excitation excitation(1, kPeriodFrames);
  for (const int delay : {0, 1, 255, 256, 512, 2999}) {
    Signal signal = Delay(excitation.wave(), delay, 1);
    Scale(signal, kAmplitude);
    ExpectFound(Estimate(excitation, signal), {static_cast<double>(delay), 1.0, {}}, 1e-4, 1e-4);
  }
}

TEST(DelayEstimatorTest, ImpulseResponseIsThatOfThePath) {
  const Excitation excitation(1, kPeriodFrames);
  Signal signal = Delay(excitation.wave(), 100, 1);
  Scale(signal, -0.5 * kAmplitude);
  const DelayEstimate estimate = Estimate(excitation, signal);
  ASSERT_EQ(estimate.impulse_response.size(), static_cast<size_t>(kPeriodFrames));
  const int bins = excitation.highest_bin() - excitation.lowest_bin() + 1;
  for (int n = 0; n < kPeriodFrames; ++n) {
    double known = 0;
    for (int k = excitation.lowest_bin(); k <= excitation.highest_bin(); ++k) {
      known += std::cos(2 * pi * k * (n - 100) / kPeriodFrames) / bins;
    }
    ASSERT_NEAR(estimate.impulse_response[static_cast<size_t>(n)], -0.5 * known, 1e-6);
  }
}

TEST(DelayEstimatorTest, FractionalDelaysAreWithinATenthDownTo20Db) {
  Random random(2);
  double worst = 0;
  for (int i = 0; i < 300; ++i) {
    SCOPED_TRACE(i);
    const Excitation excitation(static_cast<uint64_t>(i), kPeriodFrames);
    Cable cable = MakeCable(excitation, random, 200);
    const double snr_db = i % 3 == 0 ? 20 : random.Uniform(20, 100);
    AddNoise(cable.signal, Rms(cable.signal) / FromDb(snr_db), random);
    const DelayEstimate estimate = Estimate(excitation, cable.signal);
    ExpectFound(estimate, cable, 0.1, 0.02);
    worst = std::max(worst, std::abs(estimate.delay_frames - cable.delay_frames));
  }
  RecordProperty("worst_error_frames", std::to_string(worst));
}

TEST(DelayEstimatorTest, HumAndOffsetBelowTheBandDoNotMatter) {
  Random random(3);
  const Excitation excitation(4, kPeriodFrames);
  Cable cable = MakeCable(excitation, random, 200);
  const double rms = Rms(cable.signal);
  for (size_t n = 0; n < cable.signal.size(); ++n) {
    // As many periods as fit: between them it would leak into the band.
    cable.signal[n] += 0.02 + 2 * rms * std::sin(2 * pi * 4 * static_cast<double>(n) / 4096);
  }
  ExpectFound(Estimate(excitation, cable.signal), cable, 0.01, 0.01);
}

TEST(DelayEstimatorTest, CableWithAFilterIsFound) {
  // A pole as of a coupling and one as of an input filter; their own delay is part of it.
  Random random(5);
  const Excitation excitation(6, kPeriodFrames);
  Signal signal = Delay(excitation.wave(), 700, 1);
  Scale(signal, kAmplitude);
  double low = 0;
  double slow = 0;
  for (int round = 0; round < 2; ++round) {  // the second is in steady state
    Signal filtered(signal.size());
    for (size_t n = 0; n < signal.size(); ++n) {
      slow += 0.002 * (signal[n] - slow);
      low += 0.85 * (signal[n] - slow - low);
      filtered[n] = low;
    }
    if (round == 1) signal = filtered;
  }
  AddNoise(signal, Rms(signal) / 100, random);
  const DelayEstimate estimate = Estimate(excitation, signal);
  EXPECT_EQ(estimate.verdict, v1::LATENCY_VERDICT_FOUND);
  EXPECT_NEAR(estimate.delay_frames, 700, 0.3);
}

TEST(DelayEstimatorTest, LaterThanListenedForIsRefused) {
  const Excitation excitation(7, kPeriodFrames);
  Signal signal = Delay(excitation.wave(), kMaxDelayFrames + 1, 1);
  Scale(signal, kAmplitude);
  EXPECT_EQ(Estimate(excitation, signal).verdict, v1::LATENCY_VERDICT_LATE);
}

TEST(DelayEstimatorTest, TwoPathsAreRefused) {
  const Excitation excitation(8, kPeriodFrames);
  Signal signal = Delay(excitation.wave(), 500, 1);
  const Signal other = Delay(excitation.wave(), 620, 1);
  for (size_t n = 0; n < signal.size(); ++n) {
    signal[n] = kAmplitude * (signal[n] + 0.8 * other[n]);
  }
  EXPECT_EQ(Estimate(excitation, signal).verdict, v1::LATENCY_VERDICT_AMBIGUOUS);
}

TEST(DelayEstimatorTest, NotFiniteIsRefused) {
  const Excitation excitation(9, kPeriodFrames);
  Signal signal = excitation.wave();
  Scale(signal, kAmplitude);
  signal[17] = std::nan("");
  EXPECT_EQ(Estimate(excitation, signal).verdict, v1::LATENCY_VERDICT_CLIPPED);
}

// --- No answer to any of 10 000 ---

constexpr int kEach = 2500;

// Tones of random pitch and decay, as of music.
Signal Tones(Random& random) {
  Signal signal(kPeriodFrames);
  for (int tone = random.Pick(12) + 1; tone > 0; --tone) {
    const double turn = 2 * pi * std::exp(random.Uniform(std::log(0.001), std::log(0.4)));
    const double decay = random.Uniform(0, 0.005);
    const double phase = random.Uniform(0, 2 * pi);
    const double amplitude = random.Uniform(0.01, 0.1);
    for (int n = 0; n < kPeriodFrames; ++n) {
      signal[static_cast<size_t>(n)] +=
          amplitude * std::exp(-decay * n) * std::sin(turn * n + phase);
    }
  }
  return signal;
}

Signal Unplugged(const Excitation& /*excitation*/, Random& random) {
  Signal signal(kPeriodFrames);
  const double rms = FromDb(random.Uniform(-140, -20));
  switch (random.Pick(4)) {
    case 0:  // nothing at all, or an offset
      for (double& sample : signal) sample = random.Coin() ? 0 : 1e-3;
      if (random.Coin()) std::fill(signal.begin(), signal.end(), 0);
      break;
    case 1:
      AddNoise(signal, rms, random);
      break;
    case 2: {  // hum with its harmonics, and noise
      const double turn = 2 * pi * random.Uniform(45, 65) / 48000;
      for (int n = 0; n < kPeriodFrames; ++n) {
        for (int harmonic = 1; harmonic < 20; ++harmonic) {
          signal[static_cast<size_t>(n)] += rms * std::sin(harmonic * turn * n) / harmonic;
        }
      }
      AddNoise(signal, 0.05 * rms, random);
      break;
    }
    default: {  // noise that falls with frequency
      double state = 0;
      const double pole = random.Uniform(0.5, 0.999);
      for (double& sample : signal) sample = state = pole * state + rms * random.Gaussian();
      if (Peak(signal) > 0.9) Scale(signal, 0.9 / Peak(signal));
      break;
    }
  }
  return signal;
}

Signal Noisy(const Excitation& excitation, Random& random) {
  Signal signal = MakeCable(excitation, random, 16).signal;
  const double noise = Rms(signal) / FromDb(random.Uniform(-40, 6));
  AddNoise(signal, noise, random);
  if (Peak(signal) > 0.9) Scale(signal, 0.9 / Peak(signal));
  return signal;
}

// Between 2 and 70 % of the peak, hard or soft, on one side or both, and noise of 30 dB less or
// weaker before and after.
Signal Clipped(const Excitation& excitation, Random& random) {
  Signal signal = MakeCable(excitation, random, 16).signal;
  const double rms = Rms(signal);
  AddNoise(signal, rms / FromDb(random.Uniform(30, 90)), random);
  const double peak = Peak(signal);
  const double limit = peak * random.Uniform(0.02, 0.7);
  switch (random.Pick(4)) {
    case 0:
      for (double& sample : signal) sample = std::clamp(sample, -limit, limit);
      break;
    case 1:
      for (double& sample : signal) sample = limit * std::tanh(sample / limit);
      break;
    case 2:
      for (double& sample : signal) sample = std::min(sample, limit);
      break;
    default:  // at full scale, as of a converter
      for (double& sample : signal) sample = std::clamp(sample / limit, -1.0, 1 - 0x1p-15);
      return signal;
  }
  AddNoise(signal, Rms(signal) / FromDb(random.Uniform(30, 90)), random);
  return signal;
}

Signal WrongChannel(const Excitation& excitation, Random& random) {
  Signal signal(kPeriodFrames);
  switch (random.Pick(4)) {
    case 0: {  // what leaks over
      signal = MakeCable(excitation, random, 16).signal;
      Scale(signal, kAmplitude * FromDb(random.Uniform(-100, -41)) / Peak(signal));
      AddNoise(signal, FromDb(random.Uniform(-140, -90)), random);
      break;
    }
    case 1: {  // somebody else's measurement
      const Excitation other(1'000'000 + static_cast<uint64_t>(random.Pick(1'000'000)),
                             kPeriodFrames);
      signal = MakeCable(other, random, 16).signal;
      break;
    }
    case 2:  // music
      signal = Tones(random);
      break;
    default: {  // a sweep over the whole band
      double phase = 0;
      const double low = random.Uniform(0.001, 0.1);
      const double octaves = random.Uniform(0.5, 3);
      for (int n = 0; n < kPeriodFrames; ++n) {
        phase += 2 * pi * low * std::exp2(octaves * n / kPeriodFrames);
        signal[static_cast<size_t>(n)] = 0.3 * std::sin(phase);
      }
      break;
    }
  }
  return signal;
}

void ExpectNoAnswer(Signal (*make)(const Excitation&, Random&), unsigned seed) {
  Random random(seed);
  std::map<v1::LatencyVerdict, int> verdicts;
  for (int i = 0; i < kEach; ++i) {
    const Excitation excitation(static_cast<uint64_t>(i), kPeriodFrames);
    const DelayEstimate estimate = Estimate(excitation, make(excitation, random));
    ++verdicts[estimate.verdict];
    EXPECT_NE(estimate.verdict, v1::LATENCY_VERDICT_FOUND)
        << "input " << i << ": delay " << estimate.delay_frames << ", gain " << estimate.gain
        << ", confidence " << estimate.confidence;
  }
  EXPECT_EQ(verdicts.count(v1::LATENCY_VERDICT_UNSPECIFIED), 0U);
  for (const auto& [verdict, count] : verdicts) {
    testing::Test::RecordProperty(v1::LatencyVerdict_Name(verdict), count);
  }
}

TEST(DelayEstimatorTest, UnpluggedInputsGetNoAnswer) { ExpectNoAnswer(Unplugged, 11); }
TEST(DelayEstimatorTest, NoisyInputsGetNoAnswer) { ExpectNoAnswer(Noisy, 12); }
TEST(DelayEstimatorTest, ClippedInputsGetNoAnswer) { ExpectNoAnswer(Clipped, 13); }
TEST(DelayEstimatorTest, WrongChannelsGetNoAnswer) { ExpectNoAnswer(WrongChannel, 14); }

}  // namespace
}  // namespace rtmixd::client
