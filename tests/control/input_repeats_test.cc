#include "server/control/input_repeats.h"

#include <cstdint>
#include <vector>

#include "gtest/gtest.h"
#include "server/mixer/audio_history.h"

namespace rtmixd {
namespace {

constexpr int kFrames = 32;

float Noise(int channel, int64_t frame) {
  return static_cast<float>((frame * 7919 + channel * 104729) % 1009) / 1009.0F;
}

class InputRepeatsTest : public testing::Test {
 protected:
  // A block whose input is that of the frames from `from` on; `from` less than 0 is silence.
  bool Add(int64_t from, int frames = kFrames) {
    std::vector<std::vector<float>> samples(2);
    const float* planar[2];
    for (int c = 0; c < 2; ++c) {
      for (int64_t f = from; f < from + frames; ++f) {
        samples[c].push_back(from < 0 ? 0.0F : Noise(c, f));
      }
      planar[c] = samples[c].data();
    }
    return AddPlanar(planar, frames);
  }
  bool AddPlanar(const float* const* planar, int frames) {
    history_.WriteRt(planar, frames);
    history_.PublishRt();
    const bool first = repeats_.AddBlock(frame_, frames);
    frame_ += frames;
    return first;
  }

  AudioHistory history_{2, 1024, 64};
  InputRepeats repeats_{&history_};
  int64_t frame_ = 0;
};

TEST_F(InputRepeatsTest, WhatIsNewIsNoRepeat) {
  for (int64_t block = 0; block < 100; ++block) EXPECT_FALSE(Add(block * kFrames));
  EXPECT_FALSE(repeats_.Any(0, frame_));
}

TEST_F(InputRepeatsTest, ABlockThatComesAgainIsOne) {
  Add(0);
  Add(kFrames);
  EXPECT_TRUE(Add(kFrames));
  Add(3 * kFrames);
  EXPECT_TRUE(repeats_.Any(0, frame_));
  EXPECT_TRUE(repeats_.Any(3 * kFrames - 1, frame_));
  EXPECT_TRUE(repeats_.Any(0, 2 * kFrames + 1));
  EXPECT_FALSE(repeats_.Any(0, 2 * kFrames));
  EXPECT_FALSE(repeats_.Any(3 * kFrames, frame_));
}

TEST_F(InputRepeatsTest, ARowOfThemIsToldOnce) {
  Add(0);
  EXPECT_TRUE(Add(0));
  EXPECT_FALSE(Add(0));
  EXPECT_FALSE(Add(7));
  EXPECT_TRUE(Add(7));
  EXPECT_FALSE(repeats_.Any(3 * kFrames, 4 * kFrames));
  EXPECT_TRUE(repeats_.Any(2 * kFrames, 4 * kFrames));
}

TEST_F(InputRepeatsTest, SilenceAndOtherConstantsAreNone) {
  for (int i = 0; i < 5; ++i) EXPECT_FALSE(Add(-1000));
  const std::vector<float> ones(kFrames, 1.0F);
  const std::vector<float> halves(kFrames, 0.5F);
  const float* const planar[] = {ones.data(), halves.data()};
  for (int i = 0; i < 5; ++i) EXPECT_FALSE(AddPlanar(planar, kFrames));
  EXPECT_FALSE(repeats_.Any(0, frame_));
}

TEST_F(InputRepeatsTest, OneChannelThatIsSilentHidesNone) {
  const std::vector<float> silence(kFrames, 0.0F);
  std::vector<float> noise;
  for (int f = 0; f < kFrames; ++f) noise.push_back(Noise(0, f));
  const float* const planar[] = {silence.data(), noise.data()};
  EXPECT_FALSE(AddPlanar(planar, kFrames));
  EXPECT_TRUE(AddPlanar(planar, kFrames));
}

TEST_F(InputRepeatsTest, OneSampleThatDiffersMakesItNew) {
  std::vector<float> first;
  for (int f = 0; f < kFrames; ++f) first.push_back(Noise(0, f));
  std::vector<float> second = first;
  second.back() += 0.5F;
  const float* const one[] = {first.data(), first.data()};
  const float* const other[] = {first.data(), second.data()};
  EXPECT_FALSE(AddPlanar(one, kFrames));
  EXPECT_FALSE(AddPlanar(other, kFrames));
  EXPECT_FALSE(repeats_.Any(0, frame_));
}

TEST_F(InputRepeatsTest, BlocksOfOtherLengthsOrAfterAGapAreNotCompared) {
  Add(0, 32);
  EXPECT_FALSE(Add(0, 16));
  history_.JumpForward(100);
  frame_ += 100;
  EXPECT_FALSE(Add(0, 16));
  EXPECT_TRUE(Add(0, 16));
}

}  // namespace
}  // namespace rtmixd
