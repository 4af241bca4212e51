#include "server/control/wall_time.h"

#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "server/mixer/time_map.h"
#include "tests/mixer/block_simulator.h"

namespace rtmixd {
namespace {

TEST(WallTimeTest, ClockPairTakesTheReadingWhoseLooksAreClosest) {
  // The first reading is held up by 40 us, the second by 2 us, the others by 10 us.
  const std::vector<int64_t> looks = {0, 40'000, 50'000, 52'000, 60'000, 70'000};
  size_t look = 0;
  int64_t now = 0;
  const ClockPair pair = ReadClockPair(
      [&] {
        now = look < looks.size() ? looks[look] : now + 10'000;
        ++look;
        return now;
      },
      [&] { return absl::UnixEpoch() + absl::Seconds(5) + absl::Nanoseconds(now); });
  EXPECT_EQ(pair.monotonic_nanos, 51'000);
  EXPECT_EQ(pair.error_nanos, 1000);
  EXPECT_EQ(pair.wall, absl::UnixEpoch() + absl::Seconds(5) + absl::Nanoseconds(50'000));
}

TEST(WallTimeTest, ClockPairConvertsBothWays) {
  const ClockPair pair{1'000'000'000, absl::UnixEpoch() + absl::Seconds(100), 0};
  EXPECT_EQ(pair.MonotonicAt(absl::UnixEpoch() + absl::Seconds(103)), 4'000'000'000);
  EXPECT_EQ(pair.MonotonicAt(absl::UnixEpoch()), -99'000'000'000);
  EXPECT_EQ(pair.WallAt(4'000'000'000), absl::UnixEpoch() + absl::Seconds(103));
}

TEST(WallTimeTest, MomentsBeyondTheClockSaturate) {
  const ClockPair pair{std::numeric_limits<int64_t>::max() - 10, absl::UnixEpoch(), 0};
  EXPECT_EQ(pair.MonotonicAt(absl::UnixEpoch() + absl::Hours(1)),
            std::numeric_limits<int64_t>::max());
}

TEST(WallTimeTest, FrameIsTheOneWhoseSoundIsAtTheConverterThen) {
  BlockSimulator simulator({.clock_error_ppm = 50});
  TimeMap map(48000, 0);
  while (simulator.next_frame() < 48000 * 20) map.AddBlock(simulator.Next());
  const ClockPair now{1'000'000'000'000, absl::UnixEpoch() + absl::Hours(1), 0};
  // Frame 1 000 000 is due then, and what is sent 300 frames before sounds.
  const absl::Time moment =
      now.wall + absl::Nanoseconds(std::llround(simulator.DueNanos(1'000'000)));
  const WallTimeFrame found = FrameAtWallTime(map, now, moment, 300);
  EXPECT_EQ(found.frame, 1'000'000 - 300);
  EXPECT_GE(found.uncertainty_frames, 0.5);
  EXPECT_LT(found.uncertainty_frames, 0.7);
  const FrameWallTime back = WallTimeAtFrame(map, now, found.frame, 300);
  EXPECT_LT(absl::AbsDuration(back.moment - moment), absl::Microseconds(1));
  EXPECT_LT(back.uncertainty_frames, 0.2);
  // What no clock tells is decades away, on its own side.
  constexpr int64_t kAbsurdFrame = int64_t{1} << 60;
  constexpr absl::Duration kDecades = absl::Hours(24 * 365 * 70);
  EXPECT_LT(WallTimeAtFrame(map, now, -kAbsurdFrame, 0).moment, now.wall - kDecades);
  EXPECT_GT(WallTimeAtFrame(map, now, kAbsurdFrame, 0).moment, now.wall + kDecades);
}

TEST(WallTimeTest, MomentInAPauseIsAsFarBeforeTheFramesAfterIt) {
  BlockSimulator simulator({});
  TimeMap map(48000, 0);
  while (simulator.next_frame() < 48000 * 4) map.AddBlock(simulator.Next());
  const int64_t paused = simulator.next_frame();
  simulator.Lose(48000);  // a second in which the counter stands still
  map.StartEpoch(48000, paused);
  while (simulator.next_frame() < 48000 * 8) map.AddBlock(simulator.Next());
  const ClockPair now{1'000'000'000'000, absl::UnixEpoch() + absl::Hours(1), 0};
  const absl::Time goes_on = now.wall + absl::Nanoseconds(std::llround(simulator.DueNanos(paused)));
  EXPECT_EQ(FrameAtWallTime(map, now, goes_on - absl::Milliseconds(500), 0).frame, paused - 24000);
  EXPECT_EQ(FrameAtWallTime(map, now, goes_on + absl::Milliseconds(500), 0).frame, paused + 24000);
}

TEST(WallTimeTest, LooseReadingWidensTheUncertainty) {
  BlockSimulator simulator({});
  TimeMap map(48000, 0);
  while (simulator.next_frame() < 48000 * 20) map.AddBlock(simulator.Next());
  const absl::Time moment = absl::UnixEpoch() + absl::Hours(1);
  const ClockPair close{1'000'000'000'000, moment, 0};
  const ClockPair loose{1'000'000'000'000, moment, 1'000'000};
  EXPECT_NEAR(FrameAtWallTime(map, loose, moment, 0).uncertainty_frames,
              FrameAtWallTime(map, close, moment, 0).uncertainty_frames + 48, 0.01);
  EXPECT_NEAR(WallTimeAtFrame(map, loose, 0, 0).uncertainty_frames,
              WallTimeAtFrame(map, close, 0, 0).uncertainty_frames + 48, 0.01);
  // The map's own is in it.
  EXPECT_EQ(WallTimeAtFrame(map, close, 4800, 0).uncertainty_frames, map.UncertaintyFramesAt(4800));
  EXPECT_GT(map.UncertaintyFramesAt(4800), 0);
}

}  // namespace
}  // namespace rtmixd
