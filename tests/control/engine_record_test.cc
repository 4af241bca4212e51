#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "tests/control/engine_rig.h"

namespace rtmixd {
namespace {

class EngineRecordTest : public testing::Test {
 protected:
  EngineRecordTest() {
    rig_.device().SetInput([](int c, int64_t f) { return TestSample(2, c, f); });
    session_ = rig_.Session();
  }

  // Samples of the recording are those of the input from `start` on, but for the gaps.
  void ExpectInput(const std::string& buffer, int64_t start, int64_t frames,
                   const std::vector<GapInfo>& gaps = {}) {
    const auto recorded = rig_.Download(session_, buffer);
    ASSERT_EQ(recorded.size(), 2u);
    for (int c = 0; c < 2; ++c) {
      ASSERT_EQ(static_cast<int64_t>(recorded[c].size()), frames);
      for (int64_t f = 0; f < frames; ++f) {
        bool lost = false;
        for (const GapInfo& gap : gaps) {
          lost = lost || (f >= gap.position && f < gap.position + gap.frames);
        }
        ASSERT_EQ(recorded[c][f], lost ? 0.0f : TestSample(2, c, start + f)) << c << " " << f;
      }
    }
  }

  EngineRig rig_;
  std::string session_;
};

TEST_F(EngineRecordTest, StartsInThePastWhileTheHistoryReaches) {
  rig_.Run(700);  // 44800 of 48000 frames
  auto admitted = rig_.ScheduleNow(session_, At(10, {RecordNew("", 45000, 0)}));
  ASSERT_TRUE(admitted.ok()) << admitted.status();
  rig_.Finish(session_);
  const ActionReport report = rig_.Report(session_, admitted->actions[0].action_id);
  EXPECT_EQ(report.start_frame, 10);
  EXPECT_EQ(report.late_frames, 0);
  EXPECT_EQ(report.gap_count, 0);
  EXPECT_EQ(report.end_frame, 45010);
  EXPECT_EQ(report.blocks.blocks, 704);
  ExpectInput(admitted->actions[0].buffer_id, 10, 45000);
}

TEST_F(EngineRecordTest, LatePoliciesHoldWhereTheHistoryHasForgotten) {
  rig_.Run(1600);  // 102400 frames: twice the history
  std::vector<ActionSpec> actions = {RecordNew("play", 200000, 0), RecordNew("skip", 200000, 0),
                                     RecordNew("trim", 200000, 0)};
  actions[1].late_policy = LatePolicy::kSkip;
  actions[2].late_policy = LatePolicy::kTrim;
  auto admitted = rig_.ScheduleNow(session_, At(100, actions));
  ASSERT_TRUE(admitted.ok()) << admitted.status();
  const ActionReport skip = rig_.Report(session_, admitted->actions[1].action_id);
  EXPECT_EQ(skip.end_reason, ActionEnd::kSkipped);
  EXPECT_EQ(skip.done_frames, 0);
  rig_.Run(200);
  rig_.engine().CancelActions(session_, {}, true, std::nullopt, {}).IgnoreError();
  rig_.Finish(session_);
  const ActionReport play = rig_.Report(session_, admitted->actions[0].action_id);
  ASSERT_TRUE(play.start_frame.has_value());
  EXPECT_GT(play.late_frames, 0);
  EXPECT_EQ(*play.start_frame, 100 + play.late_frames);
  EXPECT_LE(*play.start_frame, 102400 - 47000);
  EXPECT_EQ(play.gap_count, 0);
  ExpectInput(admitted->actions[0].buffer_id, *play.start_frame, play.done_frames);
  const ActionReport trim = rig_.Report(session_, admitted->actions[2].action_id);
  EXPECT_EQ(trim.start_frame, 100);
  EXPECT_EQ(trim.late_frames, play.late_frames);
  ASSERT_EQ(trim.gaps.size(), 1u);
  EXPECT_EQ(trim.gaps[0].position, 0);
  EXPECT_EQ(trim.gaps[0].frame, 100);
  EXPECT_EQ(trim.gaps[0].frames, trim.late_frames);
  EXPECT_EQ(trim.done_frames, 115200 - 100);
  ExpectInput(admitted->actions[2].buffer_id, 100, trim.done_frames, trim.gaps);
}

TEST_F(EngineRecordTest, WhatWasOverwrittenBeforeItWasCopiedIsAGap) {
  auto admitted = rig_.ScheduleNow(session_, At(0, {RecordNew("", 120000, 0)}));
  rig_.Run(100);
  ASSERT_TRUE(rig_.device().StepMany(1500, 64));  // nobody copies meanwhile
  rig_.engine().PumpOnce();
  rig_.Finish(session_);
  const ActionReport report = rig_.Report(session_, admitted->actions[0].action_id);
  EXPECT_EQ(report.end_reason, ActionEnd::kCompleted);
  EXPECT_EQ(report.done_frames, 120000);
  ASSERT_EQ(report.gaps.size(), 1u);
  EXPECT_EQ(report.gap_count, 1);
  EXPECT_EQ(report.gaps[0].position, 6400);
  EXPECT_GT(report.gaps[0].frames, 1500 * 64 - 66000);
  EXPECT_EQ(report.gap_frames, report.gaps[0].frames);
  ExpectInput(admitted->actions[0].buffer_id, 0, 120000, report.gaps);
  EXPECT_EQ(rig_.Events(EventKind::kOverrun).at(0).frames, report.gap_frames);
}

TEST_F(EngineRecordTest, TheOutputIsRecordedAsItWasSent) {
  ActionSpec record = RecordNew("r", 200, 0);
  std::get<RecordSpec>(record.what).source = RecordSource::kOutput;
  std::get<RecordSpec>(record.what).channel_map = std::vector<int>{2, 1, 2};
  auto admitted = rig_.ScheduleNow(session_, At(64, {PlayInline("p", 1, 2, 100, 20), record}));
  ASSERT_TRUE(admitted.ok()) << admitted.status();
  rig_.Finish(session_);
  const auto recorded = rig_.Download(session_, admitted->actions[1].buffer_id);
  ASSERT_EQ(recorded.size(), 3u);
  for (int64_t f = 0; f < 200; ++f) {
    const bool sounds = f >= 20 && f < 120;
    ASSERT_EQ(recorded[0][f], sounds ? TestSample(1, 1, f - 20) : 0.0f);
    ASSERT_EQ(recorded[1][f], sounds ? TestSample(1, 0, f - 20) : 0.0f);
    ASSERT_EQ(recorded[2][f], recorded[0][f]);
  }
}

TEST_F(EngineRecordTest, AppendsToABufferThatIsLeftOpen) {
  auto buffer =
      rig_.engine().CreateBuffer(session_, {.channels = 2, .label = {}, .request_id = {}});
  ASSERT_TRUE(buffer.ok());
  int64_t starts[2] = {};
  for (int round = 0; round < 2; ++round) {
    starts[round] = rig_.next_frame() + 10;
    ActionSpec record = RecordNew("", 100, 0);
    std::get<RecordSpec>(record.what).buffer_id = buffer->buffer_id;
    std::get<RecordSpec>(record.what).leave_open = round == 0;
    auto admitted = rig_.ScheduleNow(session_, At(starts[round], {record}));
    ASSERT_TRUE(admitted.ok()) << admitted.status();
    // A second writer is refused.
    EXPECT_EQ(ReasonOf(rig_.ScheduleNow(session_, At(0, {record})).status()),
              ErrorReason::kWrongState);
    rig_.Finish(session_);
  }
  const auto recorded = rig_.Download(session_, buffer->buffer_id);
  ASSERT_EQ(recorded[0].size(), 200u);
  for (int f = 0; f < 200; ++f) {
    ASSERT_EQ(recorded[1][f], TestSample(2, 1, starts[f / 100] + f % 100)) << f;
  }
  EXPECT_EQ(rig_.engine().GetBuffer(session_, buffer->buffer_id)->state, BufferState::kComplete);
}

TEST_F(EngineRecordTest, AFullBudgetEndsTheRecordingThere) {
  EngineRig::Options options = EngineRig::DefaultOptions();
  options.limits.max_buffer_bytes_per_session = 3 * 8192 * 2 * 4;
  EngineRig rig(options);
  const std::string session = rig.Session();
  auto admitted = rig.ScheduleNow(session, At(0, {RecordNew("", std::nullopt, 0)}));
  rig.Finish(session);
  const ActionReport report = rig.Report(session, admitted->actions[0].action_id);
  EXPECT_EQ(report.end_reason, ActionEnd::kLimitExceeded);
  EXPECT_GT(report.done_frames, 2 * 8192 - 1);
  EXPECT_EQ(rig.engine().GetBuffer(session, admitted->actions[0].buffer_id)->frames,
            report.done_frames);
}

TEST_F(EngineRecordTest, StoppedAtAPastFrameItEndsNowAndKeepsWhatItHas) {
  auto admitted = rig_.ScheduleNow(session_, At(10, {RecordNew("", std::nullopt, 0)}));
  ASSERT_TRUE(admitted.ok()) << admitted.status();
  const std::string id = admitted->actions[0].action_id;
  rig_.Run(10);  // next frame 640
  const auto reports = rig_.engine().CancelActions(session_, {id}, false, 100, {});
  ASSERT_TRUE(reports.ok()) << reports.status();
  rig_.Finish(session_);
  const ActionReport report = rig_.Report(session_, id);
  EXPECT_EQ(report.end_reason, ActionEnd::kCancelled);
  EXPECT_EQ(report.start_frame, 10);
  EXPECT_EQ(report.end_frame, 640);
  EXPECT_EQ(report.done_frames, 630);
  ExpectInput(admitted->actions[0].buffer_id, 10, 630);
  EXPECT_EQ(rig_.engine().GetBuffer(session_, admitted->actions[0].buffer_id)->state,
            BufferState::kComplete);
}

TEST_F(EngineRecordTest, CancelActionForAPastFrameIsLateAndKeepsWhatItHas) {
  auto admitted = rig_.ScheduleNow(session_, At(10, {RecordNew("", std::nullopt, 0)}));
  ASSERT_TRUE(admitted.ok()) << admitted.status();
  const std::string id = admitted->actions[0].action_id;
  rig_.Run(10);  // next frame 640
  ActionSpec cancel;
  cancel.what = CancelSpec{.target = {.action_id = id}};
  auto cancelled = rig_.ScheduleNow(session_, At(100, {cancel}));
  ASSERT_TRUE(cancelled.ok()) << cancelled.status();
  rig_.Finish(session_);
  EXPECT_EQ(rig_.Report(session_, cancelled->actions[0].action_id).late_frames, 540);
  const ActionReport report = rig_.Report(session_, id);
  EXPECT_EQ(report.end_reason, ActionEnd::kCancelled);
  EXPECT_EQ(report.end_frame, 640);
  ExpectInput(admitted->actions[0].buffer_id, 10, 630);
}

TEST_F(EngineRecordTest, AFollowerSeesItGrow) {
  auto admitted = rig_.ScheduleNow(session_, At(0, {RecordNew("", 300, 0)}));
  int changes = 0;
  auto reader =
      rig_.engine().OpenDownload(session_, admitted->actions[0].buffer_id, [&] { ++changes; });
  ASSERT_TRUE(reader.ok());
  rig_.Run(2);
  EXPECT_GT(changes, 0);
  std::string bytes;
  EXPECT_EQ((*reader)->Read(0, 1000, SampleFormat::kFloat32, &bytes), 128);
  EXPECT_EQ(Floats(bytes)[200], TestSample(2, 0, 100));
  EXPECT_EQ((*reader)->info().state, BufferState::kRecording);
  rig_.Run(4);
  EXPECT_EQ((*reader)->info().state, BufferState::kComplete);
}

}  // namespace
}  // namespace rtmixd
