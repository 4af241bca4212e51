// PortAudio whose calls hang and fail assertions, at moments that no real sound server can be made
// to die at. What is asserted is that nobody waits for it, that the process survives, that what can
// be given back to the host is, and that the next stream works.

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <thread>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "server/device/audio_device.h"
#include "server/device/portaudio_device.h"
#include "tests/device/fake_portaudio.h"
#include "tests/device/frame_sink.h"
#include "tests/support/polling.h"

// Found by the fake.
extern "C" {
rtmixd::FakePortAudioControl fake_portaudio_control;
}

namespace rtmixd {
namespace {

using Health = AudioDevice::Health;

constexpr absl::Duration kLongEnough = absl::Minutes(1);

class PortAudioHangTest : public testing::Test {
 protected:
  PortAudioHangTest() {
    control().jack = false;
    control().start_hangs = false;
    control().abort_millis_after_stop = 0;
    control().terminate_aborts = false;
    control().open_streams = 0;
  }

  static FakePortAudioControl& control() { return fake_portaudio_control; }

  StreamSettings Settings() const {
    StreamSettings settings;
    settings.input = {.device = "0", .channels = 2, .latency = {}, .host_settings = {}};
    settings.output = settings.input;
    return settings;
  }

  void ExpectStreamWorks() {
    FrameSink sink(2, 2);
    ASSERT_TRUE(device_.Open(Settings(), &sink).ok());
    ASSERT_TRUE(device_.Start().ok());
    ASSERT_TRUE(sink.WaitForBlocks(10));
    ASSERT_TRUE(device_.Stop().ok());
    ASSERT_TRUE(device_.Close().ok());
  }

  FrameSink sink_{2, 2};
  PortAudioDevice device_;  // ends before the sink that it calls
};

TEST_F(PortAudioHangTest, ServerThatDiesAsItsStreamIsClosedIsNotWaitedForAndAbortsNothing) {
  control().jack = true;
  const int left = PortAudioDevice::abandoned_count();
  for (int round = 1; round <= 2; ++round) {
    SCOPED_TRACE(round);
    const int failed = control().failed_assertions;
    ASSERT_TRUE(device_.Open(Settings(), &sink_).ok());
    ASSERT_TRUE(device_.Start().ok());
    ASSERT_TRUE(sink_.WaitForBlocks(sink_.block_count() + 5));
    control().abort_millis_after_stop = 4000;
    EXPECT_TRUE(device_.Close().ok());
    EXPECT_EQ(control().failed_assertions, failed) << "Close waited until PortAudio gave up";
    EXPECT_EQ(device_.health(), Health::kClosed);
    EXPECT_EQ(PortAudioDevice::abandoned_count(), left + round);
    control().abort_millis_after_stop = 0;
    ASSERT_NO_FATAL_FAILURE(ExpectStreamWorks());
    EXPECT_TRUE(PollUntil([&] { return control().failed_assertions > failed; }, kLongEnough));
  }
  // Those that failed are never given back; the others were.
  ASSERT_NO_FATAL_FAILURE(ExpectStreamWorks());
  EXPECT_EQ(PortAudioDevice::abandoned_count(), left + 2);
}

TEST_F(PortAudioHangTest, TerminateThatAbortsLeavesTheCopyBehind) {
  const int left = PortAudioDevice::abandoned_count();
  ASSERT_TRUE(device_.Open(Settings(), &sink_).ok());
  control().terminate_aborts = true;
  EXPECT_TRUE(device_.Close().ok());
  control().terminate_aborts = false;
  EXPECT_EQ(PortAudioDevice::abandoned_count(), left + 1);
  ASSERT_NO_FATAL_FAILURE(ExpectStreamWorks());
  EXPECT_EQ(PortAudioDevice::abandoned_count(), left + 1);
}

TEST_F(PortAudioHangTest, AbandonedStreamOfADeviceForOneIsGivenBack) {
  const int left = PortAudioDevice::abandoned_count();
  ASSERT_TRUE(device_.Open(Settings(), &sink_).ok());
  ASSERT_TRUE(device_.Start().ok());
  ASSERT_TRUE(sink_.WaitForBlocks(5));
  device_.Abandon();
  EXPECT_EQ(device_.health(), Health::kClosed);
  ASSERT_TRUE(PollUntil([] { return control().open_streams == 0; }, kLongEnough));
  ASSERT_NO_FATAL_FAILURE(ExpectStreamWorks());
  EXPECT_TRUE(PollUntil([&] { return PortAudioDevice::abandoned_count() == left; }, kLongEnough));
}

TEST_F(PortAudioHangTest, AbandonedStreamIsGivenBackOnceTheCallThatHungComesBack) {
  const int left = PortAudioDevice::abandoned_count();
  ASSERT_TRUE(device_.Open(Settings(), &sink_).ok());
  control().start_hangs = true;
  absl::Status started;
  std::thread caller([&] { started = device_.Start(); });
  absl::SleepFor(absl::Milliseconds(100));  // most likely it is in there by then
  device_.Abandon();
  control().start_hangs = false;
  caller.join();
  EXPECT_FALSE(started.ok());
  EXPECT_EQ(sink_.block_count(), 0);
  ASSERT_TRUE(PollUntil([] { return control().open_streams == 0; }, kLongEnough));
  ASSERT_NO_FATAL_FAILURE(ExpectStreamWorks());
  EXPECT_TRUE(PollUntil([&] { return PortAudioDevice::abandoned_count() == left; }, kLongEnough));
}

}  // namespace
}  // namespace rtmixd

int main(int argc, char** argv) {
  constexpr char kVariable[] = "LD_LIBRARY_PATH";
  const std::string fakes = std::filesystem::absolute("tests/device").string();
  if (std::getenv(kVariable) == nullptr || std::getenv(kVariable) != fakes) {
    setenv(kVariable, fakes.c_str(), 1);
    execv("/proc/self/exe", argv);
    std::perror("execv");
    return 1;
  }
  testing::InitGoogleTest(&argc, argv);
  const int status = RUN_ALL_TESTS();
  std::fflush(nullptr);
  _exit(status);  // undertakers are left
}
