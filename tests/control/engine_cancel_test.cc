#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "tests/control/engine_rig.h"

namespace rtmixd {
namespace {

std::string IdOf(const absl::StatusOr<BatchAdmitted>& admitted, int index) {
  return admitted.ok() ? admitted->actions[index].action_id : "";
}

// Sound 1 from `start` on up to before `end`, and nothing else, on output 1.
void ExpectSound(EngineRig* rig, int64_t start, int64_t end) {
  const std::vector<float> sent = rig->device().sent(0);
  for (int64_t f = 0; f < static_cast<int64_t>(sent.size()); ++f) {
    ASSERT_EQ(sent[f], f >= start && f < end ? TestSample(1, 0, f - start) : 0.0f) << f;
  }
}

TEST(EngineCancelTest, ACancelOfTheSameBatchCutsAtItsSampleHoweverSoon) {
  EngineRig rig;
  const std::string session = rig.Session();
  rig.Run(1);
  auto admitted =
      rig.Schedule(session, NowBatch({PlayInline("p", 1, 1, 1000, 3), CancelKey("c", "p", 20)}));
  ASSERT_TRUE(admitted.ok()) << admitted.status();
  rig.Finish(session);
  ExpectSound(&rig, 67, 84);
  const ActionReport play = rig.Report(session, IdOf(admitted, 0));
  EXPECT_EQ(play.end_reason, ActionEnd::kCancelled);
  EXPECT_EQ(play.done_frames, 17);
  EXPECT_EQ(play.end_frame, 84);
  const ActionReport cancel = rig.Report(session, IdOf(admitted, 1));
  EXPECT_EQ(cancel.kind, ActionKind::kCancel);
  EXPECT_EQ(cancel.end_reason, ActionEnd::kCompleted);
  EXPECT_EQ(cancel.target_action_id, IdOf(admitted, 0));
  EXPECT_EQ(cancel.start_frame, 84);
  EXPECT_EQ(cancel.late_frames, 0);
}

TEST(EngineCancelTest, ACancelAtOrBeforeTheStartLeavesNothing) {
  EngineRig rig;
  const std::string session = rig.Session();
  auto admitted =
      rig.ScheduleNow(session, At(200, {PlayInline("p", 1, 1, 100, 10), CancelKey("c", "p", 10)}));
  rig.Finish(session);
  ExpectSound(&rig, 0, 0);
  const ActionReport play = rig.Report(session, IdOf(admitted, 0));
  EXPECT_EQ(play.end_reason, ActionEnd::kCancelled);
  EXPECT_EQ(play.done_frames, 0);
  EXPECT_EQ(play.start_frame, std::nullopt);
}

TEST(EngineCancelTest, AnActionOfAnEarlierBatchIsCutByItsId) {
  EngineRig rig;
  const std::string session = rig.Session();
  auto play = rig.ScheduleNow(session, At(64, {PlayInline("", 1, 1, 1000, 0)}));
  ActionSpec cancel;
  cancel.what = CancelSpec{.target = {.action_id = IdOf(play, 0)}};
  auto admitted = rig.ScheduleNow(session, At(333, {cancel}));
  ASSERT_TRUE(admitted.ok()) << admitted.status();
  rig.Finish(session);
  ExpectSound(&rig, 64, 333);
  EXPECT_EQ(rig.Report(session, IdOf(admitted, 0)).start_frame, 333);
}

TEST(EngineCancelTest, ALateCancelIsDoneAtOnceOrSkipped) {
  for (const bool skip : {false, true}) {
    EngineRig rig;
    const std::string session = rig.Session();
    auto play = rig.ScheduleNow(session, At(0, {PlayInline("", 1, 1, 1000, 0)}));
    rig.Run(4);  // next frame 256
    ActionSpec cancel;
    cancel.what = CancelSpec{.target = {.action_id = IdOf(play, 0)}};
    cancel.late_policy = skip ? LatePolicy::kSkip : LatePolicy::kPlay;
    auto admitted = rig.ScheduleNow(session, At(100, {cancel}));
    rig.Finish(session);
    ExpectSound(&rig, 0, skip ? 1000 : 256);
    const ActionReport report = rig.Report(session, IdOf(admitted, 0));
    EXPECT_EQ(report.late_frames, 156);
    EXPECT_EQ(report.end_reason, skip ? ActionEnd::kSkipped : ActionEnd::kCompleted);
  }
}

TEST(EngineCancelTest, CancelActionsEndsNowOrAtAFrame) {
  EngineRig rig;
  const std::string session = rig.Session();
  auto play = rig.ScheduleNow(
      session, At(0, {PlayInline("", 1, 1, 1000, 0), PlayInline("", 1, 1, 1000, 5000)}));
  rig.Run(2);
  auto reports = rig.engine().CancelActions(session, {IdOf(play, 0)}, false, 300, {});
  ASSERT_TRUE(reports.ok());
  EXPECT_EQ((*reports)[0].state, ActionState::kActive);
  // It would begin after the frame: taken out with the next block.
  reports = rig.engine().CancelActions(session, {IdOf(play, 1)}, false, 4000, {});
  rig.Run(1);
  EXPECT_EQ(rig.Report(session, IdOf(play, 1)).end_reason, ActionEnd::kCancelled);
  rig.Finish(session);
  ExpectSound(&rig, 0, 300);
  // Of one that has ended, the final report.
  reports = rig.engine().CancelActions(session, {IdOf(play, 0)}, false, std::nullopt, {});
  ASSERT_TRUE(reports.ok());
  EXPECT_EQ((*reports)[0].end_frame, 300);
}

TEST(EngineCancelTest, OneUnknownIdAndNothingIsCancelled) {
  EngineRig rig;
  const std::string session = rig.Session();
  const std::string other = rig.Session();
  auto play = rig.ScheduleNow(session, At(0, {PlayInline("", 1, 1, 500, 0)}));
  auto foreign = rig.ScheduleNow(other, At(0, {PlayInline("", 1, 1, 0, 0)}));
  auto status = rig.engine()
                    .CancelActions(session, {IdOf(play, 0), "a-99"}, false, std::nullopt, {})
                    .status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(FieldOf(status), "action_ids[1]");
  status = rig.engine()
               .CancelActions(session, {IdOf(play, 0), IdOf(foreign, 0)}, false, std::nullopt, {})
               .status();
  EXPECT_EQ(ReasonOf(status), ErrorReason::kForeignSession);
  EXPECT_EQ(FieldOf(rig.engine().CancelActions(session, {}, false, std::nullopt, {}).status()),
            "action_ids");
  EXPECT_EQ(FieldOf(rig.engine().CancelActions(session, {IdOf(play, 0)}, false, -1, {}).status()),
            "frame");
  rig.Finish(session);
  ExpectSound(&rig, 0, 500);
}

TEST(EngineCancelTest, ARecordingIsCutToTheSampleByAKey) {
  EngineRig rig;
  rig.device().SetInput([](int c, int64_t f) { return TestSample(2, c, f); });
  const std::string session = rig.Session();
  // With a play, so that the origin is the audio thread's choice.
  auto admitted =
      rig.Schedule(session, NowBatch({RecordNew("r", std::nullopt, 5), CancelKey("c", "r", 50),
                                      PlayInline("p", 1, 1, 0, 0)}));
  ASSERT_TRUE(admitted.ok()) << admitted.status();
  rig.Finish(session);
  const auto recorded = rig.Download(session, admitted->actions[0].buffer_id);
  ASSERT_EQ(recorded[0].size(), 45u);
  for (int f = 0; f < 45; ++f) ASSERT_EQ(recorded[1][f], TestSample(2, 1, f + 5));
  const ActionReport report = rig.Report(session, IdOf(admitted, 0));
  EXPECT_EQ(report.end_reason, ActionEnd::kCancelled);
  EXPECT_EQ(report.done_frames, 45);
}

TEST(EngineCancelTest, ACancelMeansItsFrameAlsoIfItsTargetEndsFirst) {
  EngineRig rig;
  const std::string session = rig.Session();
  auto record = rig.ScheduleNow(session, At(0, {RecordNew("", 10, 0)}));
  ASSERT_TRUE(record.ok()) << record.status();
  ActionSpec cancel;
  cancel.start.frames = 20;
  cancel.what = CancelSpec{.target = {.key = {}, .action_id = IdOf(record, 0)}};
  // With a play, so that the origin is the audio thread's choice and the frame is known later.
  BatchSpec batch = NowBatch({PlayInline("", 1, 1, 1, 0), cancel});
  batch.align_at_converters = true;
  const int64_t both_latencies = EngineRig::kInputLatencyFrames + EngineRig::kOutputLatencyFrames;
  for (int i = 0; i < 2; ++i) {
    const int64_t origin = rig.next_frame();
    auto admitted = rig.Schedule(session, batch);  // the second time it has ended before
    ASSERT_TRUE(admitted.ok()) << admitted.status();
    EXPECT_EQ(admitted->origin_frame, origin);
    EXPECT_EQ(admitted->actions[1].start_frame, origin + 20 + both_latencies);
  }
}

TEST(EngineCancelTest, CancelAllOfManyKeepsRoomForMore) {
  EngineRig rig;
  const std::string session = rig.Session();
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 18; ++i) {
      std::vector<ActionSpec> actions;
      for (int k = 0; k < 50; ++k) actions.push_back(PlayInline("", 1, 1, 10, 100000 + k));
      ASSERT_TRUE(rig.ScheduleNow(session, At(rig.next_frame(), actions)).ok());
    }
    EXPECT_EQ(rig.engine().CancelActions(session, {}, true, std::nullopt, {})->size(), 900u);
    rig.Run(8);
    EXPECT_EQ(rig.engine().GetSession(session)->active_actions, 0);
  }
}

