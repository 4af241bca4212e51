#include "server/mixer/fade.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "server/mixer/mix_kernel.h"

namespace rtmixd {
namespace {

// How many floats lie between two finite ones.
int64_t UlpsBetween(float a, float b) {
  const auto ordered = [](float x) {
    int32_t bits = 0;
    std::memcpy(&bits, &x, sizeof(bits));
    return bits < 0 ? int64_t{std::numeric_limits<int32_t>::min()} - bits : int64_t{bits};
  };
  return std::abs(ordered(a) - ordered(b));
}

std::vector<float> Write(GainRamp* ramp, int frames,
                         const MixKernel& kernel = PortableMixKernel()) {
  std::vector<float> gains(frames);
  ramp->WriteRt(kernel, gains.data(), frames);
  return gains;
}

TEST(FadeGainTest, LinearGoesStraight) {
  EXPECT_EQ(FadeGain(0, 1, 4, FadeShape::kLinear, 0), 0.0f);
  EXPECT_EQ(FadeGain(0, 1, 4, FadeShape::kLinear, 1), 0.25f);
  EXPECT_EQ(FadeGain(0, 1, 4, FadeShape::kLinear, 4), 1.0f);
  EXPECT_EQ(FadeGain(1, -1, 4, FadeShape::kLinear, 1), 0.5f);
}

TEST(FadeGainTest, EqualPowerKeepsTheSumOfSquares) {
  for (int frame = 0; frame <= 1000; ++frame) {
    const double in = FadeGain(0, 1, 1000, FadeShape::kEqualPower, frame);
    const double out = FadeGain(1, 0, 1000, FadeShape::kEqualPower, frame);
    ASSERT_NEAR(in * in + out * out, 1.0, 2e-7) << frame;
  }
}

TEST(GainRampTest, StandsUntilItIsStarted) {
  GainRamp ramp(0.5f);
  EXPECT_FALSE(ramp.moving());
  EXPECT_EQ(Write(&ramp, 2), (std::vector<float>{0.5f, 0.5f}));
}

TEST(GainRampTest, WithoutFramesItIsThereAtOnce) {
  GainRamp ramp(0.5f);
  ramp.StartRt(2.0f, {});
  EXPECT_FALSE(ramp.moving());
  EXPECT_EQ(ramp.gain(), 2.0f);
}

TEST(GainRampTest, EndsExactlyWhereItShould) {
  GainRamp ramp(0.0f);
  ramp.StartRt(0.1f, {.frames = 3, .shape = FadeShape::kEqualPower});
  const std::vector<float> gains = Write(&ramp, 5);
  EXPECT_EQ(gains[0], 0.0f);
  EXPECT_EQ(gains[3], 0.1f);
  EXPECT_EQ(gains[4], 0.1f);
  EXPECT_FALSE(ramp.moving());
}

TEST(GainRampTest, GoesOnFromWhereItIs) {
  GainRamp ramp(0.0f);
  ramp.StartRt(1.0f, {.frames = 4});
  Write(&ramp, 2);
  ramp.StartRt(0.0f, {.frames = 2});
  EXPECT_EQ(Write(&ramp, 3), (std::vector<float>{0.5f, 0.25f, 0.0f}));
}

TEST(GainRampTest, PassesFramesUnheard) {
  GainRamp ramp(0.0f);
  ramp.StartRt(1.0f, {.frames = 8});
  ramp.AdvanceRt(3);
  EXPECT_EQ(ramp.gain(), 0.375f);
  ramp.AdvanceRt(int64_t{1} << 60);
  EXPECT_EQ(ramp.gain(), 1.0f);
}

// Every fade there may be, in pieces as blocks make them: within one unit in the last place of the
// formula, and the same bits from every kernel and for every cut into pieces.
TEST(GainRampTest, KeepsToItsFormulaInEveryKernelAndPiece) {
  std::mt19937_64 random(11);
  const auto between = [&](int64_t low, int64_t high) {
    return std::uniform_int_distribution<int64_t>(low, high)(random);
  };
  const auto gain = [&] {
    const float choices[] = {
        0.0f, 1.0f, -1.0f, 0.5f, 1e-3f, 4.0f, std::uniform_real_distribution<float>(-2, 2)(random)};
    return choices[between(0, 6)];
  };
  int64_t worst = 0;
  for (int round = 0; round < 4000; ++round) {
    const float from = gain();
    const float to = gain();
    const Fade fade = {.frames = round % 4 == 0 ? between(1, 20) : between(1, 5'000'000),
                       .shape = round % 2 == 0 ? FadeShape::kEqualPower : FadeShape::kLinear};
    int64_t first = between(0, std::max<int64_t>(fade.frames - 200, 0));
    GainRamp portable(from);
    portable.StartRt(to, fade);
    portable.AdvanceRt(first);
    GainRamp best = portable;
    for (int piece = 0; piece < 6; ++piece) {
      const int frames = static_cast<int>(between(1, 70));
      const std::vector<float> gains = Write(&portable, frames);
      const std::vector<float> same = Write(&best, frames, BestMixKernel());
      ASSERT_EQ(std::memcmp(gains.data(), same.data(), gains.size() * sizeof(float)), 0);
      for (int i = 0; i < frames; ++i) {
        const float formula = FadeGain(from, to, fade.frames, fade.shape, first + i);
        const int64_t ulps = UlpsBetween(gains[i], formula);
        // Where a fade crosses 0 the formula itself is exact to so much only.
        if (std::abs(gains[i] - formula) < 1e-15) continue;
        worst = std::max(worst, ulps);
        ASSERT_LE(ulps, 1) << from << " to " << to << " in " << fade.frames << " at " << first + i;
      }
      first += frames;
    }
  }
  EXPECT_LE(worst, 1);
}

}  // namespace
}  // namespace rtmixd
