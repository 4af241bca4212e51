#ifndef RTMIXD_SERVER_DEVICE_CHOICE_H_
#define RTMIXD_SERVER_DEVICE_CHOICE_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "server/device/audio_device.h"
#include "server/device/virtual_device.h"

namespace rtmixd {

enum class DeviceKind { kAuto, kPortAudio, kVirtual };

struct ChosenDevice {
  std::unique_ptr<AudioDevice> device;
  std::string reason = {};                 // one line for people
  std::vector<std::string> features = {};  // what it adds to ServerInfo.features
};

// The sound device of a server. kAuto takes PortAudio if it finds any device that is more than a
// software converter of another, and the virtual device otherwise.
absl::StatusOr<ChosenDevice> ChooseDevice(DeviceKind kind,
                                          const VirtualDevice::Options& virtual_options);

// A dead copy of a sound library is still in this process: its clean-up at exit may hang or abort,
// so leave by _exit.
bool SoundLibraryWasLeftBehind();

// Devices are listed by this program, started again. Call it first of all in main: in such a
// process it does that and ends it.
void BeADeviceProbeIfAsked(int argc, char** argv);

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_DEVICE_CHOICE_H_
