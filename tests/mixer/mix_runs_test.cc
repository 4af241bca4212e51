#include "server/mixer/mix_runs.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "server/mixer/mix_bus.h"
#include "server/mixer/mix_kernel.h"
#include "tests/support/as_audio_thread.h"
#include "tests/support/dice.h"

namespace rtmixd {
namespace {

constexpr int64_t kFirstFrame = 1000;
constexpr int kFrames = 24;

WholeSpan Span(const std::vector<float>& samples, float gain, int16_t stride) {
  return {WholeSpan::Origin(samples.data(), kFirstFrame), gain, stride, 0};
}

VoiceRoute Route(uint64_t bits, const std::vector<int16_t>& channel_map) {
  return {MixRuns::KeyOf(channel_map.front(), bits), channel_map.data(),
          static_cast<int>(channel_map.size()), false};
}

class MixRunsTest : public testing::Test {
 protected:
  MixRunsTest() { AS_AUDIO_THREAD(bus.BeginRt(kFirstFrame, kFrames)); }

  MixBus bus{2, kFrames, BestMixKernel()};
  MixRuns runs;
};

TEST_F(MixRunsTest, RoutesWithoutAChannelInCommonAreOpenTogether) {
  const std::vector<int16_t> first = {0};
  const std::vector<int16_t> others = {1, 2};
  MixRuns::Run* const opened = AS_AUDIO_THREAD(runs.OpenRt(Route(1, first)));
  MixRuns::Run* const other = AS_AUDIO_THREAD(runs.OpenRt(Route(2, others)));
  ASSERT_NE(opened, nullptr);
  ASSERT_NE(other, nullptr);
  EXPECT_NE(opened, other);
  EXPECT_EQ(AS_AUDIO_THREAD(runs.FindRt(Route(1, first).key)), opened);
}

TEST_F(MixRunsTest, ARouteWaitsForAnotherOneThatHasAChannelOfIt) {
  const std::vector<int16_t> first = {0, 1};
  const std::vector<int16_t> swapped = {1, 0};
  const std::vector<int16_t> same = {0, 1};
  EXPECT_NE(AS_AUDIO_THREAD(runs.OpenRt(Route(1, first))), nullptr);
  EXPECT_EQ(AS_AUDIO_THREAD(runs.OpenRt(Route(2, swapped))), nullptr);
  EXPECT_EQ(AS_AUDIO_THREAD(runs.OpenRt(Route(3, same))), nullptr);  // one that is to fetch, say
  AS_AUDIO_THREAD(runs.AddRt(false, &bus));
  EXPECT_NE(AS_AUDIO_THREAD(runs.OpenRt(Route(2, swapped))), nullptr);
}

TEST_F(MixRunsTest, AVoiceOfNoChannelAddsNothing) {
  MixRuns::Run* const run = AS_AUDIO_THREAD(runs.OpenRt({1, nullptr, 0, false}));
  *run->end++ = {0, 1.0f, 0, 0};
  AS_AUDIO_THREAD(runs.AddRt(false, &bus));
  EXPECT_EQ(bus.planar()[0][0], 0.0f);
}

// Voices of random routes, as the mixer adds them, against a sum of one after the other. There are
// more channels than routes have numbers, and maps with a channel twice.
TEST_F(MixRunsTest, OnEachChannelTheOrderIsThatOfTheVoices) {
  constexpr int kChannels = 130;
  Dice dice(3);
  int turns = 0;
  for (int round = 0; round < 300; ++round) {
    std::vector<std::vector<int16_t>> maps;
    for (int64_t n = dice.Between(1, 12); n > 0; --n) {
      const int64_t outputs = dice.OneOf<int64_t>({2, 4, kChannels});
      std::vector<int16_t> map;
      for (int64_t c = dice.Between(1, 3); c > 0; --c) {
        map.push_back(static_cast<int16_t>(dice.Between(0, outputs - 1)));
      }
      maps.push_back(map);
    }
    const auto twice = [](const std::vector<int16_t>& map) {
      for (size_t a = 0; a < map.size(); ++a) {
        for (size_t b = 0; b < a; ++b) {
          if (map[a] == map[b]) return true;
        }
      }
      return false;
    };
    MixBus many(kChannels, kFrames, BestMixKernel());
    AS_AUDIO_THREAD(many.BeginRt(kFirstFrame, kFrames));
    std::vector<std::vector<float>> expected(kChannels, std::vector<float>(kFrames, 0.0f));
    std::vector<std::vector<float>> sources;
    const auto voices = static_cast<int>(dice.Between(1, MixRuns::kMaxSpans));
    for (int v = 0; v < voices; ++v) {
      const auto m = static_cast<size_t>(dice.Between(0, static_cast<int64_t>(maps.size()) - 1));
      const std::vector<int16_t>& map = maps[m];
      sources.emplace_back();
      for (size_t i = 0; i < kFrames * map.size(); ++i) {
        sources.back().push_back(dice.Uniform(-1.0f, 1.0f) * (dice.OneIn(3) ? 1e6f : 1.0f));
      }
      for (size_t c = 0; c < map.size(); ++c) {
        for (int i = 0; i < kFrames; ++i) {
          float& to = expected[map[c]][i];
          to = std::fma(0.7f, sources.back()[c * kFrames + i], to);
        }
      }
      // The key of a map with a channel twice is no other's.
      const uint64_t bits = twice(map) ? 1000 + v : 1 + m;
      MixRuns::Run* run = AS_AUDIO_THREAD(runs.FindRt(Route(bits, map).key));
      if (run == nullptr) run = AS_AUDIO_THREAD(runs.OpenRt(Route(bits, map)));
      if (run == nullptr) {
        AS_AUDIO_THREAD(runs.AddRt(false, &many));
        run = AS_AUDIO_THREAD(runs.OpenRt(Route(bits, map)));
        ++turns;
      }
      ASSERT_NE(run, nullptr);
      *run->end++ = Span(sources.back(), 0.7f, kFrames);
    }
    AS_AUDIO_THREAD(runs.AddRt(false, &many));
    for (int c = 0; c < kChannels; ++c) {
      for (int i = 0; i < kFrames; ++i) ASSERT_EQ(many.planar()[c][i], expected[c][i]);
    }
  }
  EXPECT_GT(turns, 1000);
}

TEST_F(MixRunsTest, SpansThatFadeAreAddedWithTheirGains) {
  const std::vector<int16_t> map = {0};
  const std::vector<float> samples(kFrames, 1.0f);
  float* const gains = AS_AUDIO_THREAD(bus.TakeRoomRt(kFrames));
  std::fill_n(gains, kFrames, 0.5f);
  MixRuns::Run* const run = AS_AUDIO_THREAD(runs.OpenRt(Route(1, map)));
  *run->end++ = Span(samples, 2.0f, kFrames);
  *run->end = Span(samples, 2.0f, kFrames);
  run->end++->gains_line = bus.GainsLine(gains);
  AS_AUDIO_THREAD(runs.AddRt(true, &bus));
  EXPECT_EQ(bus.planar()[0][kFrames - 1], 2.5f);
}

}  // namespace
}  // namespace rtmixd
