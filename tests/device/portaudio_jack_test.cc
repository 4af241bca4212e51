// Real PortAudio streams on a JACK server of the test's own, whose loopback device brings back what
// is played. The machine may stall at any moment. JACK does not wait for a client that is late, and
// takes from its buffer what is there: the period before, or, if the client is just writing, some
// of both. What is asserted is that every sample is exact to the bit or such a stale one, and that
// of each block with stale ones a flag tells, in it or after it. JACK brings flags by a thread of
// its own, so that nothing bounds how much later but that this thread runs at all.

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/device/audio_device.h"
#include "server/device/device_probe.h"
#include "server/device/portaudio_device.h"
#include "server/realtime/audio_block.h"
#include "tests/device/frame_sink.h"
#include "tests/device/jack_server.h"
#include "tests/support/polling.h"

namespace rtmixd {
namespace {

using ::testing::HasSubstr;
using Health = AudioDevice::Health;

constexpr int kPeriodFrames = 256;
// Seconds of sound within which a machine runs every thread that wants to.
constexpr int64_t kFlagPatienceFrames = int64_t{30} * 48000;

StreamSettings Loopback() {
  StreamSettings settings;
  settings.input.device = "jack/loopback";
  settings.input.channels = 2;
  settings.output.device = "jack/loopback";
  settings.output.channels = 2;
  return settings;
}

// Runs the open stream until `exact` blocks came back exactly, and all stale ones were told. The
// rate of xruns is the machine's; any other block is an error at once. `meanwhile` is called as
// soon as it runs.
void ExpectLoopback(
    PortAudioDevice& device, FrameSink& sink, int64_t delay_frames, int64_t exact,
    const std::function<void()>& meanwhile = [] {}) {
  ASSERT_TRUE(device.Start().ok());
  meanwhile();
  LoopbackResult result;
  for (int64_t wanted = exact; result.exact_blocks < exact || result.untold_blocks > 0;
       wanted += exact) {
    ASSERT_TRUE(sink.WaitForBlocks(wanted)) << "the callbacks stopped";
    result = CompareLoopback(sink, delay_frames, kPeriodFrames);
    ASSERT_EQ(result.inexact_blocks, 0) << result.first_inexact;
    ASSERT_LT(result.untold_blocks * sink.blocks().front().frames, kFlagPatienceFrames)
        << "no flag tells of stale audio";
  }
  ASSERT_TRUE(device.Stop().ok());
  std::printf("%ld blocks exact at %ld frames, %ld flagged, %ld stale, told after %ld blocks\n",
              static_cast<long>(result.exact_blocks), static_cast<long>(delay_frames),
              static_cast<long>(result.flagged_blocks), static_cast<long>(result.stale_blocks),
              static_cast<long>(result.longest_until_told_blocks));
}

class PortAudioJackTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(server_.Start()) << "jackd does not start"; }

  JackServer server_{kPeriodFrames};
};

TEST_F(PortAudioJackTest, ListsTheServersClientsAsDevices) {
  PortAudioDevice device;
  const auto apis = device.ListHostApis();
  ASSERT_TRUE(apis.ok()) << apis.status();
  bool found = false;
  for (const HostApiInfo& api : *apis) found |= api.id == "jack" && api.device_count == 2;
  EXPECT_TRUE(found);
  const auto devices = device.ListDevices();
  ASSERT_TRUE(devices.ok()) << devices.status();
  std::vector<std::string> ids;
  for (const DeviceInfo& info : *devices) {
    ids.push_back(info.id);
    if (info.host_api_id == "jack") {
      EXPECT_EQ(info.max_input_channels, 2) << info.id;
      EXPECT_EQ(info.max_output_channels, 2) << info.id;
      EXPECT_EQ(info.default_sample_rate_hz, 48000) << info.id;
    }
  }
  EXPECT_THAT(ids, ::testing::IsSupersetOf({"jack/system", "jack/loopback"}));
}

TEST_F(PortAudioJackTest, PlayedComesBackBitForBitOnePeriodLater) {
  FrameSink sink(2, 2);
  PortAudioDevice device;  // ends before the sink that it calls
  const auto info = device.Open(Loopback(), &sink);
  ASSERT_TRUE(info.ok()) << info.status();
  EXPECT_EQ(info->input_device.id, "jack/loopback");
  EXPECT_EQ(info->sample_rate_hz, 48000);
  EXPECT_EQ(info->output_latency_frames + info->input_latency_frames, kPeriodFrames);
  EXPECT_TRUE(info->clocks_related);
  EXPECT_TRUE(info->reports_xruns);
  EXPECT_EQ(device.health(), Health::kStopped);
  ExpectLoopback(device, sink, kPeriodFrames, 500);
  for (const FrameSink::Block& block : sink.blocks()) EXPECT_EQ(block.frames, kPeriodFrames);
  EXPECT_EQ(device.health(), Health::kStopped);
  ASSERT_TRUE(device.Close().ok());
  EXPECT_EQ(device.health(), Health::kClosed);
}