TEST(EngineCancelTest, TwoCancelsOfEachOtherEnd) {
  EngineRig rig;
  const std::string session = rig.Session();
  auto admitted =
      rig.ScheduleNow(session, At(100, {CancelKey("a", "b", 0), CancelKey("b", "a", 0)}));
  ASSERT_TRUE(admitted.ok()) << admitted.status();
  rig.Run(4);
  EXPECT_EQ(rig.engine().GetSession(session)->active_actions, 0);
}

TEST(EngineCancelTest, WaitsEndByTheirConditionTheirTimeoutOrTheirCancellation) {
  EngineRig rig;
  const std::string session = rig.Session();
  auto play = rig.ScheduleNow(
      session, At(0, {PlayInline("", 1, 1, 100, 0), PlayInline("", 1, 1, 100, 100000)}));
  std::vector<Engine::WaitAnswer> all;
  std::vector<Engine::WaitAnswer> any;
  std::vector<Engine::WaitAnswer> cancelled;
  const auto into = [](std::vector<Engine::WaitAnswer>* to) {
    return [to](absl::StatusOr<Engine::WaitAnswer> answer) { to->push_back(*answer); };
  };
  rig.engine().WaitActions(session, {}, true, /*until_done=*/false, absl::Seconds(100), into(&any));
  rig.engine().WaitActions(session, {}, false, /*until_done=*/false, absl::Seconds(20), into(&all));
  const auto id = rig.engine().WaitActions(session, {IdOf(play, 1)}, false, /*until_done=*/false,
                                           absl::Seconds(20), into(&cancelled));
  rig.engine().CancelWait(id);
  ASSERT_EQ(cancelled.size(), 1u);
  EXPECT_EQ(cancelled[0].still_running, std::vector<std::string>{IdOf(play, 1)});
  for (int i = 0; i < 2000 && any.empty(); ++i) rig.Run(1);
  ASSERT_EQ(any.size(), 1u);
  ASSERT_EQ(any[0].ended.size(), 1u);
  EXPECT_EQ(any[0].ended[0].action_id, IdOf(play, 0));
  EXPECT_EQ(any[0].ended[0].end_reason, ActionEnd::kCompleted);
  EXPECT_EQ(any[0].still_running, std::vector<std::string>{IdOf(play, 1)});
  EXPECT_TRUE(all.empty());
  // The clock alone: the stream would be taken for lost, so it is stopped first.
  rig.engine().StopStream(session, true, [](const absl::StatusOr<StreamStatus>&) {});
  rig.Wait(absl::Seconds(21));
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].ended.size(), 1u);
  auto unknown = absl::OkStatus();
  rig.engine().WaitActions(
      session, {"a-99"}, false, /*until_done=*/false, absl::Seconds(1),
      [&](const absl::StatusOr<Engine::WaitAnswer>& answer) { unknown = answer.status(); });
  EXPECT_EQ(FieldOf(unknown), "action_ids[0]");
}

