#include "tests/control/wall_time_simulation.h"

#include <cstdint>

#include "gtest/gtest.h"

namespace rtmixd {
namespace {

TEST(WallTimeSimulationTest, QuantileIsTheSmallestValueThatEnoughDoNotExceed) {
  EXPECT_EQ(WallTimeSimulation::Quantile({3, -1, 2, -4}, 0.5), 2);
  EXPECT_EQ(WallTimeSimulation::Quantile({3, -1, 2, -4}, 1), 4);
}

TEST(WallTimeSimulationTest, FourServersStartWithinAFrameUnderGaussianJitterFor24Hours) {
  const auto result = WallTimeSimulation::Run({.gaussian_jitter_nanos = 50e3});
  ASSERT_GT(result.errors_frames.size(), 4u * 17'000);
  EXPECT_LE(WallTimeSimulation::Quantile(result.errors_frames, 0.99), 1);
  EXPECT_LE(result.outside * 100, static_cast<int64_t>(result.errors_frames.size()));
}

TEST(WallTimeSimulationTest, FourServersStartWithinWhatIsStatedUnderLatenessFor24Hours) {
  const auto result = WallTimeSimulation::Run({.median_lateness_nanos = 100e3});
  ASSERT_GT(result.errors_frames.size(), 4u * 17'000);
  EXPECT_LE(result.outside * 100, static_cast<int64_t>(result.errors_frames.size()));
}

}  // namespace
}  // namespace rtmixd
