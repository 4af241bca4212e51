#include "server/rpc/calibration_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <string>
#include <vector>

namespace rtmixd {
namespace {

using ::testing::HasSubstr;

std::string Path(const std::string& name) { return testing::TempDir() + "/" + name; }

CalibrationInfo Calibration(int64_t number) {
  return {.number = number,
          .settings = {.input_device_id = "alsa/Card: \"USB\" ü",
                       .output_device_id = "jack/system",
                       .sample_rate_hz = 44100,
                       .block_frames = 0,
                       .input_channels = 8,
                       .output_channels = 2,
                       .input_latency_frames = 123,
                       .output_latency_frames = 456},
          .measurement = {.found = true,
                          .stream_id = "stream-1",
                          .output_channel = 2,
                          .input_channel = 8,
                          .round_trip_frames = 1234.567890123456,
                          .spread_frames = 1.0 / 3,
                          .repeats = 3,
                          .voided_repeats = 2,
                          .gain = 0.1,
                          .inverted = true,
                          .confidence = 0.9876,
                          .measure_time = absl::FromUnixNanos(1'700'000'000'123'456'789)},
          .store_time = absl::FromUnixNanos(1'700'000'001'000'000'001)};
}

TEST(CalibrationFileTest, WhatWasWrittenIsRead) {
  const std::string path = Path("written.json");
  ASSERT_TRUE(WriteCalibrations(path, {Calibration(3), Calibration(17)}).ok());
  const auto read = ReadCalibrations(path);
  ASSERT_TRUE(read.ok()) << read.status();
  ASSERT_EQ(read->size(), 2U);
  for (size_t i = 0; i < 2; ++i) {
    const CalibrationInfo expected = Calibration(i == 0 ? 3 : 17);
    const CalibrationInfo& got = (*read)[i];
    EXPECT_EQ(got.number, expected.number);
    EXPECT_EQ(got.settings, expected.settings);
    EXPECT_EQ(got.store_time, expected.store_time);
    EXPECT_TRUE(got.measurement.found);
    EXPECT_EQ(got.measurement.stream_id, "stream-1");
    EXPECT_EQ(got.measurement.output_channel, 2);
    EXPECT_EQ(got.measurement.input_channel, 8);
    EXPECT_EQ(got.measurement.round_trip_frames, 1234.567890123456);
    EXPECT_EQ(got.measurement.spread_frames, 1.0 / 3);
    EXPECT_EQ(got.measurement.repeats, 3);
    EXPECT_EQ(got.measurement.voided_repeats, 2);
    EXPECT_EQ(got.measurement.gain, 0.1);
    EXPECT_TRUE(got.measurement.inverted);
    EXPECT_EQ(got.measurement.confidence, 0.9876);
    EXPECT_EQ(got.measurement.measure_time, expected.measurement.measure_time);
  }
}

TEST(CalibrationFileTest, MissingFileHoldsNone) {
  const auto read = ReadCalibrations(Path("missing.json"));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_TRUE(read->empty());
}

TEST(CalibrationFileTest, FileThatIsNoneIsNamed) {
  const std::string path = Path("broken.json");
  std::ofstream(path) << "{\"calibrations\": [{";
  const auto broken = ReadCalibrations(path);
  EXPECT_FALSE(broken.ok());
  EXPECT_THAT(std::string(broken.status().message()), HasSubstr(path));

  std::ofstream(path) << "{\"calibrations\": [{\"calibration_id\": \"one\"}]}";
  const auto bad_id = ReadCalibrations(path);
  EXPECT_FALSE(bad_id.ok());
  EXPECT_THAT(std::string(bad_id.status().message()), HasSubstr("calibrations[0].calibration_id"));
}

TEST(CalibrationFileTest, BadNumbersAreNamed) {
  const std::string path = Path("numbers.json");
  CalibrationInfo calibration = Calibration(1);
  calibration.measurement.round_trip_frames = -5;
  ASSERT_TRUE(WriteCalibrations(path, {calibration}).ok());
  const auto read = ReadCalibrations(path);
  EXPECT_FALSE(read.ok());
  EXPECT_THAT(std::string(read.status().message()),
              HasSubstr("calibrations[0].measurement.round_trip_frames is -5"));
}

TEST(CalibrationFileTest, FailedWriteLeavesTheOldFile) {
  const std::string path = Path("folder.json");
  // What cannot be replaced by a file.
  ASSERT_EQ(mkdir(path.c_str(), 0755), 0);
  const absl::Status status = WriteCalibrations(path, {Calibration(1)});
  EXPECT_FALSE(status.ok());
  EXPECT_THAT(std::string(status.message()), HasSubstr(path));
  struct stat info {};
  EXPECT_EQ(stat(path.c_str(), &info), 0);
  EXPECT_TRUE(S_ISDIR(info.st_mode));
  EXPECT_NE(stat((path + ".new").c_str(), &info), 0);
  EXPECT_FALSE(WriteCalibrations("/proc/none.json", {}).ok());
}

}  // namespace
}  // namespace rtmixd
