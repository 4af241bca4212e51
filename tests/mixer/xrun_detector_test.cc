#include "server/mixer/xrun_detector.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <vector>

#include "gtest/gtest.h"
#include "server/mixer/block_log.h"
#include "server/mixer/time_map.h"
#include "tests/mixer/block_simulator.h"

namespace rtmixd {
namespace {

constexpr double kRateHz = 48000;
constexpr int64_t kSecond = 48000;  // in frames
constexpr uint32_t kBothFlags = kHostInputOverflow | kHostOutputUnderflow;
// A flag may come so long after what it tells of: 200 ms and the block that it comes with.
constexpr int64_t kFlagReach = kSecond / 5 + 256;

// A device with its clock, a map and a detector.
struct Stream {
  explicit Stream(const BlockSimulator::Options& options, size_t max_xruns = 4096)
      : simulator(options),
        map(options.nominal_rate_hz, options.first_frame),
        detector(&map, max_xruns) {}

  void Feed(int64_t frames) {
    const int64_t end = simulator.next_frame() + frames;
    while (simulator.next_frame() < end) detector.AddBlock(simulator.Next());
  }
  // Loses `frames` before the next block, which is returned.
  int64_t Lose(int64_t frames, uint32_t host_flags = 0) {
    const int64_t place = simulator.next_frame();
    simulator.Lose(frames);
    detector.AddBlock(simulator.Next(host_flags));
    return place;
  }

