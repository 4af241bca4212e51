#ifndef RTMIXD_TESTS_DEVICE_STEPPED_VIRTUAL_DEVICE_H_
#define RTMIXD_TESTS_DEVICE_STEPPED_VIRTUAL_DEVICE_H_

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "server/device/audio_device.h"
#include "server/device/virtual_engine.h"

namespace rtmixd {

// The virtual device without its thread: the test makes its blocks, as fast as it likes, at the
// times of the device's own clock. Exists so that hours of scripted misbehaviour can be acted out
// to everything above the device, and to the same bits every run. Mono at 48 kHz.
//
// Threading: one thread.
class SteppedVirtualDevice : public AudioDevice {
 public:
  static constexpr int kBlockFrames = 256;

  explicit SteppedVirtualDevice(double clock_error_ppm, std::vector<LoopbackRoute> routes = {})
      : clock_error_ppm_(clock_error_ppm), routes_(std::move(routes)) {}

  // Makes the next block. Its callback is entered `late_nanos` after it is due, and not before the
  // one before it was.
  void Step(int64_t late_nanos);
  // Of the stream, as the device counts.
  int64_t next_frame() const { return engine_->next_frame(); }
  int64_t now_nanos() const { return now_nanos_; }

  absl::StatusOr<std::vector<HostApiInfo>> ListHostApis() override;
  absl::StatusOr<std::vector<DeviceInfo>> ListDevices() override;
  absl::Status CheckSettings(const StreamSettings& settings) override;
  absl::StatusOr<StreamInfo> Open(const StreamSettings& settings, AudioBlockSink* sink) override;
  absl::Status Start() override;
  absl::Status Stop() override;
  absl::Status Abort() override;
  absl::Status Close() override;
  void Abandon() override;
  Health health() const override { return health_; }
  double cpu_load() const override { return 0; }
  std::vector<DeviceIncident> TakeIncidents() override;
  absl::Status LoadScript(const std::vector<ScriptedFault>& faults) override;

 private:
  static DeviceInfo Device();

  const double clock_error_ppm_;
  const std::vector<LoopbackRoute> routes_;
  std::unique_ptr<VirtualEngine> engine_;
  AudioBlockSink* sink_ = nullptr;
  Health health_ = Health::kClosed;
  int64_t now_nanos_ = 1'000'000'000;
};

}  // namespace rtmixd

#endif  // RTMIXD_TESTS_DEVICE_STEPPED_VIRTUAL_DEVICE_H_
