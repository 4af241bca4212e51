#include "server/device/loopback_cable.h"

#include <bit>
#include <cstdint>
#include <random>
#include <vector>

#include "gtest/gtest.h"

namespace rtmixd {
namespace {

using Audio = std::vector<std::vector<float>>;

std::vector<float*> Pointers(Audio& audio, int64_t offset = 0) {
  std::vector<float*> pointers;
  for (std::vector<float>& channel : audio) pointers.push_back(channel.data() + offset);
  return pointers;
}

Audio Noise(int channels, int64_t frames) {
  std::mt19937 random(7);
  std::uniform_real_distribution<float> uniform(-1, 1);
  Audio audio(channels, std::vector<float>(frames));
  for (std::vector<float>& channel : audio) {
    for (float& sample : channel) sample = uniform(random);
  }
  return audio;
}

// Plays all of `played` in blocks and records as much, `latency` ticks behind.
Audio Loop(LoopbackCable& cable, Audio played, int input_channels, int64_t latency, int block) {
  const auto frames = static_cast<int64_t>(played[0].size());
  Audio heard(input_channels, std::vector<float>(frames, -9.0F));
  for (int64_t f = 0; f < frames; f += block) {
    cable.Play(Pointers(played, f).data(), block);
    cable.Record(f - latency, block, Pointers(heard, f).data());
  }
  return heard;
}

TEST(LoopbackCableTest, IdentityCarriesEveryBitAtItsTick) {
  Audio played = Noise(2, 64);
  played[0][3] = -0.0F;
  LoopbackCable cable(2, 2, IdentityRoutes(2));
  Audio heard = Loop(cable, played, 2, /*latency=*/0, /*block=*/16);
  for (int c = 0; c < 2; ++c) {
    for (int k = 0; k < 64; ++k) {
      EXPECT_EQ(std::bit_cast<uint32_t>(heard[c][k]), std::bit_cast<uint32_t>(played[c][k]))
          << c << " " << k;
    }
  }
}

TEST(LoopbackCableTest, EveryRouteHasItsOwnDelayAndGain) {
  const Audio played = Noise(2, 4096);
  LoopbackCable cable(3, 2, {{0, 1, 5, 0.5F}, {1, 1, 300, -2.0F}, {1, 2, 1000, 1.0F}});
  const Audio heard = Loop(cable, played, 3, /*latency=*/100, /*block=*/64);
  for (int64_t k = 0; k < 4096; ++k) {
    const auto at = [&](int channel, int64_t tick) {
      return tick < 0 ? 0.0F : played[channel][tick];
    };
    ASSERT_EQ(heard[0][k], 0.0F) << k;
    ASSERT_EQ(heard[1][k], 0.5F * at(0, k - 105) + -2.0F * at(1, k - 400)) << k;
    ASSERT_EQ(heard[2][k], at(1, k - 1100)) << k;
  }
}

TEST(LoopbackCableTest, SilenceBeforeWhatIsPlayedAndAfter) {
  Audio played = Noise(1, 8);
  LoopbackCable cable(1, 1, IdentityRoutes(1));
  cable.Play(nullptr, 3);
  cable.Play(Pointers(played).data(), 8);
  EXPECT_EQ(cable.played_ticks(), 11);
  Audio heard(1, std::vector<float>(20, -9.0F));
  cable.Record(-4, 20, Pointers(heard).data());
  for (int k = 0; k < 20; ++k) {
    EXPECT_EQ(heard[0][k], k >= 7 && k < 15 ? played[0][k - 7] : 0.0F) << k;
  }
}

TEST(LoopbackCableTest, GrowingDistanceLosesNothing) {
  Audio played = Noise(1, 10000);
  LoopbackCable cable(1, 1, IdentityRoutes(1));
  Audio heard(1, std::vector<float>(10000, -9.0F));
  // Three frames are played for each one recorded.
  for (int64_t f = 0; f < 3000; f += 30) {
    cable.Play(Pointers(played, f).data(), 30);
    cable.Record(f / 3, 10, Pointers(heard, f / 3).data());
  }
  cable.Record(1000, 2000, Pointers(heard, 1000).data());
  for (int k = 0; k < 3000; ++k) ASSERT_EQ(heard[0][k], played[0][k]) << k;
}

TEST(LoopbackCableTest, RoutesToChannelsThatAreNotThereAreLeftOut) {
  const Audio played = Noise(1, 16);
  LoopbackCable cable(1, 1, IdentityRoutes(8));
  EXPECT_EQ(Loop(cable, played, 1, 0, 4), played);
}

}  // namespace
}  // namespace rtmixd
