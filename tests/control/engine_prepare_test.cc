#include <cstdint>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "tests/control/engine_rig.h"

namespace rtmixd {
namespace {

constexpr int64_t kRate = 48000;
constexpr int64_t kOut = EngineRig::kOutputLatencyFrames;
// 0.1 s before the first start it is too late.
constexpr int64_t kCommitAheadFrames = 4800;

BatchSpec Prepared(BatchSpec batch) {
  batch.prepare = true;
  return batch;
}

class EnginePrepareTest : public testing::Test {
 protected:
  EnginePrepareTest() : session_(rig_.Session()) { rig_.Run(3000); }

  void ExpectSilence() {
    for (const float sample : rig_.device().sent(0)) ASSERT_EQ(sample, 0.0F);
  }

  EngineRig rig_;
  const std::string session_;
};

TEST_F(EnginePrepareTest, CommittedBatchStartsOnItsFrame) {
  const int64_t frame = rig_.next_frame() + kRate;
  auto admitted = rig_.ScheduleNow(
      session_, Prepared(At(frame, {PlayInline("p", 1, 1, 500, 0), RecordNew("r", 100, 7),
                                    CancelKey("c", "p", 100)})));
  ASSERT_TRUE(admitted.ok()) << admitted.status();
  EXPECT_EQ(admitted->origin_frame, frame);
  EXPECT_EQ(admitted->actions[1].start_frame, frame + 7);
  auto committed = rig_.Commit(session_, admitted->batch_id);
  ASSERT_TRUE(committed.ok()) << committed.status();
  EXPECT_EQ(committed->origin_frame, frame);
  rig_.Finish(session_);
  const ActionReport play = rig_.Report(session_, admitted->actions[0].action_id);
  EXPECT_EQ(play.start_frame, frame);
  EXPECT_EQ(play.done_frames, 100);
  EXPECT_EQ(rig_.Report(session_, admitted->actions[1].action_id).start_frame, frame + 7);
  for (int64_t f = 0; f < 100; ++f) {
    ASSERT_EQ(rig_.device().sent(0)[frame + f], TestSample(1, 0, f));
  }
  EXPECT_EQ(rig_.device().sent(0)[frame + 100], 0.0F);
  // Again, however late, it is the same answer.
  committed = rig_.Commit(session_, admitted->batch_id);
  ASSERT_TRUE(committed.ok()) << committed.status();
  EXPECT_EQ(committed->origin_frame, frame);
}

TEST_F(EnginePrepareTest, BatchThatIsNotCommittedInTimeNeverSounds) {
  const int64_t frame = rig_.next_frame() + kRate;
  auto admitted = rig_.ScheduleNow(
      session_, Prepared(At(frame, {PlayInline("p", 1, 1, 500, 100), RecordNew("r", 100, 0)})));
  while (rig_.next_frame() + kCommitAheadFrames <= frame) {
    EXPECT_EQ(rig_.Report(session_, admitted->actions[0].action_id).state, ActionState::kPending);
    rig_.Run(1);
  }
  for (const ScheduledAction& action : admitted->actions) {
    const ActionReport report = rig_.Report(session_, action.action_id);
    EXPECT_EQ(report.state, ActionState::kEnded);
    EXPECT_EQ(report.end_reason, ActionEnd::kNotCommitted);
    EXPECT_FALSE(report.start_frame.has_value());
  }
  auto committed = rig_.Commit(session_, admitted->batch_id);
  ASSERT_FALSE(committed.ok());
  EXPECT_EQ(ReasonOf(committed.status()), ErrorReason::kWrongState);
  rig_.Run(1000);
  ExpectSilence();
}

TEST_F(EnginePrepareTest, CommitThatComesBeforeThePumpHasSeenThatItIsLateIsRefused) {
  auto admitted = rig_.ScheduleNow(session_, Prepared(At(rig_.next_frame() + kCommitAheadFrames,
                                                         {PlayInline("p", 1, 1, 5, 0)})));
  rig_.device().Step(EngineRig::kBlockFrames);
  EXPECT_FALSE(rig_.Commit(session_, admitted->batch_id).ok());
}

TEST_F(EnginePrepareTest, BatchByTheWallClockIsFixedOnlyWhenItIsCommitted) {
  const int64_t frame = rig_.next_frame() + kRate - kOut;
  const absl::Time moment = rig_.wall_now() + absl::Seconds(1);
  auto admitted =
      rig_.ScheduleNow(session_, Prepared(AtWallTime(moment, {PlayInline("p", 1, 1, 50, 0)})));
  ASSERT_TRUE(admitted.ok()) << admitted.status();
  EXPECT_FALSE(admitted->origin_frame.has_value());
  auto committed = rig_.Commit(session_, admitted->batch_id);
  ASSERT_TRUE(committed.ok()) << committed.status();
  EXPECT_EQ(committed->origin_frame, frame);
  EXPECT_TRUE(committed->origin_uncertainty_frames.has_value());
  rig_.Finish(session_);
  EXPECT_EQ(rig_.Report(session_, admitted->actions[0].action_id).start_frame, frame);
}

TEST_F(EnginePrepareTest, CommittedLongBeforeTheMomentItWaitsForIt) {
  const int64_t frame = rig_.next_frame() + 10 * kRate - kOut;
  const absl::Time moment = rig_.wall_now() + absl::Seconds(10);
  auto admitted =
      rig_.ScheduleNow(session_, Prepared(AtWallTime(moment, {PlayInline("p", 1, 1, 50, 0)})));
  auto committed = rig_.Commit(session_, admitted->batch_id);
  ASSERT_TRUE(committed.ok()) << committed.status();
  EXPECT_FALSE(committed->origin_frame.has_value());
  rig_.Finish(session_);
  EXPECT_EQ(rig_.Report(session_, admitted->actions[0].action_id).start_frame, frame);
  EXPECT_EQ(rig_.Commit(session_, admitted->batch_id)->origin_frame, frame);
}

TEST_F(EnginePrepareTest, BatchByTheWallClockThatIsNotCommittedNeverSounds) {
  auto admitted = rig_.ScheduleNow(session_, Prepared(AtWallTime(rig_.wall_now() + absl::Seconds(3),
                                                                 {PlayInline("p", 1, 1, 50, 0)})));
  rig_.Run(2150);  // 2.87 s
  EXPECT_EQ(rig_.Report(session_, admitted->actions[0].action_id).state, ActionState::kPending);
  rig_.Run(50);  // 2.93 s
  EXPECT_EQ(rig_.Report(session_, admitted->actions[0].action_id).end_reason,
            ActionEnd::kNotCommitted);
  rig_.Run(1000);
  ExpectSilence();
}

TEST_F(EnginePrepareTest, WithoutAnOriginItStartsWhenItIsCommitted) {
  auto admitted = rig_.ScheduleNow(
      session_, Prepared(NowBatch({PlayInline("p", 1, 1, 50, 0), RecordNew("r", 50, 10)})));
  ASSERT_TRUE(admitted.ok()) << admitted.status();
  EXPECT_FALSE(admitted->origin_frame.has_value());
  rig_.Run(5000);
  ExpectSilence();
  const int64_t next = rig_.next_frame();
  ASSERT_TRUE(rig_.Commit(session_, admitted->batch_id).ok());
  rig_.Finish(session_);
  const ActionReport play = rig_.Report(session_, admitted->actions[0].action_id);
  EXPECT_EQ(play.start_frame, next);
  EXPECT_EQ(play.late_frames, 0);
  EXPECT_EQ(rig_.Report(session_, admitted->actions[1].action_id).start_frame, next + 10);
}

TEST_F(EnginePrepareTest, CancelledBatchCannotBeCommitted) {
  auto admitted = rig_.ScheduleNow(
      session_, Prepared(At(rig_.next_frame() + kRate, {PlayInline("p", 1, 1, 50, 0)})));
  auto reports = rig_.engine().CancelActions(session_, {admitted->actions[0].action_id}, false,
                                             std::nullopt, {});
  ASSERT_TRUE(reports.ok());
  EXPECT_EQ((*reports)[0].end_reason, ActionEnd::kCancelled);
  auto committed = rig_.Commit(session_, admitted->batch_id);
  ASSERT_FALSE(committed.ok());
  EXPECT_EQ(ReasonOf(committed.status()), ErrorReason::kWrongState);
  rig_.Run(1000);
  ExpectSilence();
}

TEST_F(EnginePrepareTest, WhatIsNotCancelledOfABatchStarts) {
  const int64_t frame = rig_.next_frame() + kRate;
  auto admitted = rig_.ScheduleNow(
      session_, Prepared(At(frame, {PlayInline("a", 1, 1, 50, 0), PlayInline("b", 2, 1, 50, 0)})));
  ASSERT_TRUE(
      rig_.engine()
          .CancelActions(session_, {admitted->actions[0].action_id}, false, std::nullopt, {})
          .ok());
  ASSERT_TRUE(rig_.Commit(session_, admitted->batch_id).ok());
  rig_.Finish(session_);
  EXPECT_EQ(rig_.device().sent(0)[frame], TestSample(2, 0, 0));
  EXPECT_EQ(rig_.Report(session_, admitted->actions[1].action_id).start_frame, frame);
}

TEST_F(EnginePrepareTest, BatchOfAnotherSessionOrOfNoneIsNotFound) {
  auto admitted = rig_.ScheduleNow(session_, Prepared(NowBatch({PlayInline("p", 1, 1, 50, 0)})));
  const std::string other = rig_.Session();
  for (const auto& [session, batch] :
       {std::pair(other, admitted->batch_id), std::pair(session_, std::string("t-99"))}) {
    auto committed = rig_.Commit(session, batch);
    ASSERT_FALSE(committed.ok());
    EXPECT_EQ(ReasonOf(committed.status()), ErrorReason::kNotFound);
    EXPECT_EQ(FieldOf(committed.status()), "batch_id");
  }
}

TEST_F(EnginePrepareTest, EndOfTheSessionEndsWhatIsPrepared) {
  auto admitted = rig_.ScheduleNow(
      session_, Prepared(At(rig_.next_frame() + kRate, {PlayInline("p", 1, 1, 50, 0)})));
  ASSERT_TRUE(admitted.ok());
  ASSERT_TRUE(rig_.engine().EndSession(session_).ok());
  const auto ended = rig_.Events(EventKind::kActionEnded);
  ASSERT_EQ(ended.size(), 1u);
  EXPECT_EQ(ended[0].end_reason, ActionEnd::kSessionEnded);
  rig_.Run(1000);
  ExpectSilence();
}

TEST_F(EnginePrepareTest, FollowersOfAPreparedBatchWaitForItsCommit) {
  ActionSpec second = PlayInline("b", 2, 1, 50, 0);
  second.start.kind = StartSpec::Kind::kAfter;
  second.start.after.key = "a";
  const int64_t frame = rig_.next_frame() + kRate;
  auto admitted =
      rig_.ScheduleNow(session_, Prepared(At(frame, {PlayInline("a", 1, 1, 70, 0), second})));
  ASSERT_TRUE(admitted.ok()) << admitted.status();
  ASSERT_TRUE(rig_.Commit(session_, admitted->batch_id).ok());
  rig_.Finish(session_);
  EXPECT_EQ(rig_.Report(session_, admitted->actions[1].action_id).start_frame, frame + 70);
}

TEST_F(EnginePrepareTest, FollowerOfWhatEndedMeanwhileStartsOnlyWhenItIsCommitted) {
  auto before = rig_.Schedule(session_, NowBatch({PlayInline("a", 1, 1, 70, 0)}));
  ASSERT_TRUE(before.ok()) << before.status();
  ActionSpec follower = PlayInline("b", 2, 1, 50, 0);
  follower.start.kind = StartSpec::Kind::kAfter;
  follower.start.after.action_id = before->actions[0].action_id;
  auto admitted = rig_.ScheduleNow(session_, Prepared(NowBatch({follower})));
  ASSERT_TRUE(admitted.ok()) << admitted.status();
  rig_.Run(100);
  const std::string id = admitted->actions[0].action_id;
  EXPECT_EQ(rig_.Report(session_, id).state, ActionState::kPending);
  const int64_t next = rig_.next_frame();
  ASSERT_TRUE(rig_.Commit(session_, admitted->batch_id).ok());
  rig_.Finish(session_);
  EXPECT_EQ(rig_.Report(session_, id).start_frame, next);
  EXPECT_EQ(rig_.Report(session_, id).requested_start_frame, *before->origin_frame + 70);
}

TEST_F(EnginePrepareTest, RepeatedRequestGetsTheSameBatch) {
  BatchSpec batch = Prepared(At(rig_.next_frame() + kRate, {PlayInline("p", 1, 1, 50, 0)}));
  batch.request_id = "once";
  batch.fingerprint = "f";
  auto first = rig_.ScheduleNow(session_, batch);
  auto second = rig_.ScheduleNow(session_, batch);
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_EQ(first->batch_id, second->batch_id);
  EXPECT_EQ(rig_.engine().ListActions(session_, true)->size(), 1u);
}

}  // namespace
}  // namespace rtmixd
