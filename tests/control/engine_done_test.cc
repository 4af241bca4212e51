// An action is done in the pump step of the block in which its audio ends, and has ended only when
// it is certain what the device lost; who follows a session's actions is told of both.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/control/engine_rig.h"

namespace rtmixd {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

using State = std::pair<std::string, ActionState>;

std::vector<State> States(const std::vector<ActionReport>& reports) {
  std::vector<State> states;
  for (const ActionReport& report : reports) states.emplace_back(report.key, report.state);
  return states;
}

class EngineDoneTest : public testing::Test {
 protected:
  explicit EngineDoneTest(const EngineRig::Options& options = EngineRig::DefaultOptions())
      : rig_(options) {
    rig_.device().SetInput([](int c, int64_t f) { return TestSample(2, c, f); });
    session_ = rig_.Session();
  }

  BatchAdmitted Schedule(const BatchSpec& batch) {
    auto admitted = rig_.ScheduleNow(session_, batch);
    EXPECT_TRUE(admitted.ok()) << admitted.status();
    return admitted.value_or(BatchAdmitted());
  }
  ActionReport Report(const BatchAdmitted& batch, int member = 0) {
    return rig_.Report(session_, batch.actions.at(member).action_id);
  }
  std::unique_ptr<ActionWatch> Watch(bool include_present = false) {
    auto watch =
        rig_.engine().WatchActions(session_, include_present, [this] { ++watch_changes_; });
    EXPECT_TRUE(watch.ok()) << watch.status();
    return watch.ok() ? *std::move(watch) : nullptr;
  }
  static std::vector<State> Read(ActionWatch& watch, int max_reports = 100) {
    const auto reports = watch.Read(max_reports);
    EXPECT_TRUE(reports.ok()) << reports.status();
    return reports.ok() ? States(*reports) : std::vector<State>();
  }
  // The answers to a wait for the whole session.
  std::shared_ptr<std::vector<Engine::WaitAnswer>> WaitForAll(bool until_done) {
    auto answers = std::make_shared<std::vector<Engine::WaitAnswer>>();
    rig_.engine().WaitActions(session_, {}, /*any=*/false, until_done, absl::Hours(1),
                              [answers](const absl::StatusOr<Engine::WaitAnswer>& answer) {
                                if (answer.ok()) answers->push_back(*answer);
                              });
    return answers;
  }

  EngineRig rig_;
  std::string session_;
  int watch_changes_ = 0;
};

TEST_F(EngineDoneTest, APlayIsDoneInTheBlockItEndsIn) {
  const BatchAdmitted batch = Schedule(At(64, {PlayInline("p", 1, 2, 100, 0)}));
  const auto done = WaitForAll(/*until_done=*/true);
  const auto ended = WaitForAll(/*until_done=*/false);
  rig_.Run(2);
  EXPECT_EQ(Report(batch).state, ActionState::kActive);
  EXPECT_THAT(*done, IsEmpty());
  rig_.Run(1);  // frames 128 to 192; it ends before 164
  const ActionReport report = Report(batch);
  EXPECT_EQ(report.state, ActionState::kDone);
  EXPECT_EQ(report.start_frame, 64);
  EXPECT_EQ(report.end_frame, 164);
  EXPECT_EQ(report.end_reason, ActionEnd::kCompleted);
  EXPECT_EQ(report.done_frames, 100);
  EXPECT_EQ(report.blocks.blocks, 2);
  EXPECT_EQ(report.touched, Touched::kCannotTell);
  ASSERT_EQ(done->size(), 1u);
  EXPECT_THAT(States((*done)[0].ended), ElementsAre(Pair("p", ActionState::kDone)));
  EXPECT_THAT(*ended, IsEmpty());
  EXPECT_EQ(rig_.CountEvents(EventKind::kActionEnded), 0);
  const auto events = rig_.Events(EventKind::kActionDone);
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].action_id, report.action_id);
  EXPECT_EQ(events[0].frame, 164);
  EXPECT_EQ(events[0].end_reason, ActionEnd::kCompleted);
  EXPECT_EQ(events[0].frames, 100);

  rig_.Finish(session_);
  const ActionReport last = Report(batch);
  EXPECT_EQ(last.state, ActionState::kEnded);
  EXPECT_EQ(last.touched, Touched::kNo);
  EXPECT_EQ(last.end_frame, report.end_frame);
  EXPECT_EQ(last.blocks.blocks, report.blocks.blocks);
  ASSERT_EQ(ended->size(), 1u);
  EXPECT_THAT(States((*ended)[0].ended), ElementsAre(Pair("p", ActionState::kEnded)));
  EXPECT_EQ(rig_.CountEvents(EventKind::kActionDone), 1);
  EXPECT_EQ(rig_.CountEvents(EventKind::kActionEnded), 1);
}

