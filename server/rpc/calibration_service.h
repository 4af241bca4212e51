#ifndef RTMIXD_SERVER_RPC_CALIBRATION_SERVICE_H_
#define RTMIXD_SERVER_RPC_CALIBRATION_SERVICE_H_

#include "rtmixd/v1/calibration.grpc.pb.h"
#include "server/control/engine.h"

namespace rtmixd {

// rtmixd.v1.CalibrationService over an Engine, which outlives it.
class CalibrationService final : public v1::CalibrationService::CallbackService {
 public:
  explicit CalibrationService(Engine& engine) : engine_(engine) {}

  grpc::ServerUnaryReactor* SetCalibration(grpc::CallbackServerContext* context,
                                           const v1::SetCalibrationRequest* request,
                                           v1::SetCalibrationResponse* response) override;
  grpc::ServerUnaryReactor* ListCalibrations(grpc::CallbackServerContext* context,
                                             const v1::ListCalibrationsRequest* request,
                                             v1::ListCalibrationsResponse* response) override;
  grpc::ServerUnaryReactor* DeleteCalibration(grpc::CallbackServerContext* context,
                                              const v1::DeleteCalibrationRequest* request,
                                              v1::DeleteCalibrationResponse* response) override;

 private:
  Engine& engine_;
};

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_RPC_CALIBRATION_SERVICE_H_
