#ifndef RTMIXD_SERVER_RPC_SERVER_INFO_SERVICE_H_
#define RTMIXD_SERVER_RPC_SERVER_INFO_SERVICE_H_

#include "rtmixd/v1/server_info.grpc.pb.h"
#include "server/control/engine.h"

namespace rtmixd {

// rtmixd.v1.ServerInfoService over an Engine, which outlives it.
class ServerInfoService final : public v1::ServerInfoService::CallbackService {
 public:
  explicit ServerInfoService(Engine& engine) : engine_(engine) {}

  grpc::ServerUnaryReactor* GetServerInfo(grpc::CallbackServerContext* context,
                                          const v1::GetServerInfoRequest* request,
                                          v1::GetServerInfoResponse* response) override;

 private:
  Engine& engine_;
};

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_RPC_SERVER_INFO_SERVICE_H_
