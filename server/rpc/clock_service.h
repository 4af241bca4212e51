#ifndef RTMIXD_SERVER_RPC_CLOCK_SERVICE_H_
#define RTMIXD_SERVER_RPC_CLOCK_SERVICE_H_

#include "rtmixd/v1/clock.grpc.pb.h"
#include "server/control/engine.h"

namespace rtmixd {

// rtmixd.v1.ClockService over an Engine, which outlives it.
class ClockService final : public v1::ClockService::CallbackService {
 public:
  explicit ClockService(Engine& engine) : engine_(engine) {}

  grpc::ServerUnaryReactor* GetClock(grpc::CallbackServerContext* context,
                                     const v1::GetClockRequest* request,
                                     v1::GetClockResponse* response) override;
  grpc::ServerWriteReactor<v1::StreamClockResponse>* StreamClock(
      grpc::CallbackServerContext* context, const v1::StreamClockRequest* request) override;

 private:
  Engine& engine_;
};

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_RPC_CLOCK_SERVICE_H_