TEST(EngineCancelTest, AFadeAtOnceDoesNotWaitForAStoppedStream) {
  EngineRig rig;
  const std::string session = rig.Session();
  const auto play = rig.ScheduleNow(session, At(0, {PlayInline("", 1, 1, 10000, 0)}));
  ASSERT_TRUE(play.ok()) << play.status();
  rig.Run(4);
  const auto ok = [](const absl::StatusOr<StreamStatus>& status) {
    EXPECT_TRUE(status.ok()) << status.status();
  };
  rig.engine().StopStream(session, false, ok);
  const auto reports =
      rig.engine().CancelActions(session, {IdOf(play, 0)}, false, std::nullopt, {.frames = 100});
  ASSERT_TRUE(reports.ok()) << reports.status();
  EXPECT_EQ((*reports)[0].state, ActionState::kEnded);
  EXPECT_EQ((*reports)[0].end_reason, ActionEnd::kCancelled);
  EXPECT_EQ((*reports)[0].end_frame, 256);
  EXPECT_EQ((*reports)[0].done_frames, 256);
  ExpectSound(&rig, 0, 256);
  rig.engine().StartStream(session, ok);
  rig.Run(10);
  // The device counts anew.
  for (const float sample : rig.device().sent(0)) ASSERT_EQ(sample, 0.0f);
  EXPECT_EQ(rig.Report(session, IdOf(play, 0)).end_frame, 256);
}

