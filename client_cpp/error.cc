#include "client_cpp/error.h"

#include <string>

#include "absl/strings/cord.h"
#include "google/rpc/status.pb.h"

namespace rtmixd::client {
namespace {

constexpr char kDetailUrl[] = "type.googleapis.com/rtmixd.v1.ErrorDetail";

}  // namespace

absl::Status FromGrpc(const grpc::Status& status) {
  if (status.ok()) return absl::OkStatus();
  absl::Status result(static_cast<absl::StatusCode>(status.error_code()), status.error_message());
  google::rpc::Status rich;
  if (!rich.ParseFromString(status.error_details())) return result;
  for (const auto& any : rich.details()) {
    v1::ErrorDetail detail;
    if (any.UnpackTo(&detail)) {
      SetErrorDetail(detail, result);
      break;
    }
  }
  return result;
}

std::optional<v1::ErrorDetail> ErrorDetailOf(const absl::Status& status) {
  const auto payload = status.GetPayload(kDetailUrl);
  v1::ErrorDetail detail;
  if (!payload.has_value() || !detail.ParseFromString(std::string(*payload))) return std::nullopt;
  return detail;
}

v1::ErrorReason ErrorReasonOf(const absl::Status& status) {
  const auto detail = ErrorDetailOf(status);
  return detail.has_value() ? detail->reason() : v1::ERROR_REASON_UNSPECIFIED;
}

void SetErrorDetail(const v1::ErrorDetail& detail, absl::Status& status) {
  status.SetPayload(kDetailUrl, absl::Cord(detail.SerializeAsString()));
}

bool IsConnectionFailure(const absl::Status& status) {
  return absl::IsUnavailable(status) || absl::IsDeadlineExceeded(status);
}

}  // namespace rtmixd::client
