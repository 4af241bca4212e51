// A real PortAudio stream on a real ALSA driver: the loopback card of snd-aloop, on whose device 1
// is played what its device 0 records. Run by tools/alsa-vm, in a virtual machine that has such a
// card.

#include <unistd.h>

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/device/audio_device.h"
#include "server/device/device_probe.h"
#include "server/device/portaudio_device.h"
#include "tests/device/frame_sink.h"

namespace rtmixd {
namespace {

using ::testing::HasSubstr;

constexpr char kRecorded[] = "(hw:0,0)";
constexpr char kPlayed[] = "(hw:0,1)";
// A block is touched by an xrun in the same or any of so many callbacks before: as many as the
// driver buffers.
constexpr int kReachBlocks = 16;

StreamSettings Settings() {
  StreamSettings settings;
  settings.sample_rate_hz = 48000;
  settings.block_frames = 256;
  settings.input.device = kRecorded;
  settings.input.channels = 2;
  settings.input.latency = {LatencyRequest::Kind::kSeconds, 0.03};
  settings.output.device = kPlayed;
  settings.output.channels = 2;
  settings.output.latency = {LatencyRequest::Kind::kSeconds, 0.03};
  return settings;
}

// The stretches between xruns: each must be exact at a delay of its own.
struct Stretch {
  int64_t delay_frames = -1;  // -1: nothing but silence yet
  int64_t exact_frames = 0;
};

std::vector<Stretch> CheckStretches(const FrameSink& sink, int* flagged) {
  std::vector<Stretch> stretches(1);
  int since_flag = kReachBlocks;
  *flagged = 0;
  for (const FrameSink::Block& block : sink.blocks()) {
    since_flag = block.host_flags != 0 ? 0 : since_flag + 1;
    *flagged += block.host_flags != 0 ? 1 : 0;
    if (since_flag < kReachBlocks) {
      if (stretches.back().delay_frames >= 0) stretches.emplace_back();
      continue;
    }
    for (int k = 0; k < block.frames; ++k) {
      Stretch& stretch = stretches.back();
      const int64_t frame = block.first_frame + k;
      if (stretch.delay_frames < 0) {
        if (block.heard[0][k] == 0) continue;
        // FrameSink sends frame * 2 + 1 on channel 0, scaled to 2^23.
        stretch.delay_frames = frame - std::llround(block.heard[0][k] * (1 << 22) - 0.5);
      }
      for (int c = 0; c < 2; ++c) {
        if (block.heard[c][k] == sink.Sent(c, frame - stretch.delay_frames)) continue;
        ADD_FAILURE() << "frame " << frame << " channel " << c << " at delay "
                      << stretch.delay_frames;
        return stretches;
      }
      ++stretch.exact_frames;
    }
  }
  return stretches;
}

TEST(PortAudioAlsaTest, ListsBothSidesOfTheCard) {
  DeviceProbe patient;  // with a machine that is emulated
  patient.timeout = absl::Minutes(1);
  PortAudioDevice device(patient);
  const auto devices = device.ListDevices();
  ASSERT_TRUE(devices.ok()) << devices.status();
  int found = 0;
  for (const DeviceInfo& info : *devices) {
    std::printf("%d %s in %d out %d\n", info.index, info.id.c_str(), info.max_input_channels,
                info.max_output_channels);
    found += absl::StrContains(info.id, kRecorded) || absl::StrContains(info.id, kPlayed) ? 1 : 0;
  }
  EXPECT_EQ(found, 2);
}

TEST(PortAudioAlsaTest, PlayedComesBackBitForBitAtAConstantDelayBetweenXruns) {
  for (int run = 0; run < 6; ++run) {
    PortAudioDevice device;
    FrameSink sink(2, 2);
    const auto info = device.Open(Settings(), &sink);
    ASSERT_TRUE(info.ok()) << info.status();
    EXPECT_FALSE(info->clocks_related) << "two devices of ALSA";
    ASSERT_TRUE(device.Start().ok());
    int64_t exact_frames = 0;
    int flagged = 0;
    std::vector<Stretch> stretches;
    for (int64_t blocks = 400; exact_frames < 48000; blocks += 400) {
      ASSERT_LE(blocks, 20'000) << "no second of sound came back";
      ASSERT_TRUE(sink.WaitForBlocks(blocks)) << "the callbacks stopped";
      stretches = CheckStretches(sink, &flagged);
      ASSERT_FALSE(HasFailure());
      exact_frames = 0;
      for (const Stretch& stretch : stretches) exact_frames += stretch.exact_frames;
    }
    ASSERT_TRUE(device.Close().ok());
    std::printf("run %d: latencies %d + %d frames, %d flagged blocks, exact:", run,
                info->input_latency_frames, info->output_latency_frames, flagged);
    for (const Stretch& stretch : stretches) {
      if (stretch.delay_frames < 0) continue;
      std::printf(" %ld frames at %ld", static_cast<long>(stretch.exact_frames),
                  static_cast<long>(stretch.delay_frames));
    }
    std::printf("\n");
  }
}

TEST(PortAudioAlsaTest, WrongRateIsRefusedWithPortAudiosText) {
  PortAudioDevice device;
  StreamSettings settings = Settings();
  settings.sample_rate_hz = 1000;
  const absl::Status status = device.CheckSettings(settings);
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("1000 Hz: Invalid sample rate"));
}

}  // namespace
}  // namespace rtmixd

int main(int argc, char** argv) {
  rtmixd::RunDeviceProbeIfAsked(argc, argv);
  testing::InitGoogleTest(&argc, argv);
  const int status = RUN_ALL_TESTS();
  std::fflush(nullptr);
  _exit(status);
}
