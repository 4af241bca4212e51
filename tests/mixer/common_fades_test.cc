#include "server/mixer/common_fades.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <utility>
#include <vector>

#include "server/mixer/fade.h"
#include "server/mixer/mix_kernel.h"
#include "tests/support/as_audio_thread.h"

namespace rtmixd {
namespace {

constexpr int kMaxFrames = 20;  // of which gains take two cache lines

// A table of fades, and what a span that has one of its gains_lines would get.
class CommonFadesTest : public testing::Test {
 protected:
  void Begin(int64_t first_frame, int frames) {
    AS_AUDIO_THREAD(fades_.BeginRt(first_frame, frames));
  }
  uint16_t Join(const GainRamp& ramp, float scale, int64_t frame) {
    return AS_AUDIO_THREAD(fades_.JoinRt(ramp, scale, frame));
  }
  void Leave(uint16_t gains_line) { AS_AUDIO_THREAD(fades_.LeaveRt(gains_line)); }
  float GainAt(uint16_t gains_line, int frame) const {
    return gains_[(gains_line - 1) * kCacheLineFloats + frame];
  }

  std::vector<float> gains_ = std::vector<float>(CommonFades::Floats(kMaxFrames), -1.0f);
  CommonFades fades_{kMaxFrames, gains_.data(), BestMixKernel()};
};

// In the midst of a fade from 0 to 1.
GainRamp Ramp(int64_t frames, int64_t passed) {
  GainRamp ramp(0.0f);
  AS_AUDIO_THREAD(ramp.StartRt(1.0f, {.frames = frames}));
  AS_AUDIO_THREAD(ramp.AdvanceRt(passed));
  return ramp;
}

TEST_F(CommonFadesTest, GainsFollowFromTheFrame) {
  const uint16_t line = Join(Ramp(128, 8), 0.5f, 1000);
  ASSERT_NE(line, 0);
  EXPECT_TRUE(fades_.any());
  // Blocks that begin anywhere, the first one not where it joined.
  for (const auto& [first_frame, frames] : {std::pair(1000, 16), {1016, 5}, {1021, 20}}) {
    Begin(first_frame, frames);
    EXPECT_TRUE(fades_.Covers(line));
    for (int i = 0; i < frames; ++i) {
      EXPECT_EQ(GainAt(line, i), 0.5f * static_cast<float>(8 + first_frame + i - 1000) / 128.0f);
    }
  }
}

TEST_F(CommonFadesTest, ThoseInStepHaveOneLine) {
  const uint16_t line = Join(Ramp(128, 8), 1.0f, 1000);
  Begin(1000, 16);
  EXPECT_EQ(Join(Ramp(128, 24), 1.0f, 1016), line);
  const uint16_t others[] = {Join(Ramp(128, 23), 1.0f, 1016), Join(Ramp(128, 24), 0.5f, 1016),
                             Join(Ramp(256, 24), 1.0f, 1016), Join(Ramp(256, 152), 1.0f, 1016)};
  for (const uint16_t other : others) EXPECT_NE(other, line);
  Begin(1016, 16);
  EXPECT_EQ(GainAt(line, 0), 24.0f / 128);
  EXPECT_EQ(GainAt(others[0], 0), 23.0f / 128);
  EXPECT_EQ(GainAt(others[1], 0), 12.0f / 128);
  EXPECT_EQ(GainAt(others[2], 0), 24.0f / 256);
  EXPECT_EQ(GainAt(others[3], 0), 152.0f / 256);
}

TEST_F(CommonFadesTest, ALineIsKeptUntilTheLastHasLeft) {
  const uint16_t line = Join(Ramp(128, 8), 1.0f, 1000);
  EXPECT_EQ(Join(Ramp(128, 8), 1.0f, 1000), line);
  Leave(line);
  EXPECT_TRUE(fades_.any());
  EXPECT_NE(Join(Ramp(64, 8), 1.0f, 1000), line);
  Leave(line);
  // The fade is the same, but nobody is in it.
  const uint16_t again = Join(Ramp(128, 8), 0.25f, 1000);
  EXPECT_EQ(again, line);
  Begin(1000, 8);
  EXPECT_EQ(GainAt(line, 0), 0.25f * 8 / 128);
}

TEST_F(CommonFadesTest, WhatLeavesKeepsTheGainsOfTheBlock) {
  const uint16_t line = Join(Ramp(128, 8), 1.0f, 1000);
  Begin(1000, 16);
  Leave(line);
  EXPECT_EQ(Join(Ramp(64, 1), 1.0f, 1016), line);
  EXPECT_EQ(GainAt(line, 15), 23.0f / 128);
  Begin(1016, 16);
  EXPECT_EQ(GainAt(line, 0), 1.0f / 64);
}

TEST_F(CommonFadesTest, ThereAreNoGainsOfABlockInWhichItEnds) {
  const uint16_t line = Join(Ramp(32, 8), 1.0f, 1000);
  Begin(1000, 20);
  EXPECT_TRUE(fades_.Covers(line));
  Begin(1020, 4);  // up to its end
  EXPECT_FALSE(fades_.Covers(line));
  Begin(1020, 3);
  EXPECT_TRUE(fades_.Covers(line));
  Begin(1024, 20);
  EXPECT_FALSE(fades_.Covers(line));
  Leave(line);
  EXPECT_FALSE(fades_.any());
}

TEST_F(CommonFadesTest, ThereIsRoomForSoManyAndNoMore) {
  std::vector<uint16_t> lines;
  for (int i = 0; i < CommonFades::kMaxFades; ++i) {
    lines.push_back(Join(Ramp(128 + i, 8), 1.0f, 1000));
    EXPECT_NE(lines.back(), 0);
  }
  EXPECT_EQ(Join(Ramp(64, 8), 1.0f, 1000), 0);
  EXPECT_EQ(Join(Ramp(131, 8), 1.0f, 1000), lines[3]);
  Begin(1000, kMaxFrames);
  for (int i = 0; i < CommonFades::kMaxFades; ++i) {
    for (int frame = 0; frame < kMaxFrames; ++frame) {
      EXPECT_FLOAT_EQ(GainAt(lines[i], frame), static_cast<float>(8 + frame) / (128.0f + i));
    }
  }
  Leave(lines[5]);
  EXPECT_EQ(Join(Ramp(64, 8), 1.0f, 1020), lines[5]);
}

}  // namespace
}  // namespace rtmixd