TEST(EngineCancelTest, AFadeAtAFrameWaitsForAStoppedStreamToGoOn) {
  EngineRig rig;
  const std::string session = rig.Session();
  const auto play = rig.ScheduleNow(session, At(0, {PlayInline("", 1, 1, 10000, 0)}));
  ASSERT_TRUE(play.ok()) << play.status();
  rig.Run(4);
  const auto ok = [](const absl::StatusOr<StreamStatus>& status) {
    EXPECT_TRUE(status.ok()) << status.status();
  };
  rig.engine().StopStream(session, false, ok);
  const auto reports =
      rig.engine().CancelActions(session, {IdOf(play, 0)}, false, 300, {.frames = 100});
  ASSERT_TRUE(reports.ok()) << reports.status();
  EXPECT_EQ((*reports)[0].state, ActionState::kActive);
  rig.engine().StartStream(session, ok);
  rig.Run(10);
  const ActionReport report = rig.Report(session, IdOf(play, 0));
  EXPECT_EQ(report.end_reason, ActionEnd::kCancelled);
  EXPECT_EQ(report.end_frame, 400);
  const std::vector<float> sent = rig.device().sent(0);  // since frame 256
  ASSERT_GE(sent.size(), 300U);
  for (int64_t f = 256; f < 500; ++f) {
    const float wanted = TestSample(1, 0, f);
    if (f < 300) {
      ASSERT_EQ(sent[f - 256], wanted) << f;
    } else if (f < 400) {
      // Linear, from 1 to 0 in 100 frames.
      const double gain = 1 - static_cast<double>(f - 300) / 100;
      ASSERT_NEAR(sent[f - 256], gain * wanted, 2e-7) << f;
    } else {
      ASSERT_EQ(sent[f - 256], 0.0f) << f;
    }
  }
}

}  // namespace
}  // namespace rtmixd
