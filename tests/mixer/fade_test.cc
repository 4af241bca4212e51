#include "server/mixer/fade.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numbers>
#include <random>
#include <utility>
#include <vector>

#include "server/mixer/mix_kernel.h"
#include "tests/support/as_audio_thread.h"

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
  AS_AUDIO_THREAD(ramp->WriteRt(kernel, 1.0f, gains.data(), frames));
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
  AS_AUDIO_THREAD(ramp.StartRt(2.0f, {}));
  EXPECT_FALSE(ramp.moving());
  EXPECT_EQ(ramp.gain(), 2.0f);
}

TEST(GainRampTest, EndsExactlyWhereItShould) {
  GainRamp ramp(0.0f);
  AS_AUDIO_THREAD(ramp.StartRt(0.1f, {.frames = 3, .shape = FadeShape::kEqualPower}));
  const std::vector<float> gains = Write(&ramp, 5);
  EXPECT_EQ(gains[0], 0.0f);
  EXPECT_EQ(gains[3], 0.1f);
  EXPECT_EQ(gains[4], 0.1f);
  EXPECT_FALSE(ramp.moving());
}

TEST(GainRampTest, EveryGainIsScaled) {
  for (const MixKernel* const kernel : {&PortableMixKernel(), &BestMixKernel()}) {
    GainRamp ramp(0.25f);
    AS_AUDIO_THREAD(ramp.StartRt(1.0f, {.frames = 6}));
    GainRamp plain = ramp;
    const std::vector<float> gains = Write(&plain, 9);
    std::vector<float> scaled(9);
    AS_AUDIO_THREAD(ramp.WriteRt(*kernel, 0.3f, scaled.data(), 9));
    for (int i = 0; i < 9; ++i) EXPECT_EQ(scaled[i], gains[i] * 0.3f) << i;
  }
}

TEST(GainRampTest, GoesOnFromWhereItIs) {
  GainRamp ramp(0.0f);
  AS_AUDIO_THREAD(ramp.StartRt(1.0f, {.frames = 4}));
  Write(&ramp, 2);
  AS_AUDIO_THREAD(ramp.StartRt(0.0f, {.frames = 2}));
  EXPECT_EQ(Write(&ramp, 3), (std::vector<float>{0.5f, 0.25f, 0.0f}));
}

TEST(GainRampTest, PassesFramesUnheard) {
  GainRamp ramp(0.0f);
  AS_AUDIO_THREAD(ramp.StartRt(1.0f, {.frames = 8}));
  AS_AUDIO_THREAD(ramp.AdvanceRt(3));
  EXPECT_EQ(ramp.gain(), 0.375f);
  AS_AUDIO_THREAD(ramp.AdvanceRt(int64_t{1} << 60));
  EXPECT_EQ(ramp.gain(), 1.0f);
}

// The formula of docs/timing.md, in more than double precision.
long double Formula(float from, float to, const Fade& fade, int64_t frame) {
  if (frame >= fade.frames) return to;
  const bool rises = to >= from;
  const long double low = rises ? from : to;
  const long double high = rises ? to : from;
  const int64_t way = rises ? frame : fade.frames - frame;
  const long double x = static_cast<long double>(way) / static_cast<long double>(fade.frames);
  const long double s =
      fade.shape == FadeShape::kEqualPower ? std::sin(std::numbers::pi_v<long double> / 2 * x) : x;
  return low + (high - low) * s;
}

// One unit in the last place; where a fade crosses 0, whose floats are as near as one likes, what
// double precision has of the way.
void ExpectFormula(float gain, float from, float to, const Fade& fade, int64_t frame) {
  const long double formula = Formula(from, to, fade, frame);
  const long double way = std::abs(static_cast<long double>(to) - from);
  if (std::abs(gain - formula) <= std::ldexp(way, -50)) return;
  ASSERT_LE(UlpsBetween(gain, static_cast<float>(formula)), 1)
      << from << " to " << to << " in " << fade.frames << ", frame " << frame << ": " << gain;
}

struct RandomFades {
  std::mt19937_64 random{11};

  int64_t Between(int64_t low, int64_t high) {
    return std::uniform_int_distribution<int64_t>(low, high)(random);
  }
  float Gain() {
    const float choices[] = {
        0.0f,  1.0f, -1.0f, 0.5f,
        1e-3f, 4.0f, 3e38f, std::uniform_real_distribution<float>(-2, 2)(random)};
    return choices[Between(0, 7)];
  }
  Fade Next() {
    return {.frames = Between(0, 3) == 0 ? Between(1, 20) : int64_t{1} << Between(1, 50),
            .shape = Between(0, 1) == 0 ? FadeShape::kEqualPower : FadeShape::kLinear};
  }
};

