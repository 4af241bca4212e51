// A real PortAudio stream on PipeWire, through PipeWire's stand-in for JACK. PipeWire loses frames
// without saying so when the machine stalls; so a stretch without any loss is waited for, and that
// one must be exact.

#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "server/device/audio_device.h"
#include "server/device/device_probe.h"
#include "server/device/portaudio_device.h"
#include "tests/device/frame_sink.h"
#include "tests/device/pipewire_server.h"
#include "tests/support/polling.h"

namespace rtmixd {
namespace {

// Longer than anything here takes.
constexpr absl::Duration kPatience = absl::Minutes(4);

// The longest run of blocks in a row that were heard as sent `delay_frames` before, sound and not
// silence.
int LongestExactRun(const FrameSink& sink, int64_t delay_frames) {
  int longest = 0;
  int run = 0;
  for (const FrameSink::Block& block : sink.blocks()) {
    bool exact = block.first_frame >= delay_frames;
    for (int c = 0; exact && c < static_cast<int>(block.heard.size()); ++c) {
      for (int k = 0; k < block.frames; ++k) {
        exact &= block.heard[c][k] == sink.Sent(c, block.first_frame + k - delay_frames);
      }
    }
    run = exact ? run + 1 : 0;
    longest = std::max(longest, run);
  }
  return longest;
}

StreamSettings Loop() {
  StreamSettings settings;
  settings.input.device = "jack/loop";
  settings.input.channels = 2;
  settings.output.device = "jack/loop";
  settings.output.channels = 2;
  return settings;
}

class PortAudioPipewireTest : public testing::Test {
 protected:
  static void SetUpTestSuite() { server_ = new PipewireServer(); }
  static void TearDownTestSuite() { delete server_; }
  void SetUp() override { ASSERT_TRUE(server_->Start()) << "PipeWire does not start"; }
  void TearDown() override { server_->Kill(); }

  // A fresh server may take a while until its nodes are there.
  static absl::StatusOr<StreamInfo> OpenLoop(PortAudioDevice& device, FrameSink& sink) {
    absl::StatusOr<StreamInfo> info = absl::UnknownError("not tried");
    PollUntil(
        [&] {
          info = device.Open(Loop(), &sink);
          return info.ok();
        },
        kPatience);
    return info;
  }

  // One for all tests, since it is in the environment.
  static PipewireServer* server_;
};

PipewireServer* PortAudioPipewireTest::server_ = nullptr;

TEST_F(PortAudioPipewireTest, PlayedComesBackBitForBitOneQuantumLater) {
  constexpr int kWantedBlocks = 100;
  FrameSink sink(2, 2);
  PortAudioDevice device;  // ends before the sink that it calls
  const auto info = OpenLoop(device, sink);
  ASSERT_TRUE(info.ok()) << info.status();
  EXPECT_EQ(info->sample_rate_hz, 48000);
  EXPECT_FALSE(info->reports_xruns);
  // What PipeWire claims is either plausible or taken as unknown.
  EXPECT_LE(info->input_latency_frames, 48000);
  EXPECT_LE(info->output_latency_frames, 48000);
  ASSERT_TRUE(device.Start().ok());
  int longest = 0;
  for (int64_t blocks = 200; longest < kWantedBlocks; blocks += 200) {
    ASSERT_LE(blocks, 10'000) << "no stretch is exact; the longest has " << longest << " blocks";
    ASSERT_TRUE(sink.WaitForBlocks(blocks)) << "the callbacks stopped";
    longest = LongestExactRun(sink, PipewireServer::kQuantumFrames);
  }
  ASSERT_TRUE(device.Close().ok());
  std::printf("%d of %ld blocks in a row exact at %d frames\n", longest,
              static_cast<long>(sink.block_count()), PipewireServer::kQuantumFrames);
}

TEST_F(PortAudioPipewireTest, KilledServerIsNoticedAndTheNextOneUsed) {
  PortAudioDevice device;
  for (int round = 0; round < 2; ++round) {
    SCOPED_TRACE(round);
    auto sink = std::make_unique<FrameSink>(2, 2);
    const auto info = OpenLoop(device, *sink);
    ASSERT_TRUE(info.ok()) << info.status();
    ASSERT_TRUE(device.Start().ok());
    ASSERT_TRUE(sink->WaitForBlocks(20));
    const absl::Time killed_at = absl::Now();
    server_->Kill();
    ASSERT_TRUE(
        PollUntil([&] { return device.health() == AudioDevice::Health::kDead; }, kPatience));
    EXPECT_LE(absl::Now() - killed_at, absl::Seconds(2));
    // Nor does this hang.
    if (round == 0) {
      device.Abandon();
    } else {
      EXPECT_TRUE(device.Close().ok());
    }
    EXPECT_EQ(device.health(), AudioDevice::Health::kClosed);
    sink.reset();  // a late callback would use freed memory
    ASSERT_TRUE(server_->Start());
  }
}

}  // namespace
}  // namespace rtmixd

int main(int argc, char** argv) {
  rtmixd::RunDeviceProbeIfAsked(argc, argv);
  rtmixd::PipewireServer::RunOnItsJack(argc, argv);
  testing::InitGoogleTest(&argc, argv);
  const int status = RUN_ALL_TESTS();
  std::fflush(nullptr);
  _exit(status);
}
