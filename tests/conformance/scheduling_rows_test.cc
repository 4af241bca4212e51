#include "tests/conformance/scheduling_rows.h"

#include "gtest/gtest.h"

namespace rtmixd::conformance {
namespace {

void ExpectExact(const StartsRow& row) {
  EXPECT_EQ(row.asked_frames.size(), 500u);
  EXPECT_EQ(row.not_on_their_frame, 0);
  EXPECT_EQ(row.most_frames_off, 0);
  EXPECT_EQ(row.wrongly_reported, 0);
}

TEST(SchedulingRowsTest, JitterOf20MicrosecondsMovesNoStart) { ExpectExact(PlayStarts(20e-6, 0)); }

TEST(SchedulingRowsTest, JitterOf200MicrosecondsMovesNoStart) {
  ExpectExact(PlayStarts(200e-6, 0));
}

TEST(SchedulingRowsTest, AClockThatJumpsMovesNoStart) {
  ExpectExact(PlayStarts(20e-6, 1.0));
  ExpectExact(PlayStarts(20e-6, -1.0));
}

TEST(SchedulingRowsTest, JoinsHaveNeitherGapNorOverlap) {
  const JoinsRow row = PlayJoins(20e-6);
  EXPECT_EQ(row.asked_frames.size(), 1000u);
  EXPECT_EQ(row.silent_samples, 0);
  EXPECT_EQ(row.doubled_samples, 0);
}

TEST(SchedulingRowsTest, AFullServerRefusesAndLosesNothing) {
  const FullRow row = FillServer();
  EXPECT_EQ(row.admitted, row.room);
  EXPECT_EQ(row.refused, row.asked - row.room);
  EXPECT_EQ(row.refusal, ErrorReason::kLimitExceeded);
  EXPECT_EQ(row.limit, "16");
  EXPECT_EQ(row.ended, row.room);
  EXPECT_EQ(row.ended_after_asking, row.asked);
}

TEST(SchedulingRowsTest, AStreamThatRanDryGoesOnAndSaysWhereItDid) {
  const DryRow row = RunDry();
  EXPECT_EQ(row.report.end_reason, ActionEnd::kCompleted);
  EXPECT_EQ(row.report.done_frames, 300);
  EXPECT_EQ(row.report.underruns, 1);
  ASSERT_EQ(row.report.gaps.size(), 1u);
  EXPECT_EQ(row.report.gaps[0].frame, row.dry_from_frame);
  EXPECT_EQ(row.report.gaps[0].frames, row.dry_frames);
  EXPECT_EQ(row.report.gaps[0].position, 100);
}

TEST(SchedulingRowsTest, CancelsOfWhatIsNotThereAreAnswered) {
  const CancelRow row = CancelWhatIsNotThere();
  EXPECT_EQ(row.ended.state, ActionState::kEnded);
  EXPECT_EQ(row.ended.end_reason, ActionEnd::kCompleted);
  EXPECT_EQ(row.ended.start_frame, kBlockFrames + 3);
  EXPECT_EQ(row.ended.end_frame, kBlockFrames + 13);
  EXPECT_EQ(row.unknown_code, "NOT_FOUND");
  EXPECT_EQ(row.unknown_field, "action_ids[0]");
}

TEST(SchedulingRowsTest, AWaiterIsToldThatTheStreamIsClosed) {
  const StoppedRow row = CloseUnderAWaiter();
  EXPECT_TRUE(row.told);
  EXPECT_EQ(row.end_reason, ActionEnd::kStreamClosed);
}

TEST(SchedulingRowsTest, AnyNumberOfThreadsMaySchedule) {
  const ProducersRow row = ScheduleFromThreads();
  EXPECT_EQ(row.admitted, row.asked);
  EXPECT_EQ(row.on_their_frame, row.asked);
}

TEST(SchedulingRowsTest, NonsenseIsRefusedByName) {
  const ChecksRow row = AskNonsense();
  EXPECT_EQ(row.length_field, "actions[0].play.inline_audio.data");
  EXPECT_EQ(row.start_field, "actions[0].start.stream_time_seconds");
  EXPECT_EQ(row.sample_field, "actions[0].play.inline_audio.data");
}

TEST(SchedulingRowsTest, WhatBecomesLateKeepsItsPolicy) {
  const LateRow row = BecomeLate();
  EXPECT_EQ(row.report.end_reason, ActionEnd::kSkipped);
  EXPECT_GT(row.report.late_frames, 0);
  EXPECT_EQ(row.report.done_frames, 0);
  EXPECT_EQ(row.heard_frames, 0);
}

}  // namespace
}  // namespace rtmixd::conformance
