#include "server/device/device_list.h"

#include <cmath>
#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace rtmixd {
namespace {

constexpr double kMaxSampleRateHz = 1e6;
constexpr double kMaxLatencySeconds = 10;

enum class Direction { kInput, kOutput };

const char* Name(Direction direction) {
  return direction == Direction::kInput ? "input" : "output";
}

int MaxChannels(const DeviceInfo& device, Direction direction) {
  return direction == Direction::kInput ? device.max_input_channels : device.max_output_channels;
}

absl::StatusOr<DeviceInfo> FindDefault(const DeviceList& list, Direction direction) {
  const int index =
      direction == Direction::kInput ? list.default_input_index : list.default_output_index;
  if (index < 0 || index >= static_cast<int>(list.devices.size())) {
    return absl::NotFoundError(absl::StrFormat(
        "%s.device is empty, and there is no default %s device", Name(direction), Name(direction)));
  }
  return list.devices[index];
}

absl::StatusOr<DeviceInfo> FindBySubstring(const DeviceList& list, const std::string& wanted,
                                           Direction direction) {
  const std::string needle = absl::AsciiStrToLower(wanted);
  std::vector<const DeviceInfo*> matches;
  for (const DeviceInfo& device : list.devices) {
    if (MaxChannels(device, direction) == 0) continue;
    const std::string name = absl::AsciiStrToLower(FullDeviceName(list, device));
    if (absl::StrContains(name, needle)) matches.push_back(&device);
  }
  if (matches.empty()) {
    return absl::NotFoundError(
        absl::StrFormat("%s.device \"%s\" is no device: none of %d has that id, index or part of a "
                        "name, and %s channels",
                        Name(direction), wanted, list.devices.size(), Name(direction)));
  }
  if (matches.size() > 1) {
    std::string ids;
    for (const DeviceInfo* device : matches)
      absl::StrAppend(&ids, ids.empty() ? "" : ", ", device->id);
    return absl::InvalidArgumentError(
        absl::StrFormat("%s.device \"%s\" is ambiguous: it matches %d devices (%s)",
                        Name(direction), wanted, matches.size(), ids));
  }
  return *matches.front();
}

absl::StatusOr<DeviceInfo> Find(const DeviceList& list, const std::string& wanted,
                                Direction direction) {
  if (wanted.empty()) return FindDefault(list, direction);
  for (const DeviceInfo& device : list.devices) {
    if (device.id == wanted) return device;
  }
  int index = 0;
  if (absl::SimpleAtoi(wanted, &index)) {
    if (index < 0 || index >= static_cast<int>(list.devices.size())) {
      return absl::NotFoundError(absl::StrFormat("%s.device index %d is not in 0 to %d",
                                                 Name(direction), index,
                                                 static_cast<int>(list.devices.size()) - 1));
    }
    return list.devices[index];
  }
  return FindBySubstring(list, wanted, direction);
}

// Finds the device and the channel count of one direction; leaves both as they are if it is not to
// be opened.
absl::Status ResolveDirection(const DeviceList& list, const DirectionSettings& settings,
                              Direction direction, DeviceInfo* device, int* channels) {
  const bool all = settings.channels == DirectionSettings::kAllChannels;
  if (settings.channels < 0 && !all) {
    return absl::InvalidArgumentError(
        absl::StrFormat("%s.channels is %d, must be >= 0", Name(direction), settings.channels));
  }
  if (settings.channels == 0) return absl::OkStatus();
  if (settings.latency.kind == LatencyRequest::Kind::kSeconds &&
      !(settings.latency.seconds >= 0 && settings.latency.seconds <= kMaxLatencySeconds)) {
    return absl::InvalidArgumentError(absl::StrFormat("%s.latency is %g seconds, must be 0 to %g",
                                                      Name(direction), settings.latency.seconds,
                                                      kMaxLatencySeconds));
  }
  absl::StatusOr<DeviceInfo> found = Find(list, settings.device, direction);
  if (all && settings.device.empty() && absl::IsNotFound(found.status())) return absl::OkStatus();
  if (!found.ok()) return found.status();
  const int limit = MaxChannels(*found, direction);
  if (settings.channels > limit || limit == 0) {
    return absl::InvalidArgumentError(
        absl::StrFormat("%s.channels is %s, but %s has %d", Name(direction),
                        all ? "all" : absl::StrCat(settings.channels), found->id, limit));
  }
  *channels = all ? limit : settings.channels;
  *device = *std::move(found);
  return absl::OkStatus();
}

}  // namespace

std::string FullDeviceName(const DeviceList& list, const DeviceInfo& device) {
  for (const HostApiInfo& api : list.host_apis) {
    if (api.id == device.host_api_id) return absl::StrCat(api.name, ": ", device.name);
  }
  return absl::StrCat(device.host_api_id, ": ", device.name);
}

absl::StatusOr<ResolvedSettings> ResolveSettings(const DeviceList& list,
                                                 const StreamSettings& settings) {
  if (settings.input.channels == 0 && settings.output.channels == 0) {
    return absl::InvalidArgumentError(
        "input.channels and output.channels are both 0; at least one direction must be opened");
  }
  if (settings.block_frames < 0 || settings.block_frames > kMaxBlockFrames) {
    return absl::InvalidArgumentError(absl::StrFormat("block_frames is %d, must be 0 to %d",
                                                      settings.block_frames, kMaxBlockFrames));
  }
  // Written so that NaN is refused.
  if (!(settings.sample_rate_hz >= 0 && settings.sample_rate_hz <= kMaxSampleRateHz)) {
    return absl::InvalidArgumentError(absl::StrFormat("sample_rate_hz is %g, must be 0 to %g",
                                                      settings.sample_rate_hz, kMaxSampleRateHz));
  }
  ResolvedSettings resolved;
  absl::Status status = ResolveDirection(list, settings.input, Direction::kInput,
                                         &resolved.input_device, &resolved.input_channels);
  if (!status.ok()) return status;
  status = ResolveDirection(list, settings.output, Direction::kOutput, &resolved.output_device,
                            &resolved.output_channels);
  if (!status.ok()) return status;
  if (resolved.input_channels == 0 && resolved.output_channels == 0) {
    return absl::NotFoundError("input.device and output.device: there is no default device");
  }
  const DeviceInfo& leading =
      resolved.output_device.index >= 0 ? resolved.output_device : resolved.input_device;
  resolved.sample_rate_hz =
      settings.sample_rate_hz > 0 ? settings.sample_rate_hz : leading.default_sample_rate_hz;
  return resolved;
}

}  // namespace rtmixd
