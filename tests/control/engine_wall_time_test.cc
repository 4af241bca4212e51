#include <cmath>
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
constexpr int64_t kIn = EngineRig::kInputLatencyFrames;

// A rig whose time map is locked: the stepped device's stamps are exact, and block f is stamped
// with when it is made.
class EngineWallTimeTest : public testing::Test {
 protected:
  EngineWallTimeTest() : session_(rig_.Session()) { RunSeconds(4); }

  void RunSeconds(double seconds) {
    rig_.Run(static_cast<int>(std::llround(seconds * kRate / EngineRig::kBlockFrames)));
  }
  // A moment that many frames after the one at which the next block is due.
  absl::Time InFrames(int64_t frames) const {
    return rig_.wall_now() +
           absl::Nanoseconds(std::llround(static_cast<double>(frames) * 1e9 / kRate));
  }
  std::string IdOf(const absl::StatusOr<BatchAdmitted>& admitted, int member = 0) const {
    return admitted->actions[member].action_id;
  }

  EngineRig rig_;
  const std::string session_;
};

TEST_F(EngineWallTimeTest, NearMomentIsAnsweredWithItsFrame) {
  const int64_t next = rig_.next_frame();
  const absl::Time moment = InFrames(kRate);
  auto admitted = rig_.ScheduleNow(
      session_, AtWallTime(moment, {PlayInline("p", 1, 1, 100, 10), RecordNew("r", 100, 10)}));
  ASSERT_TRUE(admitted.ok()) << admitted.status();
  ASSERT_TRUE(admitted->origin_frame.has_value());
  // The clock stands at the end of the last block, where the next one is due.
  EXPECT_EQ(*admitted->origin_frame, next + kRate - kOut);
  EXPECT_EQ(admitted->origin_wall_time, moment);
  ASSERT_TRUE(admitted->origin_uncertainty_frames.has_value());
  EXPECT_GE(*admitted->origin_uncertainty_frames, 0.5);
  EXPECT_LT(*admitted->origin_uncertainty_frames, 3);
  EXPECT_EQ(admitted->actions[0].start_frame, next + kRate - kOut + 10);
  EXPECT_EQ(admitted->actions[1].start_frame, next + kRate + kIn + 10);
  rig_.Finish(session_);

  const int64_t start = *admitted->actions[0].start_frame;
  const std::vector<float> sent = rig_.device().sent(0);
  for (int64_t f = start - 200; f < start + 300; ++f) {
    const bool sounds = f >= start && f < start + 100;
    ASSERT_EQ(sent[f], sounds ? TestSample(1, 0, f - start) : 0.0F) << f;
  }
  const ActionReport play = rig_.Report(session_, IdOf(admitted));
  EXPECT_EQ(play.start_frame, start);
  EXPECT_EQ(play.late_frames, 0);
  EXPECT_EQ(play.origin_wall_time, moment);
  EXPECT_EQ(play.origin_frame, *admitted->origin_frame);
  EXPECT_EQ(play.origin_uncertainty_frames, *admitted->origin_uncertainty_frames);
  EXPECT_FALSE(play.wall_clock_max_error_seconds.has_value());
  const ActionReport record = rig_.Report(session_, IdOf(admitted, 1));
  for (const ActionReport* report : {&play, &record}) {
    ASSERT_TRUE(report->start_wall_time.has_value());
    const double off_frames =
        absl::ToDoubleSeconds(*report->start_wall_time - (moment + absl::Seconds(10.0 / kRate))) *
        kRate;
    EXPECT_LT(std::abs(off_frames), *report->start_wall_time_uncertainty_frames + 0.5);
    EXPECT_LT(std::abs(off_frames), 1);
  }
}

