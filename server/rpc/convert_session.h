#ifndef RTMIXD_SERVER_RPC_CONVERT_SESSION_H_
#define RTMIXD_SERVER_RPC_CONVERT_SESSION_H_

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "rtmixd/v1/buffer.pb.h"
#include "rtmixd/v1/server_info.pb.h"
#include "rtmixd/v1/session.pb.h"
#include "server/control/types.h"

// Sessions, buffers and limits between the API and the control layer.
namespace rtmixd {

v1::Session ToProto(const SessionInfo& session);
v1::AudioBuffer ToProto(const BufferInfo& buffer);
v1::ServerLimits ToProto(const Limits& limits);

absl::StatusOr<SessionSpec> FromProto(const v1::CreateSessionRequest& request,
                                      absl::Duration max_ttl);
BufferSpec FromProto(const v1::CreateBufferRequest& request);

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_RPC_CONVERT_SESSION_H_
