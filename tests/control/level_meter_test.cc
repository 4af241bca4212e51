#include "server/control/level_meter.h"

#include <cmath>
#include <numbers>
#include <thread>
#include <vector>

#include "gtest/gtest.h"

namespace rtmixd {
namespace {

constexpr int kBlock = 100;

// Writes a block whose sample f on channel c is `sample(f, c)`, f counted in the stream.
template <typename Sample>
void WriteBlock(AudioHistory* history, Sample sample) {
  const int64_t first = history->head_frame();
  std::vector<std::vector<float>> audio(history->channels(), std::vector<float>(kBlock));
  std::vector<const float*> planar;
  for (int c = 0; c < history->channels(); ++c) {
    for (int i = 0; i < kBlock; ++i) audio[c][i] = sample(first + i, c);
    planar.push_back(audio[c].data());
  }
  history->WriteRt(planar.data(), kBlock);
  history->PublishRt();
}

TEST(LevelMeterTest, PeakAndRmsPerChannel) {
  AudioHistory input(2, 5000, kBlock);
  AudioHistory output(1, 5000, kBlock);
  for (int block = 0; block < 30; ++block) {
    // Channel 1: whole periods of a sine; channel 2: a negative peak once, else a constant.
    WriteBlock(&input, [](int64_t f, int c) {
      if (c == 0) return 0.5f * static_cast<float>(std::sin(2 * std::numbers::pi * f / 100.0));
      return f == 1234 ? -0.9f : 0.25f;
    });
    WriteBlock(&output, [](int64_t, int) { return -1.0f; });
  }
  int64_t cursor = 0;
  const MeterReading reading = MeasureLevels(&input, &output, &cursor);
  EXPECT_EQ(reading.first_frame, 0);
  EXPECT_EQ(reading.frames, 3000);
  EXPECT_EQ(cursor, 3000);
  ASSERT_EQ(reading.inputs.size(), 2u);
  EXPECT_FLOAT_EQ(reading.inputs[0].peak, 0.5f);
  EXPECT_NEAR(reading.inputs[0].rms, 0.5 / std::sqrt(2.0), 1e-6);
  EXPECT_EQ(reading.inputs[1].peak, 0.9f);
  EXPECT_NEAR(reading.inputs[1].rms, std::sqrt((2999 * 0.0625 + 0.81) / 3000), 1e-6);
  ASSERT_EQ(reading.outputs.size(), 1u);
  EXPECT_EQ(reading.outputs[0].peak, 1.0f);
  EXPECT_EQ(reading.outputs[0].rms, 1.0f);
}

TEST(LevelMeterTest, ReadingsFollowEachOther) {
  AudioHistory input(1, 5000, kBlock);
  int64_t cursor = 0;
  for (int block = 0; block < 5; ++block) {
    WriteBlock(&input, [block](int64_t, int) { return 0.1f * static_cast<float>(block); });
    const MeterReading reading = MeasureLevels(&input, nullptr, &cursor);
    EXPECT_EQ(reading.first_frame, block * kBlock);
    EXPECT_EQ(reading.frames, kBlock);
    EXPECT_EQ(reading.inputs[0].peak, 0.1f * static_cast<float>(block));
    EXPECT_TRUE(reading.outputs.empty());
  }
  const MeterReading nothing = MeasureLevels(&input, nullptr, &cursor);
  EXPECT_EQ(nothing.first_frame, 500);
  EXPECT_EQ(nothing.frames, 0);
  ASSERT_EQ(nothing.inputs.size(), 1u);
  EXPECT_EQ(nothing.inputs[0].peak, 0.0f);
  EXPECT_EQ(nothing.inputs[0].rms, 0.0f);
}

TEST(LevelMeterTest, LongPausesAreCutToTheHistory) {
  AudioHistory input(1, 300, kBlock);
  AudioHistory output(1, 1000, kBlock);
  for (int block = 0; block < 50; ++block) {
    WriteBlock(&input, [](int64_t, int) { return 0.5f; });
    WriteBlock(&output, [](int64_t, int) { return 0.5f; });
  }
  int64_t cursor = 10;
  const MeterReading reading = MeasureLevels(&input, &output, &cursor);
  EXPECT_EQ(reading.first_frame + reading.frames, 5000);
  EXPECT_GE(reading.frames, 300);
  EXPECT_LE(reading.frames, input.capacity_frames());
  EXPECT_EQ(reading.inputs[0].rms, 0.5f);
  EXPECT_EQ(cursor, 5000);
}

TEST(LevelMeterTest, OnlyFramesOfBothSidesAreMeasured) {
  AudioHistory input(1, 5000, kBlock);
  AudioHistory output(1, 5000, kBlock);
  WriteBlock(&input, [](int64_t, int) { return 0.5f; });
  WriteBlock(&input, [](int64_t, int) { return 0.5f; });
  WriteBlock(&output, [](int64_t, int) { return 0.5f; });
  int64_t cursor = 0;
  EXPECT_EQ(MeasureLevels(&input, &output, &cursor).frames, kBlock);
  EXPECT_EQ(cursor, kBlock);
}

TEST(LevelMeterTest, CursorOfAnotherStreamIsBroughtBack) {
  AudioHistory input(1, 5000, kBlock);
  WriteBlock(&input, [](int64_t, int) { return 0.5f; });
  int64_t cursor = 1000000;
  const MeterReading reading = MeasureLevels(&input, nullptr, &cursor);
  EXPECT_EQ(reading.frames, 0);
  EXPECT_EQ(cursor, kBlock);
}

TEST(LevelMeterTest, NoStreamHasNoLevels) {
  int64_t cursor = 7;
  const MeterReading reading = MeasureLevels(nullptr, nullptr, &cursor);
  EXPECT_EQ(reading.frames, 0);
  EXPECT_TRUE(reading.inputs.empty());
  EXPECT_TRUE(reading.outputs.empty());
  EXPECT_EQ(cursor, 7);
}

// The outputs are written all the time and kept shortly, while the many inputs take long to
// measure: readings are overtaken again and again. What is reported is still the level of the
// frames it names. The level of a frame is its number.
TEST(LevelMeterTest, OvertakenReadingsAreNeverMixedUp) {
  constexpr int64_t kTotal = 1 << 16;
  AudioHistory input(32, kTotal, kBlock);
  input.JumpForward(kTotal);
  for (int round = 0; round < 20; ++round) {
    AudioHistory output(1, 1000, kBlock);
    std::thread writer([&] {
      while (output.head_frame() < kTotal) {
        WriteBlock(&output, [](int64_t f, int) { return static_cast<float>(f); });
      }
    });
    int64_t cursor = 0;
    while (cursor < kTotal) {
      const int64_t before = cursor;
      const MeterReading reading = MeasureLevels(&input, &output, &cursor);
      EXPECT_GE(reading.first_frame, before);
      EXPECT_EQ(reading.first_frame + reading.frames, cursor);
      EXPECT_EQ(reading.outputs[0].peak,
                reading.frames > 0 ? static_cast<float>(cursor - 1) : 0.0f);
    }
    writer.join();
  }
}

}  // namespace
}  // namespace rtmixd
