#include "server/control/batch_sum.h"

#include <optional>
#include <vector>

#include "gtest/gtest.h"

namespace rtmixd {
namespace {

ActionReport Ended(int64_t start_frame, int64_t end_frame,
                   ActionEnd reason = ActionEnd::kCompleted) {
  ActionReport report;
  report.stream_id = "st-1";
  report.state = ActionState::kEnded;
  report.end_reason = reason;
  report.start_frame = start_frame;
  report.end_frame = end_frame;
  report.touched = Touched::kNo;
  return report;
}

ActionReport InState(ActionState state) {
  ActionReport report;
  report.state = state;
  return report;
}

BatchReport SumOf(const std::vector<ActionReport>& reports) {
  BatchSum sum("t-1");
  for (const ActionReport& report : reports) sum.Add(report);
  return sum.Report();
}

TEST(BatchSumTest, OneActionIsTheWholeBatch) {
  ActionReport one = Ended(100, 300);
  one.shortest_detectable_loss_frames = 12;
  const BatchReport sum = SumOf({one});
  EXPECT_EQ(sum.batch_id, "t-1");
  EXPECT_EQ(sum.stream_id, "st-1");
  EXPECT_EQ(sum.state, ActionState::kEnded);
  EXPECT_EQ(sum.actions, 1);
  EXPECT_EQ(sum.ended_actions, 1);
  EXPECT_EQ(sum.start_frame, 100);
  EXPECT_EQ(sum.end_frame, 300);
  EXPECT_EQ(sum.touched, Touched::kNo);
  EXPECT_EQ(sum.touched_actions, 0);
  EXPECT_EQ(sum.shortest_detectable_loss_frames, 12);
  ASSERT_EQ(sum.ends.size(), 1U);
  EXPECT_EQ(sum.ends[0].reason, ActionEnd::kCompleted);
  EXPECT_EQ(sum.ends[0].actions, 1);
}

TEST(BatchSumTest, StateIsThatOfTheWhole) {
  const ActionReport pending = InState(ActionState::kPending);
  const ActionReport active = InState(ActionState::kActive);
  const ActionReport done = InState(ActionState::kDone);
  const ActionReport ended = InState(ActionState::kEnded);
  EXPECT_EQ(SumOf({pending, pending}).state, ActionState::kPending);
  EXPECT_EQ(SumOf({pending, active}).state, ActionState::kActive);
  EXPECT_EQ(SumOf({pending, ended}).state, ActionState::kActive);
  EXPECT_EQ(SumOf({active, done}).state, ActionState::kActive);
  EXPECT_EQ(SumOf({ended, done}).state, ActionState::kDone);
  EXPECT_EQ(SumOf({ended, ended}).state, ActionState::kEnded);
  const BatchReport all = SumOf({pending, active, active, done, ended, ended});
  EXPECT_EQ(all.actions, 6);
  EXPECT_EQ(all.pending_actions, 1);
  EXPECT_EQ(all.active_actions, 2);
  EXPECT_EQ(all.done_actions, 1);
  EXPECT_EQ(all.ended_actions, 2);
}

TEST(BatchSumTest, FramesAreTheFirstAndTheLast) {
  ActionReport active = InState(ActionState::kActive);
  active.start_frame = 50;
  EXPECT_EQ(SumOf({Ended(100, 300), active}).start_frame, 50);
  EXPECT_EQ(SumOf({Ended(100, 300), active}).end_frame, std::nullopt);
  EXPECT_EQ(SumOf({InState(ActionState::kPending)}).start_frame, std::nullopt);
  const BatchReport sum = SumOf({Ended(100, 300), Ended(90, 200), Ended(200, 250)});
  EXPECT_EQ(sum.start_frame, 90);
  EXPECT_EQ(sum.end_frame, 300);
}

TEST(BatchSumTest, TouchedIsTheWorst) {
  ActionReport no = Ended(0, 10);
  ActionReport yes = no;
  yes.touched = Touched::kYes;
  ActionReport cannot_tell = no;
  cannot_tell.touched = Touched::kCannotTell;
  EXPECT_EQ(SumOf({no, no}).touched, Touched::kNo);
  EXPECT_EQ(SumOf({no, cannot_tell}).touched, Touched::kCannotTell);
  EXPECT_EQ(SumOf({cannot_tell, no}).touched, Touched::kCannotTell);
  EXPECT_EQ(SumOf({cannot_tell, yes}).touched, Touched::kYes);
  EXPECT_EQ(SumOf({yes, cannot_tell, no}).touched, Touched::kYes);
  EXPECT_EQ(SumOf({yes, no, yes}).touched_actions, 2);
  // While one runs nothing is certain.
  EXPECT_EQ(SumOf({no, InState(ActionState::kActive)}).touched, Touched::kCannotTell);
}

TEST(BatchSumTest, XrunsOfSeveralCountOnce) {
  const XrunInfo first = {.frame = 20, .earliest_frame = 10, .latest_frame = 30, .lost_frames = 64};
  const XrunInfo second = {.frame = 40, .earliest_frame = 40, .latest_frame = 40, .lost_frames = 8};
  ActionReport one = Ended(0, 35);
  one.xruns = {first};
  ActionReport two = Ended(0, 100);
  two.xruns = {first, second};
  const BatchReport sum = SumOf({two, one});
  EXPECT_EQ(sum.xrun_count, 2);
  ASSERT_EQ(sum.xruns.size(), 2U);
  EXPECT_EQ(sum.xruns[0].frame, 20);
  EXPECT_EQ(sum.xruns[0].lost_frames, 64);
  EXPECT_EQ(sum.xruns[1].frame, 40);
}

TEST(BatchSumTest, ManyXrunsAreCountedAndTheFirstTold) {
  std::vector<ActionReport> reports(2, Ended(0, 10000));
  for (int i = 0; i < 100; ++i) {
    reports[i % 2].xruns.push_back({.frame = 100 - i, .earliest_frame = 100 - i});
  }
  const BatchReport sum = SumOf(reports);
  EXPECT_EQ(sum.xrun_count, 100);
  ASSERT_EQ(sum.xruns.size(), 64U);
  EXPECT_EQ(sum.xruns.front().frame, 1);
  EXPECT_EQ(sum.xruns.back().frame, 64);
}

TEST(BatchSumTest, WhatWentWrongIsCounted) {
  ActionReport late = Ended(120, 300);
  late.late_frames = 20;
  late.dropped_frames = 20;
  late.clipped_samples = 7;
  ActionReport skipped = Ended(0, 0, ActionEnd::kSkipped);
  skipped.late_frames = 500;
  ActionReport gaps = Ended(0, 1000);
  gaps.gap_count = 2;
  gaps.gap_frames = 96;
  gaps.clipped_samples = 9;
  gaps.shortest_detectable_loss_frames = 30;
  ActionReport gap = Ended(0, 1000);
  gap.gap_count = 1;
  gap.gap_frames = 4;
  gap.shortest_detectable_loss_frames = 12;
  const BatchReport sum = SumOf({gap, skipped, late, gaps});
  EXPECT_EQ(sum.late_actions, 2);
  EXPECT_EQ(sum.late_frames, 500);
  EXPECT_EQ(sum.dropped_frames, 20);
  EXPECT_EQ(sum.gap_count, 3);
  EXPECT_EQ(sum.gap_frames, 100);
  EXPECT_EQ(sum.clipped_actions, 2);
  EXPECT_EQ(sum.clipped_samples, 9);
  EXPECT_EQ(sum.shortest_detectable_loss_frames, 30);
  ASSERT_EQ(sum.ends.size(), 2U);
  EXPECT_EQ(sum.ends[0].reason, ActionEnd::kCompleted);
  EXPECT_EQ(sum.ends[0].actions, 3);
  EXPECT_EQ(sum.ends[1].reason, ActionEnd::kSkipped);
  EXPECT_EQ(sum.ends[1].actions, 1);
}

}  // namespace
}  // namespace rtmixd
