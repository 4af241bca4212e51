#include "client_cpp/latency/excitation.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numbers>

namespace rtmixd::client {
namespace {

// The circular correlation of two periods, by its definition.
double Correlation(const std::vector<double>& a, const std::vector<double>& b, size_t lag) {
  double sum = 0;
  for (size_t n = 0; n < a.size(); ++n) sum += a[n] * b[(n + lag) % b.size()];
  return sum;
}

TEST(ExcitationTest, AutocorrelationIsTheKnownOne) {
  const Excitation excitation(3, 1024);
  const std::vector<double>& wave = excitation.wave();
  const double energy = Correlation(wave, wave, 0);
  const int bins = excitation.highest_bin() - excitation.lowest_bin() + 1;
  for (size_t lag = 0; lag < wave.size(); ++lag) {
    double known = 0;
    for (int k = excitation.lowest_bin(); k <= excitation.highest_bin(); ++k) {
      known += std::cos(2 * std::numbers::pi * k * static_cast<double>(lag) / 1024) / bins;
    }
    EXPECT_NEAR(Correlation(wave, wave, lag) / energy, known, 1e-9) << "lag " << lag;
  }
}

TEST(ExcitationTest, PeakIsOne) {
  for (const uint64_t seed : {0U, 1U, 99U}) {
    const Excitation excitation(seed, 4096);
    double peak = 0;
    for (const double sample : excitation.wave()) peak = std::max(peak, std::abs(sample));
    EXPECT_DOUBLE_EQ(peak, 1);
  }
}

TEST(ExcitationTest, OtherSeedIsNoiseToIt) {
  const Excitation one(1, 4096);
  const Excitation other(2, 4096);
  const double energy = Correlation(one.wave(), one.wave(), 0);
  for (size_t lag = 0; lag < 4096; lag += 7) {
    EXPECT_LT(std::abs(Correlation(one.wave(), other.wave(), lag)), 0.15 * energy);
  }
}

TEST(ExcitationTest, PlayGoesOnPeriodically) {
  const Excitation excitation(5, 1024);
  const std::vector<float> sound = excitation.Play(700, 3000, 0.25);
  ASSERT_EQ(sound.size(), 3000U);
  for (size_t n = 0; n < sound.size(); ++n) {
    EXPECT_EQ(sound[n], static_cast<float>(0.25 * excitation.wave()[(n + 700) % 1024]));
  }
}

}  // namespace
}  // namespace rtmixd::client
