#include "server/device_choice.h"

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "server/device/portaudio_device.h"

namespace rtmixd {
namespace {

// PortAudio lists ALSA's plugins ("default", "null", "pulse") whether or not there is a card behind
// them; cards carry their hardware name.
bool IsHardware(const DeviceInfo& device) {
  return device.host_api_id != "alsa" || absl::StrContains(device.name, "(hw:");
}

absl::StatusOr<ChosenDevice> ChooseVirtual(const VirtualDevice::Options& options,
                                           const std::string& reason) {
  absl::StatusOr<std::unique_ptr<VirtualDevice>> device = VirtualDevice::Create(options);
  if (!device.ok()) return device.status();
  return ChosenDevice{.device = *std::move(device), .reason = reason};
}

}  // namespace

absl::StatusOr<ChosenDevice> ChooseDevice(DeviceKind kind,
                                          const VirtualDevice::Options& virtual_options) {
  if (kind == DeviceKind::kVirtual) {
    return ChooseVirtual(virtual_options, "virtual device: outputs come back at the inputs");
  }
  auto portaudio = std::make_unique<PortAudioDevice>();
  const absl::StatusOr<std::vector<DeviceInfo>> devices = portaudio->ListDevices();
  const auto hardware =
      devices.ok() ? std::count_if(devices->begin(), devices->end(), IsHardware) : 0;
  if (kind == DeviceKind::kAuto && hardware == 0) {
    return ChooseVirtual(
        virtual_options,
        absl::StrCat("no sound card found",
                     devices.ok() ? "" : absl::StrCat(" (", devices.status().message(), ")"),
                     ": using the virtual device, whose outputs come back at its inputs"));
  }
  std::string reason = devices.ok() ? absl::StrCat("PortAudio with ", devices->size(), " devices")
                                    : absl::StrCat("PortAudio; its devices cannot be listed: ",
                                                   devices.status().message());
  return ChosenDevice{
      .device = std::move(portaudio), .reason = std::move(reason), .features = {"portaudio"}};
}

bool SoundLibraryWasLeftBehind() { return PortAudioDevice::abandoned_count() > 0; }

void BeADeviceProbeIfAsked(int argc, char** argv) { RunDeviceProbeIfAsked(argc, argv); }

}  // namespace rtmixd
