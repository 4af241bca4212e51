#ifndef RTMIXD_SERVER_DEVICE_PROBE_TEXT_H_
#define RTMIXD_SERVER_DEVICE_PROBE_TEXT_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "server/device/audio_device.h"
#include "server/device/device_list.h"

namespace rtmixd {

// What the device probe and its parent tell each other, as lines of text: a word for the kind of
// line, then fields, escaped as in C and set apart by tabs. The last line is "end", so that a text
// that was cut short is known as such. INVALID_ARGUMENT for text that was not made here.

std::string DeviceListToText(const DeviceList& list);
absl::StatusOr<DeviceList> DeviceListFromText(absl::string_view text);

std::string SettingsToText(const StreamSettings& settings);
absl::StatusOr<StreamSettings> SettingsFromText(absl::string_view text);

// The outcome of a question. An OK status is a text too.
std::string StatusToText(const absl::Status& status);
// True if `text` is that of a status.
bool StatusFromText(absl::string_view text, absl::Status* status);

// True once `text` has its last line.
bool IsCompleteText(absl::string_view text);

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_DEVICE_PROBE_TEXT_H_
