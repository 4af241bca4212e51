#include "server/mixer/audio_history.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

#include "tests/support/as_audio_thread.h"

namespace rtmixd {
namespace {

// Exact in float for the frames used here; different on every channel.
float Sample(int channel, int64_t frame) { return static_cast<float>(frame * 2 + channel); }

void WriteBlock(AudioHistory* history, int frames) {
  const int64_t first = history->head_frame();
  std::vector<std::vector<float>> samples(history->channels());
  std::vector<const float*> planar;
  for (int c = 0; c < history->channels(); ++c) {
    for (int i = 0; i < frames; ++i) samples[c].push_back(Sample(c, first + i));
    planar.push_back(samples[c].data());
  }
  AS_AUDIO_THREAD(history->WriteRt(planar.data(), frames));
  AS_AUDIO_THREAD(history->PublishRt());
}

TEST(AudioHistoryTest, StartsEmptyAtFrameZero) {
  const AudioHistory history(2, 100, 16);
  EXPECT_EQ(history.head_frame(), 0);
  EXPECT_EQ(history.tail_frame(), 0);
  EXPECT_EQ(history.channels(), 2);
  EXPECT_GE(history.capacity_frames(), 100);
}

TEST(AudioHistoryTest, FramesAreReadableOncePublished) {
  AudioHistory history(1, 100, 16);
  const std::array<float, 3> samples = {1, 2, 3};
  const float* const planar = samples.data();
  AS_AUDIO_THREAD(history.WriteRt(&planar, 3));
  EXPECT_EQ(history.head_frame(), 0);
  AS_AUDIO_THREAD(history.PublishRt());
  EXPECT_EQ(history.head_frame(), 3);
  std::array<float, 3> out{};
  EXPECT_EQ(history.Read(0, 0, 3, out.data(), 1), 0);
  EXPECT_EQ(out, samples);
}

TEST(AudioHistoryTest, SeveralWritesArePublishedTogether) {
  AudioHistory history(1, 100, 16);
  const std::array<float, 3> samples = {1, 2, 3};
  for (const float& sample : samples) {
    const float* const planar = &sample;
    AS_AUDIO_THREAD(history.WriteRt(&planar, 1));
  }
  AS_AUDIO_THREAD(history.PublishRt());
  std::array<float, 3> out{};
  EXPECT_EQ(history.Read(0, 0, 3, out.data(), 1), 0);
  EXPECT_EQ(out, samples);
}

TEST(AudioHistoryTest, EveryFrameOfTheCapacityIsRightAfterManyWraps) {
  AudioHistory history(3, 100, 16);
  for (int i = 0; i < 200; ++i) WriteBlock(&history, 1 + i % 16);
  const int64_t first = history.head_frame() - history.capacity_frames();
  EXPECT_LE(history.tail_frame(), first);
  for (int c = 0; c < 3; ++c) {
    std::vector<float> out(history.capacity_frames());
    ASSERT_EQ(history.Read(c, first, history.capacity_frames(), out.data(), 1), 0);
    for (int64_t i = 0; i < history.capacity_frames(); ++i) {
      ASSERT_EQ(out[i], Sample(c, first + i));
    }
  }
}

TEST(AudioHistoryTest, StrideInterleaves) {
  AudioHistory history(2, 100, 16);
  WriteBlock(&history, 4);
  std::array<float, 8> out{};
  EXPECT_EQ(history.Read(0, 0, 4, out.data(), 2), 0);
  EXPECT_EQ(history.Read(1, 0, 4, out.data() + 1, 2), 0);
  EXPECT_EQ(out, (std::array<float, 8>{0, 1, 2, 3, 4, 5, 6, 7}));
}

TEST(AudioHistoryTest, TellsHowManyFramesWereOverwritten) {
  AudioHistory history(1, 100, 28);  // a ring of 128 frames
  for (int i = 0; i < 10; ++i) WriteBlock(&history, 20);
  ASSERT_EQ(history.tail_frame(), 200 - 128);
  std::array<float, 80> out{};
  EXPECT_EQ(history.Read(0, 60, 80, out.data(), 1), 12);
  for (int i = 12; i < 80; ++i) EXPECT_EQ(out[i], Sample(0, 60 + i));
  EXPECT_EQ(history.Read(0, 0, 50, out.data(), 1), 50);
}

// Heads, tails and seams of the ring that are odd, in blocks of every length.
TEST(AudioHistoryTest, WhatIsToldToBeGoodIsGoodWhereverBlocksBegin) {
  for (int block_frames = 1; block_frames <= 28; ++block_frames) {
    AudioHistory history(2, 100, 28);  // a ring of 128 frames
    while (history.head_frame() < 400) {
      WriteBlock(&history, block_frames);
      const int64_t tail = history.tail_frame();
      for (int c = 0; c < 2; ++c) {
        std::vector<float> out(history.head_frame() - tail);
        const auto frames = static_cast<int64_t>(out.size());
        ASSERT_EQ(history.Read(c, tail, frames, out.data(), 1), 0);
        for (int64_t i = 0; i < frames; ++i) ASSERT_EQ(out[i], Sample(c, tail + i)) << block_frames;
      }
    }
  }
}

TEST(AudioHistoryTest, UnpublishedFramesAlreadyOverwrite) {
  AudioHistory history(1, 100, 28);
  for (int i = 0; i < 10; ++i) WriteBlock(&history, 20);
  AS_AUDIO_THREAD(history.WriteRt(nullptr, 8));
  EXPECT_EQ(history.head_frame(), 200);
  EXPECT_EQ(history.tail_frame(), 208 - 128);
  std::array<float, 10> out{};
  EXPECT_EQ(history.Read(0, 75, 10, out.data(), 1), 5);
}

TEST(AudioHistoryTest, NullInputIsSilence) {
  AudioHistory history(1, 100, 28);
  for (int i = 0; i < 10; ++i) WriteBlock(&history, 20);
  AS_AUDIO_THREAD(history.WriteRt(nullptr, 3));
  AS_AUDIO_THREAD(history.PublishRt());
  std::array<float, 4> out{};
  EXPECT_EQ(history.Read(0, 199, 4, out.data(), 1), 0);
  EXPECT_EQ(out, (std::array<float, 4>{Sample(0, 199), 0, 0, 0}));
}

TEST(AudioHistoryTest, JumpedFramesAreSilent) {
  AudioHistory history(1, 100, 28);
  for (int i = 0; i < 10; ++i) WriteBlock(&history, 20);
  history.JumpForward(5);
  WriteBlock(&history, 2);
  std::array<float, 8> out{};
  EXPECT_EQ(history.Read(0, 199, 8, out.data(), 1), 0);
  EXPECT_EQ(out,
            (std::array<float, 8>{Sample(0, 199), 0, 0, 0, 0, 0, Sample(0, 205), Sample(0, 206)}));
}

TEST(AudioHistoryTest, AJumpLongerThanTheRingLeavesSilenceOnly) {
  AudioHistory history(1, 100, 28);
  for (int i = 0; i < 10; ++i) WriteBlock(&history, 20);
  history.JumpForward(int64_t{1} << 40);
  const int64_t head = (int64_t{1} << 40) + 200;
  ASSERT_EQ(history.head_frame(), head);
  std::array<float, 100> out{};
  out.fill(1);
  EXPECT_EQ(history.Read(0, head - 100, 100, out.data(), 1), 0);
  EXPECT_EQ(out, (std::array<float, 100>{}));
}

TEST(AudioHistoryTest, WithoutChannelsItCounts) {
  AudioHistory history(0, 100, 16);
  AS_AUDIO_THREAD(history.WriteRt(nullptr, 7));
  AS_AUDIO_THREAD(history.PublishRt());
  EXPECT_EQ(history.head_frame(), 7);
}

// The writer goes round a small ring as fast as it can; whatever a reader is not told to be
// overwritten must be what was written.
TEST(AudioHistoryTest, ContentionReadersGetTheRightFramesOrAreTold) {
  constexpr int kBlockFrames = 16;
  constexpr int64_t kFrames = 4'000'000;
  AudioHistory history(2, 200, kBlockFrames);
  std::atomic<bool> done{false};
  const auto read = [&](int channel) {
    std::array<float, 100> out{};
    while (!done.load(std::memory_order_relaxed)) {
      const int64_t head = history.head_frame();
      if (head < 100) continue;
      // The oldest frames, where the writer comes next: overtaken again and again.
      const int64_t first = std::min(history.tail_frame(), head - 100);
      const int64_t lost = history.Read(channel, first, 100, out.data(), 1);
      ASSERT_GE(lost, 0);
      ASSERT_LE(lost, 100);
      for (int64_t i = lost; i < 100; ++i) ASSERT_EQ(out[i], Sample(channel, first + i));
    }
  };
  std::thread first_reader(read, 0);
  std::thread second_reader(read, 1);
  std::array<std::array<float, kBlockFrames>, 2> samples{};
  const std::array<const float*, 2> planar = {samples[0].data(), samples[1].data()};
  for (int64_t first = 0; first < kFrames;) {
    const int frames = kBlockFrames - static_cast<int>(first % 7);  // odd ones too
    for (int c = 0; c < 2; ++c) {
      for (int i = 0; i < frames; ++i) samples[c][i] = Sample(c, first + i);
    }
    AS_AUDIO_THREAD(history.WriteRt(planar.data(), frames));
    AS_AUDIO_THREAD(history.PublishRt());
    first += frames;
  }
  done.store(true, std::memory_order_relaxed);
  first_reader.join();
  second_reader.join();
}

}  // namespace
}  // namespace rtmixd
