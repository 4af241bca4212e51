#include "server/mixer/mix_bus.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "tests/support/as_audio_thread.h"

namespace rtmixd {
namespace {

TEST(MixBusTest, ABlockBeginsSilent) {
  MixBus bus(2, 64, BestMixKernel());
  const std::vector<float> ones(64, 1.0f);
  AS_AUDIO_THREAD(bus.BeginRt(64));
  AS_AUDIO_THREAD(bus.AddRt(0, {ones.data(), nullptr, 1.0f, 0, 64}));
  EXPECT_EQ(bus.planar()[0][63], 1.0f);
  AS_AUDIO_THREAD(bus.BeginRt(10));
  for (int i = 0; i < 10; ++i) EXPECT_EQ(bus.planar()[0][i], 0.0f);
}

TEST(MixBusTest, ChannelsAreApart) {
  MixBus bus(3, 8, BestMixKernel());
  const std::vector<float> ones(8, 1.0f);
  AS_AUDIO_THREAD(bus.BeginRt(8));
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
  AS_AUDIO_THREAD(bus.BeginRt(16));
  std::vector<float> expected(16, 0.0f);
  for (int s = 0; s < kSpans; ++s) {
    const auto offset = static_cast<int16_t>(s % 5 == 0 ? s % 16 : 0);
    if (s % 5 == 0) {
      AS_AUDIO_THREAD(bus.AddRt(
          0, {sources[s].data(), nullptr, 0.7f, offset, static_cast<int16_t>(16 - offset)}));
    } else if (s % 5 == 1) {
      std::vector<WholeSpan> spans;
      for (int i = s; i < s + 4; ++i) spans.push_back({sources[i].data(), nullptr, 0.7f, 16});
      const int16_t map[] = {0, 1};
      AS_AUDIO_THREAD(bus.AddWholeRt(spans.data(), 4, map, 2, s % 2 == 0));
    }
    for (int i = offset; i < 16; ++i) {
      expected[i] = std::fma(0.7f, sources[s][i - offset], expected[i]);
    }
  }
  for (int i = 0; i < 16; ++i) EXPECT_EQ(bus.planar()[0][i], expected[i]);
}

TEST(MixBusTest, ChannelsOfAWholeSpanGoWhereTheMapSays) {
  MixBus bus(3, 4, BestMixKernel());
  const std::vector<float> samples = {1, 2, 3, 4, 0, 0, 10, 20, 30, 40};
  const WholeSpan span = {samples.data(), nullptr, 0.5f, 6};
  const int16_t map[] = {2, 0};
  AS_AUDIO_THREAD(bus.BeginRt(4));
  AS_AUDIO_THREAD(bus.AddWholeRt(&span, 1, map, 2, false));
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(bus.planar()[2][i], 0.5f * samples[i]);
    EXPECT_EQ(bus.planar()[0][i], 0.5f * samples[6 + i]);
    EXPECT_EQ(bus.planar()[1][i], 0.0f);
  }
}

TEST(MixBusTest, RoomIsTakenUntilItIsReleased) {
  MixBus bus(1, 16, BestMixKernel());
  AS_AUDIO_THREAD(bus.BeginRt(16));
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

TEST(MixBusTest, ARampThatComesAgainIsWrittenOnce) {
  MixBus bus(1, 16, BestMixKernel());
  AS_AUDIO_THREAD(bus.BeginRt(16));
  const MixRamp ramp = {.low = 0,
                        .rise = 1,
                        .per_frame = 1.0 / 32,
                        .frame = 8,
                        .step = 1,
                        .shape = FadeShape::kLinear,
                        .scale = 1.0f};
  const auto write = [&](const MixRamp& of) {
    return AS_AUDIO_THREAD(bus.WriteRampRt(of, bus.TakeRoomRt(16)));
  };
  const float* const first = write(ramp);
  EXPECT_EQ(first[4], 12.0f / 32);
  EXPECT_EQ(write(ramp), first);
  MixRamp other = ramp;
  other.scale = 0.5f;
  const float* const second = write(other);
  EXPECT_EQ(second, first + 16);  // what the repetition had taken was given back
  EXPECT_EQ(first[4], 12.0f / 32);
  EXPECT_EQ(second[4], 6.0f / 32);
  EXPECT_EQ(write(other), second);
  // Once the room is released, others write there.
  AS_AUDIO_THREAD(bus.ReleaseRoomRt());
  std::fill_n(AS_AUDIO_THREAD(bus.TakeRoomRt(64)), 64, 0.0f);
  EXPECT_EQ(write(other)[4], 6.0f / 32);
}

TEST(MixBusTest, ClipsOneChannel) {
  MixBus bus(2, 4, BestMixKernel());
  const std::vector<float> source = {2.0f, 0.5f, -3.0f, 1.0f};
  AS_AUDIO_THREAD(bus.BeginRt(4));
  AS_AUDIO_THREAD(bus.AddRt(0, {source.data(), nullptr, 1.0f, 0, 4}));
  AS_AUDIO_THREAD(bus.AddRt(1, {source.data(), nullptr, 1.0f, 0, 4}));
  EXPECT_EQ(AS_AUDIO_THREAD(bus.ClipRt(0)), 2);
  EXPECT_EQ(bus.planar()[0][0], 1.0f);
  EXPECT_EQ(bus.planar()[0][2], -1.0f);
  EXPECT_EQ(bus.planar()[1][0], 2.0f);
}

}  // namespace
}  // namespace rtmixd
