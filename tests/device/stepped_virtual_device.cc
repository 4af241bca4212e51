#include "tests/device/stepped_virtual_device.h"

#include <algorithm>
#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/realtime/audio_block.h"

namespace rtmixd {
namespace {

// Between callbacks that are held up.
constexpr int64_t kBackToBackNanos = 20'000;
constexpr double kRateHz = 48000;

}  // namespace

void SteppedVirtualDevice::Step(int64_t late_nanos) {
  const std::optional<int64_t> due_nanos = engine_->NextDueNanos();
  if (!due_nanos.has_value()) return;
  now_nanos_ = std::max(*due_nanos + late_nanos, now_nanos_ + kBackToBackNanos);
  const AudioBlock block = engine_->BeginBlock(now_nanos_);
  sink_->ProcessRt(block);
  sink_->AfterBlockRt();
  engine_->EndBlock();
}

DeviceInfo SteppedVirtualDevice::Device() {
  DeviceInfo device;
  device.id = "virtual/stepped";
  device.name = "stepped";
  device.host_api_id = "virtual";
  device.max_input_channels = 1;
  device.max_output_channels = 1;
  device.default_sample_rate_hz = kRateHz;
  return device;
}

absl::StatusOr<std::vector<HostApiInfo>> SteppedVirtualDevice::ListHostApis() {
  HostApiInfo api;
  api.id = "virtual";
  api.name = "Virtual";
  api.device_count = 1;
  api.default_input_device_id = Device().id;
  api.default_output_device_id = Device().id;
  return std::vector<HostApiInfo>{api};
}

absl::StatusOr<std::vector<DeviceInfo>> SteppedVirtualDevice::ListDevices() {
  return std::vector<DeviceInfo>{Device()};
}

absl::Status SteppedVirtualDevice::CheckSettings(const StreamSettings& /*settings*/) {
  return absl::OkStatus();
}

absl::StatusOr<StreamInfo> SteppedVirtualDevice::Open(const StreamSettings& /*settings*/,
                                                      AudioBlockSink* sink) {
  StreamInfo info;
  info.input_device = Device();
  info.output_device = Device();
  info.input_channels = 1;
  info.output_channels = 1;
  info.sample_rate_hz = kRateHz;
  info.block_frames = kBlockFrames;
  info.max_block_frames = kBlockFrames;
  info.input_latency_frames = kBlockFrames;
  info.output_latency_frames = kBlockFrames;
  VirtualEngine::Config config;
  config.input_channels = 1;
  config.output_channels = 1;
  config.sample_rate_hz = kRateHz;
  config.block_frames = kBlockFrames;
  config.input_latency_frames = kBlockFrames;
  config.output_latency_frames = kBlockFrames;
  config.clock_error_ppm = clock_error_ppm_;
  config.routes = routes_;
  engine_ = std::make_unique<VirtualEngine>(config);
  sink_ = sink;
  health_ = Health::kStopped;
  return info;
}

absl::Status SteppedVirtualDevice::Start() {
  engine_->set_start_nanos(now_nanos_);
  health_ = Health::kRunning;
  return absl::OkStatus();
}

absl::Status SteppedVirtualDevice::Stop() {
  health_ = Health::kStopped;
  return absl::OkStatus();
}

absl::Status SteppedVirtualDevice::Abort() { return Stop(); }

absl::Status SteppedVirtualDevice::Close() {
  Abandon();
  return absl::OkStatus();
}

void SteppedVirtualDevice::Abandon() {
  health_ = Health::kClosed;
  sink_ = nullptr;
}

std::vector<DeviceIncident> SteppedVirtualDevice::TakeIncidents() {
  return engine_ == nullptr ? std::vector<DeviceIncident>() : engine_->TakeIncidents();
}

absl::Status SteppedVirtualDevice::LoadScript(const std::vector<ScriptedFault>& faults) {
  if (engine_ == nullptr) return absl::FailedPreconditionError("no stream is open");
  return engine_->LoadScript(faults);
}

}  // namespace rtmixd