TEST_F(PortAudioJackTest, SetBlockLengthAddsToTheDelay) {
  FrameSink sink(2, 2);
  PortAudioDevice device;  // ends before the sink that it calls
  StreamSettings settings = Loopback();
  settings.block_frames = 128;
  ASSERT_TRUE(device.Open(settings, &sink).ok());
  ExpectLoopback(device, sink, kPeriodFrames + 128, 300);
  for (const FrameSink::Block& block : sink.blocks()) EXPECT_EQ(block.frames, 128);
}

TEST_F(PortAudioJackTest, OneSidedStreamsRunAndAStoppedSinkIsNotCalled) {
  PortAudioDevice device;
  for (const bool input : {true, false}) {
    FrameSink sink(input ? 2 : 0, input ? 0 : 1);
    StreamSettings settings = Loopback();
    (input ? settings.output : settings.input).channels = 0;
    if (!input) settings.output.channels = 1;
    const auto info = device.Open(settings, &sink);
    ASSERT_TRUE(info.ok()) << info.status();
    EXPECT_EQ(input ? info->output_device.id : info->input_device.id, "");
    ASSERT_TRUE(device.Start().ok());
    EXPECT_EQ(device.health(), Health::kRunning);
    EXPECT_TRUE(sink.WaitForBlocks(10));
    ASSERT_TRUE(device.Stop().ok());
    const int64_t count = sink.block_count();
    ASSERT_TRUE(device.Start().ok());  // shows that the host's callbacks went on
    ASSERT_TRUE(device.Abort().ok());
    EXPECT_GE(sink.block_count(), count);
    const int64_t stopped_count = sink.block_count();
    ASSERT_TRUE(device.Close().ok());
    EXPECT_EQ(sink.block_count(), stopped_count);
  }
}

