#include "server/mixer/mix_bus.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "tests/support/as_audio_thread.h"

namespace rtmixd {
namespace {

constexpr int64_t kFirstFrame = 1000;

WholeSpan Span(const std::vector<float>& samples, float gain, int16_t stride,
               uint16_t gains_line = 0) {
  return {WholeSpan::Origin(samples.data(), kFirstFrame), gain, stride, gains_line};
}

TEST(MixBusTest, ABlockBeginsSilent) {
  MixBus bus(2, 64, BestMixKernel());
  const std::vector<float> ones(64, 1.0f);
  AS_AUDIO_THREAD(bus.BeginRt(kFirstFrame, 64));
  AS_AUDIO_THREAD(bus.AddRt(0, {ones.data(), nullptr, 1.0f, 0, 64}));
  EXPECT_EQ(bus.planar()[0][63], 1.0f);
  AS_AUDIO_THREAD(bus.BeginRt(kFirstFrame, 10));
  for (int i = 0; i < 10; ++i) EXPECT_EQ(bus.planar()[0][i], 0.0f);
}

TEST(MixBusTest, ChannelsAreApart) {
  MixBus bus(3, 8, BestMixKernel());
  const std::vector<float> ones(8, 1.0f);
  AS_AUDIO_THREAD(bus.BeginRt(kFirstFrame, 8));
  AS_AUDIO_THREAD(bus.AddRt(1, {ones.data(), nullptr, 0.5f, 2, 3}));
  const std::vector<float> expected = {0, 0, 0.5f, 0.5f, 0.5f, 0, 0, 0};
  for (int i = 0; i < 8; ++i) {
    EXPECT_EQ(bus.planar()[0][i], 0.0f);
    EXPECT_EQ(bus.planar()[1][i], expected[i]);
    EXPECT_EQ(bus.planar()[2][i], 0.0f);
  }
}

// Numbers whose float sum depends on the order.
TEST(MixBusTest, SpansAreSummedInTheOrderOfAdding) {
  constexpr int kSpans = 1000;
  MixBus bus(2, 16, BestMixKernel());
  std::vector<std::vector<float>> sources;
  for (int s = 0; s < kSpans; ++s) {
    sources.emplace_back(32, std::pow(-1.37f, static_cast<float>(s % 37)));
  }
  AS_AUDIO_THREAD(bus.BeginRt(kFirstFrame, 16));
  std::vector<float> expected(16, 0.0f);
  for (int s = 0; s < kSpans; ++s) {
    const auto offset = static_cast<int16_t>(s % 5 == 0 ? s % 16 : 0);
    if (s % 5 == 0) {
      AS_AUDIO_THREAD(bus.AddRt(
          0, {sources[s].data(), nullptr, 0.7f, offset, static_cast<int16_t>(16 - offset)}));
    } else if (s % 5 == 1) {
      std::vector<WholeSpan> spans;
      for (int i = s; i < s + 4; ++i) spans.push_back(Span(sources[i], 0.7f, 16));
      const int16_t map[] = {0, 1};
      AS_AUDIO_THREAD(bus.AddWholeRt(spans.data(), 4, {1, map, 2, s % 2 == 0}, s % 3 == 0));
    }
    for (int i = offset; i < 16; ++i) {
      expected[i] = std::fma(0.7f, sources[s][i - offset], expected[i]);
    }
  }
  for (int i = 0; i < 16; ++i) EXPECT_EQ(bus.planar()[0][i], expected[i]);
}

TEST(MixBusTest, ChannelsOfAWholeSpanGoWhereTheMapSays) {
  constexpr int kFrames = 37;  // whole vectors, and a rest
  constexpr int kStride = kFrames + 2;
  MixBus bus(3, kFrames, BestMixKernel());
  std::vector<float> samples(4 * kStride);
  std::iota(samples.begin(), samples.end(), 1.0f);
  const WholeSpan span = Span(samples, 0.5f, kStride);
  // Three channels, then all that one span may do: two in a row to one, and one more to it.
  const int16_t apart[] = {2, 0, 1};
  AS_AUDIO_THREAD(bus.BeginRt(kFirstFrame, kFrames));
  AS_AUDIO_THREAD(bus.AddWholeRt(&span, 1, {1, apart, 3, false}, false));
  const int16_t together[] = {2, 2, 0, 2};
  AS_AUDIO_THREAD(bus.AddWholeRt(&span, 1, {2, together, 4, false}, false));
  for (int i = 0; i < kFrames; ++i) {
    const auto sample = [&](int channel) { return samples[channel * kStride + i]; };
    EXPECT_EQ(bus.planar()[0][i], 0.5f * (sample(1) + sample(2)));
    EXPECT_EQ(bus.planar()[1][i], 0.5f * sample(2));
    EXPECT_EQ(bus.planar()[2][i], 0.5f * (2 * sample(0) + sample(1) + sample(3)));
  }
}

TEST(MixBusTest, RoomIsTakenUntilItIsReleased) {
  MixBus bus(1, 16, BestMixKernel());
  AS_AUDIO_THREAD(bus.BeginRt(kFirstFrame, 16));
  float* const first = AS_AUDIO_THREAD(bus.TakeRoomRt(5));
  ASSERT_NE(first, nullptr);
  EXPECT_GE(AS_AUDIO_THREAD(bus.TakeRoomRt(5)), first + 5);
  int more = 0;
  while (float* const room = AS_AUDIO_THREAD(bus.TakeRoomRt(100))) {
    std::fill_n(room, 100, 0.0f);
    ++more;
  }
  EXPECT_GT(more, 3);
  AS_AUDIO_THREAD(bus.ReleaseRoomRt());
  EXPECT_EQ(AS_AUDIO_THREAD(bus.TakeRoomRt(5)), first);
}

TEST(MixBusTest, ThereIsRoomForTheLongestBlock) {
  MixBus bus(1, 16384, BestMixKernel());
  EXPECT_NE(AS_AUDIO_THREAD(bus.TakeRoomRt(16384)), nullptr);
  EXPECT_EQ(AS_AUDIO_THREAD(bus.TakeRoomRt(16384)), nullptr);
}

// Gains in the last line of the room, which has more lines than a byte can count.
TEST(MixBusTest, ASpanHasTheGainsOfItsLineOfTheRoom) {
  MixBus bus(1, 16384, BestMixKernel());
  AS_AUDIO_THREAD(bus.BeginRt(kFirstFrame, 16));
  AS_AUDIO_THREAD(bus.TakeRoomRt(16384 - 16));
  float* const gains = AS_AUDIO_THREAD(bus.TakeRoomRt(16));
  ASSERT_NE(gains, nullptr);
  std::iota(gains, gains + 16, 1.0f);
  const std::vector<float> samples(16, 0.5f);
  const WholeSpan spans[] = {Span(samples, 1.0f, 16),
                             Span(samples, 1.0f, 16, bus.GainsLine(gains))};
  const int16_t map[] = {0};
  AS_AUDIO_THREAD(bus.AddWholeRt(spans, 2, {1, map, 1, false}, true));
  for (int i = 0; i < 16; ++i) {
    EXPECT_EQ(bus.planar()[0][i], 0.5f + 0.5f * static_cast<float>(i + 1));
  }
}

TEST(MixBusTest, ClipsOneChannel) {
  MixBus bus(2, 4, BestMixKernel());
  const std::vector<float> source = {2.0f, 0.5f, -3.0f, 1.0f};
  AS_AUDIO_THREAD(bus.BeginRt(kFirstFrame, 4));
  AS_AUDIO_THREAD(bus.AddRt(0, {source.data(), nullptr, 1.0f, 0, 4}));
  AS_AUDIO_THREAD(bus.AddRt(1, {source.data(), nullptr, 1.0f, 0, 4}));
  EXPECT_EQ(AS_AUDIO_THREAD(bus.ClipRt(0)), 2);
  EXPECT_EQ(bus.planar()[0][0], 1.0f);
  EXPECT_EQ(bus.planar()[0][2], -1.0f);
  EXPECT_EQ(bus.planar()[1][0], 2.0f);
}

}  // namespace
}  // namespace rtmixd
