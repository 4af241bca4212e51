// The path of a person with a cable: rtmixctl measures the latency of a real server on its virtual
// device, whose loopback is that cable and takes longer than the device claims; stores it; and from
// then on what is played and recorded lines up to the sample, also after the server was started
// again. The device claims 256 frames for each direction.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "client_cpp/client.h"
#include "client_cpp/latency/measure_latency.h"
#include "client_cpp/play_rec.h"
#include "client_cpp/rtmixctl/json.h"
#include "client_cpp/session.h"
#include "tests/client_cpp/tool.h"

namespace rtmixd {
namespace {

using ::testing::HasSubstr;

constexpr double kClaimedFrames = 512;

template <typename Message>
Message Parse(const std::string& json) {
  Message message;
  const absl::Status status = rtmixctl::FromJson(json, "the answer", message);
  EXPECT_TRUE(status.ok()) << status << "\n" << json;
  return message;
}

std::unique_ptr<Tool> StartTool(const std::vector<std::string>& flags) {
  auto tool = Tool::Start(flags);
  EXPECT_TRUE(tool.ok()) << tool.status();
  return tool.ok() ? *std::move(tool) : nullptr;
}

std::shared_ptr<client::Session> OpenSession(const std::string& target) {
  auto client = client::Client::Connect(target);
  EXPECT_TRUE(client.ok()) << client.status();
  if (!client.ok()) return nullptr;
  auto session = client::Session::Create(*client, {.label = "latency"});
  EXPECT_TRUE(session.ok()) << session.status();
  return session.ok() ? *session : nullptr;
}

// Plays noise on output 1 and records input 1, aligned; on which frame of the recording it begins.
int64_t PlayRecOffset(const std::string& target, bool expect_calibrated) {
  std::mt19937 generator(5);
  std::uniform_int_distribution<int> distribution(-16000, 16000);
  client::Audio sound = {.channels = 1, .sample_rate_hz = 48000, .samples = {}};
  for (int i = 0; i < 9600; ++i) {
    sound.samples.push_back(static_cast<float>(distribution(generator)) / 32768.0F);
  }
  client::PlayRecOptions options;
  options.outputs = {1};
  options.inputs = {1};
  options.tail_frames = 4800;
  const auto result = client::PlayRec(OpenSession(target), sound, options);
  EXPECT_TRUE(result.ok()) << result.status();
  if (!result.ok()) return -1;
  EXPECT_EQ(result->play.calibrated(), expect_calibrated);
  EXPECT_EQ(result->record.calibrated(), expect_calibrated);
  const std::vector<float>& recorded = result->recording.samples;
  const auto found =
      std::search(recorded.begin(), recorded.end(), sound.samples.begin(), sound.samples.end());
  EXPECT_TRUE(found != recorded.end()) << "the sound is not in the recording, bit for bit";
  return found - recorded.begin();
}

TEST(LatencyTest, MeasuredLatencyIsTheOneOfTheCable) {
  const auto tool = StartTool({"--loopback", "1>1:delay=480", "--loopback", "2>2:gain=-0.5"});
  auto run = tool->Run({"latency", "--json"});
  ASSERT_EQ(run.exit_code, 0) << run.out << run.err;
  auto measurement = Parse<v1::LatencyMeasurement>(run.out);
  EXPECT_EQ(measurement.verdict(), v1::LATENCY_VERDICT_FOUND);
  EXPECT_NEAR(measurement.round_trip_frames(), kClaimedFrames + 480, 0.001);
  EXPECT_LT(measurement.spread_frames(), 0.001);
  EXPECT_NEAR(measurement.gain(), 1, 1e-4);
  EXPECT_FALSE(measurement.inverted());
  EXPECT_GT(measurement.confidence(), 0.999);
  EXPECT_EQ(measurement.repeats(), 3);

  run = tool->Run({"latency", "--output", "2", "--input", "2", "--repeats", "2", "--json",
                   "--picture", TestPath("response.svg")});
  ASSERT_EQ(run.exit_code, 0) << run.out << run.err;
  measurement = Parse<v1::LatencyMeasurement>(run.out);
  EXPECT_NEAR(measurement.round_trip_frames(), kClaimedFrames, 0.001);
  EXPECT_NEAR(measurement.gain(), 0.5, 1e-4);
  EXPECT_TRUE(measurement.inverted());
  EXPECT_EQ(measurement.repeats(), 2);
  EXPECT_EQ(measurement.output_channel(), 2);
  std::ifstream file(TestPath("response.svg"));
  const std::string svg(std::istreambuf_iterator<char>(file), {});
  EXPECT_THAT(svg, HasSubstr("output 2 to input 2, frames at 48000 Hz: delay at 512.000"));
}

TEST(LatencyTest, StoredItLinesUpPlayAndRecordToTheSampleAndLasts) {
  const std::string file = TestPath("calibrations.json");
  std::remove(file.c_str());
  const std::vector<std::string> flags = {"--loopback", "1>1:delay=481", "--calibration-file",
                                          file};
  auto tool = StartTool(flags);
  EXPECT_EQ(PlayRecOffset(tool->target(), false), 481);

  const auto run = tool->Run({"latency", "--store", "--json"});
  ASSERT_EQ(run.exit_code, 0) << run.out << run.err;
  const auto stored = Parse<v1::SetCalibrationResponse>(run.out).calibration();
  EXPECT_NEAR(stored.excess_frames(), 481, 0.001);
  EXPECT_EQ(stored.used_frames(), 481);
  EXPECT_EQ(stored.settings().input_device_id(), "virtual/loopback");
  EXPECT_EQ(PlayRecOffset(tool->target(), true), 0);
  const auto status = tool->Run({"status"});
  EXPECT_THAT(status.out, HasSubstr("calibrated: +481.000 frames beyond these latencies"));

  tool->server().Signal(SIGTERM);
  ASSERT_TRUE(tool->server().Wait(absl::Seconds(30)).ok());
  tool = StartTool(flags);
  EXPECT_EQ(PlayRecOffset(tool->target(), true), 0);

  const auto list = tool->Run({"calibrations", "--json"});
  ASSERT_EQ(list.exit_code, 0) << list.err;
  const auto calibrations = Parse<v1::ListCalibrationsResponse>(list.out);
  ASSERT_EQ(calibrations.calibrations_size(), 1);
  EXPECT_THAT(tool->Run({"calibrations"}).out, HasSubstr("48000 Hz, blocks of 256 frames"));
  const std::string id = calibrations.calibrations(0).calibration_id();
  EXPECT_EQ(tool->Run({"calibrations", "--delete", id}).exit_code, 0);
  EXPECT_EQ(tool->Run({"calibrations", "--delete", id}).exit_code, 4);
  EXPECT_EQ(PlayRecOffset(tool->target(), false), 481);
}

TEST(LatencyTest, UnpluggedInputIsExitCode10) {
  const auto tool = StartTool({"--loopback", "1>2"});
  auto run = tool->Run({"latency", "--json", "--store"});
  EXPECT_EQ(run.exit_code, 10) << run.err;
  EXPECT_EQ(Parse<v1::LatencyMeasurement>(run.out).verdict(), v1::LATENCY_VERDICT_SILENT);
  run = tool->Run({"latency", "--repeats", "1"});
  EXPECT_EQ(run.exit_code, 10);
  EXPECT_THAT(run.out, HasSubstr("no answer: the input is silent"));
  EXPECT_THAT(tool->Run({"calibrations"}).out, HasSubstr("no calibrations"));
  EXPECT_THAT(tool->Run({"--help"}).out, HasSubstr("10   latency:"));
}

TEST(LatencyTest, WhatIsNoCableIsExitCode10) {
  // Leaks, comes back twice, clips at the input's full scale, comes back too late.
  const auto tool =
      StartTool({"--loopback", "1>1:gain=0.005", "--loopback", "2>2", "--loopback",
                 "2>2:delay=100,gain=0.9", "--loopback", "3>3:gain=5", "--loopback", "4>4"});
  const auto verdict = [&tool](std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"latency", "--json", "--repeats", "1"});
    const auto run = tool->Run(arguments);
    EXPECT_EQ(run.exit_code, 10) << run.out << run.err;
    return Parse<v1::LatencyMeasurement>(run.out).verdict();
  };
  EXPECT_EQ(verdict({}), v1::LATENCY_VERDICT_FAINT);
  EXPECT_EQ(verdict({"--output", "2", "--input", "2"}), v1::LATENCY_VERDICT_AMBIGUOUS);
  EXPECT_EQ(verdict({"--output", "3", "--input", "3"}), v1::LATENCY_VERDICT_CLIPPED);
  EXPECT_EQ(verdict({"--output", "4", "--input", "4", "--max-delay", "0.01"}),
            v1::LATENCY_VERDICT_LATE);
}