TEST(GainRampTest, EveryFrameOfShortFadesIsItsFormula) {
  for (const FadeShape shape : {FadeShape::kLinear, FadeShape::kEqualPower}) {
    for (const auto& [from, to] : {std::pair(0.0f, 1.0f), std::pair(1.0f, 0.0f),
                                   std::pair(-1.0f, 1.0f), std::pair(0.3f, 0.1f)}) {
      for (int frames = 1; frames <= 200 && !HasFatalFailure(); ++frames) {
        const Fade fade = {.frames = frames, .shape = shape};
        GainRamp ramp(from);
        AS_AUDIO_THREAD(ramp.StartRt(to, fade));
        const std::vector<float> gains = Write(&ramp, frames + 2);
        ASSERT_EQ(gains[0], from);
        for (int i = 0; i < frames; ++i) {
          ExpectFormula(gains[i], from, to, fade, i);
          ExpectFormula(FadeGain(from, to, frames, shape, i), from, to, fade, i);
          ASSERT_GE(gains[i], std::min(from, to));
          ASSERT_LE(gains[i], std::max(from, to));
        }
        ASSERT_EQ(gains[frames], to);
        ASSERT_EQ(gains[frames + 1], to);
      }
    }
  }
}

// Every fade there may be, in pieces as blocks make them: the formula to one unit in the last
// place, its ends exactly, and the same bits from every kernel and for every cut into pieces.
TEST(GainRampTest, KeepsToItsFormulaInEveryKernelAndPiece) {
  RandomFades fades;
  int ends_seen = 0;
  for (int round = 0; round < 4000 && !HasFatalFailure(); ++round) {
    const float from = fades.Gain();
    const float to = fades.Gain();
    const Fade fade = fades.Next();
    // Some begin at the begin, some are looked at around their end.
    const int64_t last = std::max<int64_t>(fade.frames - 200, 0);
    int64_t first = round % 3 == 0 ? 0 : round % 3 == 1 ? last : fades.Between(0, last);
    GainRamp portable(from);
    AS_AUDIO_THREAD(portable.StartRt(to, fade));
    AS_AUDIO_THREAD(portable.AdvanceRt(first));
    GainRamp best = portable;
    for (int piece = 0; piece < 6; ++piece) {
      const int frames = static_cast<int>(fades.Between(1, 70));
      ASSERT_EQ(portable.gain(), best.gain());
      const std::vector<float> gains = Write(&portable, frames);
      const std::vector<float> same = Write(&best, frames, BestMixKernel());
      ASSERT_EQ(std::memcmp(gains.data(), same.data(), gains.size() * sizeof(float)), 0);
      for (int i = 0; i < frames; ++i) {
        ExpectFormula(gains[i], from, to, fade, first + i);
        if (first + i == 0) {
          ASSERT_EQ(gains[i], from);
        }
        if (first + i < fade.frames) continue;
        ASSERT_EQ(gains[i], to);
        ++ends_seen;
      }
      first += frames;
    }
  }
  EXPECT_GT(ends_seen, 1000);
}

// A fade that begins where another one is: from the very gain that would have come next.
TEST(GainRampTest, AFadeThatCutsAnotherOneIsTheFormulaFromThere) {
  RandomFades fades;
  for (int round = 0; round < 1000 && !HasFatalFailure(); ++round) {
    GainRamp ramp(fades.Gain());
    for (int restart = 0; restart < 8; ++restart) {
      GainRamp other = ramp;
      const float from = ramp.gain();
      ASSERT_EQ(Write(&other, 1)[0], from);
      const float to = fades.Gain();
      Fade fade = fades.Next();
      if (fades.Between(0, 9) == 0) fade.frames = 0;
      AS_AUDIO_THREAD(ramp.StartRt(to, fade));
      ASSERT_EQ(ramp.moving(), fade.frames > 0);
      ASSERT_EQ(ramp.gain(), fade.frames > 0 ? from : to);
      // On its way as long as a block, or to somewhere unheard, or not at all.
      int64_t position = 0;
      if (fades.Between(0, 2) == 0) {
        position = fades.Between(0, fade.frames + 3);
        AS_AUDIO_THREAD(ramp.AdvanceRt(position));
      }
      const std::vector<float> gains = Write(&ramp, static_cast<int>(fades.Between(0, 64)));
      for (size_t i = 0; i < gains.size(); ++i) {
        const auto frame = position + static_cast<int64_t>(i);
        ExpectFormula(gains[i], from, to, fade, frame);
      }
      const int64_t next = position + static_cast<int64_t>(gains.size());
      ExpectFormula(ramp.gain(), from, to, fade, next);
    }
  }
}

}  // namespace
}  // namespace rtmixd
