#include "server/base/error_info.h"

#include <array>
#include <charconv>
#include <string_view>

#include "absl/strings/cord.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace rtmixd {
namespace {

constexpr char kPayloadUrl[] = "rtmixd/error-info";

// The payload: every number and string in turn, as its length in decimal, a colon and its bytes.
void Put(std::string_view bytes, std::string* out) {
  absl::StrAppend(out, bytes.size(), ":");
  out->append(bytes);
}

// Takes the next string off the front of `in`.
std::optional<std::string_view> Take(std::string_view* in) {
  size_t size = 0;
  const char* const end = in->data() + in->size();
  const auto [after, error] = std::from_chars(in->data(), end, size);
  if (error != std::errc() || after == end || *after != ':') return std::nullopt;
  in->remove_prefix(after + 1 - in->data());
  if (size > in->size()) return std::nullopt;
  const std::string_view taken = in->substr(0, size);
  in->remove_prefix(size);
  return taken;
}

std::optional<int> ToInt(std::string_view text) {
  int number = 0;
  const auto [after, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || after != text.data() + text.size()) return std::nullopt;
  return number;
}

std::string Encode(const ErrorInfo& info) {
  std::string out;
  Put(absl::StrCat(static_cast<int>(info.reason)), &out);
  Put(absl::StrCat(info.host_error_code), &out);
  for (const std::string* text :
       {&info.field, &info.value, &info.limit, &info.holder_label, &info.host_error_text}) {
    Put(*text, &out);
  }
  return out;
}

std::optional<ErrorInfo> Decode(std::string_view in) {
  std::array<std::string_view, 7> parts;
  for (std::string_view& part : parts) {
    const std::optional<std::string_view> taken = Take(&in);
    if (!taken.has_value()) return std::nullopt;
    part = *taken;
  }
  const std::optional<int> reason = ToInt(parts[0]);
  const std::optional<int> host_error_code = ToInt(parts[1]);
  if (!reason.has_value() || !host_error_code.has_value()) return std::nullopt;
  return ErrorInfo{.reason = static_cast<ErrorReason>(*reason),
                   .field = std::string(parts[2]),
                   .value = std::string(parts[3]),
                   .limit = std::string(parts[4]),
                   .holder_label = std::string(parts[5]),
                   .host_error_code = *host_error_code,
                   .host_error_text = std::string(parts[6])};
}

std::string Text(const ErrorInfo& info) {
  std::string text = absl::StrCat(info.field, info.field.empty() ? "" : " is ",
                                  info.value.empty() ? "empty" : info.value);
  if (!info.limit.empty()) absl::StrAppend(&text, "; must be ", info.limit);
  if (!info.holder_label.empty()) absl::StrAppend(&text, "; held by ", info.holder_label);
  if (!info.host_error_text.empty()) {
    absl::StrAppend(&text, "; the host says ", info.host_error_text, " (", info.host_error_code,
                    ")");
  }
  return text;
}

// Where `field` is a name of its own, and no part of the request.
bool NamesRequestField(ErrorReason reason) {
  return reason != ErrorReason::kLimitExceeded && reason != ErrorReason::kNotEnabled;
}

}  // namespace

absl::Status MakeError(absl::StatusCode code, const ErrorInfo& info, const std::string& message) {
  absl::Status status(code, message.empty() ? Text(info) : message);
  status.SetPayload(kPayloadUrl, absl::Cord(Encode(info)));
  return status;
}

absl::Status BadField(const std::string& field, const std::string& value,
                      const std::string& limit) {
  return MakeError(
      absl::StatusCode::kInvalidArgument,
      {.reason = ErrorReason::kBadField, .field = field, .value = value, .limit = limit});
}

absl::Status LimitExceeded(const std::string& limit_name, const std::string& wanted,
                           const std::string& limit) {
  return MakeError(
      absl::StatusCode::kResourceExhausted,
      {.reason = ErrorReason::kLimitExceeded, .field = limit_name, .value = wanted, .limit = limit},
      absl::StrCat(limit_name, " is ", limit, "; this would take ", wanted));
}

absl::Status NotFound(const std::string& field, const std::string& value, const std::string& what) {
  return MakeError(absl::StatusCode::kNotFound,
                   {.reason = ErrorReason::kNotFound, .field = field, .value = value},
                   absl::StrCat(field, " ", value, ": no such ", what));
}

std::optional<ErrorInfo> GetErrorInfo(const absl::Status& status) {
  const absl::optional<absl::Cord> payload = status.GetPayload(kPayloadUrl);
  if (!payload.has_value()) return std::nullopt;
  return Decode(std::string(*payload));
}

absl::Status PrefixField(const absl::Status& status, const std::string& prefix) {
  std::optional<ErrorInfo> info = GetErrorInfo(status);
  if (!info.has_value() || info->field.empty() || !NamesRequestField(info->reason)) return status;
  std::string message(status.message());
  if (absl::StartsWith(message, info->field)) message = prefix + message;
  info->field = prefix + info->field;
  return MakeError(status.code(), *info, message);
}

}  // namespace rtmixd
