#include "tests/device/stepped_device.h"

#include <cstdint>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "server/device/audio_device.h"
#include "server/realtime/audio_block.h"

namespace rtmixd {
namespace {

// Sends a count upwards from 1 on output 0 and keeps what comes in.
class CountingSink : public AudioBlockSink {
 public:
  void ProcessRt(const AudioBlock& block) noexcept override {
    blocks.push_back(block);
    for (int k = 0; k < block.frames; ++k) {
      ++count;
      if (block.output != nullptr) block.output[0][k] = static_cast<float>(count);
      if (block.input != nullptr) heard.push_back(block.input[0][k]);
    }
  }
  void AfterBlockRt() noexcept override { ++after; }

  std::vector<AudioBlock> blocks;
  std::vector<float> heard;
  int64_t count = 0;
  int after = 0;
};

StreamSettings Duplex() {
  StreamSettings settings;
  settings.input.channels = 1;
  settings.output.channels = 1;
  return settings;
}

SteppedDevice::Options Looped(int64_t delay_frames) {
  SteppedDevice::Options options;
  options.routes = {{0, 0, delay_frames, 1.0F}};
  return options;
}

TEST(SteppedDeviceTest, StepIsOneCallbackAtTheClock) {
  SteppedDevice device(Looped(64));
  CountingSink sink;
  ASSERT_TRUE(device.Open(Duplex(), &sink).ok());
  ASSERT_TRUE(device.Start().ok());
  EXPECT_TRUE(device.Step(48));
  EXPECT_TRUE(device.Step({.frames = 16, .host_flags = kHostInputOverflow}));
  device.AdvanceClockFrames(480);
  EXPECT_TRUE(device.Step(1));
  ASSERT_EQ(sink.blocks.size(), 3U);
  EXPECT_EQ(sink.after, 3);
  const int64_t t0 = SteppedDevice::kFirstClockNanos;
  EXPECT_EQ(sink.blocks[0].callback_nanos, t0);
  EXPECT_EQ(sink.blocks[1].callback_nanos, t0 + 1'000'000);
  EXPECT_EQ(sink.blocks[1].host_flags, kHostInputOverflow);
  EXPECT_EQ(sink.blocks[2].callback_nanos, t0 + 11'333'333);
  EXPECT_EQ(device.frames_stepped(), 65);
}

TEST(SteppedDeviceTest, LoopbackComesBackAtItsDelayWithTheInputAdded) {
  SteppedDevice device(Looped(10));
  device.SetInput(
      [](int channel, int64_t frame) { return channel == 0 && frame == 3 ? 0.5F : 0.0F; });
  CountingSink sink;
  ASSERT_TRUE(device.Open(Duplex(), &sink).ok());
  ASSERT_TRUE(device.Start().ok());
  EXPECT_TRUE(device.Step(7));
  EXPECT_TRUE(device.Step(10));
  EXPECT_TRUE(device.Step(3));
  for (int k = 0; k < 20; ++k) {
    EXPECT_EQ(sink.heard[k], k == 3 ? 0.5F : k < 10 ? 0.0F : static_cast<float>(k - 9)) << k;
    EXPECT_EQ(device.sent(0)[k], static_cast<float>(k + 1)) << k;
  }
}

TEST(SteppedDeviceTest, OnlyARunningStreamIsCalled) {
  SteppedDevice device({});
  CountingSink sink;
  EXPECT_FALSE(device.Step(8));
  ASSERT_TRUE(device.Open(Duplex(), &sink).ok());
  EXPECT_EQ(device.Open(Duplex(), &sink).status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_FALSE(device.Step(8));
  ASSERT_TRUE(device.Start().ok());
  EXPECT_EQ(device.health(), AudioDevice::Health::kRunning);
  EXPECT_TRUE(device.Step(8));
  ASSERT_TRUE(device.Stop().ok());
  EXPECT_FALSE(device.Step(8));
  ASSERT_TRUE(device.Start().ok());
  device.Die();
  EXPECT_EQ(device.health(), AudioDevice::Health::kDead);
  EXPECT_FALSE(device.Step(8));
  ASSERT_TRUE(device.Close().ok());
  EXPECT_EQ(device.health(), AudioDevice::Health::kClosed);
  EXPECT_EQ(sink.blocks.size(), 1U);
  EXPECT_EQ(device.open_count(), 1);
  EXPECT_EQ(device.start_count(), 2);
}

TEST(SteppedDeviceTest, HangingStopLeavesANewStreamAlone) {
  SteppedDevice device({});
  CountingSink first;
  CountingSink second;
  ASSERT_TRUE(device.Open(Duplex(), &first).ok());
  ASSERT_TRUE(device.Start().ok());
  device.HangStops();
  absl::Status stopped;
  std::thread hanging([&] { stopped = device.Stop(); });
  device.WaitForHangingStop();
  device.Abandon();
  ASSERT_TRUE(device.Open(Duplex(), &second).ok());
  ASSERT_TRUE(device.Start().ok());
  device.ReleaseStops();
  hanging.join();
  EXPECT_TRUE(device.Step(8));
  EXPECT_EQ(first.blocks.size(), 0U);
  EXPECT_EQ(second.blocks.size(), 1U);
}

TEST(SteppedDeviceTest, ScriptedErrorsComeOnce) {
  SteppedDevice device({});
  CountingSink sink;
  device.FailNextOpen(absl::FailedPreconditionError("busy"));
  EXPECT_EQ(device.Open(Duplex(), &sink).status().message(), "busy");
  ASSERT_TRUE(device.Open(Duplex(), &sink).ok());
  device.FailNextStart(absl::InternalError("no"));
  EXPECT_FALSE(device.Start().ok());
  EXPECT_TRUE(device.Start().ok());
  StreamSettings other_rate = Duplex();
  other_rate.sample_rate_hz = 44100;
  EXPECT_EQ(device.CheckSettings(other_rate).code(), absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace rtmixd
