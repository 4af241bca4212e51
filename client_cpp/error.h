#ifndef RTMIXD_CLIENT_CPP_ERROR_H_
#define RTMIXD_CLIENT_CPP_ERROR_H_

#include <grpcpp/support/status.h>

#include <optional>

#include "absl/status/status.h"
#include "rtmixd/v1/error.pb.h"

namespace rtmixd::client {

// The same code and message as `status`, with the server's ErrorDetail as a payload if it sent one.
absl::Status FromGrpc(const grpc::Status& status);

// What the server said beside the message: a reason that programs may branch on, the field, the
// value and the limit. Empty if `status` did not come from a server, or has no detail.
std::optional<v1::ErrorDetail> ErrorDetailOf(const absl::Status& status);

// The reason in the detail; ERROR_REASON_UNSPECIFIED if there is none.
v1::ErrorReason ErrorReasonOf(const absl::Status& status);

// Attaches a detail, as FromGrpc does.
void SetErrorDetail(const v1::ErrorDetail& detail, absl::Status& status);

// Whether the server could not be reached or did not answer: the same call may succeed later, on a
// new connection.
bool IsConnectionFailure(const absl::Status& status);

}  // namespace rtmixd::client

#endif  // RTMIXD_CLIENT_CPP_ERROR_H_
