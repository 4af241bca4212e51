#include <cmath>
#include <cstdint>
#include <string>
#include <utility>
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

// A play stream of one channel, whose start is a moment.
PlayStreamSpec StreamAt(absl::Time moment) {
  PlayStreamSpec spec;
  spec.channels = 1;
  spec.start = {.kind = StartSpec::Kind::kWallTime, .wall_time = moment};
  return spec;
}
RecordStreamSpec RecordStreamAt(absl::Time moment, int64_t frames) {
  RecordStreamSpec spec;
  spec.frames = frames;
  spec.grant_all = true;
  spec.start = {.kind = StartSpec::Kind::kWallTime, .wall_time = moment};
  return spec;
}

TEST_F(EngineWallTimeTest, AStreamStartsAtItsMoment) {
  const int64_t frame = rig_.next_frame() + 5 * kRate - kOut;
  auto stream = rig_.engine().OpenPlay(session_, StreamAt(InFrames(5 * kRate)), [] {});
  ASSERT_TRUE(stream.ok()) << stream.status();
  ASSERT_TRUE((*stream)->Push(0, TestBytes(1, 1, 0, 300)).ok());
  ASSERT_TRUE((*stream)->EndOfSound().ok());
  const std::string id = (*stream)->action_id();
  RunSeconds(2.9);
  EXPECT_EQ(rig_.Report(session_, id).state, ActionState::kPending);
  EXPECT_FALSE(rig_.Report(session_, id).origin_frame.has_value());
  RunSeconds(0.2);
  EXPECT_EQ(rig_.Report(session_, id).requested_start_frame, frame);
  rig_.Finish(session_);
  const ActionReport report = rig_.Report(session_, id);
  EXPECT_EQ(report.start_frame, frame);
  EXPECT_EQ(report.origin_frame, frame);
  EXPECT_EQ(report.late_frames, 0);
  EXPECT_TRUE(report.start_wall_time.has_value());
  EXPECT_LT(report.origin_uncertainty_frames.value_or(99), 3);
  const std::vector<float> sent = rig_.device().sent(0);
  for (int64_t f = frame - 100; f < frame + 400; ++f) {
    const bool sounds = f >= frame && f < frame + 300;
    ASSERT_EQ(sent[f], sounds ? TestSample(1, 0, f - frame) : 0.0F) << f;
  }
}

TEST_F(EngineWallTimeTest, ADuplexStreamIsAlignedAtTheConverters) {
  const int64_t frame = rig_.next_frame() + 3 * kRate - kOut;
  const absl::Time moment = InFrames(3 * kRate);
  auto duplex = rig_.engine().OpenDuplex(session_, StreamAt(moment), RecordStreamAt(moment, 100),
                                         false, [] {});
  ASSERT_TRUE(duplex.ok()) << duplex.status();
  ASSERT_TRUE(duplex->play->Push(0, TestBytes(1, 1, 0, 300)).ok());
  ASSERT_TRUE(duplex->play->EndOfSound().ok());
  RunSeconds(3.1);
  EXPECT_EQ(rig_.Report(session_, duplex->play->action_id()).start_frame, frame);
  EXPECT_EQ(rig_.Report(session_, duplex->record->action_id()).start_frame, frame + kOut + kIn);
}

TEST_F(EngineWallTimeTest, TheHalvesOfADuplexStreamStartTogether) {
  const absl::Time moment = InFrames(3 * kRate);
  RecordStreamSpec now;
  now.frames = 100;
  for (const auto& record : {RecordStreamAt(moment + absl::Milliseconds(1), 100), std::move(now)}) {
    const auto refused = rig_.engine().OpenDuplex(session_, StreamAt(moment), record, false, [] {});
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(FieldOf(refused.status()), "record.start.wall_time");
  }
  EXPECT_TRUE(rig_.engine().ListActions(session_, false)->empty());
}

TEST_F(EngineWallTimeTest, AMemberOfABatchHasNoMomentOfItsOwn) {
  BatchSpec batch = NowBatch({PlayInline("p", 1, 1, 100, 0)});
  batch.actions[0].start = {.kind = StartSpec::Kind::kWallTime, .wall_time = InFrames(kRate)};
  const auto refused = rig_.ScheduleNow(session_, batch);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(FieldOf(refused.status()), "actions[0].start.wall_time");
}

