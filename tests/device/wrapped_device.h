#ifndef RTMIXD_TESTS_DEVICE_WRAPPED_DEVICE_H_
#define RTMIXD_TESTS_DEVICE_WRAPPED_DEVICE_H_

#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/device/audio_device.h"
#include "server/realtime/audio_block.h"

namespace rtmixd {

// A device that calls a sink of the test's own, which stands around the one that it was opened
// with: to see each block as it comes and goes, whatever the device.
//
// Threading: as the device that is wrapped.
class WrappedDevice : public AudioDevice {
 public:
  // Makes the sink that stands around another one, which outlives it.
  using WrapSink = std::function<std::unique_ptr<AudioBlockSink>(AudioBlockSink* sink)>;

  WrappedDevice(std::unique_ptr<AudioDevice> device, WrapSink wrap_sink)
      : device_(std::move(device)), wrap_sink_(std::move(wrap_sink)) {}

  absl::StatusOr<std::vector<HostApiInfo>> ListHostApis() override {
    return device_->ListHostApis();
  }
  absl::StatusOr<std::vector<DeviceInfo>> ListDevices() override { return device_->ListDevices(); }
  absl::Status CheckSettings(const StreamSettings& settings) override {
    return device_->CheckSettings(settings);
  }
  absl::StatusOr<StreamInfo> Open(const StreamSettings& settings, AudioBlockSink* sink) override {
    std::unique_ptr<AudioBlockSink> wrapped = wrap_sink_(sink);
    absl::StatusOr<StreamInfo> info = device_->Open(settings, wrapped.get());
    // The one before it is not called any more: its stream was closed or abandoned.
    if (info.ok()) sink_ = std::move(wrapped);
    return info;
  }
  absl::Status Start() override { return device_->Start(); }
  absl::Status Stop() override { return device_->Stop(); }
  absl::Status Abort() override { return device_->Abort(); }
  absl::Status Close() override { return device_->Close(); }
  void Abandon() override { device_->Abandon(); }
  Health health() const override { return device_->health(); }
  double cpu_load() const override { return device_->cpu_load(); }
  std::vector<DeviceIncident> TakeIncidents() override { return device_->TakeIncidents(); }
  absl::Status LoadScript(const std::vector<ScriptedFault>& faults) override {
    return device_->LoadScript(faults);
  }

 private:
  std::unique_ptr<AudioBlockSink> sink_;  // outlives the device, which calls it
  const std::unique_ptr<AudioDevice> device_;
  const WrapSink wrap_sink_;
};

}  // namespace rtmixd

#endif  // RTMIXD_TESTS_DEVICE_WRAPPED_DEVICE_H_
