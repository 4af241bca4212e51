#ifndef RTMIXD_SERVER_FLAGS_H_
#define RTMIXD_SERVER_FLAGS_H_

#include <optional>

#include "absl/time/time.h"
#include "server/device/virtual_device.h"
#include "server/device_choice.h"
#include "server/server.h"

namespace rtmixd {

// What the command line asks for.
struct Flags {
  Server::Options server;
  DeviceKind device = DeviceKind::kAuto;
  VirtualDevice::Options virtual_device;
  bool closed = false;  // no stream is opened at the start
  absl::Duration grace = absl::Seconds(5);
  bool huge_pages = false;
  bool lock_memory = false;
};

// Parses the command line; prints help, version or what is wrong, and returns the exit code in
// place of the flags if the program should not run.
std::optional<Flags> ParseFlags(int argc, char** argv, int* exit_code);

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_FLAGS_H_
