#include "client_cpp/latency/fourier.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <numbers>
#include <random>

namespace rtmixd::client {
namespace {

std::vector<double> Noise(size_t size, uint32_t seed) {
  std::mt19937 generator(seed);
  std::normal_distribution<double> distribution;
  std::vector<double> noise(size);
  for (double& sample : noise) sample = distribution(generator);
  return noise;
}

TEST(FourierTest, TransformIsTheSumOfItsDefinition) {
  for (const size_t size : {2, 4, 12, 64, 250}) {
    const std::vector<double> signal = Noise(size, 7);
    const std::vector<std::complex<double>> bins = RealTransform(signal);
    ASSERT_EQ(bins.size(), size / 2 + 1);
    for (size_t k = 0; k < bins.size(); ++k) {
      std::complex<double> sum = 0;
      for (size_t n = 0; n < size; ++n) {
        sum += signal[n] * std::polar(1.0, -2 * std::numbers::pi * static_cast<double>(k * n) /
                                               static_cast<double>(size));
      }
      EXPECT_NEAR(std::abs(bins[k] - sum), 0, 1e-11 * static_cast<double>(size))
          << size << ", bin " << k;
    }
  }
}

TEST(FourierTest, InverseGivesTheSignalBack) {
  for (const size_t size : {2, 4, 12, 250, 4096}) {
    const std::vector<double> signal = Noise(size, 7);
    const std::vector<double> again = InverseRealTransform(RealTransform(signal));
    ASSERT_EQ(again.size(), size);
    for (size_t n = 0; n < size; ++n) EXPECT_NEAR(again[n], signal[n], 1e-12);
  }
}

}  // namespace
}  // namespace rtmixd::client
