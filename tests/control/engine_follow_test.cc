// Plays and recordings that follow others: where they start, whatever becomes of what they follow.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/control/engine_rig.h"

namespace rtmixd {
namespace {

StartSpec AfterKey(const std::string& key) {
  StartSpec start;
  start.kind = StartSpec::Kind::kAfter;
  start.after.key = key;
  return start;
}

StartSpec AfterId(const std::string& action_id) {
  StartSpec start;
  start.kind = StartSpec::Kind::kAfter;
  start.after.action_id = action_id;
  return start;
}

// Sound `sound` on output 1.
ActionSpec Play(const std::string& key, int sound, int64_t frames, const StartSpec& start = {}) {
  ActionSpec action = PlayInline(key, sound, 1, frames, 0);
  action.start = start;
  return action;
}

class EngineFollowTest : public testing::Test {
 protected:
  EngineFollowTest() : session_(rig_.Session()) {}

  BatchAdmitted Schedule(BatchSpec batch) {
    auto admitted = rig_.Schedule(session_, std::move(batch));
    EXPECT_TRUE(admitted.ok()) << admitted.status();
    return admitted.ok() ? *admitted : BatchAdmitted();
  }
  ActionReport Report(const BatchAdmitted& batch, int index) {
    return rig_.Report(session_, batch.actions.at(index).action_id);
  }
  // What output 1 sent is `wanted` from frame `begin` on, and silence elsewhere.
  void ExpectSent(int64_t begin, const std::vector<float>& wanted) {
    const std::vector<float> sent = rig_.device().sent(0);
    ASSERT_GE(sent.size(), begin + wanted.size());
    for (size_t f = 0; f < sent.size(); ++f) {
      const bool inside = f >= static_cast<size_t>(begin) && f < begin + wanted.size();
      ASSERT_EQ(sent[f], inside ? wanted[f - begin] : 0.0f) << f;
    }
  }
  static void Append(std::vector<float>* all, int sound, int64_t begin, int64_t end) {
    for (int64_t f = begin; f < end; ++f) all->push_back(TestSample(sound, 0, f));
  }

