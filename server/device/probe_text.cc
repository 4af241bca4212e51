#include "server/device/probe_text.h"

#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "server/base/error_info.h"

namespace rtmixd {
namespace {

constexpr absl::string_view kEnd = "end\n";

class Line {
 public:
  explicit Line(absl::string_view word) : text_(word) {}

  Line& Add(absl::string_view value) {
    absl::StrAppend(&text_, "\t", absl::CHexEscape(value));
    return *this;
  }
  Line& Add(int value) {
    absl::StrAppend(&text_, "\t", value);
    return *this;
  }
  Line& Add(double value) {
    absl::StrAppendFormat(&text_, "\t%.17g", value);  // comes back as the same double
    return *this;
  }
  void AppendTo(std::string* text) const { absl::StrAppend(text, text_, "\n"); }

 private:
  std::string text_;
};

// Takes the fields of one line in turn; any that is missing or wrong makes it not ok.
class Fields {
 public:
  explicit Fields(absl::string_view line) : fields_(absl::StrSplit(line, '\t')) {}

  absl::string_view word() const { return fields_[0]; }
  bool done() const { return ok_ && next_ == fields_.size(); }

  Fields& Take(std::string* value) {
    ok_ = ok_ && next_ < fields_.size() && absl::CUnescape(fields_[next_++], value);
    return *this;
  }
  Fields& Take(int* value) {
    ok_ = ok_ && next_ < fields_.size() && absl::SimpleAtoi(fields_[next_++], value);
    return *this;
  }
  Fields& Take(double* value) {
    ok_ = ok_ && next_ < fields_.size() && absl::SimpleAtod(fields_[next_++], value);
    return *this;
  }