TEST_F(PortAudioJackTest, WrongSettingsAreRefusedWithPortAudiosText) {
  FrameSink sink(2, 2);
  PortAudioDevice device;  // ends before the sink that it calls
  StreamSettings settings = Loopback();
  settings.sample_rate_hz = 44100;
  for (const absl::Status& status :
       {device.CheckSettings(settings), device.Open(settings, &sink).status()}) {
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_THAT(std::string(status.message()),
                HasSubstr("input jack/loopback (2 channels), output jack/loopback (2 channels), "
                          "44100 Hz: Invalid sample rate (PortAudio error -9997)"));
  }
  settings = Loopback();
  settings.input.channels = 3;
  EXPECT_EQ(device.CheckSettings(settings).code(), absl::StatusCode::kInvalidArgument);
  settings = Loopback();
  settings.input.device = "jack/nowhere";
  EXPECT_EQ(device.Open(settings, &sink).status().code(), absl::StatusCode::kNotFound);
  settings = Loopback();
  settings.output.host_settings["alsa.periods"] = "3";
  EXPECT_EQ(device.CheckSettings(settings).code(), absl::StatusCode::kInvalidArgument);
  settings = Loopback();
  settings.output.host_settings["jack.client_name"] = "a:b";
  EXPECT_EQ(device.CheckSettings(settings).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(device.health(), Health::kClosed);
  EXPECT_TRUE(device.CheckSettings(Loopback()).ok());
}

TEST_F(PortAudioJackTest, SecondOpenIsRefusedAndTheFirstStreamRunsOn) {
  FrameSink sink(2, 2);
  PortAudioDevice device;  // ends before the sink that it calls
  ASSERT_TRUE(device.Open(Loopback(), &sink).ok());
  EXPECT_EQ(device.Open(Loopback(), &sink).status().code(), absl::StatusCode::kFailedPrecondition);
  // Listing beside a stream that runs leaves it exact as well.
  ASSERT_TRUE(device.Start().ok());
  EXPECT_TRUE(device.ListDevices().ok());
  ASSERT_TRUE(sink.WaitForBlocks(sink.block_count() + 20));
  EXPECT_EQ(CompareLoopback(sink, kPeriodFrames, kPeriodFrames).inexact_blocks, 0);
}

TEST_F(PortAudioJackTest, FreshCopyRunsOnTheServerAfterADeath) {
  PortAudioDevice device;
  for (int round = 0; round < 4; ++round) {
    SCOPED_TRACE(round);
    const int abandoned = PortAudioDevice::abandoned_count();
    auto sink = std::make_unique<FrameSink>(2, 2);
    const auto info = device.Open(Loopback(), sink.get());
    ASSERT_TRUE(info.ok()) << info.status();
    ExpectLoopback(device, *sink, kPeriodFrames, 50);
    ASSERT_TRUE(device.Start().ok());
    ASSERT_TRUE(sink->WaitForBlocks(sink->block_count() + 5));
    server_.Kill();
    ASSERT_TRUE(PollUntil([&] { return device.health() == Health::kDead; }, absl::Minutes(1)));
    if (round % 2 == 0) {
      device.Abandon();
    } else {
      // Nor does Close hang: it leaves the copy behind by itself.
      EXPECT_TRUE(device.Close().ok());
    }
    EXPECT_EQ(device.health(), Health::kClosed);
    EXPECT_EQ(PortAudioDevice::abandoned_count(), abandoned + 1);
    sink.reset();  // a late callback would use freed memory
    // Without a server there is no such device; nobody hangs.
    EXPECT_EQ(device.CheckSettings(Loopback()).code(), absl::StatusCode::kNotFound);
    ASSERT_TRUE(server_.Start());
  }
}

TEST_F(PortAudioJackTest, StoppedStreamNoticesItsServersDeathToo) {
  FrameSink sink(2, 2);
  PortAudioDevice device;  // ends before the sink that it calls
  ASSERT_TRUE(device.Open(Loopback(), &sink).ok());
  server_.Kill();
  ASSERT_TRUE(PollUntil([&] { return device.health() == Health::kDead; }, absl::Minutes(1)));
  EXPECT_EQ(device.Start().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(device.Close().ok());
}

TEST_F(PortAudioJackTest, FrozenServerIsAbandonedAndItsLateCallbacksAreShutOff) {
  PortAudioDevice device;
  const int abandoned = PortAudioDevice::abandoned_count();
  auto first = std::make_unique<FrameSink>(2, 2);
  ASSERT_TRUE(device.Open(Loopback(), first.get()).ok());
  ASSERT_TRUE(device.Start().ok());
  ASSERT_TRUE(first->WaitForBlocks(20));
  server_.Freeze();
  device.Abandon();
  first.reset();
  EXPECT_EQ(PortAudioDevice::abandoned_count(), abandoned + 1);
  server_.Unfreeze();
  FrameSink second(2, 2);
  const auto info = device.Open(Loopback(), &second);
  ASSERT_TRUE(info.ok()) << info.status();
  // The old client may still be connected to the loopback, silently, until it is taken back.
  ExpectLoopback(device, second, kPeriodFrames, 50);
  EXPECT_TRUE(
      PollUntil([&] { return PortAudioDevice::abandoned_count() == abandoned; }, absl::Minutes(1)));
  ASSERT_TRUE(device.Close().ok());
}

TEST(PortAudioJackReplacementTest, ServerThatWakesAfterItsReplacementTookOverDoesNoHarm) {
  const int abandoned = PortAudioDevice::abandoned_count();
  PortAudioDevice device;
  auto first_sink = std::make_unique<FrameSink>(2, 2);
  JackServer first(kPeriodFrames, "first");
  ASSERT_TRUE(first.Start());
  ASSERT_TRUE(device.Open(Loopback(), first_sink.get()).ok());
  ASSERT_TRUE(device.Start().ok());
  ASSERT_TRUE(first_sink->WaitForBlocks(20));
  first.Freeze();
  device.Abandon();
  first_sink.reset();
  JackServer second(kPeriodFrames, "second");
  ASSERT_TRUE(second.Start());
  FrameSink sink(2, 2);
  ASSERT_TRUE(device.Open(Loopback(), &sink).ok());
  ASSERT_NO_FATAL_FAILURE(ExpectLoopback(device, sink, kPeriodFrames, 400, [&] {
    EXPECT_TRUE(sink.WaitForBlocks(20));
    EXPECT_EQ(PortAudioDevice::abandoned_count(), abandoned + 1);
    first.Unfreeze();
    EXPECT_TRUE(PollUntil([&] { return PortAudioDevice::abandoned_count() == abandoned; },
                          absl::Minutes(1)));
  }));
  ASSERT_TRUE(device.Close().ok());
}

}  // namespace
}  // namespace rtmixd

int main(int argc, char** argv) {
  rtmixd::RunDeviceProbeIfAsked(argc, argv);
  testing::InitGoogleTest(&argc, argv);
  const int status = RUN_ALL_TESTS();
  // Copies of PortAudio were left behind: their exit handlers must not run.
  std::fflush(nullptr);
  _exit(status);
}