TEST_F(EngineWallTimeTest, FarMomentWaitsUntilTwoSecondsBefore) {
  rig_.SayOfWallClock({.synchronized = true, .max_error_seconds = 0.004});
  const int64_t frame = rig_.next_frame() + 10 * kRate - kOut;
  auto admitted =
      rig_.ScheduleNow(session_, AtWallTime(InFrames(10 * kRate), {PlayInline("p", 1, 1, 100, 0)}));
  ASSERT_TRUE(admitted.ok()) << admitted.status();
  EXPECT_FALSE(admitted->origin_frame.has_value());
  EXPECT_FALSE(admitted->actions[0].start_frame.has_value());
  ActionReport report = rig_.Report(session_, IdOf(admitted));
  EXPECT_EQ(report.state, ActionState::kPending);
  EXPECT_FALSE(report.requested_start_frame.has_value());
  EXPECT_FALSE(report.origin_frame.has_value());
  EXPECT_TRUE(report.origin_wall_time.has_value());

  RunSeconds(7.9);
  EXPECT_FALSE(rig_.Report(session_, IdOf(admitted)).origin_frame.has_value());
  RunSeconds(0.2);
  report = rig_.Report(session_, IdOf(admitted));
  ASSERT_TRUE(report.origin_frame.has_value());
  EXPECT_EQ(*report.origin_frame, frame);
  EXPECT_EQ(report.requested_start_frame, frame);
  EXPECT_EQ(report.wall_clock_max_error_seconds, 0.004);
  rig_.Finish(session_);
  EXPECT_EQ(rig_.Report(session_, IdOf(admitted)).start_frame, frame);
  EXPECT_EQ(rig_.device().sent(0)[frame], TestSample(1, 0, 0));
}

TEST_F(EngineWallTimeTest, WaitingBatchHasItsRoom) {
  std::vector<ActionSpec> actions;
  for (int i = 0; i < 50; ++i) actions.push_back(PlayInline("", 1, 1, 1, i));
  for (int i = 0; i < 18; ++i) {
    auto admitted = rig_.ScheduleNow(session_, AtWallTime(InFrames(100 * kRate), actions));
    ASSERT_TRUE(admitted.ok()) << admitted.status();
  }
  // 900 is the session's limit.
  auto refused = rig_.ScheduleNow(session_, NowBatch({PlayInline("", 1, 1, 1, 0)}));
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(ReasonOf(refused.status()), ErrorReason::kLimitExceeded);
  RunSeconds(99);
  rig_.Finish(session_);
  const auto reports = rig_.engine().ListActions(session_, false);
  ASSERT_TRUE(reports.ok()) << reports.status();
  for (const ActionReport& report : *reports) {
    EXPECT_EQ(report.end_reason, ActionEnd::kCompleted);
  }
}

TEST_F(EngineWallTimeTest, CancelTakesItOutAtOnce) {
  auto admitted = rig_.ScheduleNow(
      session_, AtWallTime(InFrames(10 * kRate), {PlayInline("p", 1, 1, 100, 0),
                                                  RecordNew("r", 9, 0), CancelKey("c", "p", 50)}));
  ASSERT_TRUE(admitted.ok()) << admitted.status();
  auto reports = rig_.engine().CancelActions(session_, {}, /*all=*/true, std::nullopt, {});
  ASSERT_TRUE(reports.ok());
  ASSERT_EQ(reports->size(), 3u);
  for (const ActionReport& report : *reports) {
    EXPECT_EQ(report.state, ActionState::kEnded);
    EXPECT_EQ(report.end_reason, ActionEnd::kCancelled);
    EXPECT_FALSE(report.start_frame.has_value());
  }
  RunSeconds(11);
  for (const float sample : rig_.device().sent(0)) ASSERT_EQ(sample, 0.0F);
}

