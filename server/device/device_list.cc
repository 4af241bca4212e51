#include "server/device/device_list.h"

#include <cmath>
#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "server/base/error_info.h"

namespace rtmixd {
namespace {

constexpr double kMaxSampleRateHz = 1e6;
constexpr double kMaxLatencySeconds = 10;

enum class Direction { kInput, kOutput };

const char* Name(Direction direction) {
  return direction == Direction::kInput ? "input" : "output";
}

absl::Status UnknownDevice(const std::string& field, const std::string& value,
                           const std::string& message) {
  return MakeError(absl::StatusCode::kNotFound,
                   {.reason = ErrorReason::kNotFound, .field = field, .value = value}, message);
}

int MaxChannels(const DeviceInfo& device, Direction direction) {
  return direction == Direction::kInput ? device.max_input_channels : device.max_output_channels;
}

absl::StatusOr<DeviceInfo> FindDefault(const DeviceList& list, Direction direction) {
  const int index =
      direction == Direction::kInput ? list.default_input_index : list.default_output_index;
  if (index < 0 || index >= static_cast<int>(list.devices.size())) {
    const std::string field = absl::StrCat(Name(direction), ".device");
    return UnknownDevice(
        field, "",
        absl::StrFormat("%s is empty, and there is no default %s device", field, Name(direction)));
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
    const std::string field = absl::StrCat(Name(direction), ".device");
    return UnknownDevice(
        field, wanted,
        absl::StrFormat("%s \"%s\" is no device: none of %d has that id, index or part of a name, "
                        "and %s channels",
                        field, wanted, list.devices.size(), Name(direction)));
  }
  if (matches.size() > 1) {
    std::string ids;
    for (const DeviceInfo* device : matches)
      absl::StrAppend(&ids, ids.empty() ? "" : ", ", device->id);
    return BadField(
        absl::StrCat(Name(direction), ".device"), wanted,
        absl::StrFormat("part of one device's name; it matches %d (%s)", matches.size(), ids));
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
      const std::string field = absl::StrCat(Name(direction), ".device");
      return UnknownDevice(field, wanted,
                           absl::StrFormat("%s index %d is not in 0 to %d", field, index,
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
    return BadField(absl::StrCat(Name(direction), ".channels"), absl::StrCat(settings.channels),
                    "at least 0");
  }
  if (settings.channels == 0) return absl::OkStatus();
  if (settings.latency.kind == LatencyRequest::Kind::kSeconds &&
      !(settings.latency.seconds >= 0 && settings.latency.seconds <= kMaxLatencySeconds)) {
    return BadField(absl::StrCat(Name(direction), ".latency_seconds"),
                    absl::StrCat(settings.latency.seconds),
                    absl::StrCat("0 to ", kMaxLatencySeconds));
  }
  absl::StatusOr<DeviceInfo> found = Find(list, settings.device, direction);
  if (all && settings.device.empty() && absl::IsNotFound(found.status())) return absl::OkStatus();
  if (!found.ok()) return found.status();
  const int limit = MaxChannels(*found, direction);
  if (settings.channels > limit || limit == 0) {
    return BadField(absl::StrCat(Name(direction), ".channels"),
                    all ? "all" : absl::StrCat(settings.channels),
                    limit == 0 ? absl::StrFormat("0: %s has none", found->id)
                               : absl::StrFormat("1 to %d, those of %s", limit, found->id));
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
    return BadField("output.channels", "0, as input.channels is",
                    "at least one direction to be opened");
  }
  if (settings.block_frames < 0 || settings.block_frames > kMaxBlockFrames) {
    return BadField("block_frames", absl::StrCat(settings.block_frames),
                    absl::StrCat("0 to ", kMaxBlockFrames));
  }
  // Written so that NaN is refused.
  if (!(settings.sample_rate_hz >= 0 && settings.sample_rate_hz <= kMaxSampleRateHz)) {
    return BadField("sample_rate_hz", absl::StrCat(settings.sample_rate_hz),
                    absl::StrCat("0 to ", kMaxSampleRateHz));
  }
  ResolvedSettings resolved;
  absl::Status status = ResolveDirection(list, settings.input, Direction::kInput,
                                         &resolved.input_device, &resolved.input_channels);
  if (!status.ok()) return status;
  status = ResolveDirection(list, settings.output, Direction::kOutput, &resolved.output_device,
                            &resolved.output_channels);
  if (!status.ok()) return status;
  if (resolved.input_channels == 0 && resolved.output_channels == 0) {
    return UnknownDevice(
        "output.device", "",
        "output.device and input.device are empty, and there is no default device");
  }
  const DeviceInfo& leading =
      resolved.output_device.index >= 0 ? resolved.output_device : resolved.input_device;
  resolved.sample_rate_hz =
      settings.sample_rate_hz > 0 ? settings.sample_rate_hz : leading.default_sample_rate_hz;
  return resolved;
}

}  // namespace rtmixd