  EngineRig rig_;
  std::string session_;
};

TEST_F(EngineFollowTest, AChainIsGaplessHoweverShortItsMembers) {
  std::vector<ActionSpec> actions = {Play("0", 0, 30)};
  std::vector<float> wanted;
  Append(&wanted, 0, 0, 30);
  for (int i = 1; i < 40; ++i) {
    const int64_t frames = i % 5 == 0 ? 0 : i * 7 % 100;
    actions.push_back(Play(absl::StrCat(i), i, frames, AfterKey(absl::StrCat(i - 1))));
    Append(&wanted, i, 0, frames);
  }
  rig_.Run(1);
  const BatchAdmitted batch = Schedule(NowBatch(std::move(actions)));
  EXPECT_EQ(batch.actions[1].start_frame, std::nullopt);
  rig_.Finish(session_);
  ExpectSent(*batch.origin_frame, wanted);
  for (int i = 1; i < 40; ++i) {
    const ActionReport report = Report(batch, i);
    EXPECT_EQ(report.start_frame, Report(batch, i - 1).end_frame) << i;
    EXPECT_EQ(report.requested_start_frame, report.start_frame) << i;
    EXPECT_EQ(report.late_frames, 0) << i;
    EXPECT_EQ(report.after_action_id, batch.actions[i - 1].action_id);
    EXPECT_EQ(report.end_reason, ActionEnd::kCompleted);
  }
}

TEST_F(EngineFollowTest, AnActionOfAnEarlierBatchIsFollowedByItsId) {
  const BatchAdmitted first = Schedule(At(100, {Play("", 1, 500)}));
  rig_.Run(4);
  const BatchAdmitted second =
      Schedule(NowBatch({Play("", 2, 50, AfterId(first.actions[0].action_id))}));
  EXPECT_EQ(Report(second, 0).state, ActionState::kPending);
  EXPECT_EQ(Report(second, 0).requested_start_frame, std::nullopt);
  rig_.Finish(session_);
  std::vector<float> wanted;
  Append(&wanted, 1, 0, 500);
  Append(&wanted, 2, 0, 50);
  ExpectSent(100, wanted);
  EXPECT_EQ(Report(second, 0).start_frame, 600);
}

TEST_F(EngineFollowTest, ItFollowsACutOnItsFrame) {
  const BatchAdmitted batch = Schedule(
      NowBatch({Play("a", 1, 500), CancelKey("c", "a", 123), Play("b", 2, 50, AfterKey("a"))}));
  rig_.Finish(session_);
  std::vector<float> wanted;
  Append(&wanted, 1, 0, 123);
  Append(&wanted, 2, 0, 50);
  ExpectSent(*batch.origin_frame, wanted);
}

TEST_F(EngineFollowTest, WhatFollowsOneThatNeverStartedStartsWhereThatShouldHave) {
  const BatchAdmitted batch =
      Schedule(At(1000, {Play("a", 1, 500), Play("b", 2, 50, AfterKey("a"))}));
  ASSERT_TRUE(rig_.engine()
                  .CancelActions(session_, {batch.actions[0].action_id}, false, std::nullopt, {})
                  .ok());
  rig_.Finish(session_);
  std::vector<float> wanted;
  Append(&wanted, 2, 0, 50);
  ExpectSent(1000, wanted);
  EXPECT_EQ(Report(batch, 0).start_frame, std::nullopt);
}

TEST_F(EngineFollowTest, OneThatEndedLongAgoIsFollowedLate) {
  const BatchAdmitted first = Schedule(At(64, {Play("", 1, 100)}));
  rig_.Run(10);  // next frame 640; it ended at 164
  for (const LatePolicy policy : {LatePolicy::kPlay, LatePolicy::kTrim, LatePolicy::kSkip}) {
    ActionSpec follow = Play("", 2, 600, AfterId(first.actions[0].action_id));
    follow.late_policy = policy;
    const int64_t now = rig_.next_frame();
    const BatchAdmitted second = Schedule(NowBatch({follow}));
    rig_.Finish(session_);
    const ActionReport report = Report(second, 0);
    EXPECT_EQ(report.requested_start_frame, 164);
    if (policy == LatePolicy::kSkip) {
      EXPECT_EQ(report.end_reason, ActionEnd::kSkipped);
      EXPECT_EQ(report.done_frames, 0);
      continue;
    }
    EXPECT_EQ(report.start_frame, now);
    EXPECT_EQ(report.late_frames, now - 164);
    const int64_t dropped = policy == LatePolicy::kTrim ? std::min<int64_t>(now - 164, 600) : 0;
    EXPECT_EQ(report.dropped_frames, dropped);
    EXPECT_EQ(report.done_frames, 600 - dropped);
  }
}

TEST_F(EngineFollowTest, ARecordingFollowsOnTheFrame) {
  ActionSpec record = RecordNew("r", 90, 0);
  record.start = AfterKey("a");
  std::get<RecordSpec>(record.what).source = RecordSource::kOutput;
  const BatchAdmitted batch =
      Schedule(NowBatch({Play("a", 1, 333), Play("b", 2, 90, AfterKey("a")), record}));
  rig_.Finish(session_);
  EXPECT_EQ(Report(batch, 2).start_frame, Report(batch, 0).end_frame);
  const auto recorded = rig_.Download(session_, batch.actions[2].buffer_id);
  ASSERT_EQ(recorded[0].size(), 90u);
  for (int64_t f = 0; f < 90; ++f) EXPECT_EQ(recorded[0][f], TestSample(2, 0, f)) << f;
}

TEST_F(EngineFollowTest, StreamsAndSoundsFollowEachOther) {
  PlayStreamSpec spec;
  spec.channels = 1;
  spec.ring_frames = 4096;
  spec.prebuffer_frames = 100;
  auto first = rig_.engine().OpenPlay(session_, spec, [] {});
  ASSERT_TRUE(first.ok()) << first.status();
  // The mixer does not have the stream yet, and so cannot have what follows it either.
  const BatchAdmitted batch = Schedule(NowBatch(
      {Play("a", 2, 70, AfterId((*first)->action_id())), Play("b", 3, 80, AfterKey("a"))}));
  spec.start = AfterId(batch.actions[1].action_id);
  auto last = rig_.engine().OpenPlay(session_, spec, [] {});
  ASSERT_TRUE(last.ok()) << last.status();
  ASSERT_TRUE((*last)->Push(0, TestBytes(4, 1, 0, 150)).ok());
  ASSERT_TRUE((*last)->EndOfSound().ok());
  rig_.Run(3);
  EXPECT_EQ(Report(batch, 0).state, ActionState::kPending);
  ASSERT_TRUE((*first)->Push(0, TestBytes(1, 1, 0, 200)).ok());
  ASSERT_TRUE((*first)->EndOfSound().ok());
  rig_.Finish(session_);
  std::vector<float> wanted;
  Append(&wanted, 1, 0, 200);
  Append(&wanted, 2, 0, 70);
  Append(&wanted, 3, 0, 80);
  Append(&wanted, 4, 0, 150);
  ExpectSent(192, wanted);
}

TEST_F(EngineFollowTest, WhatWaitsForAStreamThatNeverComesIsCancelledLikeAnyOther) {
  PlayStreamSpec spec;
  spec.channels = 1;
  spec.prebuffer_frames = 100;
  auto stream = rig_.engine().OpenPlay(session_, spec, [] {});
  ASSERT_TRUE(stream.ok()) << stream.status();
  const std::string id = (*stream)->action_id();
  const BatchAdmitted batch =
      Schedule(NowBatch({Play("a", 1, 70, AfterId(id)), Play("b", 2, 70, AfterId(id)),
                         Play("c", 3, 70, AfterId(id))}));
  ASSERT_TRUE(rig_.engine()
                  .CancelActions(session_, {batch.actions[0].action_id}, false, std::nullopt, {})
                  .ok());
  EXPECT_EQ(Report(batch, 0).end_reason, ActionEnd::kCancelled);
  ASSERT_TRUE(
      rig_.engine().CancelActions(session_, {batch.actions[1].action_id}, false, 200, {}).ok());
  EXPECT_EQ(Report(batch, 1).state, ActionState::kPending);
  rig_.Run(4);
  EXPECT_EQ(Report(batch, 1).end_reason, ActionEnd::kCancelled);
  // Its call breaks: it is over, and what still follows it starts.
  const int64_t now = rig_.next_frame();
  stream->reset();
  rig_.Finish(session_);
  EXPECT_EQ(Report(batch, 2).start_frame, now);
  std::vector<float> wanted;
  Append(&wanted, 3, 0, 70);
  ExpectSent(now, wanted);
}

TEST_F(EngineFollowTest, ALongChainOfBatchesThatWaitsGoesOnWhenItsHeadDoes) {
  PlayStreamSpec spec;
  spec.channels = 1;
  spec.prebuffer_frames = 10;
  auto stream = rig_.engine().OpenPlay(session_, spec, [] {});
  ASSERT_TRUE(stream.ok()) << stream.status();
  std::string last = (*stream)->action_id();
  std::vector<float> wanted;
  Append(&wanted, 1, 0, 10);
  for (int i = 0; i < 500; ++i) {
    last = Schedule(NowBatch({Play("", i, 3, AfterId(last))})).actions.at(0).action_id;
    Append(&wanted, i, 0, 3);
  }
  const int64_t now = rig_.next_frame();
  ASSERT_TRUE((*stream)->Push(0, TestBytes(1, 1, 0, 10)).ok());
  ASSERT_TRUE((*stream)->EndOfSound().ok());
  rig_.Finish(session_);
  ExpectSent(now, wanted);
}

TEST_F(EngineFollowTest, TheEndOfTheSessionEndsAll) {
  const BatchAdmitted batch = Schedule(NowBatch(
      {Play("a", 1, 5000), Play("b", 2, 50, AfterKey("a")), Play("c", 3, 50, AfterKey("b"))}));
  rig_.Run(2);
  ASSERT_TRUE(rig_.engine().EndSession(session_).ok());
  const int64_t now = rig_.next_frame();
  rig_.Run(4);
  std::vector<float> wanted;
  Append(&wanted, 1, 0, now - *batch.origin_frame);
  ExpectSent(*batch.origin_frame, wanted);
}

TEST_F(EngineFollowTest, WhatCannotFollowIsRefusedByName) {
  const BatchAdmitted record = Schedule(At(0, {RecordNew("r", std::nullopt, 0)}));
  const auto field = [&](std::vector<ActionSpec> actions) {
    return FieldOf(rig_.ScheduleNow(session_, At(100, std::move(actions))).status());
  };
  EXPECT_EQ(field({Play("a", 1, 10, AfterKey("b")), Play("b", 1, 10)}),
            "actions[0].start.after.key");
  EXPECT_EQ(field({Play("a", 1, 10, AfterKey("a"))}), "actions[0].start.after.key");
  EXPECT_EQ(field({Play("a", 1, 10, AfterKey("x"))}), "actions[0].start.after.key");
  EXPECT_EQ(field({Play("a", 1, 10, AfterId("a-999"))}), "actions[0].start.after.action_id");
  EXPECT_EQ(field({Play("a", 1, 10, StartSpec{.kind = StartSpec::Kind::kAfter, .after = {}})}),
            "actions[0].start.after");
  EXPECT_EQ(field({Play("a", 1, 10, AfterId(record.actions[0].action_id))}),
            "actions[0].start.after.action_id");
  EXPECT_EQ(field({RecordNew("r", 5, 0), Play("a", 1, 10, AfterKey("r"))}),
            "actions[1].start.after.key");
  ActionSpec stats;
  stats.start = AfterKey("a");
  stats.what = StatsSpec{};
  EXPECT_EQ(field({Play("a", 1, 10), stats}), "actions[1].start.after");
  PlayStreamSpec stream;
  stream.channels = 1;
  stream.start = AfterKey("a");
  EXPECT_EQ(FieldOf(rig_.engine().OpenPlay(session_, stream, [] {}).status()), "start.after.key");
  const std::string other = rig_.Session();
  const auto foreign = rig_.ScheduleNow(other, At(0, {Play("", 1, 10)}));
  ASSERT_TRUE(foreign.ok());
  EXPECT_EQ(field({Play("a", 1, 10, AfterId(foreign->actions[0].action_id))}),
            "actions[0].start.after.action_id");
}

TEST_F(EngineFollowTest, SixtyFourFollowOneAndNoMore) {
  const BatchAdmitted head = Schedule(At(5000, {Play("", 1, 10)}));
  const StartSpec after = AfterId(head.actions[0].action_id);
  for (int i = 0; i < 64; ++i) Schedule(At(0, {Play("", 1, 1, after)}));
  const absl::Status status = rig_.ScheduleNow(session_, At(0, {Play("", 1, 1, after)})).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(FieldOf(status), "max_successors_per_action");
  EXPECT_EQ(LimitOf(status), "64");
}

TEST_F(EngineFollowTest, MembersOfOneBatchCountToo) {
  const BatchAdmitted head = Schedule(At(5000, {Play("", 1, 10)}));
  const StartSpec after = AfterId(head.actions[0].action_id);
  const std::vector<ActionSpec> some(40, Play("", 1, 1, after));
  Schedule(At(0, some));
  EXPECT_EQ(FieldOf(rig_.ScheduleNow(session_, At(0, some)).status()), "max_successors_per_action");
  // What was refused has left its places.
  Schedule(At(0, std::vector<ActionSpec>(24, Play("", 1, 1, after))));
  rig_.Finish(session_);
}

TEST_F(EngineFollowTest, ThoseThatArePreparedCountToo) {
  const BatchAdmitted head = Schedule(At(50000, {Play("", 1, 10)}));
  const StartSpec after = AfterId(head.actions[0].action_id);
  BatchSpec prepared = At(0, std::vector<ActionSpec>(40, Play("", 1, 1, after)));
  prepared.prepare = true;
  const BatchAdmitted first = Schedule(prepared);
  EXPECT_EQ(FieldOf(rig_.ScheduleNow(session_, prepared).status()), "max_successors_per_action");
  EXPECT_EQ(FieldOf(rig_.ScheduleNow(session_, At(0, prepared.actions)).status()),
            "max_successors_per_action");
  // Its places are its own when it is committed, and free when it has ended.
  ASSERT_TRUE(rig_.Commit(session_, first.batch_id).ok());
  EXPECT_EQ(FieldOf(rig_.ScheduleNow(session_, prepared).status()), "max_successors_per_action");
  Schedule(At(0, std::vector<ActionSpec>(24, Play("", 1, 1, after))));
  EXPECT_EQ(FieldOf(rig_.ScheduleNow(session_, At(0, {Play("", 1, 1, after)})).status()),
            "max_successors_per_action");
  std::vector<std::string> ids;
  for (const ScheduledAction& action : first.actions) ids.push_back(action.action_id);
  ASSERT_TRUE(rig_.engine().CancelActions(session_, ids, false, std::nullopt, {}).ok());
  rig_.Run(2);
  Schedule(prepared);
  rig_.engine().CancelActions(session_, {}, /*all=*/true, std::nullopt, {}).IgnoreError();
  rig_.Finish(session_);
}

}  // namespace
}  // namespace rtmixd