TEST_F(EngineWallTimeTest, CancelBeforeAFrameHoldsWhereverTheOriginFalls) {
  const int64_t next = rig_.next_frame();
  auto admitted =
      rig_.ScheduleNow(session_, AtWallTime(InFrames(4 * kRate), {PlayInline("p", 1, 1, 1000, 0)}));
  auto other =
      rig_.ScheduleNow(session_, AtWallTime(InFrames(8 * kRate), {PlayInline("p", 2, 1, 1000, 0)}));
  const int64_t start = next + 4 * kRate - kOut;
  ASSERT_TRUE(rig_.engine()
                  .CancelActions(session_, {IdOf(admitted), IdOf(other)}, false, start + 300, {})
                  .ok());
  rig_.Finish(session_);
  const ActionReport report = rig_.Report(session_, IdOf(admitted));
  EXPECT_EQ(report.end_reason, ActionEnd::kCancelled);
  EXPECT_EQ(report.start_frame, start);
  EXPECT_EQ(report.done_frames, 300);
  // The other one was taken out there: it would have started later.
  const ActionReport never = rig_.Report(session_, IdOf(other));
  EXPECT_EQ(never.end_reason, ActionEnd::kCancelled);
  EXPECT_FALSE(never.start_frame.has_value());
  EXPECT_LT(rig_.next_frame(), next + 7 * kRate);
}

TEST_F(EngineWallTimeTest, CancelOfTheBatchCutsItsMember) {
  auto admitted = rig_.ScheduleNow(
      session_,
      AtWallTime(InFrames(3 * kRate), {PlayInline("p", 1, 1, 1000, 0), CancelKey("c", "p", 123)}));
  rig_.Finish(session_);
  EXPECT_EQ(rig_.Report(session_, IdOf(admitted)).done_frames, 123);
  EXPECT_EQ(rig_.Report(session_, IdOf(admitted, 1)).end_reason, ActionEnd::kCompleted);
}

TEST_F(EngineWallTimeTest, PassedMomentIsLateAsItsPolicySays) {
  ActionSpec skip = PlayInline("s", 1, 1, 1000, 0);
  skip.late_policy = LatePolicy::kSkip;
  ActionSpec trim = PlayInline("t", 2, 1, 48000, 0);
  trim.late_policy = LatePolicy::kTrim;
  const int64_t next = rig_.next_frame();
  auto admitted = rig_.ScheduleNow(session_, AtWallTime(InFrames(-4800), {skip, trim}));
  ASSERT_TRUE(admitted.ok()) << admitted.status();
  EXPECT_EQ(admitted->origin_frame, next - 4800 - kOut);
  rig_.Finish(session_);
  EXPECT_EQ(rig_.Report(session_, IdOf(admitted)).end_reason, ActionEnd::kSkipped);
  const ActionReport trimmed = rig_.Report(session_, IdOf(admitted, 1));
  EXPECT_EQ(trimmed.late_frames, 4800 + kOut);
  EXPECT_EQ(trimmed.dropped_frames, 4800 + kOut);
  EXPECT_EQ(rig_.device().sent(0)[next], TestSample(2, 0, 4800 + kOut));
}

TEST_F(EngineWallTimeTest, RecordingOfAPassedMomentIsNotLateWhileTheHistoryHoldsIt) {
  rig_.device().SetInput([](int, int64_t frame) { return static_cast<float>(frame % 997) / 1024; });
  RunSeconds(1);
  const int64_t next = rig_.next_frame();
  auto admitted =
      rig_.ScheduleNow(session_, AtWallTime(InFrames(-9600), {RecordNew("r", 4800, 0)}));
  rig_.Finish(session_);
  const ActionReport report = rig_.Report(session_, IdOf(admitted));
  const int64_t start = next - 9600 + kIn;
  EXPECT_EQ(report.start_frame, start);
  EXPECT_EQ(report.late_frames, 0);
  const auto recorded = rig_.Download(session_, report.buffer_id);
  for (int64_t f = 0; f < 4800; ++f) {
    ASSERT_EQ(recorded[0][f], static_cast<float>((start + f) % 997) / 1024) << f;
  }
}

TEST_F(EngineWallTimeTest, ClockThatIsSetWhileItWaitsIsFollowed) {
  const int64_t next = rig_.next_frame();
  const absl::Time moment = InFrames(10 * kRate);
  auto admitted = rig_.ScheduleNow(session_, AtWallTime(moment, {PlayInline("p", 1, 1, 10, 0)}));
  RunSeconds(1);
  rig_.SetWallClock(absl::Seconds(4));
  RunSeconds(1);
  rig_.SetWallClock(-absl::Seconds(1));
  rig_.Finish(session_);
  EXPECT_EQ(rig_.Report(session_, IdOf(admitted)).start_frame, next + 7 * kRate - kOut);
  int told = 0;
  for (const LogEntry& entry : rig_.Events(EventKind::kNote)) {
    told += entry.text.find("was set by") != std::string::npos ? 1 : 0;
  }
  EXPECT_EQ(told, 2);
}