TEST_F(EngineDoneTest, AFlaggedXrunIsInTheReportOfADoneAction) {
  const BatchAdmitted batch = Schedule(At(0, {PlayInline("p", 1, 1, 200, 0)}));
  rig_.Run(1);
  SteppedDevice::Callback flagged;
  flagged.frames = EngineRig::kBlockFrames;
  flagged.host_flags = kHostOutputUnderflow;
  ASSERT_TRUE(rig_.device().Step(flagged));
  rig_.Run(3);
  EXPECT_EQ(Report(batch).state, ActionState::kDone);
  EXPECT_EQ(Report(batch).touched, Touched::kYes);
  EXPECT_EQ(Report(batch).blocks.output_underflows, 1);
}

TEST_F(EngineDoneTest, WhatHasNoAudioEndsAtOnce) {
  const auto watch = Watch();
  const BatchAdmitted batch =
      Schedule(At(0, {PlayInline("timer", 1, 1, 0, 10), PlayInline("late", 1, 1, 10, 100),
                      CancelKey("cancel", "late", 20)}));
  rig_.Run(2);
  for (int member = 0; member < 3; ++member) {
    EXPECT_EQ(Report(batch, member).state, ActionState::kEnded) << member;
  }
  EXPECT_EQ(rig_.CountEvents(EventKind::kActionDone), 0);
  EXPECT_EQ(rig_.CountEvents(EventKind::kActionEnded), 3);
  EXPECT_EQ(Read(*watch).size(), 3u);
}

TEST_F(EngineDoneTest, ARecordingIsWholeAndCanBePlayedWhenItIsDone) {
  const BatchAdmitted batch = Schedule(At(0, {RecordNew("r", 100, 0)}));
  const std::string buffer_id = batch.actions.at(0).buffer_id;
  auto follower = rig_.engine().OpenDownload(session_, buffer_id, [] {});
  ASSERT_TRUE(follower.ok());
  rig_.Run(1);
  EXPECT_EQ((*follower)->info().state, BufferState::kRecording);
  rig_.Run(1);
  ASSERT_EQ(Report(batch).state, ActionState::kDone);
  EXPECT_EQ(Report(batch).blocks.blocks, 2);
  EXPECT_EQ((*follower)->info().state, BufferState::kComplete);
  EXPECT_EQ((*follower)->info().frames, 100);

  ActionSpec play = PlayInline("again", 1, 1, 0, 0);
  play.what = PlaySpec{};
  std::get<PlaySpec>(play.what).buffer_id = buffer_id;
  Schedule(At(128, {play}));
  rig_.Run(2);
  const std::vector<float> sent = rig_.device().sent(0);
  for (int f = 0; f < 100; ++f) ASSERT_EQ(sent[128 + f], TestSample(2, 0, f)) << f;
}

TEST_F(EngineDoneTest, ADoneActionIsNeitherActiveNorCancelled) {
  const BatchAdmitted batch = Schedule(At(0, {PlayInline("p", 1, 1, 10, 0)}));
  rig_.Run(1);
  ASSERT_EQ(Report(batch).state, ActionState::kDone);
  EXPECT_EQ(rig_.engine().GetSession(session_)->active_actions, 0);
  EXPECT_EQ(rig_.engine().GetStats(session_, false)->active_actions, 0);
  EXPECT_THAT(*rig_.engine().ListActions(session_, /*active_only=*/true), IsEmpty());
  EXPECT_EQ(rig_.engine().ListActions(session_, /*active_only=*/false)->size(), 1u);
  const auto cancelled = rig_.engine().CancelActions(session_, {batch.actions.at(0).action_id},
                                                     /*all=*/false, std::nullopt, {});
  ASSERT_TRUE(cancelled.ok()) << cancelled.status();
  EXPECT_EQ(cancelled->at(0).state, ActionState::kDone);
  EXPECT_EQ(cancelled->at(0).end_reason, ActionEnd::kCompleted);
  EXPECT_THAT(*rig_.engine().CancelActions(session_, {}, /*all=*/true, std::nullopt, {}),
              IsEmpty());
}

