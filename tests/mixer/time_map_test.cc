#include "server/mixer/time_map.h"

#include <cmath>
#include <cstdint>
#include <limits>
#include <string>

#include "gtest/gtest.h"
#include "server/mixer/block_log.h"
#include "tests/mixer/block_simulator.h"

namespace rtmixd {
namespace {

constexpr double kRateHz = 48000;
constexpr int64_t kSecond = 48000;  // in frames

BlockRecord Block(int64_t frame, int64_t nanos, uint32_t host_flags = 0) {
  BlockRecord record{};
  record.first_frame = frame;
  record.frames = 256;
  record.callback_nanos = nanos;
  record.host_flags = host_flags;
  return record;
}

void Feed(BlockSimulator* simulator, TimeMap* map, int64_t frames) {
  const int64_t end = simulator->next_frame() + frames;
  while (simulator->next_frame() < end) map->AddBlock(simulator->Next());
}

// Frames by which the map is off the truth for the newest block.
double ErrorNow(const BlockSimulator& simulator, const TimeMap& map) {
  const int64_t frame = map.estimate().reference_frame;
  return simulator.ErrorFrames(frame, map.NanosAt(frame));
}

TEST(TimeMapTest, NoBlockGivesNoRate) {
  const TimeMap map(kRateHz, 0);
  EXPECT_EQ(map.estimate().rate_hz, 0);
  EXPECT_FALSE(map.estimate().locked);
  EXPECT_EQ(map.NanosAt(100), 0);
  EXPECT_EQ(map.FrameAt(100), 0);
  EXPECT_EQ(map.UncertaintyFramesAt(0), std::numeric_limits<double>::infinity());
  EXPECT_EQ(map.shortest_detectable_loss_frames(), std::numeric_limits<double>::infinity());
}

TEST(TimeMapTest, OneBlockGivesTheNominalRateAndSaysHowLittleThatIs) {
  TimeMap map(kRateHz, 0);
  map.AddBlock(Block(0, 5'000'000'000));
  EXPECT_EQ(map.estimate().rate_hz, kRateHz);
  EXPECT_EQ(map.estimate().blocks, 1);
  EXPECT_FALSE(map.estimate().locked);
  EXPECT_EQ(map.NanosAt(kSecond), 6'000'000'000);
  EXPECT_EQ(map.FrameAt(6'000'000'000), kSecond);
  EXPECT_GE(map.UncertaintyFramesAt(0), 80e-3 * kRateHz);
}

TEST(TimeMapTest, ExactStampsGiveTheLineToANanosecondWhateverTheClockError) {
  for (const double ppm : {0.0, 50.0, -50.0, 300.0, -300.0}) {
    SCOPED_TRACE(ppm);
    BlockSimulator simulator({.clock_error_ppm = ppm});
    TimeMap map(kRateHz, 0);
    Feed(&simulator, &map, 20 * kSecond);
    EXPECT_TRUE(map.estimate().locked);
    EXPECT_NEAR(map.estimate().rate_hz, simulator.rate_hz(), 1e-8 * kRateHz);
    EXPECT_LT(std::abs(ErrorNow(simulator, map)), 1e-3);
    EXPECT_LT(map.estimate().uncertainty_frames, 0.1);
  }
}

TEST(TimeMapTest, AnswersInvertEachOther) {
  BlockSimulator simulator({.clock_error_ppm = 50, .median_lateness_nanos = 100e3});
  TimeMap map(kRateHz, 0);
  Feed(&simulator, &map, 10 * kSecond);
  for (const int64_t frame : {int64_t{0}, int64_t{12345}, 10 * kSecond, 1000 * kSecond}) {
    EXPECT_EQ(map.FrameAt(map.NanosAt(frame)), frame);
  }
  EXPECT_GT(map.UncertaintyFramesAt(1000 * kSecond), map.UncertaintyFramesAt(10 * kSecond));
}

struct Noise {
  std::string name;
  double gaussian_jitter_nanos;
  double median_lateness_nanos;
  uint32_t first_seed = 1;
};

class TimeMapNoiseTest : public testing::TestWithParam<Noise> {};

// 40 streams of a minute at each of five clock errors: 200 cases, each asked at four moments.
TEST_P(TimeMapNoiseTest, RateAndUncertaintyHoldInNinetyNineOfAHundredCases) {
  int asked = 0;
  int outside = 0;
  for (const double ppm : {0.0, 50.0, -50.0, 300.0, -300.0}) {
    for (uint32_t i = 0; i < 40; ++i) {
      const uint32_t seed = GetParam().first_seed + i;
      SCOPED_TRACE(testing::Message() << ppm << " ppm, seed " << seed);
      BlockSimulator simulator({.clock_error_ppm = ppm,
                                .gaussian_jitter_nanos = GetParam().gaussian_jitter_nanos,
                                .median_lateness_nanos = GetParam().median_lateness_nanos,
                                .seed = seed * 1000 + static_cast<uint32_t>(ppm + 500)});
      TimeMap map(kRateHz, 0);
      int64_t before = 0;
      for (const int64_t seconds : {2, 5, 20, 60}) {
        Feed(&simulator, &map, (seconds - before) * kSecond);
        before = seconds;
        const double uncertainty = map.estimate().uncertainty_frames;
        EXPECT_LT(uncertainty, seconds < 20 ? 100 : 3) << seconds << " s";
        ++asked;
        if (std::abs(ErrorNow(simulator, map)) > uncertainty) ++outside;
      }
      const double ppm_off = (map.estimate().rate_hz / simulator.rate_hz() - 1) * 1e6;
      EXPECT_LT(std::abs(ppm_off), 1.0);
      ++asked;
      if (std::abs(ppm_off) > map.estimate().rate_uncertainty_ppm) ++outside;
      TimeMap::Step step;
      EXPECT_FALSE(map.TakeStep(&step)) << step.lost_frames << " frames at " << step.frame;
    }
  }
  EXPECT_LE(outside * 100, asked) << outside << " of " << asked;
}

INSTANTIATE_TEST_SUITE_P(All, TimeMapNoiseTest,
                         testing::Values(Noise{"Gaussian500us", 500e3, 0},
                                         // Where chance widens what is stated the most.
                                         Noise{"Gaussian500usOtherSeeds", 500e3, 0, 1001},
                                         Noise{"Gaussian20us", 20e3, 0},
                                         Noise{"OneSidedLateness", 0, 100e3}),
                         [](const auto& info) { return info.param.name; });

TEST(TimeMapTest, HostTimesChangeNoBit) {
  BlockSimulator simulator({.median_lateness_nanos = 100e3});
  TimeMap plain(kRateHz, 0);
  TimeMap misled(kRateHz, 0);
  // Backward, equal, zero, jumping by 2^32 frames, of another epoch, not a number.
  const double kLies[] = {-1.0, 3.0, 3.0, 0.0, 4294967296.0 / kRateHz, 1.7e9, std::nan("")};
  for (int i = 0; i < 5000; ++i) {
    BlockRecord record = simulator.Next();
    plain.AddBlock(record);
    record.host_input_seconds = kLies[i % 7];
    record.host_now_seconds = kLies[(i + 2) % 7];
    record.host_output_seconds = kLies[(i + 5) % 7];
    misled.AddBlock(record);
  }
  EXPECT_EQ(plain.estimate().rate_hz, misled.estimate().rate_hz);
  EXPECT_EQ(plain.estimate().reference_nanos, misled.estimate().reference_nanos);
  EXPECT_EQ(plain.estimate().uncertainty_frames, misled.estimate().uncertainty_frames);
}

TEST(TimeMapTest, FaultyCallbackStampsMoveNothing) {
  BlockSimulator simulator({.clock_error_ppm = 50, .median_lateness_nanos = 100e3});
  TimeMap map(kRateHz, 0);
  int64_t last = 0;
  for (int64_t i = 0; i < 30 * 187; ++i) {
    BlockRecord record = simulator.Next();
    const int64_t good = record.callback_nanos;
    switch (i % 401) {
      case 100:
        record.callback_nanos = 0;
        break;
      case 150:
        record.callback_nanos = last;
        break;
      case 200:
        record.callback_nanos = good - 30'000'000;
        break;
      case 250:
        record.callback_nanos = good + 89'478'485'000'000;
        break;  // 2^32 frames
      case 300:
        record.callback_nanos = std::numeric_limits<int64_t>::min();
        break;
      case 301:
        record.callback_nanos = std::numeric_limits<int64_t>::max();
        break;
      case 350:
        record.callback_nanos = good - 5'000'000'000;
        break;
      default:
        break;
    }
    last = good;
    map.AddBlock(record);
  }
  EXPECT_LT(std::abs(ErrorNow(simulator, map)), map.estimate().uncertainty_frames);
  EXPECT_LT(map.estimate().uncertainty_frames, 3);
  EXPECT_NEAR(map.estimate().rate_hz / simulator.rate_hz(), 1, 1e-6);
  TimeMap::Step step;
  EXPECT_FALSE(map.TakeStep(&step)) << step.lost_frames << " frames at " << step.frame;
}

// What the stamps of hosts do, by name; docs/timing.md has where it was seen.
struct Lie {
  std::string name;
  int64_t (*stamp)(int64_t good_nanos, int64_t last_nanos);
};

class TimeMapLieTest : public testing::TestWithParam<Lie> {};

// The host's times lie in every block. The stamps of callbacks, which are our own, do so for five
// blocks in a row, every two seconds.
TEST_P(TimeMapLieTest, MovesNothing) {
  BlockSimulator simulator({.clock_error_ppm = 50, .median_lateness_nanos = 100e3});
  BlockSimulator honest({.clock_error_ppm = 50, .median_lateness_nanos = 100e3});
  TimeMap map(kRateHz, 0);
  TimeMap reference(kRateHz, 0);
  int64_t last = 1'000'000'000'000;
  for (int i = 0; i < 60 * 187; ++i) {
    BlockRecord record = simulator.Next();
    const int64_t lie = GetParam().stamp(record.callback_nanos, last);
    record.host_input_seconds = static_cast<double>(lie) * 1e-9;
    record.host_now_seconds = record.host_input_seconds;
    record.host_output_seconds = record.host_input_seconds;
    if (i % 374 >= 100 && i % 374 < 105) record.callback_nanos = lie;
    last = record.callback_nanos;
    map.AddBlock(record);
    reference.AddBlock(honest.Next());
  }
  EXPECT_LT(std::abs(ErrorNow(simulator, map)), map.estimate().uncertainty_frames);
  EXPECT_LT(map.estimate().uncertainty_frames, 3);
  EXPECT_NEAR(map.estimate().rate_hz / simulator.rate_hz(), 1, 1e-6);
  EXPECT_NEAR(static_cast<double>(map.NanosAt(0) - reference.NanosAt(0)), 0, 10e3);
  EXPECT_EQ(map.relocks(), 0);
  TimeMap::Step step;
  EXPECT_FALSE(map.TakeStep(&step)) << step.lost_frames << " frames at " << step.frame;
}

INSTANTIATE_TEST_SUITE_P(
    All, TimeMapLieTest,
    testing::Values(
        Lie{"Backward", [](int64_t good, int64_t /*last*/) { return good - 30'000'000; }},
        Lie{"Equal", [](int64_t /*good*/, int64_t last) { return last; }},
        Lie{"JumpBy2To32Frames",
            [](int64_t good, int64_t /*last*/) { return good + 89'478'485'333'333; }},
        Lie{"Zero", [](int64_t /*good*/, int64_t /*last*/) { return int64_t{0}; }},
        Lie{"WallClockEpoch",
            [](int64_t good, int64_t /*last*/) { return good + 1'700'000'000'000'000'000; }}),
    [](const auto& info) { return info.param.name; });

TEST(TimeMapTest, UncertaintyIsSmallTwoSecondsAfterAnyXrun) {
  for (const double jitter_nanos : {0.0, 20e3, 500e3}) {
    for (uint32_t seed = 1; seed <= 40; ++seed) {
      SCOPED_TRACE(testing::Message() << jitter_nanos << " ns, seed " << seed);
      BlockSimulator simulator({.clock_error_ppm = 50,
                                .gaussian_jitter_nanos = jitter_nanos,
                                .median_lateness_nanos = jitter_nanos > 0 ? 0 : 100e3,
                                .seed = seed});
      TimeMap map(kRateHz, 0);
      Feed(&simulator, &map, 25 * kSecond + seed * 1000);
      simulator.Lose(100 + seed * 50);
      map.AddBlock(simulator.Next(seed % 2 == 0 ? uint32_t{kHostInputOverflow} : 0u));
      Feed(&simulator, &map, 2 * kSecond);
      EXPECT_LT(std::abs(ErrorNow(simulator, map)), map.estimate().uncertainty_frames);
      EXPECT_LT(map.estimate().uncertainty_frames, 100);
      Feed(&simulator, &map, 18 * kSecond);
      EXPECT_LT(map.estimate().uncertainty_frames, 3);
    }
  }
}

TEST(TimeMapTest, BlocksThatGoBackOrHoldNothingAreIgnored) {
  TimeMap map(kRateHz, 1000);
  map.AddBlock(Block(0, 1'000'000'000));
  EXPECT_EQ(map.estimate().blocks, 0);
  map.AddBlock(Block(1000, 1'000'000'000));
  map.AddBlock(Block(1000, 9'000'000'000));
  BlockRecord empty = Block(2000, 9'000'000'000);
  empty.frames = 0;
  map.AddBlock(empty);
  EXPECT_EQ(map.estimate().blocks, 1);
  EXPECT_EQ(map.NanosAt(1000), 1'000'000'000);
}

TEST(TimeMapTest, UncertaintyIsTrueAndSmallWithinTwoSecondsOfAnXrun) {
  for (const uint32_t host_flags : {0u, static_cast<uint32_t>(kHostInputOverflow)}) {
    SCOPED_TRACE(host_flags);
    BlockSimulator simulator({.clock_error_ppm = -50, .median_lateness_nanos = 100e3, .seed = 3});
    TimeMap map(kRateHz, 0);
    Feed(&simulator, &map, 30 * kSecond);
    simulator.Lose(1234);
    map.AddBlock(simulator.Next(host_flags));
    Feed(&simulator, &map, 2 * kSecond);
    EXPECT_LT(std::abs(ErrorNow(simulator, map)), map.estimate().uncertainty_frames);
    EXPECT_LT(map.estimate().uncertainty_frames, 100);
    EXPECT_LT(map.estimate().rate_uncertainty_ppm, 1);  // the rate is kept
    Feed(&simulator, &map, 18 * kSecond);
    EXPECT_LT(map.estimate().uncertainty_frames, 3);
  }
}

TEST(TimeMapTest, FramesBeforeAStepKeepTheirTimesAndAMomentInItBelongsToTheFrameAfter) {
  BlockSimulator simulator({});
  TimeMap map(kRateHz, 0);
  Feed(&simulator, &map, 10 * kSecond);
  const int64_t place = simulator.next_frame();
  const int64_t before_nanos = map.NanosAt(place - 1);
  simulator.Lose(4800);
  Feed(&simulator, &map, 10 * kSecond);
  EXPECT_NEAR(static_cast<double>(map.NanosAt(place - 1)), static_cast<double>(before_nanos), 2);
  EXPECT_NEAR(static_cast<double>(map.NanosAt(place) - before_nanos), 4801 * 1e9 / kRateHz, 4);
  EXPECT_EQ(map.FrameAt(before_nanos + 50'000'000), place);
  EXPECT_EQ(map.FrameAt(map.NanosAt(place - 1000)), place - 1000);
  EXPECT_EQ(map.FrameAt(map.NanosAt(place + 1000)), place + 1000);
}

TEST(TimeMapTest, NewEpochForgetsTheLineButForEarlierFrames) {
  BlockSimulator first({.clock_error_ppm = 100});
  TimeMap map(kRateHz, 0);
  Feed(&first, &map, 10 * kSecond);
  const int64_t nanos = map.NanosAt(5 * kSecond);
  map.StartEpoch(44100, 100 * kSecond);
  EXPECT_FALSE(map.estimate().locked);
  EXPECT_EQ(map.estimate().blocks, 0);
  BlockSimulator second({.nominal_rate_hz = 44100,
                         .clock_error_ppm = -200,
                         .start_nanos = 2'000'000'000'000,
                         .first_frame = 100 * kSecond});
  Feed(&second, &map, 10 * kSecond);
  EXPECT_NEAR(map.estimate().rate_hz, second.rate_hz(), 1e-3);
  EXPECT_LT(std::abs(ErrorNow(second, map)), 0.1);
  EXPECT_EQ(map.NanosAt(5 * kSecond), nanos);
  TimeMap::Step step;
  EXPECT_FALSE(map.TakeStep(&step));
}

TEST(TimeMapTest, RateThatChangesIsFollowed) {
  BlockSimulator first({.clock_error_ppm = 20, .median_lateness_nanos = 100e3});
  TimeMap map(kRateHz, 0);
  Feed(&first, &map, 60 * kSecond);
  BlockSimulator second(
      {.clock_error_ppm = -80,
       .median_lateness_nanos = 100e3,
       .start_nanos = 1'000'000'000'000 + std::llround(first.DueNanos(first.next_frame())),
       .first_frame = first.next_frame(),
       .seed = 2});
  Feed(&second, &map, 60 * kSecond);
  EXPECT_LT(std::abs(ErrorNow(second, map)), map.estimate().uncertainty_frames);
  EXPECT_NEAR(map.estimate().rate_hz / second.rate_hz(), 1, 1e-6);
  EXPECT_GE(map.relocks(), 1);
  TimeMap::Step step;
  EXPECT_FALSE(map.TakeStep(&step)) << step.lost_frames << " frames at " << step.frame;
}

TEST(TimeMapTest, MissingBlocksDoNotMoveTheLine) {
  BlockSimulator simulator({.median_lateness_nanos = 100e3});
  TimeMap map(kRateHz, 0);
  Feed(&simulator, &map, 10 * kSecond);
  for (int i = 0; i < 500; ++i) (void)simulator.Next();
  Feed(&simulator, &map, 10 * kSecond);
  EXPECT_LT(std::abs(ErrorNow(simulator, map)), map.estimate().uncertainty_frames);
  TimeMap::Step step;
  EXPECT_FALSE(map.TakeStep(&step));
}

TEST(TimeMapTest, BlocksOfAnyLengthGiveTheLine) {
  for (const int frames : {16, 64, 441, 1024, 8192}) {
    SCOPED_TRACE(frames);
    BlockSimulator simulator({.clock_error_ppm = 50, .block_frames = frames});
    TimeMap map(kRateHz, 0);
    Feed(&simulator, &map, 30 * kSecond);
    EXPECT_TRUE(map.estimate().locked);
    EXPECT_LT(std::abs(ErrorNow(simulator, map)), 0.01);
    EXPECT_NEAR(map.estimate().rate_hz / simulator.rate_hz(), 1, 1e-8);
  }
}

}  // namespace
}  // namespace rtmixd
