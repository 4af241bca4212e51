#include "client_cpp/latency/measure_latency.h"

#include <gtest/gtest.h>

#include <vector>

namespace rtmixd::client {
namespace {

DelayEstimate Found(double delay_frames, double gain = 1, double confidence = 0.99) {
  return {.verdict = v1::LATENCY_VERDICT_FOUND,
          .delay_frames = delay_frames,
          .gain = gain,
          .inverted = false,
          .confidence = confidence,
          .impulse_response = {}};
}

TEST(CombineRepeatsTest, OneIsTheAnswer) {
  const auto measurement = CombineRepeats({Found(512.25, 0.5, 0.97)});
  EXPECT_EQ(measurement.verdict(), v1::LATENCY_VERDICT_FOUND);
  EXPECT_EQ(measurement.round_trip_frames(), 512.25);
  EXPECT_EQ(measurement.gain(), 0.5);
  EXPECT_EQ(measurement.confidence(), 0.97);
  EXPECT_EQ(measurement.spread_frames(), 0);
  EXPECT_EQ(measurement.repeats(), 1);
}

TEST(CombineRepeatsTest, MedianSpreadAndLeastConfidenceAreTaken) {
  const auto measurement =
      CombineRepeats({Found(100.4, 3, 0.98), Found(100.0, 1, 0.95), Found(100.1, 2, 0.99)});
  EXPECT_EQ(measurement.verdict(), v1::LATENCY_VERDICT_FOUND);
  EXPECT_EQ(measurement.round_trip_frames(), 100.1);
  EXPECT_EQ(measurement.gain(), 2);
  EXPECT_EQ(measurement.confidence(), 0.95);
  EXPECT_NEAR(measurement.spread_frames(), 0.4, 1e-9);
}

TEST(CombineRepeatsTest, MedianOfAnEvenNumberIsBetweenTheMiddle) {
  EXPECT_EQ(CombineRepeats({Found(10), Found(10.25)}).round_trip_frames(), 10.125);
}

TEST(CombineRepeatsTest, RepeatsThatDifferAreUnsteady) {
  EXPECT_EQ(CombineRepeats({Found(100), Found(100.6)}).verdict(), v1::LATENCY_VERDICT_UNSTEADY);
  DelayEstimate inverted = Found(100);
  inverted.inverted = true;
  EXPECT_EQ(CombineRepeats({Found(100), inverted}).verdict(), v1::LATENCY_VERDICT_UNSTEADY);
}

TEST(CombineRepeatsTest, OneWithoutAnAnswerLeavesNone) {
  DelayEstimate faint = Found(100);
  faint.verdict = v1::LATENCY_VERDICT_FAINT;
  const auto measurement = CombineRepeats({Found(100), faint, Found(100)});
  EXPECT_EQ(measurement.verdict(), v1::LATENCY_VERDICT_FAINT);
  EXPECT_EQ(measurement.round_trip_frames(), 0);
}

TEST(CombineRepeatsTest, NoneIsForXruns) {
  EXPECT_EQ(CombineRepeats({}).verdict(), v1::LATENCY_VERDICT_XRUN);
}

}  // namespace
}  // namespace rtmixd::client
