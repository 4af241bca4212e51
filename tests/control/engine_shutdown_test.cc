#include <optional>
#include <string>

#include "gtest/gtest.h"
#include "tests/control/engine_rig.h"

namespace rtmixd {
namespace {

TEST(EngineShutdownTest, WithinTheGraceWhatRunsFinishes) {
  EngineRig rig;
  const std::string session = rig.Session();
  auto play = rig.ScheduleNow(session, At(0, {PlayInline("", 1, 1, 1000, 0)}));
  rig.Run(1);
  int done = 0;
  rig.engine().Shutdown(absl::Seconds(60), [&] { ++done; });
  EXPECT_EQ(ReasonOf(rig.ScheduleNow(session, At(0, {PlayInline("", 1, 1, 10, 0)})).status()),
            ErrorReason::kShuttingDown);
  EXPECT_EQ(ReasonOf(rig.engine().CreateSession({}).status()), ErrorReason::kShuttingDown);
  rig.Run(2);
  EXPECT_EQ(done, 0);
  EXPECT_FALSE(rig.engine().stopped());
  rig.Finish(session);
  EXPECT_EQ(done, 1);
  EXPECT_TRUE(rig.engine().stopped());
  EXPECT_EQ(rig.Report(session, play->actions[0].action_id).end_reason, ActionEnd::kCompleted);
  EXPECT_EQ(rig.CountEvents(EventKind::kServerStopping), 1);
}

TEST(EngineShutdownTest, AfterTheGraceTheRestIsEnded) {
  EngineRig rig;
  const std::string session = rig.Session();
  auto admitted = rig.ScheduleNow(
      session, At(0, {PlayInline("", 1, 1, 1000000, 0), PlayInline("", 1, 1, 10, 100000),
                      RecordNew("", std::nullopt, 0), RecordNew("", 10, 100000)}));
  rig.Run(4);
  std::optional<Engine::WaitAnswer> told;
  rig.engine().WaitActions(
      session, {}, false, /*until_done=*/false, absl::Seconds(1000),
      [&](absl::StatusOr<Engine::WaitAnswer> answer) { told = *std::move(answer); });
  int done = 0;
  rig.engine().Shutdown(absl::Milliseconds(10), [&] { ++done; });
  rig.Run(20);
  EXPECT_EQ(done, 1);
  ASSERT_TRUE(told.has_value());
  EXPECT_EQ(told->ended.size(), 4u);
  for (const ScheduledAction& action : admitted->actions) {
    EXPECT_EQ(rig.Report(session, action.action_id).end_reason, ActionEnd::kShutdown);
  }
  const ActionReport record = rig.Report(session, admitted->actions[2].action_id);
  EXPECT_GT(record.done_frames, 0);
  EXPECT_EQ(rig.engine().GetBuffer(session, record.buffer_id)->frames, record.done_frames);
}

TEST(EngineShutdownTest, WithNothingToDoItIsDoneAtOnce) {
  EngineRig rig;
  int done = 0;
  rig.engine().Shutdown(absl::Hours(1), [&] { ++done; });
  EXPECT_EQ(done, 1);
}

TEST(EngineShutdownTest, TheEndOfTheEngineTellsEverybody) {
  EngineRig rig;
  const std::string session = rig.Session();
  rig.ScheduleNow(session, At(0, {PlayInline("", 1, 1, 1000000, 0)})).IgnoreError();
  std::optional<Engine::WaitAnswer> told;
  std::optional<absl::StatusOr<BatchAdmitted>> floating;
  rig.engine().WaitActions(
      session, {}, false, /*until_done=*/false, absl::Seconds(1000),
      [&](absl::StatusOr<Engine::WaitAnswer> answer) { told = *std::move(answer); });
  rig.engine().Schedule(session, NowBatch({PlayInline("", 1, 1, 10, 0)}),
                        [&](const absl::StatusOr<BatchAdmitted>& answer) { floating = answer; });
  int done = 0;
  rig.engine().Shutdown(absl::Hours(1), [&] { ++done; });
  rig.Reset();
  EXPECT_EQ(done, 1);
  ASSERT_TRUE(told.has_value());
  ASSERT_EQ(told->ended.size(), 1u);
  EXPECT_EQ(told->ended[0].end_reason, ActionEnd::kShutdown);
  EXPECT_TRUE(floating.has_value());
}

}  // namespace
}  // namespace rtmixd