TEST_F(EngineWallTimeTest, AStreamThatWaitsEndsWithItsCall) {
  auto stream = rig_.engine().OpenPlay(session_, StreamAt(InFrames(60 * kRate)), [] {});
  ASSERT_TRUE(stream.ok()) << stream.status();
  auto record = rig_.engine().OpenRecord(session_, RecordStreamAt(InFrames(60 * kRate), 10), [] {});
  ASSERT_TRUE(record.ok()) << record.status();
  ASSERT_TRUE((*stream)->Push(0, TestBytes(1, 1, 0, 300)).ok());
  const std::string play_id = (*stream)->action_id();
  const std::string record_id = (*record)->action_id();
  RunSeconds(1);
  stream->reset();
  record->reset();
  RunSeconds(1);
  for (const std::string& id : {play_id, record_id}) {
    EXPECT_EQ(rig_.Report(session_, id).state, ActionState::kEnded);
    EXPECT_EQ(rig_.Report(session_, id).end_reason, ActionEnd::kDisconnected);
  }
  RunSeconds(60);
  for (const float sample : rig_.device().sent(0)) ASSERT_EQ(sample, 0.0F);
}

TEST_F(EngineWallTimeTest, AStreamWhoseMomentHasPassedIsLate) {
  auto stream = rig_.engine().OpenPlay(session_, StreamAt(InFrames(-kRate)), [] {});
  ASSERT_TRUE(stream.ok()) << stream.status();
  ASSERT_TRUE((*stream)->Push(0, TestBytes(1, 1, 0, 300)).ok());
  ASSERT_TRUE((*stream)->EndOfSound().ok());
  const int64_t next = rig_.next_frame();
  rig_.Finish(session_);
  const ActionReport report = rig_.Report(session_, (*stream)->action_id());
  EXPECT_EQ(report.start_frame, next);
  EXPECT_EQ(report.late_frames, kRate + kOut);
}

TEST_F(EngineWallTimeTest, AStreamThatFollowsOneThatWaitsStartsAtItsEnd) {
  auto first = rig_.engine().OpenPlay(session_, StreamAt(InFrames(4 * kRate)), [] {});
  ASSERT_TRUE(first.ok()) << first.status();
  ASSERT_TRUE((*first)->Push(0, TestBytes(1, 1, 0, 300)).ok());
  ASSERT_TRUE((*first)->EndOfSound().ok());
  BatchSpec batch = NowBatch({PlayInline("next", 2, 1, 100, 0)});
  batch.actions[0].start = {.kind = StartSpec::Kind::kAfter,
                            .after = {.action_id = (*first)->action_id()}};
  const auto next = rig_.Schedule(session_, batch);
  ASSERT_TRUE(next.ok()) << next.status();
  rig_.Finish(session_);
  const ActionReport report = rig_.Report(session_, (*first)->action_id());
  EXPECT_EQ(report.end_frame, *report.start_frame + 300);
  EXPECT_EQ(rig_.Report(session_, IdOf(next)).start_frame, report.end_frame);
}

TEST_F(EngineWallTimeTest, StartOfARecordingCountsItsCalibration) {
  // The cable is longer than the latencies that are claimed, and by a part of a frame.
  constexpr double kExcess = 64.25;
  const auto calibration =
      rig_.engine().SetCalibration(session_, {.found = true,
                                              .stream_id = rig_.engine().GetStream().stream_id,
                                              .output_channel = 1,
                                              .input_channel = 1,
                                              .round_trip_frames = kIn + kOut + kExcess,
                                              .repeats = 3,
                                              .gain = 1,
                                              .confidence = 0.99,
                                              .measure_time = absl::UnixEpoch()});
  ASSERT_TRUE(calibration.ok()) << calibration.status();
  const int64_t next = rig_.next_frame();
  const absl::Time moment = InFrames(kRate);
  RecordSpec output;
  output.frames = 100;
  output.source = RecordSource::kOutput;
  ActionSpec of_outputs = RecordNew("o", 100, 0);
  of_outputs.what = output;
  auto admitted = rig_.ScheduleNow(
      session_,
      AtWallTime(moment, {PlayInline("p", 1, 1, 100, 0), RecordNew("r", 100, 0), of_outputs}));
  ASSERT_TRUE(admitted.ok()) << admitted.status();
  rig_.Finish(session_);
  EXPECT_EQ(rig_.Report(session_, IdOf(admitted, 1)).start_frame, next + kRate + kIn + 64);
  for (int member = 0; member < 3; ++member) {
    const ActionReport report = rig_.Report(session_, IdOf(admitted, member));
    ASSERT_TRUE(report.start_wall_time.has_value());
    const double off_frames = absl::ToDoubleSeconds(*report.start_wall_time - moment) * kRate;
    // The recording starts a quarter of a frame before what sounds at the moment comes in.
    EXPECT_NEAR(off_frames, member == 1 ? -0.25 : 0.0, 0.1) << report.key;
  }
}

}  // namespace
}  // namespace rtmixd
