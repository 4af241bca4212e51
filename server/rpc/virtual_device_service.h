#ifndef RTMIXD_SERVER_RPC_VIRTUAL_DEVICE_SERVICE_H_
#define RTMIXD_SERVER_RPC_VIRTUAL_DEVICE_SERVICE_H_

#include "rtmixd/v1/virtual_device.grpc.pb.h"
#include "server/control/engine.h"

namespace rtmixd {

// rtmixd.v1.VirtualDeviceService over an Engine, which outlives it.
class VirtualDeviceService final : public v1::VirtualDeviceService::CallbackService {
 public:
  explicit VirtualDeviceService(Engine& engine) : engine_(engine) {}

  grpc::ServerUnaryReactor* LoadScript(grpc::CallbackServerContext* context,
                                       const v1::LoadScriptRequest* request,
                                       v1::LoadScriptResponse* response) override;

 private:
  Engine& engine_;
};

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_RPC_VIRTUAL_DEVICE_SERVICE_H_
