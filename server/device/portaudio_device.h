#ifndef RTMIXD_SERVER_DEVICE_PORTAUDIO_DEVICE_H_
#define RTMIXD_SERVER_DEVICE_PORTAUDIO_DEVICE_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/base/mutex.h"
#include "server/device/audio_device.h"
#include "server/device/device_probe.h"

namespace rtmixd {

class PortAudioStream;

// All sound devices that PortAudio knows. Devices are listed and settings are checked by a probe
// (see device_probe.h); each stream runs in its own copy of the library, loaded by Open and
// unloaded by Close, so that every Open sees the devices of its moment and none suffers from one
// that went wrong.
//
// The program's main must call RunDeviceProbeIfAsked first of all.
//
// Threading: as AudioDevice.
class PortAudioDevice : public AudioDevice {
 public:
  explicit PortAudioDevice(DeviceProbe probe = {});
  // Closes what is open; call Abandon before if that may hang.
  ~PortAudioDevice() override;

  absl::StatusOr<std::vector<HostApiInfo>> ListHostApis() override;
  absl::StatusOr<std::vector<DeviceInfo>> ListDevices() override;
  // A device that only one may use is refused while our own stream has it.
  absl::Status CheckSettings(const StreamSettings& settings) override;
  absl::StatusOr<StreamInfo> Open(const StreamSettings& settings, AudioBlockSink* sink) override;
  absl::Status Start() override;
  absl::Status Stop() override;
  absl::Status Abort() override;
  absl::Status Close() override;
  void Abandon() override;
  Health health() const override;
  double cpu_load() const override;

  // Copies of the library that this process had to leave behind. If there are any, it should end by
  // _exit, after flushing: their exit handlers may hang or abort.
  static int abandoned_count();

 private:
  std::shared_ptr<PortAudioStream> stream() const;

  const DeviceProbe probe_;

  mutable Mutex mu_;
  std::shared_ptr<PortAudioStream> stream_ ABSL_GUARDED_BY(mu_);  // nullptr: closed
  int64_t generation_ ABSL_GUARDED_BY(mu_) = 0;                   // made one larger by Abandon
};

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_DEVICE_PORTAUDIO_DEVICE_H_
