#ifndef RTMIXD_SERVER_RPC_SERVER_INFO_SERVICE_H_
#define RTMIXD_SERVER_RPC_SERVER_INFO_SERVICE_H_

#include <memory>
#include <utility>

#include "rtmixd/v1/server_info.grpc.pb.h"
#include "server/control/engine.h"
#include "server/spool/spool.h"

namespace rtmixd {

// rtmixd.v1.ServerInfoService over an Engine, which outlives it, and a Spool, null if there is
// none.
class ServerInfoService final : public v1::ServerInfoService::CallbackService {
 public:
  ServerInfoService(Engine& engine, std::shared_ptr<const Spool> spool)
      : engine_(engine), spool_(std::move(spool)) {}

  grpc::ServerUnaryReactor* GetServerInfo(grpc::CallbackServerContext* context,
                                          const v1::GetServerInfoRequest* request,
                                          v1::GetServerInfoResponse* response) override;

 private:
  Engine& engine_;
  const std::shared_ptr<const Spool> spool_;
};

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_RPC_SERVER_INFO_SERVICE_H_
