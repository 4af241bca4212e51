#include "server/mixer/voice_progress.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <thread>

#include "tests/support/as_audio_thread.h"

namespace rtmixd {
namespace {

constexpr int64_t kMuchLater = int64_t{1} << 50;

void GoOn(VoiceProgress* progress, int64_t frame, int64_t until_frame) {
  AS_AUDIO_THREAD(progress->BeginRt());
  AS_AUDIO_THREAD(progress->GoOnRt(frame, until_frame));
  AS_AUDIO_THREAD(progress->EndRt());
}

void ExpectValue(const VoiceProgress::Value& value, int64_t done_frames, int64_t position_frames) {
  EXPECT_EQ(value.done_frames, done_frames);
  EXPECT_EQ(value.position_frames, position_frames);
}

TEST(VoiceProgressTest, StandsAtFirst) {
  const VoiceProgress progress(7);
  ExpectValue(progress.Read(0), 0, 7);
  ExpectValue(progress.Read(kMuchLater), 0, 7);
}

TEST(VoiceProgressTest, GrowsWithTheStreamUpToWhereItMayNot) {
  VoiceProgress progress(7);
  GoOn(&progress, 100, 150);
  ExpectValue(progress.Read(90), 0, 7);  // the audio thread has come further than who asks
  ExpectValue(progress.Read(100), 0, 7);
  ExpectValue(progress.Read(110), 10, 17);
  ExpectValue(progress.Read(150), 50, 57);
  ExpectValue(progress.Read(kMuchLater), 50, 57);
}

TEST(VoiceProgressTest, StopsWithWhatHasSounded) {
  VoiceProgress progress(7);
  GoOn(&progress, 100, 150);
  AS_AUDIO_THREAD(progress.StopRt(130));
  ExpectValue(progress.Read(kMuchLater), 30, 37);
  AS_AUDIO_THREAD(progress.StopRt(140));
  ExpectValue(progress.Read(kMuchLater), 30, 37);
  GoOn(&progress, 140, 150);
  AS_AUDIO_THREAD(progress.StopRt(kMuchLater));
  EXPECT_EQ(progress.done_frames(), 40);
  EXPECT_EQ(progress.position_frames(), 47);
}

// A voice that loops over ten frames, pauses and goes on: whoever reads meanwhile sees a position
// that belongs to what is done, and no less done than before.
TEST(VoiceProgressTest, WhatIsReadBelongsTogether) {
  constexpr int64_t kLoopFrames = 10;
  VoiceProgress progress(0);
  std::atomic<int64_t> next_frame = 0;
  std::atomic<bool> done = false;
  std::thread reader([&] {
    int64_t before = 0;
    while (!done) {
      const VoiceProgress::Value value = progress.Read(next_frame.load(std::memory_order_acquire));
      ASSERT_EQ(value.position_frames, value.done_frames % kLoopFrames);
      ASSERT_GE(value.done_frames, before);
      before = value.done_frames;
    }
  });
  for (int64_t frame = 0; frame < 3'000'000; ++frame) {
    if (frame % 3 == 0) {  // a pause of two frames, then one of the loop
      AS_AUDIO_THREAD(progress.BeginRt());
      AS_AUDIO_THREAD(progress.StopRt(frame));
      progress.SetPositionRt(progress.position_frames() % kLoopFrames);
      if (frame % 2 == 0 && progress.position_frames() < kLoopFrames - 1) {
        progress.GoOnRt(frame, frame + 1);
      } else {
        progress.SetDoneRt(progress.done_frames() + 1);
        progress.SetPositionRt((progress.position_frames() + 1) % kLoopFrames);
      }
      AS_AUDIO_THREAD(progress.EndRt());
    }
    next_frame.store(frame + 1, std::memory_order_release);
  }
  done = true;
  reader.join();
  EXPECT_EQ(progress.Read(kMuchLater).done_frames, 1'000'000);
}

}  // namespace
}  // namespace rtmixd
