#ifndef RTMIXD_SERVER_RPC_CALL_H_
#define RTMIXD_SERVER_RPC_CALL_H_

#include <google/protobuf/message.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/support/server_callback.h>

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/control/engine.h"

// What all services do at the start and at the end of a call.
namespace rtmixd {

// The metadata key of the session token.
inline constexpr char kSessionTokenKey[] = "rtmixd-session-token";

// The public id of the caller's session. UNAUTHENTICATED without a valid token.
absl::StatusOr<std::string> RequireSession(Engine& engine,
                                           const grpc::CallbackServerContext& context);
// The same, but "" for a caller without a token.
absl::StatusOr<std::string> OptionalSession(Engine& engine,
                                            const grpc::CallbackServerContext& context);

// Checks the request and the session, in this order.
absl::StatusOr<std::string> BeginCall(Engine& engine, const grpc::CallbackServerContext& context,
                                      const google::protobuf::Message& request);

// FAILED_PRECONDITION for a message of a stream that came when it may not: `limit` says when it
// may.
absl::Status OutOfOrder(const std::string& field, const std::string& limit);

// Ends a unary call at once.
grpc::ServerUnaryReactor* Reply(grpc::CallbackServerContext* context, const absl::Status& status);

// Ends a unary call when `start`'s callback comes: from inside `start`, or later. `start` returns a
// wait that is cancelled with the call, or kNoWait. The response must be filled before the callback
// is called.
using FinishCallback = std::function<void(absl::Status)>;
inline constexpr Engine::WaitId kNoWait = -1;
grpc::ServerUnaryReactor* ReplyLater(grpc::CallbackServerContext* context, Engine& engine,
                                     const std::function<Engine::WaitId(FinishCallback)>& start);

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_RPC_CALL_H_
