#ifndef RTMIXD_SERVER_RPC_STATUS_MAPPING_H_
#define RTMIXD_SERVER_RPC_STATUS_MAPPING_H_

#include <grpcpp/support/status.h>

#include "absl/status/status.h"

namespace rtmixd {

// The one place where a status of the server becomes one of gRPC: code and text carry over, and
// what MakeError put in travels as a google.rpc.Status with an rtmixd.v1.ErrorDetail in its
// details.
grpc::Status ToGrpcStatus(const absl::Status& status);

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_RPC_STATUS_MAPPING_H_
