#ifndef RTMIXD_SERVER_RPC_SESSION_SERVICE_H_
#define RTMIXD_SERVER_RPC_SESSION_SERVICE_H_

#include "rtmixd/v1/session.grpc.pb.h"
#include "server/control/engine.h"

namespace rtmixd {

// rtmixd.v1.SessionService over an Engine, which outlives it.
class SessionService final : public v1::SessionService::CallbackService {
 public:
  explicit SessionService(Engine& engine) : engine_(engine) {}

  grpc::ServerUnaryReactor* CreateSession(grpc::CallbackServerContext* context,
                                          const v1::CreateSessionRequest* request,
                                          v1::CreateSessionResponse* response) override;
  grpc::ServerUnaryReactor* KeepSession(grpc::CallbackServerContext* context,
                                        const v1::KeepSessionRequest* request,
                                        v1::KeepSessionResponse* response) override;
  grpc::ServerUnaryReactor* AwaitExclusive(grpc::CallbackServerContext* context,
                                           const v1::AwaitExclusiveRequest* request,
                                           v1::AwaitExclusiveResponse* response) override;
  grpc::ServerUnaryReactor* GetSession(grpc::CallbackServerContext* context,
                                       const v1::GetSessionRequest* request,
                                       v1::GetSessionResponse* response) override;
  grpc::ServerUnaryReactor* ListSessions(grpc::CallbackServerContext* context,
                                         const v1::ListSessionsRequest* request,
                                         v1::ListSessionsResponse* response) override;
  grpc::ServerUnaryReactor* SetSessionGain(grpc::CallbackServerContext* context,
                                           const v1::SetSessionGainRequest* request,
                                           v1::SetSessionGainResponse* response) override;
  grpc::ServerUnaryReactor* EndSession(grpc::CallbackServerContext* context,
                                       const v1::EndSessionRequest* request,
                                       v1::EndSessionResponse* response) override;
  grpc::ServerUnaryReactor* BreakSession(grpc::CallbackServerContext* context,
                                         const v1::BreakSessionRequest* request,
                                         v1::BreakSessionResponse* response) override;

 private:
  Engine& engine_;
};

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_RPC_SESSION_SERVICE_H_