  BlockSimulator simulator;
  TimeMap map;
  XrunDetector detector;
};

void ExpectExact(const Xrun& xrun, int64_t frame, int64_t lost_frames) {
  EXPECT_EQ(xrun.frame, frame);
  EXPECT_EQ(xrun.earliest_frame, frame);
  EXPECT_EQ(xrun.latest_frame, frame);
  EXPECT_EQ(xrun.lost_frames, lost_frames);
  EXPECT_EQ(xrun.lost_bound_frames, 0);
}

// The same where blocks are late, so that those beside the place tell nothing.
void ExpectExactWithin(const Xrun& xrun, int64_t frame, int64_t lost_frames, int64_t earliest_frame,
                       int64_t latest_frame) {
  EXPECT_EQ(xrun.frame, frame);
  EXPECT_LE(xrun.earliest_frame, frame);
  EXPECT_GE(xrun.earliest_frame, earliest_frame);
  EXPECT_GE(xrun.latest_frame, frame);
  EXPECT_LE(xrun.latest_frame, latest_frame);
  EXPECT_EQ(xrun.lost_frames, lost_frames);
  EXPECT_EQ(xrun.lost_bound_frames, 0);
}

TEST(XrunDetectorTest, UndisturbedStreamHasNone) {
  Stream stream({.clock_error_ppm = 50});
  stream.Feed(10 * kSecond);
  EXPECT_EQ(stream.detector.next_sequence(), 0);
  EXPECT_GE(stream.detector.judged_until_frame(), 8 * kSecond);
  EXPECT_EQ(stream.detector.Touched(0, 8 * kSecond), TouchedByXrun::kNo);
}

TEST(XrunDetectorTest, LossWithoutAFlagIsFoundFromTimeToTheFrame) {
  Stream stream({.clock_error_ppm = 50});
  stream.Feed(10 * kSecond);
  const int64_t place = stream.Lose(64);
  stream.Feed(3 * kSecond);
  const std::vector<Xrun> xruns = stream.detector.XrunsFrom(0);
  ASSERT_EQ(xruns.size(), 1u);
  ExpectExact(xruns[0], place, 64);
  EXPECT_FALSE(xruns[0].flagged);
  EXPECT_TRUE(xruns[0].from_time);
  EXPECT_EQ(xruns[0].side, Xrun::Side::kUnknown);
}

TEST(XrunDetectorTest, LossInTheFirstSecondsIsFound) {
  Stream stream({.clock_error_ppm = -300, .gaussian_jitter_nanos = 10e3});
  stream.Feed(kSecond);
  const int64_t place = stream.Lose(512);
  stream.Feed(5 * kSecond);
  const std::vector<Xrun> xruns = stream.detector.XrunsFrom(0);
  ASSERT_EQ(xruns.size(), 1u);
  EXPECT_EQ(xruns[0].frame, place);
  EXPECT_LE(std::abs(xruns[0].lost_frames - 512), xruns[0].lost_bound_frames);
}

TEST(XrunDetectorTest, FlagAndTimeOfOneIncidentAreOneXrun) {
  Stream stream({.clock_error_ppm = 50, .median_lateness_nanos = 100e3});
  stream.Feed(20 * kSecond);
  const int64_t place = stream.Lose(700, kBothFlags);
  stream.Feed(3 * kSecond);
  const std::vector<Xrun> xruns = stream.detector.XrunsFrom(0);
  ASSERT_EQ(xruns.size(), 1u);
  ExpectExactWithin(xruns[0], place, 700, place - 8 * 256, place + 8 * 256);
  EXPECT_TRUE(xruns[0].flagged);
  EXPECT_TRUE(xruns[0].from_time);
  EXPECT_EQ(xruns[0].side, Xrun::Side::kBoth);
  EXPECT_EQ(xruns[0].host_flags, kBothFlags);
}

TEST(XrunDetectorTest, FlagABlockBesideTheLossIsStillOneXrun) {
  for (const bool flag_first : {false, true}) {
    SCOPED_TRACE(flag_first);
    Stream stream({.median_lateness_nanos = 100e3});
    stream.Feed(20 * kSecond);
    int64_t place = stream.simulator.next_frame();
    if (flag_first) {
      stream.detector.AddBlock(stream.simulator.Next(kHostInputOverflow));
      place = stream.Lose(700);
    } else {
      stream.Lose(700);
      stream.detector.AddBlock(stream.simulator.Next(kHostInputOverflow));
    }
    stream.Feed(3 * kSecond);
    const std::vector<Xrun> xruns = stream.detector.XrunsFrom(0);
    ASSERT_EQ(xruns.size(), 1u);
    EXPECT_EQ(xruns[0].lost_frames, 700);
    EXPECT_LE(xruns[0].earliest_frame, place);
    EXPECT_GE(xruns[0].latest_frame, place);
  }
}

TEST(XrunDetectorTest, FlaggedLossTooShortForTimeAloneIsExact) {
  Stream stream({.clock_error_ppm = 50, .median_lateness_nanos = 100e3});
  stream.Feed(20 * kSecond);
  const int64_t place = stream.Lose(3, kHostInputOverflow);
  stream.Feed(3 * kSecond);
  const std::vector<Xrun> xruns = stream.detector.XrunsFrom(0);
  ASSERT_EQ(xruns.size(), 1u);
  ExpectExactWithin(xruns[0], place, 3, place - kFlagReach, place);
  EXPECT_EQ(xruns[0].side, Xrun::Side::kInput);
}

TEST(XrunDetectorTest, ShortestDetectableLossIsFoundAndTheReportSaysWhichIsNot) {
  Stream stream({.clock_error_ppm = 50, .median_lateness_nanos = 100e3});
  stream.Feed(30 * kSecond);
  const double shortest = stream.detector.ShortestDetectableLossFrames(25 * kSecond, 28 * kSecond);
  EXPECT_LT(shortest, 64);
  const int64_t found = static_cast<int64_t>(std::ceil(shortest));
  stream.Lose(found);
  stream.Feed(10 * kSecond);
  ASSERT_EQ(stream.detector.next_sequence(), 1);
  EXPECT_EQ(stream.detector.XrunsFrom(0)[0].lost_frames, found);
  stream.Lose(4);  // no claim is made about it; the map follows all the same
  stream.Feed(10 * kSecond);
  EXPECT_EQ(stream.detector.next_sequence(), 1);
  EXPECT_EQ(stream.map.relocks(), 1);
}

TEST(XrunDetectorTest, FlagWithoutALossSaysHowLittleCanHaveBeenLost) {
  Stream stream({.median_lateness_nanos = 100e3});
  stream.Feed(20 * kSecond);
  const int64_t place = stream.Lose(0, kHostOutputUnderflow);
  stream.Feed(3 * kSecond);
  const std::vector<Xrun> xruns = stream.detector.XrunsFrom(0);
  ASSERT_EQ(xruns.size(), 1u);
  ExpectExactWithin(xruns[0], place, 0, place - kFlagReach, place);
  // Whatever it was may be older than the flag.
  EXPECT_EQ(xruns[0].earliest_frame, place - kFlagReach);
  EXPECT_EQ(stream.detector.Touched(place - kFlagReach, place + 1), TouchedByXrun::kYes);
  EXPECT_EQ(stream.detector.Touched(place - kFlagReach + 1, place + 1), TouchedByXrun::kCannotTell);
  EXPECT_EQ(stream.detector.Touched(place - kSecond, place), TouchedByXrun::kCannotTell);
  EXPECT_EQ(stream.detector.Touched(place - kSecond, place - kFlagReach), TouchedByXrun::kNo);
  EXPECT_EQ(stream.detector.Touched(place + 1, place + kSecond), TouchedByXrun::kNo);
  EXPECT_TRUE(xruns[0].flagged);
  EXPECT_FALSE(xruns[0].from_time);
  EXPECT_EQ(xruns[0].side, Xrun::Side::kOutput);
}

TEST(XrunDetectorTest, PrimingIsNoXrun) {
  Stream stream({});
  for (int i = 0; i < 10; ++i) stream.detector.AddBlock(stream.simulator.Next(kHostPrimingOutput));
  stream.Feed(3 * kSecond);
  EXPECT_EQ(stream.detector.next_sequence(), 0);
}

TEST(XrunDetectorTest, FlagOnTheFirstBlockIsAnXrunOfUnknownLength) {
  Stream stream({});
  stream.detector.AddBlock(stream.simulator.Next(kHostInputOverflow));
  stream.Feed(5 * kSecond);
  const std::vector<Xrun> xruns = stream.detector.XrunsFrom(0);
  ASSERT_EQ(xruns.size(), 1u);
  EXPECT_EQ(xruns[0].frame, 0);
  EXPECT_EQ(xruns[0].lost_bound_frames, Xrun::kUnknownBound);
}

TEST(XrunDetectorTest, FlagsOfOneBurstAreOneXrunWithTheSidesOfAll) {
  Stream stream({});
  stream.Feed(10 * kSecond);
  const int64_t first = stream.Lose(100, kHostInputOverflow);
  stream.Lose(50, kHostOutputUnderflow);
  const int64_t last = stream.Lose(200, kHostInputOverflow);
  stream.Feed(3 * kSecond);
  const std::vector<Xrun> xruns = stream.detector.XrunsFrom(0);
  ASSERT_EQ(xruns.size(), 1u);
  EXPECT_EQ(xruns[0].earliest_frame, first);
  EXPECT_EQ(xruns[0].latest_frame, last);
  EXPECT_EQ(xruns[0].lost_frames, 350);
  EXPECT_EQ(xruns[0].lost_bound_frames, 0);
  EXPECT_EQ(xruns[0].side, Xrun::Side::kBoth);
}

TEST(XrunDetectorTest, RepeatedPeriodIsANegativeLoss) {
  Stream stream({.median_lateness_nanos = 100e3});
  stream.Feed(20 * kSecond);
  const int64_t place = stream.Lose(-256);
  stream.Feed(4 * kSecond);
  const std::vector<Xrun> xruns = stream.detector.XrunsFrom(0);
  ASSERT_EQ(xruns.size(), 1u);
  EXPECT_EQ(xruns[0].lost_frames, -256);
  EXPECT_LE(std::abs(xruns[0].frame - place), 512);
}

TEST(XrunDetectorTest, StallsAreNoXruns) {
  Stream stream({.clock_error_ppm = -50, .median_lateness_nanos = 100e3});
  stream.Feed(5 * kSecond);
  for (const double nanos : {20e6, 80e6, 283e6, 490e6}) {
    stream.simulator.Stall(nanos);
    stream.Feed(3 * kSecond);
  }
  EXPECT_EQ(stream.detector.next_sequence(), 0);
  EXPECT_EQ(stream.map.relocks(), 0);
}

TEST(XrunDetectorTest, TwoLossesWithinASecondAreTwo) {
  Stream stream({.median_lateness_nanos = 100e3});
  stream.Feed(20 * kSecond);
  const int64_t first = stream.Lose(1000);
  stream.Feed(kSecond * 7 / 10);
  const int64_t second = stream.Lose(300);
  stream.Feed(4 * kSecond);
  const std::vector<Xrun> xruns = stream.detector.XrunsFrom(0);
  ASSERT_EQ(xruns.size(), 2u);
  EXPECT_EQ(xruns[0].frame, first);
  EXPECT_EQ(xruns[0].lost_frames, 1000);
  EXPECT_EQ(xruns[1].frame, second);
  EXPECT_EQ(xruns[1].lost_frames, 300);
}

// The larger loss is found first; what lies between the two fits neither the line before nor the
// one after.
TEST(XrunDetectorTest, LossShortlyBeforeALargerOneIsAnXrunOfItsOwn) {
  for (const int64_t first_frames : {30, 100, 300}) {
    for (const int64_t between_frames : {kSecond / 5, kSecond * 3 / 10, kSecond / 2}) {
      SCOPED_TRACE(testing::Message() << first_frames << " lost, then 1000 more after "
                                      << between_frames << " frames");
      Stream stream({.clock_error_ppm = 50});
      stream.Feed(20 * kSecond);
      const int64_t first = stream.Lose(first_frames);
      stream.Feed(between_frames);
      const int64_t second = stream.Lose(1000);
      stream.Feed(4 * kSecond);
      const std::vector<Xrun> xruns = stream.detector.XrunsFrom(0);
      ASSERT_EQ(xruns.size(), 2u);
      ExpectExact(xruns[0], first, first_frames);
      ExpectExact(xruns[1], second, 1000);
      EXPECT_EQ(stream.detector.Touched(first, first + 1), TouchedByXrun::kYes);
      EXPECT_EQ(stream.detector.Touched(second, second + 1), TouchedByXrun::kYes);
      EXPECT_EQ(stream.detector.Touched(first + 257, second - 256), TouchedByXrun::kNo);
      // The map is on the new line.
      const int64_t newest = stream.simulator.next_frame() - 256;
      EXPECT_NEAR(stream.simulator.ErrorFrames(newest, stream.map.NanosAt(newest)), 0, 0.1);
    }
  }
}

TEST(XrunDetectorTest, LossOfManySecondsIsOneXrun) {
  Stream stream({.clock_error_ppm = 50, .median_lateness_nanos = 100e3});
  stream.Feed(60 * kSecond);
  stream.Lose(12 * kSecond);
  stream.Feed(4 * kSecond);
  const std::vector<Xrun> xruns = stream.detector.XrunsFrom(0);
  ASSERT_EQ(xruns.size(), 1u);
  EXPECT_LE(std::abs(xruns[0].lost_frames - 12 * kSecond), xruns[0].lost_bound_frames);
  EXPECT_LE(xruns[0].lost_bound_frames, 10);
}

TEST(XrunDetectorTest, TouchedTellsBeforeInAndAfter) {
  Stream stream({});
  stream.Feed(10 * kSecond);
  const int64_t place = stream.Lose(512, kBothFlags);
  const XrunDetector& detector = stream.detector;
  // The flag is enough to say yes at once of what holds all that it may tell of; of the rest, and
  // without it, nothing is said before it is judged.
  EXPECT_EQ(detector.Touched(place - kFlagReach, place + 100), TouchedByXrun::kYes);
  EXPECT_EQ(detector.Touched(place - 100, place + 100), TouchedByXrun::kCannotTell);
  EXPECT_EQ(detector.Touched(place + 1, place + 256), TouchedByXrun::kCannotTell);
  stream.Feed(3 * kSecond);
  EXPECT_EQ(detector.Touched(place - kSecond, place), TouchedByXrun::kNo);
  EXPECT_EQ(detector.Touched(place - 1, place + 1), TouchedByXrun::kYes);
  EXPECT_EQ(detector.Touched(place, place + 1), TouchedByXrun::kYes);
  EXPECT_EQ(detector.Touched(place + 1, place + kSecond), TouchedByXrun::kNo);
  EXPECT_EQ(detector.Touched(place, place), TouchedByXrun::kNo);
  EXPECT_EQ(detector.Touched(place + 1, 100 * kSecond), TouchedByXrun::kCannotTell);
  EXPECT_EQ(detector.XrunsIn(place - 1, place + 1).size(), 1u);
  EXPECT_TRUE(detector.XrunsIn(place + 1, 100 * kSecond).empty());
}

TEST(XrunDetectorTest, ABlockBesideALossKnownFromTimeAloneNothingIsSaid) {
  Stream stream({});
  stream.Feed(10 * kSecond);
  const int64_t place = stream.Lose(512);
  stream.Feed(3 * kSecond);
  const XrunDetector& detector = stream.detector;
  ASSERT_EQ(detector.XrunsFrom(0).size(), 1u);
  ExpectExact(detector.XrunsFrom(0)[0], place, 512);
  EXPECT_EQ(detector.Touched(place, place + 1), TouchedByXrun::kYes);
  // It may belong to the block before it or the one after, but to no other.
  EXPECT_EQ(detector.Touched(place - kSecond, place), TouchedByXrun::kCannotTell);
  EXPECT_EQ(detector.Touched(place - kSecond, place - 255), TouchedByXrun::kCannotTell);
  EXPECT_EQ(detector.Touched(place - kSecond, place - 256), TouchedByXrun::kNo);
  EXPECT_EQ(detector.Touched(place + 1, place + kSecond), TouchedByXrun::kCannotTell);
  EXPECT_EQ(detector.Touched(place + 256, place + kSecond), TouchedByXrun::kCannotTell);
  EXPECT_EQ(detector.Touched(place + 257, place + kSecond), TouchedByXrun::kNo);
}

TEST(XrunDetectorTest, ForgottenXrunsMakeNoNo) {
  Stream stream({}, /*max_xruns=*/2);
  stream.Feed(5 * kSecond);
  int64_t places[3];
  for (int64_t& place : places) {
    place = stream.Lose(512, kBothFlags);
    stream.Feed(3 * kSecond);
  }
  const std::vector<Xrun> xruns = stream.detector.XrunsFrom(0);
  ASSERT_EQ(xruns.size(), 2u);
  EXPECT_EQ(xruns[0].sequence, 1);
  EXPECT_EQ(stream.detector.next_sequence(), 3);
  EXPECT_EQ(stream.detector.Touched(0, places[0] + 1), TouchedByXrun::kCannotTell);
  EXPECT_EQ(stream.detector.Touched(places[0] + 1, places[1]), TouchedByXrun::kNo);
}

TEST(XrunDetectorTest, BlocksThatWereNeverSeenMakeNoNo) {
  Stream stream({});
  stream.Feed(5 * kSecond);
  const int64_t begin = stream.simulator.next_frame();
  for (int i = 0; i < 10; ++i) (void)stream.simulator.Next();
  const int64_t end = stream.simulator.next_frame();
  stream.Feed(5 * kSecond);
  EXPECT_EQ(stream.detector.next_sequence(), 0);
  EXPECT_EQ(stream.detector.Touched(0, begin), TouchedByXrun::kNo);
  EXPECT_EQ(stream.detector.Touched(begin, begin + 1), TouchedByXrun::kCannotTell);
  EXPECT_EQ(stream.detector.Touched(end + 1, end + kSecond), TouchedByXrun::kNo);
}

TEST(XrunDetectorTest, NewEpochIsNoXrunButNothingIsSaidAcrossIt) {
  Stream stream({});
  stream.Feed(5 * kSecond);
  const int64_t judged = stream.detector.judged_until_frame();
  stream.simulator.JumpFrames(60 * kSecond);
  const int64_t first = stream.simulator.next_frame();
  stream.detector.StartEpoch(kRateHz, first);
  stream.Feed(5 * kSecond);
  EXPECT_EQ(stream.detector.next_sequence(), 0);
  EXPECT_EQ(stream.detector.Touched(0, judged), TouchedByXrun::kNo);
  EXPECT_EQ(stream.detector.Touched(judged - 1, first + 1), TouchedByXrun::kCannotTell);
  EXPECT_EQ(stream.detector.Touched(first, first + 3 * kSecond), TouchedByXrun::kNo);
}

TEST(XrunDetectorTest, FlagThatComesLateIsOfTheLossBeforeIt) {
  for (const int64_t late_blocks : {1, 2, 10, 37}) {
    SCOPED_TRACE(late_blocks);
    Stream stream({.clock_error_ppm = 50});
    stream.Feed(10 * kSecond);
    const int64_t place = stream.Lose(512);
    while (stream.simulator.next_frame() < place + late_blocks * 256) stream.Feed(1);
    const int64_t flag = stream.simulator.next_frame();
    stream.detector.AddBlock(stream.simulator.Next(kBothFlags));
    stream.Feed(3 * kSecond);
    const std::vector<Xrun> xruns = stream.detector.XrunsFrom(0);
    ASSERT_EQ(xruns.size(), 1u);
    EXPECT_TRUE(xruns[0].flagged);
    EXPECT_EQ(xruns[0].frame, place);
    EXPECT_EQ(xruns[0].earliest_frame, place);
    EXPECT_EQ(xruns[0].latest_frame, flag);
    EXPECT_EQ(xruns[0].lost_frames, 512);
    EXPECT_EQ(xruns[0].lost_bound_frames, 0);
    // What ended between the loss and the flag was touched.
    EXPECT_NE(stream.detector.Touched(place - 1000, place + 1), TouchedByXrun::kNo);
    EXPECT_EQ(stream.detector.Touched(place - 1000, flag + 1), TouchedByXrun::kYes);
    EXPECT_EQ(stream.detector.Touched(place - 1000, place), TouchedByXrun::kNo);
    EXPECT_EQ(stream.detector.Touched(flag + 1, flag + 1000), TouchedByXrun::kNo);
  }
}

TEST(XrunDetectorTest, LossWithoutAFlagWhileAFlaggedOneIsJudgedIsAnXrunOfItsOwn) {
  for (const int64_t between_frames : {kSecond / 4, kSecond / 2, kSecond}) {
    SCOPED_TRACE(between_frames);
    Stream stream({.median_lateness_nanos = 100e3});
    stream.Feed(20 * kSecond);
    const int64_t first = stream.Lose(1000, kBothFlags);
    stream.Feed(between_frames);
    const int64_t second = stream.Lose(300);
    stream.Feed(5 * kSecond);
    const std::vector<Xrun> xruns = stream.detector.XrunsFrom(0);
    ASSERT_EQ(xruns.size(), 2u);
    EXPECT_EQ(xruns[0].frame, first);
    EXPECT_EQ(xruns[0].lost_frames, 1000);
    EXPECT_TRUE(xruns[0].flagged);
    EXPECT_EQ(xruns[1].frame, second);
    EXPECT_EQ(xruns[1].lost_frames, 300);
    EXPECT_FALSE(xruns[1].flagged);
    EXPECT_NE(stream.detector.Touched(second - 256, second + 1), TouchedByXrun::kNo);
  }
}

TEST(XrunDetectorTest, ClockThatMovesByLessThanALossIsARelockAndDoubtful) {
  Stream stream({.clock_error_ppm = 50});
  stream.Feed(20 * kSecond);
  const int64_t place = stream.Lose(2);
  stream.Feed(4 * kSecond);
  EXPECT_EQ(stream.detector.next_sequence(), 0);
  const std::vector<ClockRelock> relocks = stream.detector.RelocksFrom(0);
  ASSERT_EQ(relocks.size(), 1u);
  EXPECT_EQ(stream.detector.next_relock_sequence(), 1);
  EXPECT_EQ(relocks[0].frame, place);
  EXPECT_NEAR(relocks[0].moved_frames, 2, relocks[0].bound_frames);
  EXPECT_EQ(stream.detector.Touched(place - kSecond, place + 1), TouchedByXrun::kCannotTell);
  EXPECT_EQ(stream.detector.Touched(place - kSecond, place - 256), TouchedByXrun::kNo);
  EXPECT_EQ(stream.detector.Touched(place + 257, place + kSecond), TouchedByXrun::kNo);
}

// 1 500 pairs at each of several disturbances, from 2 blocks to 1.5 s apart, a half of them flagged
// up to 200 ms late, from a frame to twenty blocks; all that a recording around them may be told.
TEST(XrunDetectorTest, NoRecordingThatOneOfTwoLossesTouchedSaysNo) {
  struct Truth {
    int64_t frame;
    int64_t lost_frames;
  };
  const BlockSimulator::Options kOptions[] = {
      {.clock_error_ppm = 50, .seed = 31},
      {.clock_error_ppm = -50, .gaussian_jitter_nanos = 20e3, .seed = 32},
      {.clock_error_ppm = 50, .median_lateness_nanos = 100e3, .seed = 33},
      {.block_frames = 64, .median_lateness_nanos = 100e3, .seed = 34},
  };
  for (const BlockSimulator::Options& options : kOptions) {
    SCOPED_TRACE(options.seed);
    Stream stream(options, 1 << 16);
    std::mt19937 random(options.seed);
    const auto uniform = [&](int64_t least, int64_t most) {
      return std::uniform_int_distribution<int64_t>(least, most)(random);
    };
    std::vector<Truth> truth;
    int64_t flag_frame = -1;
    const auto feed = [&](int64_t frames) {
      const int64_t end = stream.simulator.next_frame() + frames;
      while (stream.simulator.next_frame() < end) {
        const bool flag = flag_frame >= 0 && stream.simulator.next_frame() >= flag_frame;
        if (flag) flag_frame = -1;
        stream.detector.AddBlock(stream.simulator.Next(flag ? kBothFlags : 0));
      }
    };
    const auto lose = [&] {
      const int64_t frames = uniform(1, 20 * 256);
      truth.push_back({stream.simulator.next_frame(), frames});
      stream.simulator.Lose(frames);
      if (uniform(0, 1) == 0) flag_frame = stream.simulator.next_frame() + uniform(0, kSecond / 5);
    };
    feed(20 * kSecond);
    for (int i = 0; i < 375; ++i) {
      lose();
      feed(uniform(512, 3 * kSecond / 2));
      lose();
      feed(uniform(3 * kSecond, 6 * kSecond));
    }
    feed(6 * kSecond);
    for (const auto& loss : truth) {
      SCOPED_TRACE(testing::Message() << loss.lost_frames << " lost before " << loss.frame);
      for (int k = 0; k < 30; ++k) {
        const int64_t begin = loss.frame - uniform(0, k < 10 ? 600 : 2 * kSecond);
        const int64_t end = loss.frame + uniform(1, k < 20 ? 600 : 2 * kSecond);
        if (static_cast<double>(loss.lost_frames) <
            stream.detector.ShortestDetectableLossFrames(begin, end)) {
          continue;
        }
        ASSERT_NE(stream.detector.Touched(begin, end), TouchedByXrun::kNo)
            << begin - loss.frame << " to " << end - loss.frame;
      }
    }
    // Lengths hold for all that lies in a range.
    int out_of_bound = 0;
    const std::vector<Xrun> xruns = stream.detector.XrunsFrom(0);
    for (const Xrun& xrun : xruns) {
      int64_t lost_frames = 0;
      for (const Truth& loss : truth) {
        if (xrun.earliest_frame <= loss.frame && loss.frame <= xrun.latest_frame) {
          lost_frames += loss.lost_frames;
        }
      }
      if (std::abs(xrun.lost_frames - lost_frames) > xrun.lost_bound_frames) ++out_of_bound;
    }
    // Losses too short to be found beside them are the rest.
    EXPECT_LE(out_of_bound * 200, static_cast<int>(xruns.size()));
    // It is worth something: a second between two pairs says no.
    int no = 0;
    for (size_t i = 1; i + 1 < truth.size(); i += 2) {
      const int64_t begin = truth[i].frame + kSecond;
      if (stream.detector.Touched(begin, begin + kSecond) == TouchedByXrun::kNo) ++no;
    }
    EXPECT_GE(no, 374 * 95 / 100);
  }
}

// A minute of callbacks at the lateness of loaded machines, then 1 000 losses of a block to forty,
// every other one without a flag; then every frame range around them is asked for.
TEST(XrunDetectorTest, ThousandLossesUnderLatenessAreExactAndNoTouchedRangeSaysNo) {
  Stream stream({.clock_error_ppm = 50, .median_lateness_nanos = 100e3, .seed = 7});
  std::mt19937 random(5);
  std::uniform_int_distribution<int64_t> length(256, 40 * 256);
  std::uniform_int_distribution<int64_t> gap(3 * kSecond / 2, 6 * kSecond);
  struct Truth {
    int64_t frame;
    int64_t lost_frames;
    bool flagged;
  };
  std::vector<Truth> truth;
  stream.Feed(60 * kSecond);
  for (int i = 0; i < 1000; ++i) {
    const bool flagged = i % 2 == 0;
    const int64_t frames = length(random);
    truth.push_back({stream.Lose(frames, flagged ? kBothFlags : 0), frames, flagged});
    stream.Feed(gap(random));
  }
  stream.Feed(5 * kSecond);

  const std::vector<Xrun> xruns = stream.detector.XrunsFrom(0);
  ASSERT_EQ(xruns.size(), truth.size());
  int misplaced = 0;
  int inexact = 0;
  int doubted = 0;
  for (size_t i = 0; i < truth.size(); ++i) {
    SCOPED_TRACE(testing::Message() << truth[i].lost_frames << " lost before " << truth[i].frame
                                    << ", flagged " << truth[i].flagged);
    EXPECT_EQ(xruns[i].lost_frames, truth[i].lost_frames);
    if (xruns[i].lost_bound_frames != 0) ++inexact;
    EXPECT_EQ(xruns[i].flagged, truth[i].flagged);
    EXPECT_TRUE(xruns[i].from_time);
    if (truth[i].flagged) {
      EXPECT_EQ(xruns[i].frame, truth[i].frame);
    } else if (xruns[i].frame != truth[i].frame) {
      // The callback before the loss was as late as the loss is long, by chance.
      ++misplaced;
      EXPECT_LT(xruns[i].frame, truth[i].frame);
    }
    EXPECT_LE(xruns[i].earliest_frame, truth[i].frame);
    EXPECT_GE(xruns[i].latest_frame, truth[i].frame);
    for (const int64_t begin : {-1000, -257, -256, -1, 0}) {
      for (const int64_t end : {1, 2, 256, 257, 1000}) {
        EXPECT_NE(stream.detector.Touched(truth[i].frame + begin, truth[i].frame + end),
                  TouchedByXrun::kNo);
      }
    }
    const int64_t next = i + 1 < truth.size() ? truth[i + 1].frame : truth[i].frame + kSecond;
    const TouchedByXrun between =
        stream.detector.Touched(truth[i].frame + kSecond / 2, next - kSecond / 2);
    EXPECT_NE(between, TouchedByXrun::kYes);
    if (between != TouchedByXrun::kNo) ++doubted;
  }
  EXPECT_LE(misplaced, 10);
  EXPECT_LE(inexact, 10);
  EXPECT_LE(doubted, 10);
}

TEST(XrunDetectorTest, LossesUnderGaussianJitterHoldTheirBounds) {
  Stream stream({.clock_error_ppm = -50, .gaussian_jitter_nanos = 500e3, .seed = 11});
  std::mt19937 random(6);
  std::uniform_int_distribution<int64_t> length(256, 4096);
  stream.Feed(30 * kSecond);
  for (int i = 0; i < 200; ++i) {
    const int64_t frames = length(random);
    const int64_t place = stream.Lose(frames);
    stream.Feed(5 * kSecond);
    ASSERT_EQ(stream.detector.next_sequence(), i + 1);
    const Xrun xrun = stream.detector.XrunsFrom(i)[0];
    EXPECT_LE(std::abs(xrun.lost_frames - frames), xrun.lost_bound_frames);
    EXPECT_LE(xrun.lost_bound_frames, 16);
    EXPECT_LE(xrun.earliest_frame, place);
    EXPECT_GE(xrun.latest_frame, place);
  }
}

}  // namespace
}  // namespace rtmixd
