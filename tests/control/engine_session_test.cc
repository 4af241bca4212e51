#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "tests/control/engine_rig.h"

namespace rtmixd {
namespace {

SessionSpec Spec(const std::string& label, absl::Duration ttl = absl::Minutes(30)) {
  SessionSpec spec;
  spec.label = label;
  spec.ttl = ttl;
  return spec;
}

SessionSpec Exclusive(const std::string& label) {
  SessionSpec spec = Spec(label);
  spec.exclusive = true;
  return spec;
}

TEST(EngineSessionTest, ExpirySilencesAndFreesAndLeavesOthersAlone) {
  EngineRig rig;
  const std::string dying = rig.Session(Spec("dying", absl::Seconds(1)));
  const std::string living = rig.Session(Spec("living"));
  auto kept = rig.engine().CreateBuffer(
      dying, {.channels = 1, .label = {}, .keep = true, .request_id = {}});
  ASSERT_TRUE(kept.ok());
  ASSERT_TRUE((*rig.engine().OpenUpload(dying, kept->buffer_id))->Complete().ok());
  auto of_dying = rig.ScheduleNow(
      dying, At(0, {PlayInline("", 1, 1, 100000, 0), PlayInline("", 1, 1, 10, 90000),
                    RecordNew("", std::nullopt, 0)}));
  auto of_living = rig.ScheduleNow(living, At(0, {PlayInline("", 2, 1, 100000, 0)}));
  rig.Run(700);  // 0.93 s
  EXPECT_EQ(rig.engine().ListSessions().size(), 2u);
  rig.Run(100);
  ASSERT_EQ(rig.engine().ListSessions().size(), 1u);
  const auto expired = rig.Events(EventKind::kSessionExpired);
  ASSERT_EQ(expired.size(), 1u);
  EXPECT_EQ(expired[0].session_label, "dying");
  const std::vector<LogEntry> ended = rig.Events(EventKind::kActionEnded);
  ASSERT_EQ(ended.size(), 3u);
  for (const LogEntry& entry : ended) EXPECT_EQ(entry.end_reason, ActionEnd::kSessionEnded);
  // Silent from a block on, and to the sample.
  const std::vector<float> sent = rig.device().sent(0);
  int64_t f = 0;
  while (sent[f] == TestSample(1, 0, f) + TestSample(2, 0, f)) ++f;
  EXPECT_EQ(f % 64, 0);
  EXPECT_GE(f, 48000);
  EXPECT_LE(f, 48000 + 3 * 64);
  for (; f < static_cast<int64_t>(sent.size()); ++f) ASSERT_EQ(sent[f], TestSample(2, 0, f));
  // What was kept is anybody's.
  EXPECT_TRUE(rig.engine().GetBuffer(living, kept->buffer_id).ok());
  EXPECT_EQ(rig.engine().GetSession(living)->active_actions, 1);
  EXPECT_EQ(rig.engine().GetAction(dying, of_dying->actions[0].action_id).status().code(),
            absl::StatusCode::kUnauthenticated);
  EXPECT_EQ(ReasonOf(rig.ScheduleNow(dying, NowBatch({PlayInline("", 1, 1, 1, 0)})).status()),
            ErrorReason::kSessionExpired);
}

TEST(EngineSessionTest, SignsOfLifeAndOpenWaitsKeepItAlive) {
  EngineRig rig;
  auto session = rig.engine().CreateSession(Spec("s", absl::Seconds(1)));
  ASSERT_TRUE(session.ok());
  rig.Run(600);
  EXPECT_EQ(*rig.engine().Authenticate(session->token), session->info.session_id);
  rig.Run(600);
  EXPECT_TRUE(rig.engine().GetSession(session->info.session_id).ok());
  rig.ScheduleNow(session->info.session_id, At(200000, {PlayInline("", 1, 1, 1, 0)})).IgnoreError();
  bool told = false;
  const auto wait = rig.engine().WaitActions(
      session->info.session_id, {}, false, /*until_done=*/false, absl::Seconds(60),
      [&](const absl::StatusOr<Engine::WaitAnswer>&) { told = true; });
  rig.Run(1500);
  EXPECT_FALSE(told);
  rig.engine().CancelWait(wait);
  rig.Run(800);
  EXPECT_EQ(ReasonOf(rig.engine().Authenticate(session->token).status()),
            ErrorReason::kSessionExpired);
}

TEST(EngineSessionTest, ExclusiveSessionsComeInTheOrderOfAsking) {
  EngineRig rig;
  const std::string shared = rig.Session(Spec("shared"));
  auto play = rig.ScheduleNow(shared, At(0, {PlayInline("", 1, 1, 1000, 0)}));
  const std::string first = rig.Session(Exclusive("first"));
  const std::string second = rig.Session(Exclusive("second"));
  EXPECT_EQ(rig.engine().GetSession(first)->state, SessionState::kQueued);
  EXPECT_EQ(ReasonOf(rig.ScheduleNow(first, At(0, {PlayInline("", 1, 1, 1, 0)})).status()),
            ErrorReason::kWrongState);
  std::vector<std::pair<std::string, Engine::ExclusiveAnswer>> answers;
  for (const std::string& session : {second, first}) {
    rig.engine().AwaitExclusive(session, absl::Hours(1),
                                [&, session](absl::StatusOr<Engine::ExclusiveAnswer> answer) {
                                  answers.emplace_back(session, *answer);
                                });
  }
  // A look without waiting says who is in the way.
  std::optional<Engine::ExclusiveAnswer> look;
  rig.engine().AwaitExclusive(
      second, absl::ZeroDuration(),
      [&](absl::StatusOr<Engine::ExclusiveAnswer> answer) { look = *answer; });
  ASSERT_TRUE(look.has_value());
  EXPECT_EQ(look->holder_labels, std::vector<std::string>{"shared"});
  EXPECT_EQ(look->info.queue_position, 1);
  rig.Finish(shared);
  rig.Run(1);
  ASSERT_EQ(answers.size(), 1u);
  EXPECT_EQ(answers[0].first, first);
  EXPECT_EQ(answers[0].second.info.state, SessionState::kExclusive);

  auto refused = rig.ScheduleNow(shared, At(0, {PlayInline("", 1, 1, 10, 0)}));
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(ReasonOf(refused.status()), ErrorReason::kBusy);
  EXPECT_EQ(HolderOf(refused.status()), "first");
  EXPECT_TRUE(rig.ScheduleNow(first, At(0, {PlayInline("", 1, 1, 10, 0)})).ok());

  ASSERT_TRUE(rig.engine().EndSession(first).ok());
  rig.Run(3);
  ASSERT_EQ(answers.size(), 2u);
  EXPECT_EQ(answers[1].first, second);
  EXPECT_EQ(rig.CountEvents(EventKind::kSessionGranted), 2);
  ASSERT_TRUE(rig.engine().EndSession(second).ok());
  rig.Run(2);
  EXPECT_TRUE(rig.ScheduleNow(shared, At(0, {PlayInline("", 1, 1, 10, 0)})).ok());
}

TEST(EngineSessionTest, AnExclusiveSessionsChangesAreTakenBack) {
  EngineRig rig;
  const std::string session = rig.Session(Exclusive("changer"));
  ASSERT_EQ(rig.engine().GetSession(session)->state, SessionState::kExclusive);
  const std::string before = rig.engine().GetStream().stream_id;
  absl::Status status = absl::UnknownError("");
  const auto into = [&](const absl::StatusOr<StreamStatus>& answer) { status = answer.status(); };
  StreamSettings settings = EngineRig::Settings();
  settings.output.channels = 1;
  rig.engine().OpenStream(session, settings, into);
  EXPECT_EQ(ReasonOf(status), ErrorReason::kStreamOpen);
  rig.engine().CloseStream(session, into);
  ASSERT_TRUE(status.ok()) << status;
  rig.engine().OpenStream(session, settings, into);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(rig.engine().GetStream().info.output_channels, 1);
  EXPECT_EQ(rig.engine().GetStream().state, StreamState::kStopped);
  ASSERT_TRUE(rig.engine().EndSession(session).ok());
  rig.Run(2);
  EXPECT_EQ(rig.engine().GetStream().info.output_channels, 2);
  EXPECT_EQ(rig.engine().GetStream().state, StreamState::kRunning);
  EXPECT_NE(rig.engine().GetStream().stream_id, before);
  const std::string next = rig.Session();
  EXPECT_TRUE(rig.ScheduleNow(next, At(0, {PlayInline("", 1, 1, 10, 0)})).ok());
}

TEST(EngineSessionTest, AnotherSessionsWorkKeepsTheStreamAsItIs) {
  EngineRig rig;
  const std::string worker = rig.Session(Spec("worker"));
  const std::string other = rig.Session(Spec("other"));
  rig.ScheduleNow(worker, At(0, {PlayInline("", 1, 1, 100000, 0)})).IgnoreError();
  absl::Status status;
  const auto into = [&](const absl::StatusOr<StreamStatus>& answer) { status = answer.status(); };
  rig.engine().CloseStream(other, into);
  EXPECT_EQ(ReasonOf(status), ErrorReason::kBusy);
  EXPECT_EQ(HolderOf(status), "worker");
  rig.engine().StopStream(other, false, into);
  EXPECT_EQ(ReasonOf(status), ErrorReason::kBusy);
  // What changes nothing is no change.
  rig.engine().StartStream(other, into);
  EXPECT_TRUE(status.ok()) << status;
  rig.engine().OpenStream(other, EngineRig::Settings(), into);
  EXPECT_TRUE(status.ok()) << status;
  rig.engine().StopStream(worker, false, into);
  EXPECT_TRUE(status.ok()) << status;
}

TEST(EngineSessionTest, AwaitExclusiveTellsWhoNeverAsked) {
  EngineRig rig;
  const std::string session = rig.Session();
  absl::Status status;
  rig.engine().AwaitExclusive(
      session, absl::Seconds(1),
      [&](const absl::StatusOr<Engine::ExclusiveAnswer>& answer) { status = answer.status(); });
  EXPECT_EQ(ReasonOf(status), ErrorReason::kWrongState);
}

TEST(EngineSessionTest, BrokenSessionsLeaveTheServerToWhoWaitsAndTheirOwnersAreTold) {
  EngineRig rig;
  const std::string holder = rig.Session(Exclusive("holder"));
  const std::string next = rig.Session(Exclusive("next"));
  ASSERT_EQ(rig.engine().GetSession(holder)->state, SessionState::kExclusive);
  rig.ScheduleNow(holder, At(0, {PlayInline("", 1, 1, 1000000, 0)})).IgnoreError();
  std::optional<SessionState> granted;
  rig.engine().AwaitExclusive(
      next, absl::Hours(1),
      [&](const absl::StatusOr<Engine::ExclusiveAnswer>& answer) { granted = answer->info.state; });
  rig.Run(10);
  ASSERT_FALSE(granted.has_value());

  const auto ended = rig.engine().BreakSession(holder, "hangs");
  ASSERT_TRUE(ended.ok()) << ended.status();
  EXPECT_EQ(ended->state, SessionState::kEnded);
  EXPECT_EQ(ended->active_actions, 1);
  EXPECT_EQ(ended->label, "holder");
  rig.Run(10);
  EXPECT_EQ(granted, SessionState::kExclusive);
  const std::string why = "session " + holder + " was ended by an administrator: hangs";
  for (const absl::Status& status :
       {rig.ScheduleNow(holder, At(0, {PlayInline("", 1, 1, 1, 0)})).status(),
        rig.engine().ListActions(holder, false).status(),
        rig.engine()
            .CreateBuffer(holder, {.channels = 1, .label = {}, .request_id = {}})
            .status()}) {
    EXPECT_EQ(ReasonOf(status), ErrorReason::kSessionBroken) << status;
    EXPECT_EQ(status.message(), why);
  }
  const auto events = rig.Events(EventKind::kSessionBroken);
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].session_id, holder);
  EXPECT_EQ(events[0].text, why);
  EXPECT_EQ(rig.engine().BreakSession(holder, "").status().code(), absl::StatusCode::kNotFound);
}

TEST(EngineSessionTest, AnExclusiveSessionIsBrokenAtItsMaximum) {
  EngineRig::Options options = EngineRig::DefaultOptions();
  options.limits.max_exclusive = absl::Seconds(2);
  EngineRig rig(options);
  const std::string holder = rig.Session(Exclusive("holder"));
  rig.Run(1400);  // 1.87 s
  ASSERT_TRUE(rig.engine().GetSession(holder).ok());
  rig.Run(200);
  EXPECT_EQ(ReasonOf(rig.engine().ListActions(holder, false).status()),
            ErrorReason::kSessionBroken);
  ASSERT_EQ(rig.Events(EventKind::kSessionBroken).size(), 1U);
  EXPECT_TRUE(rig.Events(EventKind::kSessionExpired).empty());
}

}  // namespace
}  // namespace rtmixd
