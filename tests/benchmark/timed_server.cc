// A whole server on a virtual device with blocks of 64 frames that notes the CPU time of its audio
// thread around each block: outside of ProcessRt, and in the thread's own time, so that a core that
// was stolen or shared does not count.
//
// Prints where it listens; at each line of its input it prints what the blocks since the last one
// took, in nanoseconds, on one line.

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <iostream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "server/device/virtual_device.h"
#include "server/realtime/audio_block.h"
#include "server/server.h"
#include "tests/device/wrapped_device.h"

namespace rtmixd {
namespace {

constexpr int kBlockFrames = 64;
constexpr int kChannels = 2;
// An hour of blocks, touched at the start.
constexpr int64_t kMaxBlocks = int64_t{3600} * 48000 / kBlockFrames;

int64_t ThreadNanos() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return now.tv_sec * int64_t{1'000'000'000} + now.tv_nsec;
}

// About as long as a block under load.
constexpr int kLoopSteps = 60'000;

// Each step waits for the one before it.
void RunLoop() {
  uint64_t value = 1;
  for (int i = 0; i < kLoopSteps; ++i) {
    value = value * 6364136223846793005U + 1;
    asm volatile("" : "+r"(value));
  }
}

// What each of many took. Threading: Add by one thread, Take by one other.
class Durations {
 public:
  void Add(int64_t nanos) {
    const int64_t count = count_.load(std::memory_order_relaxed);
    if (count == kMaxBlocks) return;
    nanos_[count] = static_cast<int32_t>(nanos);
    count_.store(count + 1, std::memory_order_release);
  }

  std::vector<int32_t> Take() {
    const int64_t end = count_.load(std::memory_order_acquire);
    std::vector<int32_t> taken(nanos_.begin() + taken_, nanos_.begin() + end);
    taken_ = end;
    return taken;
  }

 private:
  std::vector<int32_t> nanos_ = std::vector<int32_t>(kMaxBlocks);
  std::atomic<int64_t> count_{0};
  int64_t taken_ = 0;
};

class TimedSink : public AudioBlockSink {
 public:
  explicit TimedSink(AudioBlockSink* sink) : sink_(sink) {}

  void ProcessRt(const AudioBlock& block) noexcept override {
    const int64_t begin = ThreadNanos();
    sink_->ProcessRt(block);
    blocks_.Add(ThreadNanos() - begin);
  }

  void AfterBlockRt() noexcept override {
    sink_->AfterBlockRt();
    const int64_t begin = ThreadNanos();
    RunLoop();
    loops_.Add(ThreadNanos() - begin);
  }

  Durations& blocks() { return blocks_; }
  Durations& loops() { return loops_; }

 private:
  AudioBlockSink* const sink_;
  Durations blocks_;
  Durations loops_;
};

int Main() {
  TimedSink* sink = nullptr;
  VirtualDevice::Options device;
  device.input_channels = kChannels;
  device.output_channels = kChannels;
  device.block_frames = kBlockFrames;
  StreamSettings stream;
  stream.input.channels = kChannels;
  stream.output.channels = kChannels;
  stream.block_frames = kBlockFrames;
  Server::Options options;
  options.listen_address = "127.0.0.1:0";
  options.engine.default_stream = stream;
  const auto server =
      Server::Create(options, std::make_unique<WrappedDevice>(
                                  *VirtualDevice::Create(device), [&sink](AudioBlockSink* wrapped) {
                                    auto timed = std::make_unique<TimedSink>(wrapped);
                                    sink = timed.get();
                                    return timed;
                                  }));
  if (!server.ok() || !(*server)->device_status().ok()) {
    std::cerr << (server.ok() ? (*server)->device_status() : server.status()) << "\n";
    return EXIT_FAILURE;
  }
  std::cout << (*server)->address() << '\n' << std::flush;
  std::string line;
  while (std::getline(std::cin, line)) {
    for (Durations* const durations : {&sink->blocks(), &sink->loops()}) {
      for (const int32_t nanos : durations->Take()) std::cout << nanos << ' ';
      std::cout << '\n' << std::flush;
    }
  }
  return EXIT_SUCCESS;
}

}  // namespace
}  // namespace rtmixd

int main() { return rtmixd::Main(); }