TEST_F(EngineWallTimeTest, ClockThatIsSetBeyondTheMomentMakesItLate) {
  ActionSpec skip = PlayInline("s", 1, 1, 1000, 0);
  skip.late_policy = LatePolicy::kSkip;
  auto admitted = rig_.ScheduleNow(session_, AtWallTime(InFrames(10 * kRate), {skip}));
  rig_.SetWallClock(absl::Hours(1));
  rig_.Finish(session_);
  EXPECT_EQ(rig_.Report(session_, IdOf(admitted)).end_reason, ActionEnd::kSkipped);
}

TEST_F(EngineWallTimeTest, ClockThatIsSetAfterTheOriginWasFixedChangesNothing) {
  const int64_t next = rig_.next_frame();
  auto admitted =
      rig_.ScheduleNow(session_, AtWallTime(InFrames(kRate), {PlayInline("p", 1, 1, 10, 0)}));
  rig_.SetWallClock(absl::Hours(-1));
  rig_.Finish(session_);
  EXPECT_EQ(rig_.Report(session_, IdOf(admitted)).start_frame, next + kRate - kOut);
}

TEST_F(EngineWallTimeTest, MemberThatDoesNotCountFromTheOriginIsRefused) {
  ActionSpec own = PlayInline("own", 1, 1, 10, 0);
  own.start = AtFrame(1'000'000);
  auto refused = rig_.ScheduleNow(session_, AtWallTime(InFrames(kRate), {own}));
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(FieldOf(refused.status()), "actions[0].start");
}

TEST_F(EngineWallTimeTest, EndOfTheSessionEndsWhatWaits) {
  auto admitted = rig_.ScheduleNow(
      session_,
      AtWallTime(InFrames(10 * kRate), {PlayInline("p", 1, 1, 100, 0), RecordNew("r", 9, 0)}));
  ASSERT_TRUE(admitted.ok());
  ASSERT_TRUE(rig_.engine().EndSession(session_).ok());
  const auto ended = rig_.Events(EventKind::kActionEnded);
  ASSERT_EQ(ended.size(), 2u);
  for (const LogEntry& entry : ended) EXPECT_EQ(entry.end_reason, ActionEnd::kSessionEnded);
  RunSeconds(11);
  for (const float sample : rig_.device().sent(0)) ASSERT_EQ(sample, 0.0F);
}

TEST_F(EngineWallTimeTest, CloseOfTheStreamEndsWhatWaits) {
  auto admitted =
      rig_.ScheduleNow(session_, AtWallTime(InFrames(10 * kRate), {PlayInline("p", 1, 1, 100, 0)}));
  rig_.engine().CloseStream(session_, [](const auto& status) { EXPECT_TRUE(status.ok()); });
  rig_.Wait(absl::ZeroDuration());
  EXPECT_EQ(rig_.Report(session_, IdOf(admitted)).end_reason, ActionEnd::kStreamClosed);
  rig_.Wait(absl::Seconds(20));
}

TEST_F(EngineWallTimeTest, StopOfTheServerEndsWhatWaits) {
  auto admitted = rig_.ScheduleNow(
      session_, AtWallTime(InFrames(100 * kRate), {PlayInline("p", 1, 1, 100, 0)}));
  bool stopped = false;
  rig_.engine().Shutdown(absl::Seconds(1), [&] { stopped = true; });
  EXPECT_FALSE(stopped);
  RunSeconds(1.1);
  EXPECT_TRUE(stopped);
  EXPECT_EQ(rig_.Report(session_, IdOf(admitted)).end_reason, ActionEnd::kShutdown);
}

