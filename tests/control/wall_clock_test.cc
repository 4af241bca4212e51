#include "server/control/wall_clock.h"

#include <sys/timex.h>

#include "gtest/gtest.h"

namespace rtmixd {
namespace {

TEST(WallClockTest, SynchronizedClockTellsItsErrorsInSeconds) {
  timex answer{};
  answer.status = STA_PLL;
  answer.maxerror = 12'500;
  answer.esterror = 250;
  const WallClockState state = ToWallClockState(answer, TIME_OK);
  EXPECT_TRUE(state.synchronized);
  EXPECT_DOUBLE_EQ(state.max_error_seconds, 0.0125);
  EXPECT_DOUBLE_EQ(state.estimated_error_seconds, 0.00025);
}

TEST(WallClockTest, LeapSecondAheadIsNoError) {
  EXPECT_TRUE(ToWallClockState(timex{}, TIME_INS).synchronized);
}

TEST(WallClockTest, ClockThatNobodyKeepsSaysNothingOfErrors) {
  timex answer{};
  answer.maxerror = 16'000'000;
  answer.status = STA_UNSYNC;
  EXPECT_FALSE(ToWallClockState(answer, TIME_OK).synchronized);
  EXPECT_EQ(ToWallClockState(answer, TIME_ERROR).max_error_seconds, 0);
  answer.status = 0;
  EXPECT_FALSE(ToWallClockState(answer, TIME_ERROR).synchronized);
  EXPECT_FALSE(ToWallClockState(answer, -1).synchronized);
}

TEST(WallClockTest, KernelAnswers) {
  timex answer{};
  ASSERT_GE(adjtimex(&answer), 0);
  EXPECT_EQ(ReadWallClockState().synchronized, (answer.status & STA_UNSYNC) == 0);
}

}  // namespace
}  // namespace rtmixd
