#ifndef RTMIXD_SERVER_DEVICE_DEVICE_PROBE_H_
#define RTMIXD_SERVER_DEVICE_DEVICE_PROBE_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/device/audio_device.h"
#include "server/device/device_list.h"

namespace rtmixd {

// Asks PortAudio in a throwaway process: this program, started again. Exists because initialising
// PortAudio can hang, abort, or show the devices of a time long past, and because what it is asked
// then cannot hurt the stream that runs.
//
// The program's main must call RunDeviceProbeIfAsked before anything else.
//
// Threading: all functions by any thread; each call is a process of its own.
struct DeviceProbe {
  // What is started: "/proc/self/exe" is the program itself.
  std::string program = "/proc/self/exe";
  absl::Duration timeout = absl::Seconds(5);

  // The devices of this moment. DEADLINE_EXCEEDED if PortAudio hangs, INTERNAL if it crashes.
  absl::StatusOr<DeviceList> List() const;

  // As AudioDevice::CheckSettings, and as List.
  absl::Status Check(const StreamSettings& settings) const;
};

// In a process that was started as a probe: does what is asked, and ends the process. Otherwise
// returns at once.
void RunDeviceProbeIfAsked(int argc, char** argv);

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_DEVICE_DEVICE_PROBE_H_
