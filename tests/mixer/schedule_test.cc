#include "server/mixer/schedule.h"

#include <gtest/gtest.h>

#include <memory>
#include <utility>
#include <vector>

#include "tests/support/as_audio_thread.h"

namespace rtmixd {
namespace {

// A batch as the mixer would hand it to the schedule: (offset, sequence) ascending.
std::unique_ptr<Batch> MakeBatch(int64_t origin_frame,
                                 const std::vector<std::pair<int64_t, int64_t>>& voices) {
  auto batch = std::make_unique<Batch>();
  batch->origin_frame = origin_frame;
  for (const auto& [offset, sequence] : voices) {
    Voice::Spec spec;
    spec.offset_frames = offset;
    spec.sequence = sequence;
    batch->AddVoice(spec)->set_batch(batch.get());
  }
  return batch;
}

std::vector<int64_t> PopSequences(Schedule* schedule, int64_t limit_frame) {
  std::vector<int64_t> sequences;
  while (Voice* const voice = AS_AUDIO_THREAD(schedule->PopDueRt(limit_frame))) {
    sequences.push_back(voice->sequence());
  }
  return sequences;
}

void Drop(Schedule* schedule, Voice* voice) {
  AS_AUDIO_THREAD(voice->EndRt(EndReason::kCancelled, 0));
  AS_AUDIO_THREAD(schedule->DropRt(voice));
}

TEST(ScheduleTest, EmptyHasNothingDue) {
  Schedule schedule(4, 16);
  EXPECT_EQ(AS_AUDIO_THREAD(schedule.PopDueRt(Voice::kNoFrame)), nullptr);
}

TEST(ScheduleTest, PopsWhatStartsBeforeTheLimit) {
  Schedule schedule(4, 16);
  const auto batch = MakeBatch(100, {{0, 1}, {63, 2}, {64, 3}});
  AS_AUDIO_THREAD(schedule.AddRt(batch.get()));
  EXPECT_EQ(PopSequences(&schedule, 100), (std::vector<int64_t>{}));
  EXPECT_EQ(PopSequences(&schedule, 164), (std::vector<int64_t>{1, 2}));
  EXPECT_EQ(PopSequences(&schedule, 164), (std::vector<int64_t>{}));
  EXPECT_EQ(PopSequences(&schedule, 165), (std::vector<int64_t>{3}));
}

TEST(ScheduleTest, BatchesInterleaveByFrameAndSequence) {
  Schedule schedule(4, 16);
  const auto a = MakeBatch(0, {{10, 1}, {20, 6}, {30, 3}});
  const auto b = MakeBatch(10, {{0, 4}, {10, 2}, {20, 5}});
  AS_AUDIO_THREAD(schedule.AddRt(b.get()));
  AS_AUDIO_THREAD(schedule.AddRt(a.get()));
  EXPECT_EQ(PopSequences(&schedule, 1000), (std::vector<int64_t>{1, 4, 2, 6, 3, 5}));
}

TEST(ScheduleTest, DroppedVoicesArePassedOver) {
  Schedule schedule(4, 16);
  const auto batch = MakeBatch(0, {{0, 1}, {10, 2}, {20, 3}});
  AS_AUDIO_THREAD(schedule.AddRt(batch.get()));
  Drop(&schedule, batch->voices[1]);
  EXPECT_EQ(PopSequences(&schedule, 1000), (std::vector<int64_t>{1, 3}));
}

TEST(ScheduleTest, FirstVoiceCanBeDropped) {
  Schedule schedule(4, 16);
  const auto a = MakeBatch(0, {{0, 1}, {50, 2}});
  const auto b = MakeBatch(0, {{20, 3}});
  AS_AUDIO_THREAD(schedule.AddRt(a.get()));
  AS_AUDIO_THREAD(schedule.AddRt(b.get()));
  Drop(&schedule, a->voices[0]);
  EXPECT_EQ(PopSequences(&schedule, 1000), (std::vector<int64_t>{3, 2}));
}

// Its room is free at once: a capacity of one would not take the second batch otherwise.
TEST(ScheduleTest, BatchLeavesWithItsLastPendingVoice) {
  Schedule schedule(1, 16);
  const auto a = MakeBatch(0, {{0, 1}, {1000, 2}, {2000, 3}});
  AS_AUDIO_THREAD(schedule.AddRt(a.get()));
  EXPECT_EQ(PopSequences(&schedule, 1), (std::vector<int64_t>{1}));
  Drop(&schedule, a->voices[2]);
  Drop(&schedule, a->voices[1]);
  const auto b = MakeBatch(0, {{5, 4}});
  AS_AUDIO_THREAD(schedule.AddRt(b.get()));
  EXPECT_EQ(PopSequences(&schedule, 10'000), (std::vector<int64_t>{4}));
}

TEST(ScheduleTest, BatchLeavesWhenOnlyDroppedVoicesRemain) {
  Schedule schedule(1, 16);
  const auto a = MakeBatch(0, {{0, 1}, {1000, 2}});
  AS_AUDIO_THREAD(schedule.AddRt(a.get()));
  Drop(&schedule, a->voices[1]);
  EXPECT_EQ(PopSequences(&schedule, 1), (std::vector<int64_t>{1}));
  const auto b = MakeBatch(0, {{5, 4}});
  AS_AUDIO_THREAD(schedule.AddRt(b.get()));
  EXPECT_EQ(PopSequences(&schedule, 10'000), (std::vector<int64_t>{4}));
}

}  // namespace
}  // namespace rtmixd