 private:
  std::vector<absl::string_view> fields_;
  size_t next_ = 1;
  bool ok_ = true;
};

absl::Status BadLine(absl::string_view line) {
  return absl::InvalidArgumentError(
      absl::StrCat("the device probe's text has the line \"", absl::CHexEscape(line), "\""));
}

// The lines before the last.
absl::StatusOr<std::vector<absl::string_view>> Lines(absl::string_view text) {
  if (!IsCompleteText(text)) {
    return absl::InvalidArgumentError("the device probe's text is cut short");
  }
  absl::ConsumeSuffix(&text, kEnd);
  return std::vector<absl::string_view>(absl::StrSplit(text, '\n', absl::SkipEmpty()));
}

void AppendDirection(absl::string_view word, const DirectionSettings& settings, std::string* text) {
  Line(word)
      .Add(settings.device)
      .Add(settings.channels)
      .Add(static_cast<int>(settings.latency.kind))
      .Add(settings.latency.seconds)
      .AppendTo(text);
  for (const auto& [key, value] : settings.host_settings) {
    Line(absl::StrCat(word, "_host_setting")).Add(key).Add(value).AppendTo(text);
  }
}

// False if `fields` are not of this direction's lines.
bool TakeDirection(absl::string_view word, Fields fields, DirectionSettings* settings) {
  if (fields.word() == word) {
    int kind = 0;
    fields.Take(&settings->device)
        .Take(&settings->channels)
        .Take(&kind)
        .Take(&settings->latency.seconds);
    if (kind < 0 || kind > static_cast<int>(LatencyRequest::Kind::kSeconds)) return false;
    settings->latency.kind = static_cast<LatencyRequest::Kind>(kind);
    return fields.done();
  }
  if (fields.word() != absl::StrCat(word, "_host_setting")) return false;
  std::string key;
  std::string value;
  fields.Take(&key).Take(&value);
  settings->host_settings[key] = value;
  return fields.done();
}

}  // namespace

bool IsCompleteText(absl::string_view text) {
  return text == kEnd || absl::EndsWith(text, absl::StrCat("\n", kEnd));
}

std::string DeviceListToText(const DeviceList& list) {
  std::string text;
  Line("defaults").Add(list.default_input_index).Add(list.default_output_index).AppendTo(&text);
  for (const HostApiInfo& api : list.host_apis) {
    Line("host_api")
        .Add(api.id)
        .Add(api.name)
        .Add(api.device_count)
        .Add(api.default_input_device_id)
        .Add(api.default_output_device_id)
        .AppendTo(&text);
  }
  for (const DeviceInfo& device : list.devices) {
    Line("device")
        .Add(device.id)
        .Add(device.index)
        .Add(device.name)
        .Add(device.host_api_id)
        .Add(device.max_input_channels)
        .Add(device.max_output_channels)
        .Add(device.default_sample_rate_hz)
        .Add(device.default_low_input_latency_seconds)
        .Add(device.default_low_output_latency_seconds)
        .Add(device.default_high_input_latency_seconds)
        .Add(device.default_high_output_latency_seconds)
        .AppendTo(&text);
  }
  return absl::StrCat(text, kEnd);
}

absl::StatusOr<DeviceList> DeviceListFromText(absl::string_view text) {
  const absl::StatusOr<std::vector<absl::string_view>> lines = Lines(text);
  if (!lines.ok()) return lines.status();
  DeviceList list;
  for (const absl::string_view line : *lines) {
    Fields fields(line);
    if (fields.word() == "defaults") {
      fields.Take(&list.default_input_index).Take(&list.default_output_index);
    } else if (fields.word() == "host_api") {
      HostApiInfo& api = list.host_apis.emplace_back();
      fields.Take(&api.id)
          .Take(&api.name)
          .Take(&api.device_count)
          .Take(&api.default_input_device_id)
          .Take(&api.default_output_device_id);
    } else if (fields.word() == "device") {
      DeviceInfo& device = list.devices.emplace_back();
      fields.Take(&device.id)
          .Take(&device.index)
          .Take(&device.name)
          .Take(&device.host_api_id)
          .Take(&device.max_input_channels)
          .Take(&device.max_output_channels)
          .Take(&device.default_sample_rate_hz)
          .Take(&device.default_low_input_latency_seconds)
          .Take(&device.default_low_output_latency_seconds)
          .Take(&device.default_high_input_latency_seconds)
          .Take(&device.default_high_output_latency_seconds);
    } else {
      return BadLine(line);
    }
    if (!fields.done()) return BadLine(line);
  }
  return list;
}

std::string SettingsToText(const StreamSettings& settings) {
  std::string text;
  Line("stream").Add(settings.sample_rate_hz).Add(settings.block_frames).AppendTo(&text);
  AppendDirection("input", settings.input, &text);
  AppendDirection("output", settings.output, &text);
  return absl::StrCat(text, kEnd);
}

absl::StatusOr<StreamSettings> SettingsFromText(absl::string_view text) {
  const absl::StatusOr<std::vector<absl::string_view>> lines = Lines(text);
  if (!lines.ok()) return lines.status();
  StreamSettings settings;
  for (const absl::string_view line : *lines) {
    Fields fields(line);
    if (fields.word() == "stream") {
      fields.Take(&settings.sample_rate_hz).Take(&settings.block_frames);
      if (!fields.done()) return BadLine(line);
    } else if (!TakeDirection("input", fields, &settings.input) &&
               !TakeDirection("output", fields, &settings.output)) {
      return BadLine(line);
    }
  }
  return settings;
}

std::string StatusToText(const absl::Status& status) {
  std::string text;
  Line("status").Add(static_cast<int>(status.code())).Add(status.message()).AppendTo(&text);
  if (const std::optional<ErrorInfo> info = GetErrorInfo(status)) {
    Line("error_info")
        .Add(static_cast<int>(info->reason))
        .Add(info->field)
        .Add(info->value)
        .Add(info->limit)
        .Add(info->host_error_code)
        .Add(info->host_error_text)
        .AppendTo(&text);
  }
  return absl::StrCat(text, kEnd);
}

bool StatusFromText(absl::string_view text, absl::Status* status) {
  const absl::StatusOr<std::vector<absl::string_view>> lines = Lines(text);
  if (!lines.ok() || lines->empty() || lines->size() > 2) return false;
  Fields fields(lines->front());
  int code = 0;
  std::string message;
  fields.Take(&code).Take(&message);
  if (fields.word() != "status" || !fields.done()) return false;
  if (lines->size() == 1) {
    *status = absl::Status(static_cast<absl::StatusCode>(code), message);
    return true;
  }
  Fields details(lines->back());
  int reason = 0;
  ErrorInfo info;
  details.Take(&reason)
      .Take(&info.field)
      .Take(&info.value)
      .Take(&info.limit)
      .Take(&info.host_error_code)
      .Take(&info.host_error_text);
  if (details.word() != "error_info" || !details.done()) return false;
  info.reason = static_cast<ErrorReason>(reason);
  *status = MakeError(static_cast<absl::StatusCode>(code), info, message);
  return true;
}

}  // namespace rtmixd
