#include "server/control/calibration_store.h"

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "tests/control/engine_rig.h"

namespace rtmixd {
namespace {

CalibratedSettings Settings(int block_frames = 256) {
  return {.input_device_id = "virtual/loopback",
          .output_device_id = "virtual/loopback",
          .sample_rate_hz = 48000,
          .block_frames = block_frames,
          .input_channels = 2,
          .output_channels = 4,
          .input_latency_frames = 256,
          .output_latency_frames = 300};
}

LatencyMeasurementInfo Measurement(double round_trip_frames) {
  return {.found = true,
          .stream_id = "s",
          .output_channel = 3,
          .input_channel = 2,
          .round_trip_frames = round_trip_frames,
          .spread_frames = 0.01,
          .repeats = 3,
          .voided_repeats = 1,
          .gain = 0.5,
          .inverted = true,
          .confidence = 0.99,
          .measure_time = absl::UnixEpoch()};
}

const absl::Time kNow = absl::UnixEpoch() + absl::Hours(1);

TEST(CalibrationStoreTest, ExcessIsBeyondBothLatencies) {
  CalibrationStore store;
  const auto added = store.Add(Settings(), Measurement(1036.25), kNow);
  ASSERT_TRUE(added.ok()) << added.status();
  EXPECT_EQ(added->id(), "calibration-1");
  EXPECT_EQ(added->excess_frames(), 480.25);
  EXPECT_EQ(added->used_frames(), 480);
  EXPECT_EQ(added->store_time, kNow);
  EXPECT_EQ(store.Add(Settings(), Measurement(555.5), kNow)->used_frames(), -1);
  EXPECT_EQ(store.Add(Settings(), Measurement(554), kNow)->used_frames(), -2);
}

TEST(CalibrationStoreTest, SameSettingsAreReplacedOthersAreNot) {
  CalibrationStore store;
  ASSERT_TRUE(store.Add(Settings(256), Measurement(600), kNow).ok());
  ASSERT_TRUE(store.Add(Settings(128), Measurement(700), kNow).ok());
  ASSERT_TRUE(store.Add(Settings(256), Measurement(800), kNow).ok());
  ASSERT_EQ(store.all().size(), 2U);
  EXPECT_EQ(store.Find(Settings(256))->measurement.round_trip_frames, 800);
  EXPECT_EQ(store.Find(Settings(128))->measurement.round_trip_frames, 700);
  EXPECT_EQ(store.Find(Settings(64)), nullptr);
  EXPECT_EQ(store.all().back().id(), "calibration-3");
}

TEST(CalibrationStoreTest, EverySettingMatters) {
  CalibrationStore store;
  ASSERT_TRUE(store.Add(Settings(), Measurement(600), kNow).ok());
  std::vector<CalibratedSettings> others(8, Settings());
  others[0].input_device_id = "x";
  others[1].output_device_id = "x";
  others[2].sample_rate_hz = 44100;
  others[3].block_frames = 0;
  others[4].input_channels = 1;
  others[5].output_channels = 1;
  others[6].input_latency_frames = 0;
  others[7].output_latency_frames = 0;
  for (const CalibratedSettings& other : others) EXPECT_EQ(store.Find(other), nullptr);
  EXPECT_NE(store.Find(Settings()), nullptr);
}

TEST(CalibrationStoreTest, DeletedIsGoneAndItsIdIsNotUsedAgain) {
  CalibrationStore store;
  ASSERT_TRUE(store.Add(Settings(), Measurement(600), kNow).ok());
  EXPECT_EQ(ReasonOf(store.Delete("calibration-2")), ErrorReason::kNotFound);
  ASSERT_TRUE(store.Delete("calibration-1").ok());
  EXPECT_TRUE(store.all().empty());
  EXPECT_EQ(store.Add(Settings(), Measurement(600), kNow)->id(), "calibration-2");
}

TEST(CalibrationStoreTest, GoesOnWithWhatWasThere) {
  CalibrationStore first;
  ASSERT_TRUE(first.Add(Settings(128), Measurement(600), kNow).ok());
  ASSERT_TRUE(first.Add(Settings(256), Measurement(700), kNow).ok());
  CalibrationStore second(first.all());
  EXPECT_EQ(second.Find(Settings(256))->measurement.round_trip_frames, 700);
  EXPECT_EQ(second.Add(Settings(64), Measurement(600), kNow)->id(), "calibration-3");
}

TEST(CalibrationStoreTest, WhatCannotBeIsRefusedByName) {
  const auto refused = [](const LatencyMeasurementInfo& measurement) {
    CalibrationStore store;
    const absl::Status status = store.Add(Settings(), measurement, kNow).status();
    EXPECT_EQ(ReasonOf(status), ErrorReason::kBadField) << status;
    EXPECT_TRUE(store.all().empty());
    return FieldOf(status);
  };
  LatencyMeasurementInfo bad = Measurement(600);
  bad.found = false;
  EXPECT_EQ(refused(bad), "measurement.verdict");
  bad = Measurement(600);
  bad.output_channel = 5;
  EXPECT_EQ(refused(bad), "measurement.output_channel");
  bad = Measurement(600);
  bad.input_channel = 0;
  EXPECT_EQ(refused(bad), "measurement.input_channel");
  for (const double frames : {-1.0, 1.1e7, std::nan(""), HUGE_VAL}) {
    EXPECT_EQ(refused(Measurement(frames)), "measurement.round_trip_frames") << frames;
  }
  bad = Measurement(600);
  bad.confidence = 1.5;
  EXPECT_EQ(refused(bad), "measurement.confidence");
  bad = Measurement(600);
  bad.gain = std::nan("");
  EXPECT_EQ(refused(bad), "measurement.gain");
}

TEST(CalibrationStoreTest, FullStoreTakesOnlyReplacements) {
  CalibrationStore store;
  for (int i = 0; i < CalibrationStore::kMaxCalibrations; ++i) {
    ASSERT_TRUE(store.Add(Settings(i), Measurement(600), kNow).ok());
  }
  const absl::Status status = store.Add(Settings(-1), Measurement(600), kNow).status();
  EXPECT_EQ(ReasonOf(status), ErrorReason::kLimitExceeded);
  EXPECT_EQ(LimitOf(status), "1000");
  EXPECT_TRUE(store.Add(Settings(5), Measurement(700), kNow).ok());
}

}  // namespace
}  // namespace rtmixd
