#include "server/mixer/step_search.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <random>
#include <vector>

#include "gtest/gtest.h"

namespace rtmixd {
namespace {

constexpr double kFrameNanos = 1e9 / 48000;
constexpr double kShortest = 250e3;

// Blocks [0, first) on the line, those up to `second` `rise` after it, the others 2.5 `rise`.
std::vector<double> TwoSteps(size_t first, size_t second, size_t size, double rise) {
  std::vector<double> residuals(size, 0.0);
  for (size_t i = first; i < size; ++i) residuals[i] = i < second ? rise : 2.5 * rise;
  return residuals;
}

StepSearch Exact(const std::vector<double>& residuals) {
  return {.residuals = residuals,
          .level_nanos = residuals.back(),
          .shortest_nanos = kShortest,
          .scatter_nanos = 300,
          .least_frame_nanos = kFrameNanos};
}

TEST(StepSearchTest, OneExactStepIsAPoint) {
  for (const double rise : {20e3, 300e3, 5e6, -20e3, -5e6}) {
    for (const size_t first : {1, 20, 99}) {
      const std::vector<double> residuals = TwoSteps(first, 100, 100, rise);
      const std::vector<StepPlace> places = Exact(residuals).Find();
      ASSERT_EQ(places.size(), 1u);
      EXPECT_EQ(places[0].best, first) << rise;
      EXPECT_EQ(places[0].earliest, first) << rise;
      EXPECT_EQ(places[0].latest, first) << rise;
      EXPECT_EQ(places[0].rise_nanos, rise);
    }
  }
}

TEST(StepSearchTest, TwoExactStepsAreTwoIfALineIsBetween) {
  const std::vector<double> residuals = TwoSteps(40, 50, 100, 1e6);
  const std::vector<StepPlace> places = Exact(residuals).Find();
  ASSERT_EQ(places.size(), 2u);
  EXPECT_EQ(places[0].best, 40u);
  EXPECT_EQ(places[0].earliest, 40u);
  EXPECT_EQ(places[0].latest, 40u);
  EXPECT_EQ(places[0].rise_nanos, 1e6);
  EXPECT_EQ(places[1].best, 50u);
  EXPECT_EQ(places[1].earliest, 50u);
  EXPECT_EQ(places[1].latest, 50u);
  EXPECT_EQ(places[1].rise_nanos, 1.5e6);
}

TEST(StepSearchTest, TwoStepsWithNoLineBetweenAreOneRange) {
  const std::vector<double> residuals = TwoSteps(40, 43, 100, 1e6);
  const std::vector<StepPlace> places = Exact(residuals).Find();
  ASSERT_EQ(places.size(), 1u);
  EXPECT_EQ(places[0].earliest, 40u);
  EXPECT_EQ(places[0].latest, 43u);
  EXPECT_EQ(places[0].rise_nanos, 2.5e6);
}

TEST(StepSearchTest, StepsThatAreTooShortStayInTheRangeOfALongOne) {
  std::vector<double> residuals(100, 0.0);
  for (size_t i = 40; i < 100; ++i) residuals[i] = i < 60 ? 100e3 : 5.1e6;
  const std::vector<StepPlace> places = Exact(residuals).Find();
  ASSERT_EQ(places.size(), 1u);
  EXPECT_EQ(places[0].earliest, 40u);
  EXPECT_EQ(places[0].latest, 60u);
  EXPECT_EQ(places[0].rise_nanos, 5.1e6);
}

TEST(StepSearchTest, FallBeforeARiseIsInItsRange) {
  std::vector<double> residuals(200, 0.0);
  for (size_t i = 120; i < 200; ++i) residuals[i] = i < 130 ? -5e6 : 5e6;
  const std::vector<StepPlace> places = Exact(residuals).Find();
  ASSERT_FALSE(places.empty());
  EXPECT_LE(places[0].earliest, 120u);
  EXPECT_GE(places.back().latest, 130u);
}

// What each case draws: log-normal lateness as on loaded machines, or gaussian jitter.
struct Drawn {
  std::vector<double> residuals;
  std::vector<double> earlier_lateness;
  double earlier_blocks = 0;
};

Drawn Draw(bool late, size_t first, size_t second, size_t size, double rise, uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<double> normal;
  const auto off = [&] {
    return late ? std::min(80e6, 100e3 * std::exp(1.76 * normal(random))) : 200e3 * normal(random);
  };
  Drawn drawn;
  drawn.residuals = TwoSteps(first, second, size, rise);
  for (double& r : drawn.residuals) r += off();
  for (int cell = 0; cell < 80; ++cell) {
    double most = 0;
    for (int i = 0; i < 47; ++i) most = std::max(most, off());
    drawn.earlier_lateness.push_back(most);
    drawn.earlier_blocks += 47;
  }
  return drawn;
}

TEST(StepSearchTest, RangesHoldBothOfTwoStepsUnderLateness) {
  std::mt19937 random(3);
  int wide = 0;
  for (uint32_t seed = 1; seed <= 2000; ++seed) {
    SCOPED_TRACE(seed);
    const size_t first = 100 + random() % 50;
    const size_t second = first + random() % 60;
    const double rise = 300e3 + static_cast<double>(random() % 8'000'000);
    const Drawn drawn = Draw(/*late=*/true, first, second, 300, rise, seed);
    const std::vector<StepPlace> places = StepSearch{.residuals = drawn.residuals,
                                                     .level_nanos = 2.5 * rise,
                                                     .shortest_nanos = kShortest,
                                                     .scatter_nanos = 3e3,
                                                     .least_frame_nanos = kFrameNanos,
                                                     .late = true,
                                                     .one_sided = true,
                                                     .earlier_blocks = drawn.earlier_blocks,
                                                     .earlier_lateness = drawn.earlier_lateness}
                                              .Find();
    const auto inside = [&](size_t step) {
      return std::any_of(places.begin(), places.end(), [&](const StepPlace& place) {
        return place.earliest <= step && step <= place.latest;
      });
    };
    ASSERT_TRUE(inside(first)) << first << " of " << rise;
    ASSERT_TRUE(inside(second)) << second << " after " << first << " of " << rise;
    if (places.back().latest > second + 40) ++wide;
  }
  EXPECT_LE(wide, 20);
}

TEST(StepSearchTest, RangesHoldBothOfTwoStepsUnderGaussianJitter) {
  std::mt19937 random(4);
  int wide = 0;
  for (uint32_t seed = 1; seed <= 2000; ++seed) {
    SCOPED_TRACE(seed);
    const size_t first = 100 + random() % 50;
    const size_t second = first + random() % 60;
    const double rise = 400e3 + static_cast<double>(random() % 8'000'000);
    const Drawn drawn = Draw(/*late=*/false, first, second, 400, rise, seed);
    const std::vector<StepPlace> places = StepSearch{.residuals = drawn.residuals,
                                                     .level_nanos = 2.5 * rise,
                                                     .shortest_nanos = kShortest,
                                                     .scatter_nanos = 200e3,
                                                     .least_frame_nanos = kFrameNanos}
                                              .Find();
    ASSERT_EQ(places.size(), 1u);
    ASSERT_LE(places[0].earliest, first);
    ASSERT_GE(places[0].latest, second);
    if (places[0].latest > second + 80) ++wide;
  }
  EXPECT_LE(wide, 20);
}

}  // namespace
}  // namespace rtmixd
