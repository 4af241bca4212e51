// Streams in real time. This machine may stall at any moment, so only what holds through stalls is
// asserted: bits, counts, order and that nothing comes early. VirtualEngine's own tests have the
// rest.

#include "server/device/virtual_device.h"

#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/base/mutex.h"
#include "server/device/audio_device.h"
#include "server/device/monotonic_clock.h"
#include "server/realtime/audio_block.h"
#include "tests/support/polling.h"

namespace rtmixd {
namespace {

using ::testing::HasSubstr;
using Health = AudioDevice::Health;

// Sends frame + 1 on output 0, keeps what input 0 brings and when.
class RecordingSink : public AudioBlockSink {
 public:
  void ProcessRt(const AudioBlock& block) noexcept override {
    const MutexLock lock(&mu_);
    callback_nanos_.push_back(block.callback_nanos);
    for (int k = 0; k < block.frames; ++k) {
      ++frames_;
      if (block.input != nullptr) heard_.push_back(block.input[0][k]);
      if (block.output != nullptr) block.output[0][k] = static_cast<float>(frames_);
    }
    changed_.SignalAll();
  }
  void AfterBlockRt() noexcept override {}

  void WaitForFrames(int64_t frames) {
    const MutexLock lock(&mu_);
    while (frames_ < frames) changed_.Wait(&mu_);
  }
  int64_t frames() {
    const MutexLock lock(&mu_);
    return frames_;
  }
  std::vector<float> heard() {
    const MutexLock lock(&mu_);
    return heard_;
  }
  std::vector<int64_t> callback_nanos() {
    const MutexLock lock(&mu_);
    return callback_nanos_;
  }

