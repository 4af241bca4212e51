#include "client_cpp/rtmixctl/report_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

namespace rtmixd::rtmixctl {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

v1::ActionReport Completed() {
  v1::ActionReport report;
  report.set_action_id("a7");
  report.set_key("stimulus");
  report.set_kind(v1::ACTION_KIND_PLAY);
  report.set_state(v1::ACTION_STATE_ENDED);
  report.set_requested_start_frame(1000);
  report.set_start_frame(1000);
  report.set_end_frame(1480);
  report.set_total_frames(480);
  report.set_done_frames(480);
  report.set_end_reason(v1::END_REASON_COMPLETED);
  report.set_touched(v1::TOUCHED_NO);
  return report;
}

TEST(ReportTextTest, TellsTheFrames) {
  const std::string text = DescribeReport(Completed());
  EXPECT_THAT(text, HasSubstr("stimulus (play): completed"));
  EXPECT_THAT(text, HasSubstr("started on frame 1000\n"));
  EXPECT_THAT(text, HasSubstr("ended before frame 1480"));
  EXPECT_THAT(text, HasSubstr("480 of 480 frames"));
  EXPECT_THAT(text, HasSubstr("no xrun touched it"));
  EXPECT_THAT(text, Not(HasSubstr("late")));
}

TEST(ReportTextTest, TellsHowLate) {
  v1::ActionReport report = Completed();
  report.set_start_frame(1010);
  report.set_late_frames(10);
  EXPECT_THAT(DescribeReport(report), HasSubstr("frame 1010, 10 frames late (asked for 1000)"));
}

TEST(ReportTextTest, TellsXrunsWithFrameAndSide) {
  v1::ActionReport report = Completed();
  report.set_touched(v1::TOUCHED_YES);
  report.set_xrun_count(1);
  v1::Xrun& xrun = *report.add_xruns();
  xrun.set_frame(1200);
  xrun.set_side(v1::XRUN_SIDE_INPUT);
  xrun.set_lost_frames(64);
  const std::string text = DescribeReport(report);
  EXPECT_THAT(text, HasSubstr("1 xrun touched it"));
  EXPECT_THAT(text, HasSubstr("before frame 1200 input lost 64 frames\n"));
}

TEST(ReportTextTest, TellsWhatIsNotKnownOfAnXrun) {
  v1::ActionReport report = Completed();
  report.set_touched(v1::TOUCHED_CANNOT_TELL);
  report.set_xrun_count(1);
  v1::Xrun& xrun = *report.add_xruns();
  xrun.set_frame(1200);
  xrun.set_lost_frames(64);
  xrun.set_lost_frames_error(2.5);
  xrun.set_earliest_frame(1100);
  xrun.set_latest_frame(1300);
  EXPECT_THAT(DescribeReport(report), HasSubstr("lost 64 +-3 frames, between 1100 and 1300\n"));
  xrun.set_lost_frames(0);
  xrun.set_lost_frames_error(std::numeric_limits<double>::infinity());
  EXPECT_THAT(DescribeReport(report), HasSubstr("lost an unknown number of frames"));
}

TEST(ReportTextTest, ABatchIsToldInNumbers) {
  v1::BatchReport report;
  report.set_batch_id("t-3");
  report.set_actions(1);
  report.set_pending_actions(1);
  report.set_state(v1::ACTION_STATE_PENDING);
  report.set_touched(v1::TOUCHED_CANNOT_TELL);
  EXPECT_EQ(DescribeBatch(report),
            "batch t-3 (1 action): 1 waiting\n"
            "  it is not known yet whether an xrun touched it\n");
  report.set_actions(5);
  report.set_pending_actions(0);
  report.set_ended_actions(5);
  report.set_state(v1::ACTION_STATE_ENDED);
  v1::EndCount& completed = *report.add_ends();
  completed.set_end_reason(v1::END_REASON_COMPLETED);
  completed.set_actions(3);
  v1::EndCount& cancelled = *report.add_ends();
  cancelled.set_end_reason(v1::END_REASON_CANCELLED);
  cancelled.set_actions(2);
  report.set_start_frame(100);
  report.set_end_frame(5000);
  report.set_late_actions(2);
  report.set_late_frames(30);
  report.set_dropped_frames(7);
  report.set_gap_count(4);
  report.set_gap_frames(600);
  report.set_clipped_actions(3);
  report.set_clipped_samples(9);
  report.set_shortest_detectable_loss_frames(12);
  const std::string frames =
      "batch t-3 (5 actions): 3 completed, 2 cancelled\n"
      "  started on frame 100\n"
      "  ended before frame 5000\n"
      "  2 late, by up to 30 frames\n"
      "  7 frames were dropped\n"
      "  4 gaps, 600 frames in all\n"
      "  the mix was clipped while 3 of them ran, 9 samples or more\n";
  EXPECT_EQ(DescribeBatch(report),
            frames +
                "  it cannot be told whether an xrun touched it (losses from 12 frames on would "
                "show)\n");
  report.set_touched(v1::TOUCHED_YES);
  report.set_touched_actions(2);
  report.set_xrun_count(1);
  v1::Xrun& xrun = *report.add_xruns();
  xrun.set_frame(1200);
  xrun.set_side(v1::XRUN_SIDE_INPUT);
  xrun.set_lost_frames(64);
  EXPECT_EQ(
      DescribeBatch(report),
      frames + "  1 xrun touched 2 of its actions:\n    before frame 1200 input lost 64 frames\n");
  report.set_touched(v1::TOUCHED_NO);
  report.clear_xruns();
  EXPECT_EQ(DescribeBatch(report), frames + "  no xrun touched it\n");
}

TEST(ReportTextTest, EventsTellTheirXrunAndWhomItTouched) {
  v1::LogEntry entry;
  entry.set_kind(v1::EVENT_KIND_XRUN);
  v1::Xrun& xrun = *entry.mutable_xrun();
  xrun.set_frame(1200);
  xrun.set_side(v1::XRUN_SIDE_OUTPUT);
  xrun.set_lost_frames(64);
  xrun.set_earliest_frame(1200);
  xrun.set_latest_frame(1200);
  entry.set_touched_action_count(2);
  EXPECT_EQ(DescribeEvent(entry),
            "XRUN: before frame 1200 output lost 64 frames; 2 actions ran there");
}

TEST(ReportTextTest, EventsTellRelocksTextsAndKindsOfTheFuture) {
  v1::LogEntry entry;
  entry.set_kind(v1::EVENT_KIND_CLOCK_RELOCKED);
  entry.mutable_clock_relock()->set_moved_frames(2);
  EXPECT_EQ(DescribeEvent(entry), "CLOCK_RELOCKED: callbacks come 2.00 frames later");
  entry.Clear();
  entry.set_kind(v1::EVENT_KIND_NOTE);
  entry.set_text("something else");
  EXPECT_EQ(DescribeEvent(entry), "something else");
  entry.Clear();
  entry.set_kind(static_cast<v1::EventKind>(999));
  EXPECT_EQ(DescribeEvent(entry), "event of kind 999");
}

TEST(ReportTextTest, DoneTellsHowItEndedAndThatXrunsAreNotKnownYet) {
  v1::ActionReport report = Completed();
  report.set_state(v1::ACTION_STATE_DONE);
  report.set_touched(v1::TOUCHED_CANNOT_TELL);
  const std::string text = DescribeReport(report);
  EXPECT_THAT(text, HasSubstr("stimulus (play): completed"));
  EXPECT_THAT(text, HasSubstr("ended before frame 1480"));
  EXPECT_THAT(text, HasSubstr("not known yet whether an xrun touched it"));
}

TEST(ReportTextTest, CannotTellIsNotSilence) {
  v1::ActionReport report = Completed();
  report.set_touched(v1::TOUCHED_CANNOT_TELL);
  report.set_shortest_detectable_loss_frames(96);
  EXPECT_THAT(DescribeReport(report), HasSubstr("cannot be told"));
  EXPECT_THAT(DescribeReport(report), HasSubstr("from 96 frames on"));
}

TEST(ReportTextTest, PausedPlayTellsWhereItStands) {
  v1::ActionReport report = Completed();
  report.set_state(v1::ACTION_STATE_ACTIVE);
  report.clear_end_frame();
  report.clear_end_reason();
  report.clear_touched();
  report.set_position_frames(120);
  EXPECT_THAT(DescribeReport(report), HasSubstr("stimulus (play): running\n"));
  EXPECT_THAT(DescribeReport(report), HasSubstr("  is at frame 120 of the sound\n"));
  report.set_paused(true);
  EXPECT_THAT(DescribeReport(report), HasSubstr("stimulus (play): paused\n"));
}

TEST(ReportTextTest, EndedPlayTellsItsPositionUnlessItIsTheEnd) {
  v1::ActionReport report = Completed();
  report.set_position_frames(480);
  EXPECT_THAT(DescribeReport(report), Not(HasSubstr("of the sound")));
  report.set_end_reason(v1::END_REASON_CANCELLED);
  report.set_position_frames(0);
  EXPECT_THAT(DescribeReport(report), HasSubstr("  was at frame 0 of the sound\n"));
  report.set_paused(true);
  EXPECT_THAT(DescribeReport(report), HasSubstr("  was at frame 0 of the sound, paused\n"));
}

TEST(ReportTextTest, WaitingPlayTellsWhatItFollows) {
  v1::ActionReport report = Completed();
  report.set_state(v1::ACTION_STATE_PENDING);
  report.clear_end_reason();
  report.set_position_frames(0);
  report.set_after_action_id("a6");
  EXPECT_THAT(DescribeReport(report),
              HasSubstr("stimulus (play): waiting\n  is a7\n  follows a6\n"));
  EXPECT_THAT(DescribeReport(report), Not(HasSubstr("of the sound")));
}

TEST(ReportTextTest, ChangeTellsWhatItChangesAndWhere) {
  v1::ActionReport report;
  report.set_action_id("a8");
  report.set_kind(v1::ACTION_KIND_CHANGE);
  report.set_state(v1::ACTION_STATE_ENDED);
  report.set_target_action_id("a7");
  report.set_start_frame(1200);
  report.set_end_frame(1200);
  report.set_end_reason(v1::END_REASON_COMPLETED);
  report.set_touched(v1::TOUCHED_NO);
  EXPECT_THAT(DescribeReport(report),
              HasSubstr("a8 (change): completed\n  changes a7\n  took effect on frame 1200\n"));
  EXPECT_THAT(DescribeReport(report), Not(HasSubstr("did 0 frames")));
  report.clear_start_frame();
  report.set_end_reason(v1::END_REASON_TARGET_ENDED);
  EXPECT_THAT(DescribeReport(report),
              HasSubstr("a8 (change): too late: what it was to change had ended\n"));
}

TEST(ReportTextTest, CancelTellsWhatItEnds) {
  v1::ActionReport report;
  report.set_action_id("a8");
  report.set_kind(v1::ACTION_KIND_CANCEL);
  report.set_target_action_id("a7");
  EXPECT_THAT(DescribeReport(report), HasSubstr("a8 (cancel): waiting\n  ends a7\n"));
}

TEST(ReportTextTest, StreamTellsItsMasterGainUnlessItIsOne) {
  v1::AudioStream stream;
  stream.set_stream_id("s1");
  stream.set_master_gain(1);
  EXPECT_THAT(DescribeStream(stream), Not(HasSubstr("gain")));
  stream.set_master_gain(0.5F);
  EXPECT_THAT(DescribeStream(stream), HasSubstr("  master gain 0.5\n"));
}

TEST(ReportTextTest, SkippedActionHasNoStart) {
  v1::ActionReport report = Completed();
  report.clear_start_frame();
  report.set_late_frames(10);
  report.set_end_reason(v1::END_REASON_SKIPPED);
  const std::string text = DescribeReport(report);
  EXPECT_THAT(text, HasSubstr("skipped because it was late"));
  EXPECT_THAT(text, HasSubstr("was to start on frame 1000, was 10 frames late"));
}

}  // namespace
}  // namespace rtmixd::rtmixctl
