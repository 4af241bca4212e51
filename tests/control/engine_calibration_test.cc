#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "tests/control/engine_rig.h"

namespace rtmixd {
namespace {

// The rig's cable takes 128 frames, of which the device claims 40 and 24.
constexpr int64_t kCable = EngineRig::kCableFrames;
constexpr int64_t kClaimed = EngineRig::kInputLatencyFrames + EngineRig::kOutputLatencyFrames;
constexpr int64_t kExcess = kCable - kClaimed;

LatencyMeasurementInfo Measurement(EngineRig& rig, double round_trip_frames = kCable) {
  return {.found = true,
          .stream_id = rig.engine().GetStream().stream_id,
          .output_channel = 1,
          .input_channel = 2,
          .round_trip_frames = round_trip_frames,
          .repeats = 3,
          .gain = 1,
          .confidence = 0.99,
          .measure_time = absl::UnixEpoch()};
}

// A play and a recording of the same start, and that the recording is the sound from its first
// frame on if it is `aligned`, and if not from kExcess on.
void ExpectThroughTheCable(EngineRig& rig, const std::string& session, BatchSpec batch,
                           bool aligned) {
  auto admitted = rig.Schedule(session, std::move(batch));
  ASSERT_TRUE(admitted.ok()) << admitted.status();
  rig.Finish(session);
  const auto recorded = rig.Download(session, admitted->actions[1].buffer_id);
  ASSERT_EQ(recorded.size(), 2U);
  ASSERT_EQ(recorded[0].size(), 600U);
  const int64_t begins = aligned ? 0 : kExcess;
  for (int64_t f = 0; f < 600; ++f) {
    const bool sounds = f >= begins && f < begins + 500;
    ASSERT_EQ(recorded[0][f], sounds ? TestSample(1, 0, f - begins) : 0.0F) << f;
  }
  for (const ScheduledAction& action : admitted->actions) {
    EXPECT_EQ(rig.Report(session, action.action_id).calibrated, aligned) << action.key;
  }
}

BatchSpec Aligned() {
  BatchSpec batch = NowBatch({PlayInline("p", 1, 2, 500, 10), RecordNew("r", 600, 10)});
  batch.align_at_converters = true;
  return batch;
}

BatchSpec AtStreamTime(EngineRig& rig, bool of_the_batch) {
  const double seconds = static_cast<double>(rig.next_frame() + 960) / 48000;
  BatchSpec batch = NowBatch({PlayInline("p", 1, 2, 500, 0), RecordNew("r", 600, 0)});
  if (of_the_batch) {
    batch.origin = seconds;
  } else {
    for (ActionSpec& action : batch.actions) {
      action.start.kind = StartSpec::Kind::kStreamTime;
      action.start.seconds = seconds;
    }
  }
  return batch;
}

TEST(EngineCalibrationTest, WithoutOneTheHostsClaimsAreUsed) {
  EngineRig rig;
  const std::string session = rig.Session();
  EXPECT_FALSE(rig.engine().GetStream().calibration.has_value());
  ExpectThroughTheCable(rig, session, Aligned(), false);
  ExpectThroughTheCable(rig, session, AtStreamTime(rig, true), false);
  ExpectThroughTheCable(rig, session, AtStreamTime(rig, false), false);
}

TEST(EngineCalibrationTest, WithOnePlayAndRecordLineUpToTheSample) {
  EngineRig rig;
  const std::string session = rig.Session();
  const auto calibration = rig.engine().SetCalibration(session, Measurement(rig, kCable + 0.25));
  ASSERT_TRUE(calibration.ok()) << calibration.status();
  EXPECT_EQ(calibration->used_frames(), kExcess);
  const auto shown = rig.engine().GetStream().calibration;
  ASSERT_TRUE(shown.has_value());
  EXPECT_EQ(shown->excess_frames(), kExcess + 0.25);
  EXPECT_EQ(shown->measurement.input_channel, 2);
  ExpectThroughTheCable(rig, session, Aligned(), true);
  ExpectThroughTheCable(rig, session, AtStreamTime(rig, true), true);
  ExpectThroughTheCable(rig, session, AtStreamTime(rig, false), true);
  EXPECT_EQ(rig.CountEvents(EventKind::kNote), 1);
}

TEST(EngineCalibrationTest, StartsByFrameKnowNoLatency) {
  EngineRig rig;
  const std::string session = rig.Session();
  ASSERT_TRUE(rig.engine().SetCalibration(session, Measurement(rig)).ok());
  BatchSpec batch = NowBatch({PlayInline("p", 1, 2, 50, 0), RecordNew("r", 50, 0)});
  auto admitted = rig.Schedule(session, batch);
  ASSERT_TRUE(admitted.ok());
  batch = NowBatch({RecordNew("r", 50, 0)});
  batch.align_at_converters = true;
  batch.actions[0].start = AtFrame(5000);
  auto at_frame = rig.Schedule(session, batch);
  ASSERT_TRUE(at_frame.ok());
  rig.Finish(session);
  const ActionReport record = rig.Report(session, admitted->actions[1].action_id);
  EXPECT_EQ(record.start_frame, admitted->origin_frame);
  EXPECT_FALSE(record.calibrated);
  const ActionReport framed = rig.Report(session, at_frame->actions[0].action_id);
  EXPECT_EQ(framed.start_frame, 5000);
  EXPECT_FALSE(framed.calibrated);
}

TEST(EngineCalibrationTest, RecordingOfOutputsIsNotMovedByTheInput) {
  EngineRig rig;
  const std::string session = rig.Session();
  ASSERT_TRUE(rig.engine().SetCalibration(session, Measurement(rig)).ok());
  BatchSpec batch = Aligned();
  std::get<RecordSpec>(batch.actions[1].what).source = RecordSource::kOutput;
  auto admitted = rig.Schedule(session, batch);
  ASSERT_TRUE(admitted.ok());
  rig.Finish(session);
  EXPECT_EQ(rig.Report(session, admitted->actions[1].action_id).start_frame,
            rig.Report(session, admitted->actions[0].action_id).start_frame);
}

TEST(EngineCalibrationTest, DuplexIsAlignedWithIt) {
  EngineRig rig;
  const std::string session = rig.Session();
  ASSERT_TRUE(rig.engine().SetCalibration(session, Measurement(rig)).ok());
  PlayStreamSpec play;
  play.channels = 1;
  RecordStreamSpec record;
  record.frames = 100;
  record.grant_all = true;
  auto duplex = rig.engine().OpenDuplex(session, play, record, true, [] {});
  ASSERT_TRUE(duplex.ok()) << duplex.status();
  ASSERT_TRUE(duplex->play->Push(0, TestBytes(1, 1, 0, 100)).ok());
  ASSERT_TRUE(duplex->play->EndOfSound().ok());
  // Both have begun then; the recording is never fetched, and does not end.
  rig.Run(10);
  const ActionReport played = rig.Report(session, duplex->play->action_id());
  const ActionReport recorded = rig.Report(session, duplex->record->action_id());
  EXPECT_EQ(*recorded.start_frame - *played.start_frame, kCable);
  EXPECT_TRUE(played.calibrated);
  EXPECT_TRUE(recorded.calibrated);
}

TEST(EngineCalibrationTest, MeasurementOfAnotherStreamIsRefused) {
  EngineRig rig;
  const std::string session = rig.Session();
  LatencyMeasurementInfo measurement = Measurement(rig);
  measurement.stream_id = "gone";
  const absl::Status status = rig.engine().SetCalibration(session, measurement).status();
  EXPECT_EQ(FieldOf(status), "measurement.stream_id");
  EXPECT_TRUE(rig.engine().ListCalibrations().empty());
}

TEST(EngineCalibrationTest, WithoutAStreamThereIsNothingToCalibrate) {
  EngineRig::Options options = EngineRig::DefaultOptions();
  options.open = false;
  EngineRig rig(options);
  const std::string session = rig.Session();
  EXPECT_EQ(ReasonOf(rig.engine().SetCalibration(session, Measurement(rig)).status()),
            ErrorReason::kNoStream);
}

TEST(EngineCalibrationTest, OthersAreNotDisturbed) {
  EngineRig rig;
  const std::string mine = rig.Session();
  SessionSpec job;
  job.label = "CI job 812";
  const std::string other = rig.Session(job);
  ASSERT_TRUE(rig.engine().SetCalibration(mine, Measurement(rig)).ok());
  ASSERT_TRUE(rig.Schedule(other, At(48000, {PlayInline("p", 1, 1, 50, 0)})).ok());
  const absl::Status set = rig.engine().SetCalibration(mine, Measurement(rig, 300)).status();
  EXPECT_EQ(ReasonOf(set), ErrorReason::kBusy);
  EXPECT_EQ(HolderOf(set), "CI job 812");
  const absl::Status deleted = rig.engine().DeleteCalibration(mine, "calibration-1");
  EXPECT_EQ(ReasonOf(deleted), ErrorReason::kBusy);
  ASSERT_EQ(rig.engine().ListCalibrations().size(), 1U);
  EXPECT_EQ(rig.engine().ListCalibrations()[0].measurement.round_trip_frames, kCable);
}

TEST(EngineCalibrationTest, DeletedIsNotUsed) {
  EngineRig rig;
  const std::string session = rig.Session();
  ASSERT_TRUE(rig.engine().SetCalibration(session, Measurement(rig)).ok());
  ASSERT_TRUE(rig.engine().DeleteCalibration(session, "calibration-1").ok());
  ExpectThroughTheCable(rig, session, Aligned(), false);
}

TEST(EngineCalibrationTest, IsThereAgainAndTakesTheStreamOfItsSettings) {
  std::vector<CalibrationInfo> kept;
  {
    EngineRig::Options options = EngineRig::DefaultOptions();
    options.save_calibrations = [&kept](const std::vector<CalibrationInfo>& all) {
      kept = all;
      return absl::OkStatus();
    };
    EngineRig rig(options);
    ASSERT_TRUE(rig.engine().SetCalibration(rig.Session(), Measurement(rig)).ok());
  }
  ASSERT_EQ(kept.size(), 1U);
  EngineRig::Options options = EngineRig::DefaultOptions();
  options.calibrations = kept;
  EngineRig again(options);
  ExpectThroughTheCable(again, again.Session(), Aligned(), true);

  options.device.input_latency_frames += 1;
  EngineRig other(options);
  EXPECT_FALSE(other.engine().GetStream().calibration.has_value());
}

TEST(EngineCalibrationTest, WhatCannotBeWrittenIsNotUsed) {
  EngineRig::Options options = EngineRig::DefaultOptions();
  options.save_calibrations = [](const std::vector<CalibrationInfo>& /*all*/) {
    return MakeError(absl::StatusCode::kInternal, {.reason = ErrorReason::kInternal}, "disk full");
  };
  EngineRig rig(options);
  const std::string session = rig.Session();
  EXPECT_EQ(rig.engine().SetCalibration(session, Measurement(rig)).status().message(), "disk full");
  EXPECT_TRUE(rig.engine().ListCalibrations().empty());
  ExpectThroughTheCable(rig, session, Aligned(), false);
}

}  // namespace
}  // namespace rtmixd
