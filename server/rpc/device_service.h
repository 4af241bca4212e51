#ifndef RTMIXD_SERVER_RPC_DEVICE_SERVICE_H_
#define RTMIXD_SERVER_RPC_DEVICE_SERVICE_H_

#include "rtmixd/v1/device.grpc.pb.h"
#include "server/control/engine.h"

namespace rtmixd {

// rtmixd.v1.DeviceService over an Engine, which outlives it.
class DeviceService final : public v1::DeviceService::CallbackService {
 public:
  explicit DeviceService(Engine& engine) : engine_(engine) {}

  grpc::ServerUnaryReactor* ListHostApis(grpc::CallbackServerContext* context,
                                         const v1::ListHostApisRequest* request,
                                         v1::ListHostApisResponse* response) override;
  grpc::ServerUnaryReactor* ListDevices(grpc::CallbackServerContext* context,
                                        const v1::ListDevicesRequest* request,
                                        v1::ListDevicesResponse* response) override;
  grpc::ServerUnaryReactor* CheckSettings(grpc::CallbackServerContext* context,
                                          const v1::CheckSettingsRequest* request,
                                          v1::CheckSettingsResponse* response) override;

 private:
  Engine& engine_;
};

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_RPC_DEVICE_SERVICE_H_
