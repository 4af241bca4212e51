#ifndef RTMIXD_SERVER_BASE_ERROR_INFO_H_
#define RTMIXD_SERVER_BASE_ERROR_INFO_H_

#include <optional>
#include <string>

#include "absl/status/status.h"

namespace rtmixd {

// Why something was refused, for programs; one for one the reasons of rtmixd.v1.ErrorReason.
enum class ErrorReason {
  kBadField = 1,
  kUnknownField = 2,
  kNotFound = 3,
  kSessionRequired = 4,
  kSessionExpired = 5,
  kForeignSession = 6,
  kLimitExceeded = 7,
  kBusy = 8,
  kNoStream = 9,
  kStreamOpen = 10,
  kDeviceError = 11,
  kRequestIdReused = 12,
  kOutOfOrder = 13,
  kCreditExceeded = 14,
  kBadPosition = 15,
  kWrongState = 16,
  kShuttingDown = 17,
  kNotEnabled = 18,
  kInternal = 19,
  kSessionBroken = 20,
};

// What a refusal says besides its text.
struct ErrorInfo {
  ErrorReason reason = ErrorReason::kInternal;
  std::string field = {};
  std::string value = {};
  std::string limit = {};
  std::string holder_label = {};
  int host_error_code = 0;
  std::string host_error_text = {};
};

// A status that carries `info` as a payload. Without `message` the text is made of the fields:
// "actions[2].play.gain is inf; must be finite".
absl::Status MakeError(absl::StatusCode code, const ErrorInfo& info,
                       const std::string& message = "");

// INVALID_ARGUMENT for a field with a value it cannot have.
absl::Status BadField(const std::string& field, const std::string& value, const std::string& limit);
// RESOURCE_EXHAUSTED for a limit of the server, by its name in ServerLimits.
absl::Status LimitExceeded(const std::string& limit_name, const std::string& wanted,
                           const std::string& limit);
// NOT_FOUND: "buffer_id b-17: no such buffer".
absl::Status NotFound(const std::string& field, const std::string& value, const std::string& what);

// What MakeError put in; absent for any other status.
std::optional<ErrorInfo> GetErrorInfo(const absl::Status& status);

// `status` with `prefix` put before its field: fields are named by who knows the request.
absl::Status PrefixField(const absl::Status& status, const std::string& prefix);

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_BASE_ERROR_INFO_H_