TEST_F(EngineDoneTest, AnotherSessionBecomesExclusiveWhileOneIsJudged) {
  const BatchAdmitted batch = Schedule(At(0, {PlayInline("p", 1, 1, 10, 0)}));
  SessionSpec spec;
  spec.exclusive = true;
  const std::string exclusive = rig_.Session(spec);
  EXPECT_EQ(rig_.engine().GetSession(exclusive)->state, SessionState::kQueued);
  rig_.Run(1);
  EXPECT_EQ(Report(batch).state, ActionState::kDone);
  EXPECT_EQ(rig_.engine().GetSession(exclusive)->state, SessionState::kExclusive);
}

TEST_F(EngineDoneTest, ClosingTheStreamEndsWhatIsJudged) {
  const BatchAdmitted batch = Schedule(At(0, {PlayInline("p", 1, 1, 10, 0)}));
  rig_.Run(1);
  ASSERT_EQ(Report(batch).state, ActionState::kDone);
  bool closed = false;
  rig_.engine().CloseStream(
      session_, [&](const absl::StatusOr<StreamStatus>& status) { closed = status.ok(); });
  rig_.engine().PumpOnce();
  EXPECT_TRUE(closed);
  EXPECT_EQ(Report(batch).state, ActionState::kEnded);
  EXPECT_EQ(Report(batch).end_reason, ActionEnd::kCompleted);
  EXPECT_EQ(Report(batch).touched, Touched::kCannotTell);
}

TEST_F(EngineDoneTest, AGracefulStopWaitsForTheJudgement) {
  Schedule(At(0, {PlayInline("p", 1, 1, 10, 0)}));
  rig_.Run(1);
  bool stopped = false;
  rig_.engine().Shutdown(absl::Hours(1), [&] { stopped = true; });
  rig_.Run(1);
  EXPECT_FALSE(stopped);
  for (int i = 0; i < 20000 && !stopped; ++i) rig_.Run(1);
  EXPECT_TRUE(stopped);
  EXPECT_EQ(rig_.CountEvents(EventKind::kActionEnded), 1);
}

class EngineDoneLimitTest : public EngineDoneTest {
 protected:
  static EngineRig::Options OneAction() {
    EngineRig::Options options = EngineRig::DefaultOptions();
    options.limits.max_actions = 1;
    options.limits.max_kept_reports_per_session = 2;
    options.limits.max_watch_streams = 2;
    return options;
  }
  EngineDoneLimitTest() : EngineDoneTest(OneAction()) {}
};

TEST_F(EngineDoneLimitTest, ADoneActionMakesRoomForTheNext) {
  for (int i = 0; i < 100; ++i) {
    const BatchAdmitted batch = Schedule(At(rig_.next_frame(), {PlayInline("p", 1, 1, 10, 0)}));
    EXPECT_FALSE(rig_.ScheduleNow(session_, At(0, {PlayInline("", 1, 1, 10, 0)})).ok());
    rig_.Run(1);
    ASSERT_EQ(Report(batch).state, ActionState::kDone) << i;
  }
}

TEST_F(EngineDoneLimitTest, AFollowerThatNeverReadsHoldsWhatIsKept) {
  const auto watch = Watch();
  for (int i = 0; i < 5; ++i) {
    Schedule(At(rig_.next_frame(), {PlayInline(std::string(1, 'a' + i), 1, 1, 10, 0)}));
    rig_.Run(1);
  }
  rig_.Finish(session_);
  EXPECT_THAT(Read(*watch),
              ElementsAre(Pair("d", ActionState::kEnded), Pair("e", ActionState::kEnded)));
  EXPECT_EQ(watch_changes_, 1);
}

