#ifndef RTMIXD_SERVER_DEVICE_DEVICE_LIST_H_
#define RTMIXD_SERVER_DEVICE_DEVICE_LIST_H_

#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/device/audio_device.h"

namespace rtmixd {

// What a stream may be asked for: longer blocks are of no use to anybody.
inline constexpr int kMaxBlockFrames = 8192;

// What can be opened at a moment.
struct DeviceList {
  std::vector<HostApiInfo> host_apis;
  std::vector<DeviceInfo> devices;  // devices[i].index == i
  int default_input_index = -1;     // of "" ; -1 if there is none
  int default_output_index = -1;
};

// StreamSettings with every default filled in and every name looked up.
struct ResolvedSettings {
  DeviceInfo input_device;   // index -1 if not opened
  DeviceInfo output_device;  // index -1 if not opened
  int input_channels = 0;    // 0 if not opened
  int output_channels = 0;   // 0 if not opened
  double sample_rate_hz = 0;
};

// Finds the devices that `settings` name and checks all that needs no host: names, channel counts,
// rate, block length, latencies. Exists so that every device names devices and refuses nonsense in
// the same words. Errors as AudioDevice::CheckSettings.
absl::StatusOr<ResolvedSettings> ResolveSettings(const DeviceList& list,
                                                 const StreamSettings& settings);

// "JACK Audio Connection Kit: system", the name that substrings are matched against.
std::string FullDeviceName(const DeviceList& list, const DeviceInfo& device);

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_DEVICE_DEVICE_LIST_H_
