// What a parent makes of probes that go wrong, acted out by small shell scripts, and of one that
// does not, which is this program itself.

#include "server/device/device_probe.h"

#include <sys/stat.h>

#include <cstdlib>
#include <fstream>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/device/audio_device.h"
#include "server/device/device_list.h"

namespace rtmixd {
namespace {

using ::testing::HasSubstr;

// A probe that is a script of that content.
DeviceProbe Script(const std::string& name, const std::string& content) {
  const std::string path = testing::TempDir() + "/" + name;
  std::ofstream(path) << "#!/bin/sh\n" << content;
  chmod(path.c_str(), 0700);
  DeviceProbe probe;
  probe.program = path;
  return probe;
}

TEST(DeviceProbeTest, ThisProgramAsItsOwnProbeTellsWhatPortAudioSees) {
  const auto list = DeviceProbe().List();
  ASSERT_TRUE(list.ok()) << list.status();
  EXPECT_FALSE(list->host_apis.empty());
  for (size_t i = 0; i < list->devices.size(); ++i) {
    EXPECT_EQ(list->devices[i].index, static_cast<int>(i));
  }
}

TEST(DeviceProbeTest, RefusalsComeBackWithCodeAndText) {
  StreamSettings settings;
  settings.output.device = "no such device";
  settings.output.channels = 2;
  const absl::Status status = DeviceProbe().Check(settings);
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()), HasSubstr("output.device \"no such device\""));
}

TEST(DeviceProbeTest, HangingProbeIsGivenUp) {
  DeviceProbe probe = Script("hang", "exec sleep 1000\n");
  probe.timeout = absl::Milliseconds(200);
  EXPECT_EQ(probe.List().status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(probe.Check({}).code(), absl::StatusCode::kDeadlineExceeded);
}

TEST(DeviceProbeTest, ProbeThatHangsAfterItsAnswerIsNoError) {
  const DeviceProbe probe =
      Script("late_hang", "printf 'defaults\\t-1\\t-1\\nend\\n'\nexec sleep 1000\n");
  const auto list = probe.List();
  ASSERT_TRUE(list.ok()) << list.status();
  EXPECT_TRUE(list->devices.empty());
}

TEST(DeviceProbeTest, CrashIsToldApart) {
  const auto aborted = Script("abort", "printf 'defaults\\t-1'\nkill -ABRT $$\n").List();
  EXPECT_EQ(aborted.status().code(), absl::StatusCode::kInternal);
  EXPECT_THAT(std::string(aborted.status().message()), HasSubstr("signal 6"));
  const auto failed = Script("fail", "exit 3\n").List();
  EXPECT_THAT(std::string(failed.status().message()), HasSubstr("exit status 3"));
  DeviceProbe missing;
  missing.program = "/nonexistent/probe";
  EXPECT_EQ(missing.List().status().code(), absl::StatusCode::kInternal);
}

TEST(DeviceProbeTest, WhatTheProbeSaysOnStderrIsNotTaken) {
  const auto list =
      Script("noise", "echo noise >&2\nprintf 'defaults\\t-1\\t-1\\nend\\n'\n").List();
  EXPECT_TRUE(list.ok()) << list.status();
}

}  // namespace
}  // namespace rtmixd

int main(int argc, char** argv) {
  rtmixd::RunDeviceProbeIfAsked(argc, argv);
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
