#include "server/rpc/status_mapping.h"

#include <optional>
#include <string>

#include "google/rpc/status.pb.h"
#include "rtmixd/v1/error.pb.h"
#include "server/base/error_info.h"

namespace rtmixd {

grpc::Status ToGrpcStatus(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  const auto code = static_cast<grpc::StatusCode>(status.code());
  const std::string message(status.message());
  const std::optional<ErrorInfo> info = GetErrorInfo(status);
  if (!info.has_value()) return grpc::Status(code, message);

  v1::ErrorDetail detail;
  detail.set_reason(static_cast<v1::ErrorReason>(info->reason));
  detail.set_field(info->field);
  detail.set_value(info->value);
  detail.set_limit(info->limit);
  detail.set_holder_label(info->holder_label);
  detail.set_host_error_code(info->host_error_code);
  detail.set_host_error_text(info->host_error_text);
  google::rpc::Status rich;
  rich.set_code(code);
  rich.set_message(message);
  rich.add_details()->PackFrom(detail);
  return grpc::Status(code, message, rich.SerializeAsString());
}

}  // namespace rtmixd