TEST_F(EngineWallTimeTest, StoppedStreamFixesNothingAndIsLateAfterwards) {
  auto admitted =
      rig_.ScheduleNow(session_, AtWallTime(InFrames(5 * kRate), {PlayInline("p", 1, 1, 100, 0)}));
  auto skip = PlayInline("s", 1, 1, 100, 0);
  skip.late_policy = LatePolicy::kSkip;
  auto skipped = rig_.ScheduleNow(session_, AtWallTime(InFrames(5 * kRate), {skip}));
  const auto ok = [](const auto& status) { EXPECT_TRUE(status.ok()) << status.status(); };
  rig_.engine().StopStream(session_, false, ok);
  rig_.Wait(absl::Seconds(6));
  EXPECT_EQ(rig_.Report(session_, IdOf(admitted)).state, ActionState::kPending);
  const int64_t next = rig_.next_frame();
  rig_.engine().StartStream(session_, ok);
  rig_.Finish(session_);
  const ActionReport report = rig_.Report(session_, IdOf(admitted));
  EXPECT_EQ(report.end_reason, ActionEnd::kCompleted);
  // A second and the latency; the map may have seen a block or two since.
  EXPECT_NEAR(static_cast<double>(report.late_frames), kRate + kOut, 200);
  EXPECT_LT(*report.start_frame - next, 400);
  EXPECT_EQ(rig_.Report(session_, IdOf(skipped)).end_reason, ActionEnd::kSkipped);
}

TEST_F(EngineWallTimeTest, LostDeviceThatComesBackKeepsTheMoment) {
  const absl::Time moment = InFrames(10 * kRate);
  auto admitted = rig_.ScheduleNow(session_, AtWallTime(moment, {PlayInline("p", 1, 1, 100, 0)}));
  rig_.device().Die();
  for (int i = 0; i < 10; ++i) rig_.Wait(absl::Milliseconds(100));
  ASSERT_EQ(rig_.engine().GetStream().state, StreamState::kRunning);
  rig_.Finish(session_);
  const ActionReport report = rig_.Report(session_, IdOf(admitted));
  EXPECT_EQ(report.end_reason, ActionEnd::kCompleted);
  EXPECT_EQ(report.late_frames, 0);
  ASSERT_TRUE(report.start_wall_time.has_value());
  EXPECT_LT(absl::AbsDuration(*report.start_wall_time - moment), absl::Seconds(1.0 / kRate));
}

TEST(EngineWallTimeFreshTest, StreamThatIsNotLockedYetFixesHalfASecondBefore) {
  EngineRig rig;
  const std::string session = rig.Session();
  rig.Run(10);
  const absl::Time moment = rig.wall_now() + absl::Seconds(1);
  auto admitted = rig.ScheduleNow(session, AtWallTime(moment, {PlayInline("p", 1, 1, 10, 0)}));
  ASSERT_TRUE(admitted.ok());
  EXPECT_FALSE(admitted->origin_frame.has_value());
  const std::string id = admitted->actions[0].action_id;
  rig.Run(360);  // 0.48 s
  EXPECT_FALSE(rig.Report(session, id).origin_frame.has_value());
  rig.Run(30);  // 0.52 s
  const ActionReport report = rig.Report(session, id);
  ASSERT_TRUE(report.origin_frame.has_value());
  EXPECT_EQ(*report.origin_frame, 10 * EngineRig::kBlockFrames + kRate - kOut);
}

TEST(EngineWallTimeFreshTest, ClockAnswersWhatTheHostSaysOfItsWallClock) {
  EngineRig rig;
  EXPECT_FALSE(rig.engine().ReadClock().wall_clock.synchronized);
  rig.SayOfWallClock(
      {.synchronized = true, .max_error_seconds = 0.25, .estimated_error_seconds = 0.001});
  const ClockReading reading = rig.engine().ReadClock();
  EXPECT_TRUE(reading.wall_clock.synchronized);
  EXPECT_EQ(reading.wall_clock.max_error_seconds, 0.25);
  EXPECT_EQ(reading.wall_clock.estimated_error_seconds, 0.001);
}

}  // namespace
}  // namespace rtmixd
