#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "tests/control/engine_rig.h"

namespace rtmixd {
namespace {

constexpr int64_t kCable = EngineRig::kCableFrames;

TEST(EngineScheduleTest, NowStartsWithTheNextBlockAndTellsItsOrigin) {
  EngineRig rig;
  const std::string session = rig.Session();
  rig.Run(3);
  auto admitted = rig.Schedule(
      session, NowBatch({PlayInline("a", 1, 2, 100, 0), PlayInline("b", 2, 1, 50, 30)}));
  ASSERT_TRUE(admitted.ok()) << admitted.status();
  EXPECT_EQ(admitted->origin_frame, 192);
  ASSERT_EQ(admitted->actions.size(), 2u);
  EXPECT_EQ(admitted->actions[1].key, "b");
  EXPECT_EQ(admitted->actions[1].start_frame, 222);
  rig.Finish(session);

  const std::vector<float> left = rig.device().sent(0);
  const std::vector<float> right = rig.device().sent(1);
  for (int64_t f = 0; f < 400; ++f) {
    float l = 0;
    float r = 0;
    if (f >= 192 && f < 292) l += TestSample(1, 0, f - 192), r += TestSample(1, 1, f - 192);
    if (f >= 222 && f < 272) l += TestSample(2, 0, f - 222);
    ASSERT_EQ(left[f], l) << f;
    ASSERT_EQ(right[f], r) << f;
  }
  const ActionReport report = rig.Report(session, admitted->actions[1].action_id);
  EXPECT_EQ(report.state, ActionState::kEnded);
  EXPECT_EQ(report.end_reason, ActionEnd::kCompleted);
  EXPECT_EQ(report.requested_start_frame, 222);
  EXPECT_EQ(report.start_frame, 222);
  EXPECT_EQ(report.end_frame, 272);
  EXPECT_EQ(report.done_frames, 50);
  EXPECT_EQ(report.total_frames, 50);
  EXPECT_EQ(report.late_frames, 0);
  EXPECT_EQ(report.batch_id, admitted->batch_id);
  EXPECT_EQ(report.blocks.blocks, 2);  // [192, 256) and [256, 320)
  EXPECT_EQ(report.blocks.min_frames, 64);
  EXPECT_EQ(report.blocks.max_frames, 64);
  EXPECT_EQ(report.touched, Touched::kNo);
  EXPECT_EQ(report.xrun_count, 0);
}

TEST(EngineScheduleTest, PlayAndRecordOfOneOriginComeBackThroughTheCable) {
  EngineRig rig;
  const std::string session = rig.Session();
  auto admitted =
      rig.Schedule(session, NowBatch({PlayInline("p", 1, 2, 500, 0), RecordNew("r", 700, 0)}));
  ASSERT_TRUE(admitted.ok()) << admitted.status();
  const std::string buffer = admitted->actions[1].buffer_id;
  EXPECT_FALSE(buffer.empty());
  EXPECT_EQ(rig.engine().GetBuffer(session, buffer)->state, BufferState::kRecording);
  rig.Finish(session);

  EXPECT_EQ(rig.engine().GetBuffer(session, buffer)->state, BufferState::kComplete);
  const auto recorded = rig.Download(session, buffer);
  ASSERT_EQ(recorded.size(), 2u);
  for (int c = 0; c < 2; ++c) {
    ASSERT_EQ(recorded[c].size(), 700u);
    for (int64_t f = 0; f < 700; ++f) {
      const bool sounds = f >= kCable && f < kCable + 500;
      ASSERT_EQ(recorded[c][f], sounds ? TestSample(1, c, f - kCable) : 0.0f) << f;
    }
  }
  const ActionReport report = rig.Report(session, admitted->actions[1].action_id);
  EXPECT_EQ(report.start_frame, admitted->origin_frame);
  EXPECT_EQ(report.done_frames, 700);
  EXPECT_EQ(report.gap_count, 0);
}

TEST(EngineScheduleTest, AlignAtConvertersShiftsRecordingsByBothLatencies) {
  EngineRig rig;
  const std::string session = rig.Session();
  BatchSpec batch = At(1000, {PlayInline("p", 1, 1, 10, 5), RecordNew("r", 10, 5)});
  batch.align_at_converters = true;
  auto admitted = rig.ScheduleNow(session, batch);
  ASSERT_TRUE(admitted.ok()) << admitted.status();
  EXPECT_EQ(admitted->actions[0].start_frame, 1005);
  EXPECT_EQ(admitted->actions[1].start_frame,
            1005 + EngineRig::kInputLatencyFrames + EngineRig::kOutputLatencyFrames);
}

TEST(EngineScheduleTest, StreamTimesAreTimesAtTheConverters) {
  EngineRig rig;
  const std::string session = rig.Session();
  ActionSpec play = PlayInline("p", 1, 1, 10, 0);
  ActionSpec record = RecordNew("r", 10, 0);
  play.start = {StartSpec::Kind::kStreamTime, 0, 0.5};
  record.start = {StartSpec::Kind::kStreamTime, 0, 0.5};
  ActionSpec offset = RecordNew("o", 10, 7);
  BatchSpec batch = NowBatch({play, record, offset});
  batch.origin = 0.25;
  auto admitted = rig.ScheduleNow(session, batch);
  ASSERT_TRUE(admitted.ok()) << admitted.status();
  EXPECT_EQ(admitted->origin_frame, 12000 - EngineRig::kOutputLatencyFrames);
  EXPECT_EQ(admitted->actions[0].start_frame, 24000 - EngineRig::kOutputLatencyFrames);
  EXPECT_EQ(admitted->actions[1].start_frame, 24000 + EngineRig::kInputLatencyFrames);
  EXPECT_EQ(admitted->actions[2].start_frame, 12007 + EngineRig::kInputLatencyFrames);
}

TEST(EngineScheduleTest, LatePoliciesHold) {
  EngineRig rig;
  const std::string session = rig.Session();
  rig.Run(10);  // next frame 640
  std::vector<ActionSpec> actions = {PlayInline("play", 1, 1, 100, 0),
                                     PlayInline("skip", 2, 1, 100, 0),
                                     PlayInline("trim", 3, 1, 100, 0)};
  actions[1].late_policy = LatePolicy::kSkip;
  actions[2].late_policy = LatePolicy::kTrim;
  auto admitted = rig.ScheduleNow(session, At(600, actions));
  ASSERT_TRUE(admitted.ok()) << admitted.status();
  rig.Finish(session);
  const std::vector<float> sent = rig.device().sent(0);
  for (int64_t f = 600; f < 900; ++f) {
    float want = 0;
    if (f >= 640 && f < 740) want += TestSample(1, 0, f - 640);
    if (f >= 640 && f < 700) want += TestSample(3, 0, f - 600);
    ASSERT_EQ(sent[f], want) << f;
  }
  const ActionReport play = rig.Report(session, admitted->actions[0].action_id);
  EXPECT_EQ(play.start_frame, 640);
  EXPECT_EQ(play.late_frames, 40);
  EXPECT_EQ(play.done_frames, 100);
  const ActionReport skip = rig.Report(session, admitted->actions[1].action_id);
  EXPECT_EQ(skip.end_reason, ActionEnd::kSkipped);
  EXPECT_EQ(skip.start_frame, std::nullopt);
  EXPECT_EQ(skip.done_frames, 0);
  EXPECT_EQ(skip.late_frames, 40);
  const ActionReport trim = rig.Report(session, admitted->actions[2].action_id);
  EXPECT_EQ(trim.done_frames, 60);
  EXPECT_EQ(trim.dropped_frames, 40);
  EXPECT_EQ(trim.end_frame, 700);
  EXPECT_EQ(rig.CountEvents(EventKind::kActionLate), 2);
}

TEST(EngineScheduleTest, BuffersPlayWithGainAndMap) {
  EngineRig rig;
  const std::string session = rig.Session();
  auto buffer = rig.engine().CreateBuffer(
      session, {.channels = 1, .sample_rate_hz = 48000, .label = {}, .request_id = {}});
  ASSERT_TRUE(buffer.ok());
  {
    auto upload = rig.engine().OpenUpload(session, buffer->buffer_id);
    ASSERT_TRUE(upload.ok());
    ASSERT_TRUE((*upload)->Append(0, SampleFormat::kFloat32, TestBytes(5, 1, 0, 200)).ok());
    ASSERT_TRUE((*upload)->Complete().ok());
  }
  ActionSpec action;
  PlaySpec play;
  play.buffer_id = buffer->buffer_id;
  play.gain = 0.5f;
  play.channel_map = std::vector<int>{2};
  action.what = play;
  auto admitted = rig.ScheduleNow(session, At(64, {action}));
  ASSERT_TRUE(admitted.ok()) << admitted.status();
  // It plays on when its buffer is deleted.
  EXPECT_TRUE(rig.engine().DeleteBuffer(session, buffer->buffer_id).ok());
  rig.Finish(session);
  for (int64_t f = 0; f < 300; ++f) {
    const bool sounds = f >= 64 && f < 264;
    ASSERT_EQ(rig.device().sent(1)[f], sounds ? 0.5f * TestSample(5, 0, f - 64) : 0.0f) << f;
    ASSERT_EQ(rig.device().sent(0)[f], 0.0f);
  }
}

TEST(EngineScheduleTest, ATimerWithoutFramesEndsAtItsFrame) {
  EngineRig rig;
  const std::string session = rig.Session();
  auto admitted =
      rig.ScheduleNow(session, At(100, {PlayInline("p", 1, 1, 0, 0), RecordNew("r", 0, 0)}));
  ASSERT_TRUE(admitted.ok()) << admitted.status();
  rig.Run(1);
  EXPECT_NE(rig.Report(session, admitted->actions[0].action_id).state, ActionState::kEnded);
  rig.Run(1);
  for (int i = 0; i < 2; ++i) {
    const ActionReport report = rig.Report(session, admitted->actions[i].action_id);
    EXPECT_EQ(report.end_reason, ActionEnd::kCompleted) << i;
    EXPECT_EQ(report.start_frame, 100);
    EXPECT_EQ(report.end_frame, 100);
    EXPECT_EQ(report.done_frames, 0);
  }
}

TEST(EngineScheduleTest, StatsCountTheBlockOfTheirFrameAndAllBefore) {
  EngineRig rig;
  const std::string session = rig.Session();
  rig.Run(4);
  ActionSpec first;
  first.start.frames = 0;
  first.what = StatsSpec{.reset_baseline = true};
  ActionSpec second;
  second.start.frames = 100;
  second.what = StatsSpec{};
  auto admitted = rig.ScheduleNow(session, At(300, {first, second}));
  ASSERT_TRUE(admitted.ok()) << admitted.status();
  rig.Run(6);
  const ActionReport a = rig.Report(session, admitted->actions[0].action_id);
  ASSERT_TRUE(a.stats.has_value());
  EXPECT_EQ(a.stats->since_frame, 0);
  EXPECT_EQ(a.stats->until_frame, 320);
  EXPECT_EQ(a.stats->blocks.blocks, 5);
  const ActionReport b = rig.Report(session, admitted->actions[1].action_id);
  ASSERT_TRUE(b.stats.has_value());
  EXPECT_EQ(b.stats->since_frame, 320);
  EXPECT_EQ(b.stats->until_frame, 448);
  EXPECT_EQ(b.stats->blocks.blocks, 2);
  EXPECT_EQ(rig.engine().GetStats(session, false)->since_frame, 320);
  EXPECT_EQ(rig.engine().GetStats("", false)->since_frame, 0);
}

TEST(EngineScheduleTest, TheSameRequestIsDoneOnce) {
  EngineRig rig;
  const std::string session = rig.Session();
  BatchSpec batch = At(64, {PlayInline("a", 1, 1, 10, 0)});
  batch.request_id = "r1";
  batch.fingerprint = "f1";
  auto first = rig.ScheduleNow(session, batch);
  auto again = rig.ScheduleNow(session, batch);
  ASSERT_TRUE(first.ok());
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(first->batch_id, again->batch_id);
  EXPECT_EQ(rig.engine().ListActions(session, false)->size(), 1u);
  batch.fingerprint = "f2";
  auto other = rig.ScheduleNow(session, batch);
  EXPECT_EQ(ReasonOf(other.status()), ErrorReason::kRequestIdReused);
}

TEST(EngineScheduleTest, AFloatingRepeatedRequestWaitsForTheSameAnswer) {
  EngineRig rig;
  const std::string session = rig.Session();
  BatchSpec batch = NowBatch({PlayInline("a", 1, 1, 10, 0)});
  batch.request_id = "r1";
  std::vector<std::string> ids;
  for (int i = 0; i < 2; ++i) {
    rig.engine().Schedule(session, batch, [&](absl::StatusOr<BatchAdmitted> answer) {
      ids.push_back(answer->actions[0].action_id);
    });
  }
  EXPECT_TRUE(ids.empty());
  rig.Run(1);
  ASSERT_EQ(ids.size(), 2u);
  EXPECT_EQ(ids[0], ids[1]);
}

TEST(EngineScheduleTest, AStalledDeviceIsNotWaitedForMoreThanASecond) {
  EngineRig rig;
  const std::string session = rig.Session();
  std::vector<BatchAdmitted> answers;
  rig.engine().Schedule(session, NowBatch({PlayInline("a", 1, 1, 10, 0)}),
                        [&](absl::StatusOr<BatchAdmitted> answer) { answers.push_back(*answer); });
  rig.Wait(absl::Milliseconds(400));
  EXPECT_TRUE(answers.empty());
  rig.Wait(absl::Milliseconds(700));
  ASSERT_EQ(answers.size(), 1u);
  EXPECT_EQ(answers[0].origin_frame, std::nullopt);
  EXPECT_EQ(answers[0].actions[0].start_frame, std::nullopt);
  EXPECT_FALSE(answers[0].actions[0].action_id.empty());
}

struct BadBatch {
  const char* name;
  std::function<void(BatchSpec*)> spoil;
  std::string field;
  ErrorReason reason = ErrorReason::kBadField;
  absl::StatusCode code = absl::StatusCode::kInvalidArgument;
};

PlaySpec* Play(BatchSpec* batch) { return &std::get<PlaySpec>(batch->actions[1].what); }
RecordSpec* Record(BatchSpec* batch) { return &std::get<RecordSpec>(batch->actions[2].what); }
CancelSpec* Cancel(BatchSpec* batch) { return &std::get<CancelSpec>(batch->actions[3].what); }

std::vector<BadBatch> BadBatches() {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const float inf = std::numeric_limits<float>::infinity();
  using Kind = StartSpec::Kind;
  return {
      {"no actions", [](BatchSpec* b) { b->actions.clear(); }, "actions"},
      {"origin -1", [](BatchSpec* b) { b->origin = int64_t{-1}; }, "origin_frame"},
      {"origin 2^53", [](BatchSpec* b) { b->origin = int64_t{1} << 53; }, "origin_frame"},
      {"origin nan", [=](BatchSpec* b) { b->origin = nan; }, "origin_stream_time_seconds"},
      {"origin < 0", [](BatchSpec* b) { b->origin = -0.5; }, "origin_stream_time_seconds"},
      {"same key", [](BatchSpec* b) { b->actions[1].key = "a"; }, "actions[1].key"},
      {"long key", [](BatchSpec* b) { b->actions[1].key.assign(129, 'x'); }, "actions[1].key"},
      {"offset", [](BatchSpec* b) { b->actions[1].start.frames = -1; },
       "actions[1].start.offset_frames"},
      {"frame", [](BatchSpec* b) { b->actions[1].start = AtFrame(-3); }, "actions[1].start.frame"},
      {"time inf",
       [=](BatchSpec* b) {
         b->actions[1].start = {Kind::kStreamTime, 0, double{inf}};
       },
       "actions[1].start.stream_time_seconds"},
      {"time far",
       [](BatchSpec* b) {
         b->actions[1].start = {Kind::kStreamTime, 0, 1e300};
       },
       "actions[1].start.stream_time_seconds"},
      {"gain nan", [=](BatchSpec* b) { Play(b)->gain = static_cast<float>(nan); },
       "actions[1].play.gain"},
      {"gain inf", [=](BatchSpec* b) { Play(b)->gain = inf; }, "actions[1].play.gain"},
      {"no channels", [](BatchSpec* b) { Play(b)->inline_channels = 0; },
       "actions[1].play.inline_audio.channels"},
      {"1025 channels", [](BatchSpec* b) { Play(b)->inline_channels = 1025; },
       "actions[1].play.inline_audio.channels"},
      {"part of a frame", [](BatchSpec* b) { Play(b)->inline_data += 'x'; },
       "actions[1].play.inline_audio.data"},
      {"nan sample",
       [=](BatchSpec* b) {
         Play(b)->inline_data = FloatBytes({0.5f, 0.25f, static_cast<float>(nan), 0});
       },
       "actions[1].play.inline_audio.data"},
      {"channel 0",
       [](BatchSpec* b) {
         Play(b)->channel_map = std::vector<int>{1, 0};
       },
       "actions[1].play.channel_map.channels[1]"},
      {"channel 3",
       [](BatchSpec* b) {
         Play(b)->channel_map = std::vector<int>{3, 1};
       },
       "actions[1].play.channel_map.channels[0]"},
      {"empty map", [](BatchSpec* b) { Play(b)->channel_map = std::vector<int>{}; },
       "actions[1].play.channel_map.channels"},
      {"short map", [](BatchSpec* b) { Play(b)->channel_map = std::vector<int>{1}; },
       "actions[1].play.channel_map.channels"},
      {"too wide", [](BatchSpec* b) { Play(b)->inline_channels = 4; },
       "actions[1].play.channel_map"},
      {"unknown buffer", [](BatchSpec* b) { Play(b)->buffer_id = "b-77"; },
       "actions[1].play.buffer_id", ErrorReason::kNotFound, absl::StatusCode::kNotFound},
      {"frames", [](BatchSpec* b) { Record(b)->frames = -1; }, "actions[2].record.frames"},
      {"record map", [](BatchSpec* b) { Record(b)->channel_map = std::vector<int>{9}; },
       "actions[2].record.channel_map.channels[0]"},
      {"record empty map", [](BatchSpec* b) { Record(b)->channel_map = std::vector<int>{}; },
       "actions[2].record.channel_map.channels"},
      {"record label", [](BatchSpec* b) { Record(b)->label.assign(201, 'x'); },
       "actions[2].record.label"},
      {"record buffer", [](BatchSpec* b) { Record(b)->buffer_id = "b-77"; },
       "actions[2].record.buffer_id", ErrorReason::kNotFound, absl::StatusCode::kNotFound},
      {"cancel nothing", [](BatchSpec* b) { Cancel(b)->target.key.clear(); },
       "actions[3].cancel.target"},
      {"cancel unknown key", [](BatchSpec* b) { Cancel(b)->target.key = "nobody"; },
       "actions[3].cancel.key"},
      {"cancel itself", [](BatchSpec* b) { Cancel(b)->target.key = "c"; }, "actions[3].cancel.key"},
      {"cancel unknown action",
       [](BatchSpec* b) { Cancel(b)->target = {.key = {}, .action_id = "a-77"}; },
       "actions[3].cancel.action_id", ErrorReason::kNotFound, absl::StatusCode::kNotFound},
      {"too many",
       [](BatchSpec* b) {
         while (b->actions.size() < 51) b->actions.push_back(PlayInline("", 1, 1, 1, 0));
       },
       "max_batch_actions", ErrorReason::kLimitExceeded, absl::StatusCode::kResourceExhausted},
  };
}

TEST(EngineScheduleTest, BadInputIsNamedAndChangesNothing) {
  EngineRig rig;
  const std::string session = rig.Session();
  for (const BadBatch& bad : BadBatches()) {
    BatchSpec batch = At(64, {PlayInline("a", 1, 2, 10, 0), PlayInline("b", 2, 2, 2, 0),
                              RecordNew("r", 10, 0), CancelKey("c", "a", 5)});
    bad.spoil(&batch);
    auto admitted = rig.ScheduleNow(session, batch);
    EXPECT_EQ(admitted.status().code(), bad.code) << bad.name << " " << admitted.status();
    EXPECT_EQ(ReasonOf(admitted.status()), bad.reason) << bad.name;
    EXPECT_EQ(FieldOf(admitted.status()), bad.field) << bad.name;
    EXPECT_TRUE(rig.engine().ListActions(session, false)->empty()) << bad.name;
    EXPECT_TRUE(rig.engine().ListBuffers(session)->empty()) << bad.name;
    EXPECT_EQ(rig.engine().GetSession(session)->buffer_bytes, 0) << bad.name;
  }
  rig.Run(10);
  for (const float sample : rig.device().sent(0)) ASSERT_EQ(sample, 0.0f);
  // And the same batch unspoilt is admitted.
  EXPECT_TRUE(
      rig.ScheduleNow(session, At(64, {PlayInline("a", 1, 2, 10, 0), PlayInline("b", 2, 2, 2, 0),
                                       RecordNew("r", 10, 0), CancelKey("c", "a", 5)}))
          .ok());
}

TEST(EngineScheduleTest, ABufferOfAnotherRateIsRefused) {
  EngineRig rig;
  const std::string session = rig.Session();
  auto buffer = rig.engine().CreateBuffer(
      session, {.channels = 1, .sample_rate_hz = 44100, .label = {}, .request_id = {}});
  ASSERT_TRUE((*rig.engine().OpenUpload(session, buffer->buffer_id))->Complete().ok());
  ActionSpec action;
  PlaySpec play;
  play.buffer_id = buffer->buffer_id;
  action.what = play;
  auto admitted = rig.ScheduleNow(session, At(64, {action}));
  EXPECT_EQ(FieldOf(admitted.status()), "actions[0].play.buffer_id");
}

TEST(EngineScheduleTest, LimitsOfActionsRefuseAndForgetNothing) {
  EngineRig::Options options = EngineRig::DefaultOptions();
  options.limits.max_actions = 6;
  options.limits.max_actions_per_session = 4;
  EngineRig rig(options);
  const std::string one = rig.Session();
  const std::string two = rig.Session();
  std::vector<ActionSpec> three;
  for (int i = 0; i < 3; ++i) three.push_back(PlayInline("", i, 1, 10, 0));
  ASSERT_TRUE(rig.ScheduleNow(one, At(64, three)).ok());
  auto of_session = rig.ScheduleNow(one, At(64, three));
  EXPECT_EQ(of_session.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(FieldOf(of_session.status()), "max_actions_per_session");
  ASSERT_TRUE(rig.ScheduleNow(two, At(64, three)).ok());
  auto in_all = rig.ScheduleNow(two, At(64, {PlayInline("", 9, 1, 10, 0)}));
  EXPECT_EQ(FieldOf(in_all.status()), "max_actions");
  rig.Finish(one);
  EXPECT_TRUE(rig.ScheduleNow(one, At(64, three)).ok());
}

TEST(EngineScheduleTest, WithoutAStreamNothingIsScheduled) {
  EngineRig::Options options = EngineRig::DefaultOptions();
  options.open = false;
  EngineRig rig(options);
  const std::string session = rig.Session();
  auto admitted = rig.ScheduleNow(session, NowBatch({PlayInline("", 1, 1, 10, 0)}));
  EXPECT_EQ(admitted.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(ReasonOf(admitted.status()), ErrorReason::kNoStream);
}

TEST(EngineScheduleTest, KeptReportsAreBounded) {
  EngineRig::Options options = EngineRig::DefaultOptions();
  options.limits.max_kept_reports_per_session = 3;
  EngineRig rig(options);
  const std::string session = rig.Session();
  std::vector<std::string> ids;
  for (int i = 0; i < 5; ++i) {
    auto admitted = rig.Schedule(session, NowBatch({PlayInline("", 1, 1, 10, 0)}));
    ids.push_back(admitted->actions[0].action_id);
    rig.Finish(session);
  }
  EXPECT_EQ(rig.engine().GetAction(session, ids[1]).status().code(), absl::StatusCode::kNotFound);
  EXPECT_TRUE(rig.engine().GetAction(session, ids[2]).ok());
  EXPECT_EQ(rig.engine().ListActions(session, false)->size(), 3u);
}

}  // namespace
}  // namespace rtmixd
