// A real PortAudio stream on PipeWire, through PipeWire's stand-in for JACK. The test starts a
// PipeWire of its own, with one sink whose monitor can be recorded, and then itself once more under
// pw-jack. PipeWire loses frames without saying so when the machine stalls; so a stretch without
// any loss is waited for, and that one must be exact.

#include <poll.h>
#include <signal.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "server/device/audio_device.h"
#include "server/device/device_probe.h"
#include "server/device/portaudio_device.h"
#include "tests/device/frame_sink.h"
#include "tests/support/child_process.h"
#include "tests/support/polling.h"

namespace rtmixd {
namespace {

constexpr int kQuantumFrames = 256;
// Longer than anything here takes.
constexpr absl::Duration kPatience = absl::Minutes(4);
constexpr char kInsideVariable[] = "RTMIXD_TEST_UNDER_PIPEWIRE";  // holds PipeWire's process id

constexpr char kConfiguration[] = R"(
context.properties = {
  default.clock.rate = 48000
  default.clock.quantum = 256
  default.clock.min-quantum = 256
  default.clock.max-quantum = 256
  support.dbus = false
}
context.objects = [
  { factory = adapter
    args = {
      factory.name = support.null-audio-sink
      node.name = loop
      node.description = loop
      media.class = Audio/Sink
      object.linger = true
      audio.position = [ FL FR ]
      audio.rate = 48000
      node.always-process = true
      adapter.auto-port-config = { mode = dsp monitor = true position = preserve }
      priority.driver = 50000
    } }
]
)";

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

TEST(PortAudioPipewireTest, PlayedComesBackBitForBitOneQuantumLater) {
  constexpr int kWantedBlocks = 100;
  FrameSink sink(2, 2);
  PortAudioDevice device;  // ends before the sink that it calls
  const auto info = device.Open(Loop(), &sink);
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
    longest = LongestExactRun(sink, kQuantumFrames);
  }
  ASSERT_TRUE(device.Close().ok());
  std::printf("%d of %ld blocks in a row exact at %d frames\n", longest,
              static_cast<long>(sink.block_count()), kQuantumFrames);
}

// The last test, since it kills PipeWire; it starts another.
TEST(PortAudioPipewireTest, KilledServerIsNoticedAndTheNextOneUsed) {
  PortAudioDevice device;
  int killed = 0;
  ASSERT_TRUE(absl::SimpleAtoi(std::getenv(kInsideVariable), &killed));
  std::unique_ptr<ChildProcess> next;
  for (int round = 0; round < 2; ++round) {
    SCOPED_TRACE(round);
    auto sink = std::make_unique<FrameSink>(2, 2);
    // A fresh one may take a while until its nodes are there.
    ASSERT_TRUE(PollUntil([&] { return device.Open(Loop(), sink.get()).ok(); }, kPatience));
    ASSERT_TRUE(device.Start().ok());
    ASSERT_TRUE(sink->WaitForBlocks(20));
    const absl::Time killed_at = absl::Now();
    ASSERT_EQ(kill(killed, SIGKILL), 0);
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
    auto pipewire =
        ChildProcess::Start({"pipewire"}, {.stdin_path = {}, .environment = {}, .quiet = true});
    ASSERT_TRUE(pipewire.ok()) << pipewire.status();
    next = *std::move(pipewire);
    killed = next->pid();
  }
}

// Waits until there is a file of this name in a directory that `watch` is told of; false if none
// comes in time.
bool AwaitFile(int watch, const std::string& path, absl::Duration timeout) {
  const absl::Time deadline = absl::Now() + timeout;
  while (!std::filesystem::exists(path)) {
    pollfd changed = {.fd = watch, .events = POLLIN, .revents = 0};
    if (poll(&changed, 1, static_cast<int>(absl::ToInt64Milliseconds(deadline - absl::Now()))) <=
        0) {
      return false;
    }
    char events[4096];
    if (read(watch, events, sizeof(events)) <= 0) return false;
  }
  return true;
}

// Starts PipeWire, and this program again on it; the exit status of that.
int RunOnPipewire(int argc, char** argv) {
  char directory[] = "/tmp/rtmixd_pipewire_XXXXXX";  // short: it is part of a socket's name
  if (mkdtemp(directory) == nullptr) return 1;
  const std::string root = directory;
  const std::string configuration = root + "/pipewire/pipewire.conf.d";
  std::filesystem::create_directories(configuration);
  std::ofstream(configuration + "/loop.conf") << kConfiguration;
  setenv("XDG_CONFIG_HOME", root.c_str(), 1);
  setenv("XDG_RUNTIME_DIR", root.c_str(), 1);
  setenv("PIPEWIRE_QUANTUM", absl::StrCat(kQuantumFrames, "/48000").c_str(), 1);
  const int watch = inotify_init1(IN_CLOEXEC);
  inotify_add_watch(watch, root.c_str(), IN_CREATE);
  int status = 1;
  auto pipewire =
      ChildProcess::Start({"pipewire"}, {.stdin_path = {}, .environment = {}, .quiet = true});
  if (pipewire.ok() && AwaitFile(watch, root + "/pipewire-0", kPatience)) {
    setenv(kInsideVariable, absl::StrCat((*pipewire)->pid()).c_str(), 1);
    std::vector<std::string> arguments = {"pw-jack",
                                          std::filesystem::read_symlink("/proc/self/exe")};
    for (int i = 1; i < argc; ++i) arguments.emplace_back(argv[i]);
    auto inside = ChildProcess::Start(arguments);
    while (inside.ok()) {
      const auto line = (*inside)->ReadLine(kPatience);
      if (!line.ok()) break;
      std::puts(line->c_str());
    }
    if (inside.ok()) status = (*inside)->Wait(kPatience).value_or(1);
  }
  if (pipewire.ok()) pipewire->reset();
  close(watch);
  std::filesystem::remove_all(root);
  return status;
}

}  // namespace
}  // namespace rtmixd

int main(int argc, char** argv) {
  rtmixd::RunDeviceProbeIfAsked(argc, argv);
  if (std::getenv(rtmixd::kInsideVariable) == nullptr) return rtmixd::RunOnPipewire(argc, argv);
  testing::InitGoogleTest(&argc, argv);
  const int status = RUN_ALL_TESTS();
  std::fflush(nullptr);
  _exit(status);
}
