#include <limits>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "gtest/gtest.h"
#include "tests/control/engine_rig.h"

namespace rtmixd {
namespace {

class EngineDeviceTest : public testing::Test {
 protected:
  EngineDeviceTest() : session_(rig_.Session()) {}

  Engine::StreamCallback Into(absl::Status* status) {
    return [status](const absl::StatusOr<StreamStatus>& answer) { *status = answer.status(); };
  }

  EngineRig rig_;
  std::string session_;
};

TEST_F(EngineDeviceTest, ASilentDeviceIsReopenedAndTheCounterJumpsByTheTimeAway) {
  auto admitted = rig_.ScheduleNow(
      session_, At(0, {PlayInline("", 1, 1, 5000, 0), PlayInline("late", 2, 1, 100, 20000),
                       PlayInline("on time", 3, 1, 100, 200000), RecordNew("", 210000, 0)}));
  rig_.Run(10);  // next frame 640
  rig_.Wait(absl::Milliseconds(400));
  EXPECT_EQ(rig_.engine().GetStream().state, StreamState::kRunning);
  rig_.Wait(absl::Milliseconds(110));
  EXPECT_EQ(rig_.engine().GetStream().state, StreamState::kLost);
  EXPECT_EQ(rig_.Events(EventKind::kDeviceLost).at(0).frame, 640);
  const std::string stream_id = rig_.engine().GetStream().stream_id;
  rig_.device().FailNextOpen(absl::UnavailableError("unplugged"));
  rig_.Wait(absl::Milliseconds(110));
  EXPECT_EQ(rig_.engine().GetStream().state, StreamState::kLost);
  rig_.Wait(absl::Milliseconds(380));
  EXPECT_EQ(rig_.engine().GetStream().state, StreamState::kRunning);
  EXPECT_EQ(rig_.engine().GetStream().stream_id, stream_id);
  // 1.000 s after the moment at which frame 640 was due.
  const auto recovered = rig_.Events(EventKind::kDeviceRecovered);
  ASSERT_EQ(recovered.size(), 1u);
  EXPECT_EQ(recovered[0].frames, 48000);
  EXPECT_EQ(rig_.next_frame(), 48640);

  rig_.Finish(session_);
  const std::vector<float> sent = rig_.device().sent(0);  // since the second start
  for (int64_t f = 0; f < 4360; ++f) {
    ASSERT_EQ(sent[f], TestSample(1, 0, 640 + f) + (f < 100 ? TestSample(2, 0, f) : 0.0f)) << f;
  }
  for (int64_t f = 0; f < 100; ++f) {
    ASSERT_EQ(sent[200000 - 48640 + f], TestSample(3, 0, f));
  }
  EXPECT_EQ(rig_.Report(session_, admitted->actions[1].action_id).late_frames, 28640);
  EXPECT_EQ(rig_.Report(session_, admitted->actions[2].action_id).late_frames, 0);
  const ActionReport record = rig_.Report(session_, admitted->actions[3].action_id);
  EXPECT_EQ(record.done_frames, 210000);
  ASSERT_EQ(record.gaps.size(), 1u);
  EXPECT_EQ(record.gaps[0].position, 640);
  EXPECT_EQ(record.gaps[0].frames, 48000);
}

TEST_F(EngineDeviceTest, ADeadDeviceIsNoticedAtOnce) {
  rig_.Run(2);
  rig_.device().Die();
  rig_.engine().PumpOnce();
  EXPECT_EQ(rig_.engine().GetStream().state, StreamState::kLost);
  EXPECT_EQ(rig_.engine().GetStream().next_frame, 128);
  rig_.Wait(absl::Milliseconds(101));
  EXPECT_EQ(rig_.engine().GetStream().state, StreamState::kRunning);
  EXPECT_EQ(rig_.device().open_count(), 2);
}

TEST_F(EngineDeviceTest, AStoppedStreamStandsStillAndGoesOn) {
  auto admitted = rig_.ScheduleNow(
      session_, At(0, {PlayInline("", 1, 1, 1000, 0), PlayInline("", 2, 1, 10, 5000)}));
  rig_.Run(3);
  absl::Status status = absl::UnknownError("");
  rig_.engine().StopStream(session_, false, Into(&status));
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(rig_.engine().GetStream().state, StreamState::kStopped);
  rig_.Wait(absl::Seconds(3));
  EXPECT_EQ(rig_.next_frame(), 192);
  EXPECT_EQ(rig_.engine().GetStream().state, StreamState::kStopped);
  const ClockReading clock = rig_.engine().ReadClock();
  EXPECT_FALSE(clock.running);
  EXPECT_EQ(clock.frame, 192);
  // With nobody to ask, "now" is the next frame.
  auto now = rig_.ScheduleNow(session_, NowBatch({PlayInline("", 3, 1, 10, 2)}));
  ASSERT_TRUE(now.ok()) << now.status();
  EXPECT_EQ(now->origin_frame, 192);
  // And what is cancelled is told at once, and never sounds.
  auto reports = rig_.engine().CancelActions(session_, {admitted->actions[0].action_id}, false,
                                             std::nullopt, {});
  EXPECT_EQ((*reports)[0].state, ActionState::kEnded);
  EXPECT_EQ((*reports)[0].end_reason, ActionEnd::kCancelled);
  EXPECT_EQ((*reports)[0].done_frames, 192);
  EXPECT_EQ((*reports)[0].end_frame, 192);
  reports = rig_.engine().CancelActions(session_, {admitted->actions[1].action_id}, false,
                                        std::nullopt, {});
  EXPECT_EQ((*reports)[0].end_reason, ActionEnd::kCancelled);
  rig_.engine().StartStream(session_, Into(&status));
  ASSERT_TRUE(status.ok()) << status;
  rig_.Finish(session_);
  rig_.Run(100);
  const std::vector<float> sent = rig_.device().sent(0);  // since the second start
  for (int64_t f = 0; f < 6000; ++f) {
    ASSERT_EQ(sent[f], f >= 2 && f < 12 ? TestSample(3, 0, f - 2) : 0.0f) << f;
  }
}

TEST_F(EngineDeviceTest, ClosingEndsEverythingAndTellsEverybody) {
  auto admitted = rig_.ScheduleNow(
      session_, At(0, {PlayInline("", 1, 1, 1000, 0), PlayInline("", 1, 1, 10, 5000),
                       RecordNew("", std::nullopt, 0), RecordNew("", 10, 5000)}));
  PlayStreamSpec mono;
  mono.channels = 1;
  auto play = rig_.engine().OpenPlay(session_, mono, [] {});
  auto record = rig_.engine().OpenRecord(session_, RecordStreamSpec(), [] {});
  ASSERT_TRUE(play.ok());
  ASSERT_TRUE(record.ok());
  std::optional<Engine::WaitAnswer> told;
  rig_.engine().WaitActions(session_, {}, false, /*until_done=*/false, absl::Seconds(1000),
                            [&](absl::StatusOr<Engine::WaitAnswer> answer) { told = *answer; });
  std::optional<BatchAdmitted> floating;
  rig_.Run(3);
  rig_.engine().Schedule(session_, NowBatch({PlayInline("", 1, 1, 10, 0)}),
                         [&](absl::StatusOr<BatchAdmitted> answer) { floating = *answer; });
  absl::Status status = absl::UnknownError("");
  rig_.engine().CloseStream(session_, Into(&status));
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(rig_.engine().GetStream().state, StreamState::kClosed);
  EXPECT_EQ(rig_.engine().GetStream().stream_id, "");
  rig_.engine().PumpOnce();
  ASSERT_TRUE(told.has_value());
  EXPECT_EQ(told->ended.size(), 6u);
  EXPECT_TRUE(floating.has_value());
  const absl::StatusOr<std::vector<ActionReport>> reports =
      rig_.engine().ListActions(session_, false);
  ASSERT_TRUE(reports.ok());
  for (const ActionReport& report : *reports) {
    EXPECT_EQ(report.state, ActionState::kEnded);
    EXPECT_EQ(report.end_reason, ActionEnd::kStreamClosed) << report.action_id;
  }
  EXPECT_EQ(rig_.Report(session_, admitted->actions[0].action_id).done_frames, 192);
  EXPECT_EQ(rig_.Report(session_, admitted->actions[2].action_id).done_frames, 192);
  EXPECT_EQ(rig_.engine().GetBuffer(session_, admitted->actions[2].buffer_id)->frames, 192);
  EXPECT_TRUE((*play)->FinalReport().has_value());
  EXPECT_TRUE((*play)->Push(0, TestBytes(1, 1, 0, 10)).ok());
  EXPECT_TRUE(std::holds_alternative<RecordStream::Ended>((*record)->Read()));
  // Closing once more changes nothing; starting has nothing to start.
  rig_.engine().CloseStream(session_, Into(&status));
  EXPECT_TRUE(status.ok());
  rig_.engine().StartStream(session_, Into(&status));
  EXPECT_EQ(ReasonOf(status), ErrorReason::kNoStream);
  rig_.engine().RestoreStream(session_, Into(&status));
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(rig_.engine().GetStream().state, StreamState::kRunning);
}

TEST_F(EngineDeviceTest, AnXrunTouchesWhatSoundsThenAndNothingElse) {
  rig_.Run(3000);  // four seconds: the clock is known
  const int64_t at = rig_.next_frame();
  auto admitted = rig_.ScheduleNow(
      session_, At(at, {PlayInline("before", 1, 1, 640, 0), PlayInline("during", 1, 1, 6400, 0),
                        PlayInline("after", 1, 1, 640, 6400)}));
  rig_.Run(50);
  rig_.device().AdvanceClockFrames(100);
  SteppedDevice::Callback callback;
  callback.frames = 64;
  callback.host_flags = kHostInputOverflow | kHostOutputUnderflow;
  rig_.device().Step(callback);
  rig_.Finish(session_);
  const auto touched = [&](int i) {
    return rig_.Report(session_, admitted->actions[i].action_id).touched;
  };
  EXPECT_EQ(touched(0), Touched::kNo);
  EXPECT_EQ(touched(1), Touched::kYes);
  EXPECT_EQ(touched(2), Touched::kNo);
  const ActionReport during = rig_.Report(session_, admitted->actions[1].action_id);
  ASSERT_EQ(during.xruns.size(), 1u);
  EXPECT_EQ(during.xruns[0].frame, at + 3200);
  EXPECT_EQ(during.xruns[0].side, XrunSide::kBoth);
  EXPECT_TRUE(during.xruns[0].flagged);
  EXPECT_NEAR(static_cast<double>(during.xruns[0].lost_frames), 100,
              during.xruns[0].lost_frames_error + 1);
  EXPECT_EQ(during.blocks.input_overflows, 1);
  EXPECT_EQ(during.blocks.output_underflows, 1);
  EXPECT_EQ(during.dropped_frames, 0);  // kContinue, which skips nothing
  EXPECT_EQ(rig_.engine().GetStats("", false)->xruns, 1);
  EXPECT_EQ(rig_.CountEvents(EventKind::kXrun), 1);
}

TEST_F(EngineDeviceTest, ASoundThatKeepsTheTimelineSkipsWhatTheDeviceLost) {
  constexpr int64_t kFrames = 480000;
  constexpr int64_t kLostFrames = 320;
  rig_.Run(3000);  // four seconds: the clock is known
  const int64_t at = rig_.next_frame();
  ActionSpec play = PlayInline("", 1, 1, kFrames, 0);
  std::get<PlaySpec>(play.what).xrun_policy = XrunPolicy::kKeepTimeline;
  const auto admitted = rig_.ScheduleNow(session_, At(at, {play}));
  rig_.Run(50);
  rig_.device().AdvanceClockFrames(kLostFrames);
  SteppedDevice::Callback callback;
  callback.frames = EngineRig::kBlockFrames;
  callback.host_flags = kHostInputOverflow | kHostOutputUnderflow;
  rig_.device().Step(callback);
  rig_.Finish(session_);

  const ActionReport report = rig_.Report(session_, admitted->actions[0].action_id);
  ASSERT_EQ(report.xruns.size(), 1u);
  ASSERT_EQ(report.xruns[0].lost_frames, kLostFrames);
  EXPECT_EQ(report.dropped_frames, kLostFrames);
  EXPECT_EQ(report.done_frames, kFrames - kLostFrames);
  EXPECT_EQ(report.end_frame, at + kFrames - kLostFrames);
  // The sound up to where the loss was known, and from there on ahead by what was lost.
  const std::vector<float> sent = rig_.device().sent(0);
  int64_t skip = 0;
  while (skip < kFrames && sent[at + skip] == TestSample(1, 0, skip)) ++skip;
  EXPECT_GT(skip, 50 * EngineRig::kBlockFrames);
  EXPECT_LT(skip, 4 * 48000);
  for (int64_t f = skip; f < kFrames - kLostFrames; ++f) {
    ASSERT_EQ(sent[at + f], TestSample(1, 0, f + kLostFrames)) << f;
  }
  EXPECT_EQ(sent[at + kFrames - kLostFrames], 0.0f);
}

// Control hears of the loss and of the end at once, when the audio thread has long given the sound
// back.
TEST_F(EngineDeviceTest, ASoundThatHasEndedSkipsNothing) {
  constexpr int64_t kFrames = 20 * EngineRig::kBlockFrames;
  rig_.Run(3000);  // four seconds: the clock is known
  ActionSpec play = PlayInline("", 1, 1, kFrames, 0);
  std::get<PlaySpec>(play.what).xrun_policy = XrunPolicy::kKeepTimeline;
  const auto admitted = rig_.ScheduleNow(session_, At(rig_.next_frame(), {play}));
  rig_.Run(5);
  rig_.device().AdvanceClockFrames(320);
  SteppedDevice::Callback callback;
  callback.frames = EngineRig::kBlockFrames;
  callback.host_flags = kHostInputOverflow | kHostOutputUnderflow;
  rig_.device().Step(callback);
  rig_.device().StepMany(3000, EngineRig::kBlockFrames);
  rig_.Finish(session_);

  const ActionReport report = rig_.Report(session_, admitted->actions[0].action_id);
  ASSERT_EQ(report.xruns.size(), 1u);
  EXPECT_EQ(report.dropped_frames, 0);
  EXPECT_EQ(report.done_frames, kFrames);
}

TEST_F(EngineDeviceTest, ClipsAreCountedWhereTheyHappen) {
  std::vector<float> loud(100, 0.75f);
  std::vector<ActionSpec> actions;
  for (int i = 0; i < 2; ++i) {
    PlaySpec play;
    play.inline_channels = 1;
    play.inline_data = FloatBytes(loud);
    play.channel_map = std::vector<int>{2};
    ActionSpec action;
    action.what = play;
    actions.push_back(action);
  }
  actions.push_back(PlayInline("", 1, 1, 10, 640));
  auto admitted = rig_.ScheduleNow(session_, At(0, actions));
  rig_.Run(4);
  int64_t cursor = 0;
  const MeterReading meters = rig_.engine().ReadMeters(&cursor);
  EXPECT_EQ(cursor, 256);
  EXPECT_EQ(meters.outputs[1].clipped_samples, 100);
  EXPECT_EQ(meters.outputs[1].peak, 1.0f);
  EXPECT_EQ(rig_.engine().ReadMeters(&cursor).frames, 0);
  rig_.Finish(session_);
  EXPECT_EQ(rig_.Report(session_, admitted->actions[0].action_id).clipped_samples, 100);
  EXPECT_EQ(rig_.Report(session_, admitted->actions[2].action_id).clipped_samples, 0);
  const std::vector<int64_t> want = {0, 100};
  EXPECT_EQ(rig_.engine().GetStats("", false)->clipped_samples, want);
  EXPECT_EQ(rig_.Events(EventKind::kClipped).at(0).frames, 64);
}

TEST_F(EngineDeviceTest, InputThatIsNotFiniteIsZeroForEveryReaderAndCounted) {
  const auto is_bad = [](int channel, int64_t frame) {
    return channel == 1 && frame >= 200 && frame < 230;
  };
  rig_.device().SetInput([&](int channel, int64_t frame) {
    return is_bad(channel, frame) ? std::numeric_limits<float>::quiet_NaN()
                                  : TestSample(2, channel, frame);
  });
  const auto admitted =
      rig_.ScheduleNow(session_, At(0, {RecordNew("", 640, 0), RecordNew("", 100, 400)}));
  RecordStreamSpec spec;
  spec.grant_all = true;
  spec.chunk_frames = 640;
  spec.frames = 640;
  spec.start = AtFrame(0);
  auto stream = rig_.engine().OpenRecord(session_, spec, [] {});
  ASSERT_TRUE(stream.ok()) << stream.status();
  rig_.Run(11);
  const RecordStream::Item item = (*stream)->Read();
  rig_.Finish(session_);

  const auto want = [&](int channel, int64_t frame) {
    return is_bad(channel, frame) ? 0.0f : TestSample(2, channel, frame);
  };
  const auto recorded = rig_.Download(session_, admitted->actions[0].buffer_id);
  ASSERT_TRUE(std::holds_alternative<RecordStream::Chunk>(item));
  const std::vector<float> streamed = Floats(std::get<RecordStream::Chunk>(item).bytes);
  ASSERT_EQ(streamed.size(), 1280u);
  for (int64_t f = 0; f < 640; ++f) {
    for (int channel = 0; channel < 2; ++channel) {
      ASSERT_EQ(recorded[channel][f], want(channel, f)) << f;
      ASSERT_EQ(streamed[2 * f + channel], want(channel, f)) << f;
    }
  }
  int64_t cursor = 0;
  EXPECT_GT(rig_.engine().ReadMeters(&cursor).inputs[1].rms, 0.0f);  // a number
  EXPECT_EQ(rig_.engine().GetStats("", false)->nonfinite_input_samples, 30);
  EXPECT_EQ(rig_.Report(session_, admitted->actions[0].action_id).nonfinite_input_samples, 30);
  EXPECT_EQ(rig_.Report(session_, admitted->actions[1].action_id).nonfinite_input_samples, 0);
  const auto notes = rig_.Events(EventKind::kNote);
  ASSERT_EQ(notes.size(), 1u);
  EXPECT_EQ(notes[0].frame, 192);  // the block that holds 200
}

TEST_F(EngineDeviceTest, ErrorsOfTheDeviceReachTheCaller) {
  absl::Status status;
  rig_.engine().StopStream(session_, false, Into(&status));
  ASSERT_TRUE(status.ok());
  rig_.device().FailNextStart(absl::FailedPreconditionError("no such luck"));
  rig_.engine().StartStream(session_, Into(&status));
  EXPECT_EQ(status.message(), "no such luck");
  EXPECT_EQ(rig_.engine().GetStream().state, StreamState::kStopped);
  rig_.engine().StartStream(session_, Into(&status));
  EXPECT_TRUE(status.ok());
  std::optional<absl::Status> checked;
  StreamSettings settings = EngineRig::Settings();
  settings.input.channels = 77;
  rig_.engine().CheckSettings(settings, [&](const absl::Status& result) { checked = result; });
  EXPECT_FALSE(checked->ok());
  size_t devices = 0;
  rig_.engine().ListDevices(
      [&](absl::StatusOr<std::vector<DeviceInfo>> list) { devices = list->size(); });
  EXPECT_GT(devices, 0u);
}

TEST(EngineFeaturesTest, FeaturesAreTheDevicesAndWhatIsEnabled) {
  EngineRig::Options options = EngineRig::DefaultOptions();
  EXPECT_EQ(EngineRig(options).engine().features(), std::vector<std::string>());
  options.device_features = {"portaudio"};
  options.enable_device_scripts = true;
  const std::vector<std::string> want = {"portaudio", "virtual-device-script"};
  EXPECT_EQ(EngineRig(options).engine().features(), want);
}

TEST_F(EngineDeviceTest, ScriptsNeedTheFlagAndTheVirtualDevice) {
  absl::Status status = rig_.engine().LoadScript(session_, {});
  EXPECT_EQ(ReasonOf(status), ErrorReason::kNotEnabled);
  EXPECT_EQ(FieldOf(status), "--enable_device_scripts");
  EngineRig::Options options = EngineRig::DefaultOptions();
  options.enable_device_scripts = true;
  EngineRig enabled(options);
  status = enabled.engine().LoadScript(enabled.Session(), {ScriptedFault()});
  EXPECT_EQ(ReasonOf(status), ErrorReason::kNotEnabled);
}

}  // namespace
}  // namespace rtmixd