 private:
  Mutex mu_;
  CondVar changed_;
  int64_t frames_ = 0;
  std::vector<float> heard_;
  std::vector<int64_t> callback_nanos_;
};

StreamSettings Duplex(int channels = 1) {
  StreamSettings settings;
  settings.input.channels = channels;
  settings.output.channels = channels;
  return settings;
}

std::unique_ptr<VirtualDevice> Device(VirtualDevice::Options options = {}) {
  auto device = VirtualDevice::Create(std::move(options));
  EXPECT_TRUE(device.ok()) << device.status();
  return *std::move(device);
}

ScriptedFault Fault(ScriptedFault::Kind kind, int64_t at_frame, int64_t nanos = 0) {
  ScriptedFault fault;
  fault.kind = kind;
  fault.at_frame = at_frame;
  fault.nanos = nanos;
  return fault;
}

// Returns once a Stop or Close is in the hang that the script asked for.
void WaitForHang(VirtualDevice* device) {
  EXPECT_TRUE(PollUntil(
      [&] {
        for (const DeviceIncident& incident : device->TakeIncidents()) {
          if (incident.text == "a stop hangs now") return true;
        }
        return false;
      },
      absl::Minutes(1)));
}

void ExpectLooped(const std::vector<float>& heard, int64_t delay_frames) {
  for (int64_t f = 0; f < static_cast<int64_t>(heard.size()); ++f) {
    ASSERT_EQ(heard[f], f < delay_frames ? 0.0F : static_cast<float>(f - delay_frames + 1)) << f;
  }
}

TEST(VirtualDeviceTest, ListsItselfWithTheLatenciesItWillHave) {
  VirtualDevice::Options options;
  options.input_latency_frames = 480;
  options.output_latency_frames = 0;
  const auto device = Device(options);
  const std::vector<DeviceInfo> devices = *device->ListDevices();
  ASSERT_EQ(devices.size(), 1U);
  EXPECT_EQ(devices[0].id, "virtual/loopback");
  EXPECT_EQ(devices[0].max_input_channels, 8);
  EXPECT_DOUBLE_EQ(devices[0].default_low_input_latency_seconds, 0.01);
  EXPECT_DOUBLE_EQ(devices[0].default_high_input_latency_seconds, 0.04);
  const std::vector<HostApiInfo> apis = *device->ListHostApis();
  ASSERT_EQ(apis.size(), 1U);
  EXPECT_EQ(apis[0].id, "virtual");
  EXPECT_EQ(apis[0].default_output_device_id, "virtual/loopback");

  RecordingSink sink;
  StreamSettings settings = Duplex(2);
  settings.output.latency = {LatencyRequest::Kind::kSeconds, 0.0201};
  const StreamInfo info = *device->Open(settings, &sink);
  EXPECT_EQ(info.input_latency_frames, 480);
  EXPECT_EQ(info.output_latency_frames, 965);  // 964.8, rounded up
  EXPECT_EQ(info.block_frames, 256);
  EXPECT_EQ(info.max_block_frames, 256);
  EXPECT_EQ(info.sample_rate_hz, 48000);
  EXPECT_TRUE(info.clocks_related);
  EXPECT_TRUE(info.reports_xruns);
}

TEST(VirtualDeviceTest, WrongOptionsAreRefused) {
  VirtualDevice::Options options;
  options.routes = {{0, 8, 0, 1.0F}};
  EXPECT_THAT(std::string(VirtualDevice::Create(options).status().message()),
              HasSubstr("routes[0].input_channel is 8, must be 0 to 7"));
  options = {};
  options.default_sample_rate_hz = 47999;
  EXPECT_EQ(VirtualDevice::Create(options).status().code(), absl::StatusCode::kInvalidArgument);
  options = {};
  options.block_frames = 0;
  EXPECT_THAT(std::string(VirtualDevice::Create(options).status().message()),
              HasSubstr("block_frames is 0, must be 1 to 8192"));
}

TEST(VirtualDeviceTest, WrongSettingsAreRefusedAndChangeNothing) {
  RecordingSink sink;
  const auto device = Device();
  StreamSettings settings = Duplex();
  settings.sample_rate_hz = 48001;
  EXPECT_EQ(device->CheckSettings(settings).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(device->Open(settings, &sink).status().message()),
              HasSubstr("sample_rate_hz is 48001, but the virtual device has only 8000, "));
  settings = Duplex(9);
  EXPECT_EQ(device->CheckSettings(settings).code(), absl::StatusCode::kInvalidArgument);
  settings = Duplex();
  settings.output.host_settings["alsa.periods"] = "2";
  EXPECT_EQ(device->CheckSettings(settings).code(), absl::StatusCode::kInvalidArgument);
  settings = Duplex();
  settings.input.device = "tape";
  EXPECT_EQ(device->CheckSettings(settings).code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(device->health(), Health::kClosed);
  EXPECT_TRUE(device->Open(Duplex(), &sink).ok());
}

TEST(VirtualDeviceTest, WrongOrderIsRefused) {
  RecordingSink sink;
  const auto device = Device();
  const auto failed = absl::StatusCode::kFailedPrecondition;
  EXPECT_EQ(device->Start().code(), failed);
  EXPECT_EQ(device->Stop().code(), failed);
  EXPECT_EQ(device->Close().code(), failed);
  EXPECT_EQ(device->LoadScript({}).code(), failed);
  ASSERT_TRUE(device->Open(Duplex(), &sink).ok());
  EXPECT_EQ(device->Open(Duplex(), &sink).status().code(), failed);
  EXPECT_EQ(device->Stop().code(), failed);
  EXPECT_EQ(device->health(), Health::kStopped);
  ASSERT_TRUE(device->Start().ok());
  EXPECT_EQ(device->Start().code(), failed);
  EXPECT_EQ(device->health(), Health::kRunning);
  ASSERT_TRUE(device->Close().ok());
  EXPECT_EQ(device->health(), Health::kClosed);
}

TEST(VirtualDeviceTest, RealTimeStreamStampsWhatWasDueAndLosesNothing) {
  RecordingSink sink;
  const auto device = Device();
  ASSERT_TRUE(device->Open(Duplex(), &sink).ok());
  const int64_t before_start_nanos = MonotonicNanos();
  ASSERT_TRUE(device->Start().ok());
  sink.WaitForFrames(256 * 100);
  ASSERT_TRUE(device->Stop().ok());
  const int64_t frames = sink.frames();
  ExpectLooped(sink.heard(), 512);
  const std::vector<int64_t> times = sink.callback_nanos();
  EXPECT_GE(times[0], before_start_nanos);
  for (size_t n = 0; n < times.size(); ++n) {
    // To the nanosecond, whatever the machine was doing: 256 frames are 16/3 ms.
    const auto periods = static_cast<int64_t>(n);
    ASSERT_NEAR(times[n] - times[0], static_cast<double>(periods) * 16e6 / 3, 1) << n;
  }
  EXPECT_EQ(sink.frames(), frames) << "called after Stop";
}

TEST(VirtualDeviceTest, ScriptedStallIsCaughtUp) {
  RecordingSink sink;
  const auto device = Device();
  ASSERT_TRUE(device->Open(Duplex(), &sink).ok());
  ASSERT_TRUE(device->LoadScript({Fault(ScriptedFault::Kind::kStall, 1024, 100'000'000)}).ok());
  const int64_t before_start_nanos = MonotonicNanos();
  ASSERT_TRUE(device->Start().ok());
  sink.WaitForFrames(256 * 60);
  ASSERT_TRUE(device->Stop().ok());
  ExpectLooped(sink.heard(), 512);
  const std::vector<int64_t> times = sink.callback_nanos();
  EXPECT_GE(times[4] - before_start_nanos, 121'333'333);  // 1024 frames and the stall
  const std::vector<DeviceIncident> incidents = device->TakeIncidents();
  int injected = 0;
  for (const DeviceIncident& incident : incidents) {
    if (incident.kind != DeviceIncident::Kind::kInjected) continue;
    ++injected;
    EXPECT_EQ(incident.frame, 1024);
  }
  EXPECT_EQ(injected, 1);
  EXPECT_TRUE(device->TakeIncidents().empty());
}

TEST(VirtualDeviceTest, FreeRunningStampsAgreeWithItsFrames) {
  VirtualDevice::Options options;
  options.free_running = true;
  options.block_frames = 480;
  RecordingSink sink;
  const auto device = Device(options);
  ASSERT_TRUE(device->Open(Duplex(), &sink).ok());
  ASSERT_TRUE(device->Start().ok());
  sink.WaitForFrames(48000 * 20);
  ASSERT_TRUE(device->Close().ok());
  const std::vector<float> heard = sink.heard();
  ExpectLooped(heard, 960);
  const std::vector<int64_t> times = sink.callback_nanos();
  for (size_t n = 1; n < times.size(); ++n) ASSERT_EQ(times[n] - times[n - 1], 10'000'000) << n;
}

TEST(VirtualDeviceTest, StartAgainBeginsAtFrameZeroWithoutTheOldScript) {
  RecordingSink sink;
  const auto device = Device();
  ASSERT_TRUE(device->Open(Duplex(), &sink).ok());
  ASSERT_TRUE(device->Start().ok());
  ASSERT_TRUE(device->LoadScript({Fault(ScriptedFault::Kind::kDie, 48000 * 3600LL)}).ok());
  sink.WaitForFrames(256);
  ASSERT_TRUE(device->Stop().ok());
  const int64_t frames = sink.frames();
  // In the past, had the count gone on.
  ASSERT_TRUE(device->LoadScript({Fault(ScriptedFault::Kind::kCallbacksStop, 0)}).ok());
  ASSERT_TRUE(device->Start().ok());
  ASSERT_TRUE(device->Stop().ok());
  EXPECT_EQ(sink.frames(), frames);
  ASSERT_TRUE(device->Start().ok());
  sink.WaitForFrames(frames + 256);
  EXPECT_EQ(device->health(), Health::kRunning);
}

TEST(VirtualDeviceTest, DeadStreamSaysSoAndCloses) {
  RecordingSink sink;
  const auto device = Device();
  ASSERT_TRUE(device->Open(Duplex(), &sink).ok());
  ASSERT_TRUE(device->LoadScript({Fault(ScriptedFault::Kind::kDie, 512)}).ok());
  ASSERT_TRUE(device->Start().ok());
  ASSERT_TRUE(PollUntil([&] { return device->health() == Health::kDead; }, absl::Minutes(1)));
  EXPECT_EQ(sink.frames(), 512);
  ASSERT_TRUE(device->Close().ok());
  ASSERT_TRUE(device->Open(Duplex(), &sink).ok());
  EXPECT_EQ(device->health(), Health::kStopped);
}

TEST(VirtualDeviceTest, AbandonReturnsAtOnceWhileStopHangsAndShutsTheSinkOff) {
  auto first = std::make_unique<RecordingSink>();
  RecordingSink second;
  const auto device = Device();
  ASSERT_TRUE(device->Open(Duplex(), first.get()).ok());
  constexpr int64_t kHangNanos = 1'500'000'000;
  ASSERT_TRUE(device->LoadScript({Fault(ScriptedFault::Kind::kStopHangs, 0, kHangNanos)}).ok());
  ASSERT_TRUE(device->Start().ok());
  first->WaitForFrames(256);
  const int64_t before_stop_nanos = MonotonicNanos();
  absl::Status stopped;
  std::thread hanging([&] { stopped = device->Stop(); });
  WaitForHang(device.get());
  // The stream is alive under a Stop that hangs.
  first->WaitForFrames(first->frames() + 1024);
  device->Abandon();
  EXPECT_EQ(device->health(), Health::kClosed);
  first.reset();  // a late callback would use freed memory

  ASSERT_TRUE(device->Open(Duplex(), &second).ok());
  ASSERT_TRUE(device->Start().ok());
  second.WaitForFrames(1024);
  hanging.join();
  EXPECT_GE(MonotonicNanos() - before_stop_nanos, kHangNanos);
  EXPECT_EQ(device->health(), Health::kRunning) << "the old Stop ended the new stream";
  second.WaitForFrames(second.frames() + 1024);
  ExpectLooped(second.heard(), 512);
}

TEST(VirtualDeviceTest, CloseThatHungLeavesTheNextStreamOpen) {
  RecordingSink sink;
  const auto device = Device();
  ASSERT_TRUE(device->Open(Duplex(), &sink).ok());
  ASSERT_TRUE(device->LoadScript({Fault(ScriptedFault::Kind::kStopHangs, 0, 300'000'000)}).ok());
  ASSERT_TRUE(device->Start().ok());
  sink.WaitForFrames(256);
  std::thread hanging([&] { EXPECT_TRUE(device->Close().ok()); });
  WaitForHang(device.get());
  device->Abandon();
  ASSERT_TRUE(device->Open(Duplex(), &sink).ok());
  hanging.join();
  EXPECT_EQ(device->health(), Health::kStopped);
}

TEST(VirtualDeviceTest, DestructionEndsARunningStream) {
  auto sink = std::make_unique<RecordingSink>();
  {
    const auto device = Device();
    ASSERT_TRUE(device->Open(Duplex(), sink.get()).ok());
    ASSERT_TRUE(device->Start().ok());
    sink->WaitForFrames(256);
  }
  sink.reset();
}

}  // namespace
}  // namespace rtmixd
