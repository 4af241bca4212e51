// The report of a batch as a whole, from its admission until all of it has ended.

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "tests/control/engine_rig.h"

namespace rtmixd {
namespace {

class EngineBatchReportTest : public testing::Test {
 protected:
  explicit EngineBatchReportTest(const EngineRig::Options& options = EngineRig::DefaultOptions())
      : rig_(options), session_(rig_.Session()) {}

  BatchAdmitted Schedule(const BatchSpec& batch) {
    auto admitted = rig_.ScheduleNow(session_, batch);
    EXPECT_TRUE(admitted.ok()) << admitted.status();
    return admitted.value_or(BatchAdmitted());
  }
  BatchReport Report(const BatchAdmitted& batch) {
    const auto report = rig_.engine().GetBatch(session_, batch.batch_id);
    EXPECT_TRUE(report.ok()) << report.status();
    return report.value_or(BatchReport());
  }
  std::shared_ptr<std::vector<BatchReport>> Wait(const BatchAdmitted& batch, bool until_done,
                                                 absl::Duration timeout = absl::Hours(1)) {
    auto answers = std::make_shared<std::vector<BatchReport>>();
    rig_.engine().WaitBatch(session_, batch.batch_id, until_done, timeout,
                            [answers](const absl::StatusOr<BatchReport>& report) {
                              if (report.ok()) answers->push_back(*report);
                            });
    return answers;
  }