TEST(LatencyTest, RepeatsThatAnXrunTouchedAreDoneAgain) {
  const auto tool = StartTool({"--loopback", "1>1:delay=480", "--enable-device-scripts"});
  // From 2 to 8 s from now on, however late the machine lets the measurement begin.
  std::string faults;
  for (int i = 0; i < 7; ++i) {
    absl::StrAppend(&faults, i == 0 ? "" : ", ", R"({"kind": "FAULT_KIND_LOSE_BOTH", "frame": )",
                    96000 + 48000 * i, R"(, "frames": 512})");
  }
  std::ofstream(TestPath("script.json")) << R"({"faults": [)" << faults << "]}";
  const auto session = OpenSession(tool->target());
  ASSERT_EQ(tool->Run({"script", TestPath("script.json"), "--from-now"}).exit_code, 0);
  // Three repeats take 10 s.
  client::LatencyOptions options;
  options.max_delay_seconds = 1;
  const auto measured = client::MeasureLatency(session, options);
  ASSERT_TRUE(measured.ok()) << measured.status();
  EXPECT_EQ(measured->measurement.verdict(), v1::LATENCY_VERDICT_FOUND);
  EXPECT_NEAR(measured->measurement.round_trip_frames(), kClaimedFrames + 480, 0.001);
  EXPECT_EQ(measured->measurement.repeats(), 3);
  EXPECT_GE(measured->measurement.voided_repeats(), 1);
}

TEST(LatencyTest, OptionsThatCannotBeAreRefusedByName) {
  const auto tool = StartTool({});
  const auto session = OpenSession(tool->target());
  client::LatencyOptions options;
  options.repeats = 9;
  EXPECT_THAT(std::string(client::MeasureLatency(session, options).status().message()),
              HasSubstr("repeats is 9, but must be 1 to 8"));
  EXPECT_EQ(tool->Run({"latency", "--input", "1000"}).exit_code, 4);
  EXPECT_EQ(tool->Run({"latency", "--repeats", "0"}).exit_code, 2);
  EXPECT_EQ(tool->Run({"latency", "--min-confidence", "0.5"}).exit_code, 2);
}

}  // namespace
}  // namespace rtmixd
