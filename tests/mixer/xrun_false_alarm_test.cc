#include <cstdint>
#include <random>
#include <string>

#include "gtest/gtest.h"
#include "server/mixer/time_map.h"
#include "server/mixer/xrun_detector.h"
#include "tests/mixer/block_simulator.h"

namespace rtmixd {
namespace {

struct Disturbance {
  std::string name;
  double gaussian_jitter_nanos;
  double median_lateness_nanos;
};

class XrunFalseAlarmTest : public testing::TestWithParam<Disturbance> {};

// Ten hours at 256-frame blocks, with stalls of up to 300 ms every few seconds that lose nothing.
TEST_P(XrunFalseAlarmTest, TenHoursOfJitterLatenessAndStallsRaiseNone) {
  BlockSimulator simulator({.clock_error_ppm = -50,
                            .gaussian_jitter_nanos = GetParam().gaussian_jitter_nanos,
                            .median_lateness_nanos = GetParam().median_lateness_nanos,
                            .seed = 20});
  TimeMap map(48000, 0);
  XrunDetector detector(&map);
  std::mt19937 random(21);
  std::uniform_real_distribution<double> stall_nanos(0, 300e6);
  std::uniform_int_distribution<int64_t> gap_frames(48000, 20 * 48000);
  int64_t stall_frame = 48000;
  while (simulator.next_frame() < int64_t{36000} * 48000) {
    if (simulator.next_frame() >= stall_frame) {
      simulator.Stall(stall_nanos(random));
      stall_frame += gap_frames(random);
    }
    detector.AddBlock(simulator.Next());
  }
  for (const Xrun& xrun : detector.XrunsFrom(0)) {
    ADD_FAILURE() << xrun.lost_frames << " frames before " << xrun.frame;
  }
  EXPECT_EQ(map.relocks(), 0);
  EXPECT_EQ(detector.Touched(0, int64_t{35990} * 48000), TouchedByXrun::kNo);
}

INSTANTIATE_TEST_SUITE_P(All, XrunFalseAlarmTest,
                         testing::Values(Disturbance{"OneSidedLateness", 0, 100e3},
                                         Disturbance{"Gaussian500us", 500e3, 0},
                                         Disturbance{"Both", 500e3, 100e3}),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace rtmixd