  EngineRig rig_;
  const std::string session_;
};

TEST_F(EngineBatchReportTest, ItGoesFromPendingToEnded) {
  const BatchAdmitted batch = Schedule(
      At(64, {PlayInline("p", 1, 1, 100, 0), RecordNew("r", 300, 10), CancelKey("c", "p", 50)}));
  const auto done = Wait(batch, /*until_done=*/true);
  const auto ended = Wait(batch, /*until_done=*/false);
  BatchReport report = Report(batch);
  EXPECT_EQ(report.state, ActionState::kPending);
  EXPECT_EQ(report.actions, 3);
  EXPECT_EQ(report.pending_actions, 3);
  EXPECT_EQ(report.touched, Touched::kCannotTell);
  rig_.Run(3);
  report = Report(batch);
  EXPECT_EQ(report.state, ActionState::kActive);
  EXPECT_EQ(report.active_actions, 1);
  EXPECT_EQ(report.start_frame, 64);
  EXPECT_EQ(report.end_frame, std::nullopt);
  EXPECT_TRUE(done->empty());
  rig_.Run(4);  // the recording ends before 374
  EXPECT_EQ(Report(batch).state, ActionState::kDone);
  ASSERT_EQ(done->size(), 1U);
  EXPECT_EQ((*done)[0].state, ActionState::kDone);
  EXPECT_TRUE(ended->empty());
  rig_.Finish(session_);
  report = Report(batch);
  EXPECT_EQ(report.state, ActionState::kEnded);
  EXPECT_EQ(report.ended_actions, 3);
  EXPECT_EQ(report.end_frame, 374);
  EXPECT_EQ(report.touched, Touched::kNo);
  ASSERT_EQ(report.ends.size(), 2U);
  EXPECT_EQ(report.ends[0].reason, ActionEnd::kCompleted);
  EXPECT_EQ(report.ends[0].actions, 2);
  EXPECT_EQ(report.ends[1].reason, ActionEnd::kCancelled);
  EXPECT_EQ(report.ends[1].actions, 1);
  ASSERT_EQ(ended->size(), 1U);
  EXPECT_EQ((*ended)[0].end_frame, 374);
}

TEST_F(EngineBatchReportTest, AnXrunThatTouchesOneTouchesTheBatch) {
  // In the first seconds the loss may lie up to 200 ms before its flag: in what ran all that time,
  // for certain.
  const BatchAdmitted batch =
      Schedule(At(0, {PlayInline("early", 1, 1, 64, 0), PlayInline("p", 2, 1, 640, 0),
                      RecordNew("r", 640, 0)}));
  rig_.Run(3);
  SteppedDevice::Callback flagged;
  flagged.frames = EngineRig::kBlockFrames;
  flagged.host_flags = kHostOutputUnderflow;
  ASSERT_TRUE(rig_.device().Step(flagged));
  rig_.Run(8);
  // Certain before the batch has ended.
  EXPECT_EQ(Report(batch).touched, Touched::kYes);
  rig_.Finish(session_);
  const BatchReport report = Report(batch);
  EXPECT_EQ(report.touched, Touched::kYes);
  EXPECT_EQ(report.touched_actions, 2);
  EXPECT_EQ(report.xrun_count, 1);
  ASSERT_EQ(report.xruns.size(), 1U);
  EXPECT_TRUE(report.xruns[0].flagged);
  int64_t shortest = 0;
  for (const ScheduledAction& action : batch.actions) {
    shortest =
        std::max(shortest, rig_.Report(session_, action.action_id).shortest_detectable_loss_frames);
  }
  EXPECT_EQ(report.shortest_detectable_loss_frames, shortest);
}

TEST_F(EngineBatchReportTest, WaitComesBackAfterItsTime) {
  const BatchAdmitted batch = Schedule(At(0, {RecordNew("r", std::nullopt, 0)}));
  const auto none = Wait(batch, false, absl::ZeroDuration());
  ASSERT_EQ(none->size(), 1U);
  const auto later = Wait(batch, false, absl::Milliseconds(100));
  EXPECT_TRUE(later->empty());
  rig_.Wait(absl::Milliseconds(101));
  ASSERT_EQ(later->size(), 1U);
  EXPECT_NE((*later)[0].state, ActionState::kEnded);
}

TEST_F(EngineBatchReportTest, ABatchThatWaitsOrIsPreparedIsThere) {
  BatchSpec prepared = At(48000, {PlayInline("p", 1, 1, 100, 0)});
  prepared.prepare = true;
  const BatchAdmitted batch = Schedule(prepared);
  EXPECT_EQ(Report(batch).state, ActionState::kPending);
  rig_.Run(48000 / EngineRig::kBlockFrames);
  const BatchReport report = Report(batch);
  EXPECT_EQ(report.state, ActionState::kEnded);
  ASSERT_EQ(report.ends.size(), 1U);
  EXPECT_EQ(report.ends[0].reason, ActionEnd::kNotCommitted);
  EXPECT_EQ(report.start_frame, std::nullopt);
}

TEST_F(EngineBatchReportTest, NobodyElsesIsFound) {
  const BatchAdmitted batch = Schedule(At(0, {PlayInline("p", 1, 1, 100, 0)}));
  const std::string other = rig_.Session();
  for (const std::string& session : {session_, other}) {
    const std::string id = session == session_ ? "t-999" : batch.batch_id;
    const absl::Status status = rig_.engine().GetBatch(session, id).status();
    EXPECT_EQ(ReasonOf(status), ErrorReason::kNotFound);
    EXPECT_EQ(FieldOf(status), "batch_id");
    absl::Status waited;
    rig_.engine().WaitBatch(session, id, false, absl::Hours(1),
                            [&](const auto& report) { waited = report.status(); });
    EXPECT_EQ(ReasonOf(waited), ErrorReason::kNotFound);
  }
}

EngineRig::Options KeepingTwoReports() {
  EngineRig::Options options = EngineRig::DefaultOptions();
  options.limits.max_kept_reports_per_session = 2;
  return options;
}

class EngineBatchOfFewReportsTest : public EngineBatchReportTest {
 protected:
  EngineBatchOfFewReportsTest() : EngineBatchReportTest(KeepingTwoReports()) {}
};

TEST_F(EngineBatchOfFewReportsTest, WithoutOneReportItIsForgottenAsAWhole) {
  const BatchAdmitted batch =
      Schedule(At(0, {PlayInline("a", 1, 1, 10, 0), PlayInline("b", 1, 1, 10, 0)}));
  rig_.Finish(session_);
  EXPECT_EQ(Report(batch).ended_actions, 2);
  Schedule(At(1000, {PlayInline("c", 1, 1, 10, 0)}));
  rig_.Run(20);
  EXPECT_EQ(ReasonOf(rig_.engine().GetBatch(session_, batch.batch_id).status()),
            ErrorReason::kNotFound);
}

}  // namespace
}  // namespace rtmixd