TEST_F(EngineDoneLimitTest, WatchesOfBothKindsCountAgainstOneLimit) {
  auto first = Watch();
  const auto events = rig_.engine().Watch([] {});
  ASSERT_TRUE(events.ok());
  const auto third = rig_.engine().WatchActions(session_, false, [] {});
  EXPECT_EQ(third.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(FieldOf(third.status()), "max_watch_streams");
  EXPECT_FALSE(rig_.engine().Watch([] {}).ok());
  first = nullptr;
  EXPECT_TRUE(rig_.engine().WatchActions(session_, false, [] {}).ok());
}

TEST_F(EngineDoneTest, AWatchTellsOfStartDoneAndEndInTheirOrder) {
  const auto watch = Watch();
  EXPECT_THAT(Read(*watch), IsEmpty());
  Schedule(At(0, {PlayInline("long", 1, 1, 200, 0), PlayInline("short", 1, 1, 100, 30)}));
  EXPECT_THAT(Read(*watch), IsEmpty());
  rig_.Run(1);
  EXPECT_EQ(watch_changes_, 1);
  EXPECT_THAT(Read(*watch),
              ElementsAre(Pair("long", ActionState::kActive), Pair("short", ActionState::kActive)));
  rig_.Run(1);
  EXPECT_THAT(Read(*watch), IsEmpty());
  rig_.Run(1);  // to 192; the short one ends before 130
  EXPECT_THAT(Read(*watch), ElementsAre(Pair("short", ActionState::kDone)));
  rig_.Run(1);  // to 256; the long one ends before 200
  EXPECT_THAT(Read(*watch), ElementsAre(Pair("long", ActionState::kDone)));
  EXPECT_EQ(watch_changes_, 3);
  rig_.Finish(session_);
  EXPECT_THAT(Read(*watch),
              ElementsAre(Pair("short", ActionState::kEnded), Pair("long", ActionState::kEnded)));
}

TEST_F(EngineDoneTest, ASlowFollowerGetsTheNewestReportOfEachAction) {
  const auto watch = Watch();
  Schedule(At(0, {PlayInline("a", 1, 1, 200, 0), PlayInline("b", 1, 1, 10, 0),
                  PlayInline("c", 1, 1, 100000, 0)}));
  rig_.Run(5);
  EXPECT_EQ(watch_changes_, 1);
  // In order of their latest changes, so many at a time as are asked for.
  EXPECT_THAT(Read(*watch, 1), ElementsAre(Pair("c", ActionState::kActive)));
  EXPECT_THAT(Read(*watch, 1), ElementsAre(Pair("b", ActionState::kDone)));
  EXPECT_THAT(Read(*watch, 1), ElementsAre(Pair("a", ActionState::kDone)));
  EXPECT_THAT(Read(*watch, 1), IsEmpty());
}

TEST_F(EngineDoneTest, AWatchBeginsWithWhatHasNotEndedIfAsked) {
  Schedule(At(0, {PlayInline("ended", 1, 1, 0, 0), PlayInline("done", 1, 1, 10, 0),
                  PlayInline("active", 1, 1, 1000, 0), PlayInline("pending", 1, 1, 10, 5000)}));
  rig_.Run(1);
  EXPECT_THAT(Read(*Watch()), IsEmpty());
  EXPECT_THAT(Read(*Watch(/*include_present=*/true)),
              ElementsAre(Pair("done", ActionState::kDone), Pair("active", ActionState::kActive),
                          Pair("pending", ActionState::kPending)));
}

TEST_F(EngineDoneTest, AWatchSeesItsOwnSessionOnly) {
  const auto watch = Watch();
  const std::string other = rig_.Session();
  ASSERT_TRUE(rig_.ScheduleNow(other, At(0, {PlayInline("p", 1, 1, 10, 0)})).ok());
  rig_.Run(2);
  EXPECT_EQ(watch_changes_, 0);
  EXPECT_THAT(Read(*watch), IsEmpty());
}

TEST_F(EngineDoneTest, TheEndOfTheSessionEndsItsWatch) {
  const auto watch = Watch();
  const BatchAdmitted batch = Schedule(At(0, {PlayInline("p", 1, 1, 10, 0)}));
  rig_.Run(1);
  EXPECT_THAT(Read(*watch), ElementsAre(Pair("p", ActionState::kDone)));
  const int changes = watch_changes_;
  ASSERT_TRUE(rig_.engine().EndSession(session_).ok());
  EXPECT_GT(watch_changes_, changes);
  EXPECT_THAT(Read(*watch), ElementsAre(Pair("p", ActionState::kEnded)));
  const auto over = watch->Read(100);
  EXPECT_EQ(over.status().code(), absl::StatusCode::kUnauthenticated);
  EXPECT_EQ(ReasonOf(over.status()), ErrorReason::kSessionExpired);
  const auto again = rig_.engine().WatchActions(session_, false, [] {});
  EXPECT_EQ(ReasonOf(again.status()), ErrorReason::kSessionExpired);
}

TEST_F(EngineDoneTest, AWatchKeepsItsSessionAlive) {
  SessionSpec spec;
  spec.ttl = absl::Seconds(10);
  const std::string followed = rig_.Session(spec);
  const std::string silent = rig_.Session(spec);
  auto watch = rig_.engine().WatchActions(followed, false, [] {});
  ASSERT_TRUE(watch.ok());
  for (int i = 0; i < 4; ++i) rig_.Wait(absl::Seconds(6));
  EXPECT_TRUE(rig_.engine().GetSession(followed).ok());
  EXPECT_FALSE(rig_.engine().GetSession(silent).ok());
  *watch = nullptr;
  for (int i = 0; i < 4; ++i) rig_.Wait(absl::Seconds(6));
  EXPECT_FALSE(rig_.engine().GetSession(followed).ok());
}

TEST_F(EngineDoneTest, APlayStreamIsDoneAtOnceAndReportsLater) {
  PlayStreamSpec spec;
  spec.channels = 1;
  int changes = 0;
  auto stream = rig_.engine().OpenPlay(session_, spec, [&] { ++changes; });
  ASSERT_TRUE(stream.ok()) << stream.status();
  ASSERT_TRUE((*stream)->Push(0, TestBytes(1, 1, 0, 100)).ok());
  ASSERT_TRUE((*stream)->EndOfSound().ok());
  rig_.Run(1);
  EXPECT_FALSE((*stream)->Progress().done);
  const int before = changes;
  rig_.Run(1);
  EXPECT_GT(changes, before);
  EXPECT_TRUE((*stream)->Progress().done);
  EXPECT_EQ((*stream)->Progress().played_position, 100);
  EXPECT_EQ((*stream)->FinalReport(), std::nullopt);
  rig_.Finish(session_);
  ASSERT_TRUE((*stream)->FinalReport().has_value());
  EXPECT_EQ((*stream)->FinalReport()->touched, Touched::kNo);
}

TEST_F(EngineDoneTest, ARecordStreamTellsItsEndBeforeItIsTaken) {
  RecordStreamSpec spec;
  spec.frames = 100;
  spec.chunk_frames = 48;
  spec.granted_position = 50;
  spec.start = AtFrame(0);
  int changes = 0;
  auto stream = rig_.engine().OpenRecord(session_, spec, [&] { ++changes; });
  ASSERT_TRUE(stream.ok()) << stream.status();
  rig_.Run(1);
  EXPECT_EQ((*stream)->Progress().end_position, std::nullopt);
  for (const int64_t frames : {48, 2}) {
    const RecordStream::Item item = (*stream)->Read();
    ASSERT_TRUE(std::holds_alternative<RecordStream::Chunk>(item));
    EXPECT_EQ(static_cast<int64_t>(std::get<RecordStream::Chunk>(item).bytes.size()),
              frames * 2 * 4);
  }
  // Without credit, and so without anything to be sent.
  EXPECT_TRUE(std::holds_alternative<RecordStream::Nothing>((*stream)->Read()));
  const int before = changes;
  rig_.Run(1);
  EXPECT_GT(changes, before);
  EXPECT_EQ((*stream)->Progress().end_position, 100);
  EXPECT_EQ(rig_.Report(session_, (*stream)->action_id()).state, ActionState::kActive);
  // Read to its end it is done, without another block.
  ASSERT_TRUE((*stream)->Grant(1000).ok());
  for (const int64_t frames : {48, 2}) {
    const RecordStream::Item item = (*stream)->Read();
    ASSERT_TRUE(std::holds_alternative<RecordStream::Chunk>(item));
    EXPECT_EQ(static_cast<int64_t>(std::get<RecordStream::Chunk>(item).bytes.size()),
              frames * 2 * 4);
  }
  EXPECT_TRUE(std::holds_alternative<RecordStream::Nothing>((*stream)->Read()));
  EXPECT_EQ(rig_.Report(session_, (*stream)->action_id()).state, ActionState::kDone);
  EXPECT_EQ((*stream)->Progress().end_position, 100);
  rig_.Finish(session_);
  EXPECT_TRUE(std::holds_alternative<RecordStream::Ended>((*stream)->Read()));
}

TEST_F(EngineDoneTest, AStoppedRecordStreamTellsWhereItEnds) {
  RecordStreamSpec spec;
  spec.granted_position = 10;
  spec.start = AtFrame(0);
  auto stream = rig_.engine().OpenRecord(session_, spec, [] {});
  ASSERT_TRUE(stream.ok()) << stream.status();
  rig_.Run(1);
  ASSERT_TRUE((*stream)->Stop(150).ok());
  rig_.Run(1);
  EXPECT_EQ((*stream)->Progress().end_position, std::nullopt);
  rig_.Run(1);
  EXPECT_EQ((*stream)->Progress().end_position, 150);
}

}  // namespace
}  // namespace rtmixd
