// The estimator against cases.txt, which the implementation in Python is held to as well: the truth
// that a case was made with, and the numbers that both get from it. The recordings are made here
// from integers alone, so that both see the same.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <numbers>
#include <sstream>
#include <string>
#include <vector>

#include "client_cpp/latency/delay_estimator.h"
#include "client_cpp/latency/excitation.h"

namespace rtmixd::client {
namespace {

using std::numbers::pi;

constexpr double kAmplitude = 0.25;
constexpr int kReachFrames = 64;

struct Case {
  std::string name;
  uint64_t seed = 0;
  int period_frames = 0;
  double delay_frames = 0;
  double gain = 0;
  double echo = 0;   // of a second path, 100 frames later
  double noise = 0;  // RMS
  double limit = 0;  // what is louder is cut off; 0: nothing
  int missing = 0;   // frames at the beginning in which nothing has come yet
  std::string verdict;
  // What is estimated.
  double estimated_delay_frames = 0;
  double estimated_gain = 0;
  double confidence = 0;
};

std::vector<Case> ReadCases() {
  std::ifstream file("tests/latency/cases.txt");
  std::vector<Case> cases;
  std::string line;
  while (std::getline(file, line)) {
    if (line.empty() || line[0] == '#') continue;
    Case one;
    std::istringstream words(line);
    words >> one.name >> one.seed >> one.period_frames >> one.delay_frames >> one.gain >>
        one.echo >> one.noise >> one.limit >> one.missing >> one.verdict >>
        one.estimated_delay_frames >> one.estimated_gain >> one.confidence;
    EXPECT_FALSE(words.fail()) << line;
    cases.push_back(one);
  }
  return cases;
}

// Evenly distributed numbers of RMS 1, by a linear congruence (Knuth's MMIX).
class Noise {
 public:
  explicit Noise(uint64_t seed) : state_(seed) {}
  double Next() {
    state_ = state_ * 6364136223846793005U + 1442695040888963407U;
    return (std::ldexp(static_cast<double>(state_ >> 11U), -52) - 1) * std::sqrt(3.0);
  }

 private:
  uint64_t state_;
};

// A delay made in time, with a sinc under a Hann window.
void AddDelayed(const std::vector<double>& period, double delay_frames, double gain,
                std::vector<double>& sum) {
  const int size = static_cast<int>(period.size());
  const int whole = static_cast<int>(std::floor(delay_frames));
  for (int i = -kReachFrames; i <= kReachFrames; ++i) {
    const double x = i - (delay_frames - whole);
    if (std::abs(x) >= kReachFrames) continue;
    const double sinc = x == 0 ? 1 : std::sin(pi * x) / (pi * x);
    const double tap = gain * sinc * (0.5 + 0.5 * std::cos(pi * x / kReachFrames));
    for (int n = 0; n < size; ++n) {
      const int from = ((n - whole - i) % size + size) % size;
      sum[static_cast<size_t>(n)] += tap * period[static_cast<size_t>(from)];
    }
  }
}

std::vector<float> Record(const Case& one, const Excitation& excitation) {
  std::vector<double> signal(static_cast<size_t>(one.period_frames));
  AddDelayed(excitation.wave(), one.delay_frames, kAmplitude * one.gain, signal);
  AddDelayed(excitation.wave(), one.delay_frames + 100, kAmplitude * one.gain * one.echo, signal);
  Noise noise(one.seed);
  std::vector<float> recorded;
  for (double sample : signal) {
    sample += one.noise * noise.Next();
    if (one.limit > 0) sample = std::clamp(sample, -one.limit, one.limit);
    recorded.push_back(static_cast<float>(sample));
  }
  std::fill_n(recorded.begin(), one.missing, 0.0F);
  return recorded;
}

std::string Word(v1::LatencyVerdict verdict) {
  std::string word = v1::LatencyVerdict_Name(verdict).substr(sizeof("LATENCY_VERDICT_") - 1);
  std::transform(word.begin(), word.end(), word.begin(), [](char c) { return std::tolower(c); });
  return word;
}

TEST(LatencyCasesTest, TruthIsFoundAndBothImplementationsAgree) {
  const std::vector<Case> cases = ReadCases();
  ASSERT_GE(cases.size(), 20U);
  for (const Case& one : cases) {
    SCOPED_TRACE(one.name);
    const Excitation excitation(one.seed, one.period_frames);
    const DelayEstimate estimate = EstimateDelay(excitation, kAmplitude, Record(one, excitation),
                                                 {.max_delay_frames = one.period_frames * 3 / 4});
    EXPECT_EQ(Word(estimate.verdict), one.verdict);
    if (estimate.verdict == v1::LATENCY_VERDICT_FOUND) {
      EXPECT_NEAR(estimate.delay_frames, one.delay_frames, 0.1);
      EXPECT_EQ(estimate.inverted, one.gain < 0);
      EXPECT_NEAR(estimate.gain / std::abs(one.gain), 1, 0.02);
    }
    EXPECT_NEAR(estimate.delay_frames, one.estimated_delay_frames, 1e-5);
    EXPECT_NEAR(estimate.gain, one.estimated_gain, 1e-6);
    EXPECT_NEAR(estimate.confidence, one.confidence, 1e-6);
    // The line as it would have to be, for whoever adds a case.
    std::printf("%s %llu %d %.9g %.9g %.9g %.9g %.9g %d %s %.7f %.8f %.8f\n", one.name.c_str(),
                static_cast<unsigned long long>(one.seed), one.period_frames, one.delay_frames,
                one.gain, one.echo, one.noise, one.limit, one.missing,
                Word(estimate.verdict).c_str(), estimate.delay_frames, estimate.gain,
                estimate.confidence);
  }
}

}  // namespace
}  // namespace rtmixd::client
