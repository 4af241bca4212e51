#ifndef RTMIXD_SERVER_RPC_EVENT_SERVICE_H_
#define RTMIXD_SERVER_RPC_EVENT_SERVICE_H_

#include "rtmixd/v1/event.grpc.pb.h"
#include "server/control/engine.h"

namespace rtmixd {

// rtmixd.v1.EventService over an Engine, which outlives it.
class EventService final : public v1::EventService::CallbackService {
 public:
  explicit EventService(Engine& engine) : engine_(engine) {}

  grpc::ServerUnaryReactor* ListEvents(grpc::CallbackServerContext* context,
                                       const v1::ListEventsRequest* request,
                                       v1::ListEventsResponse* response) override;
  grpc::ServerWriteReactor<v1::StreamEventsResponse>* StreamEvents(
      grpc::CallbackServerContext* context, const v1::StreamEventsRequest* request) override;
  grpc::ServerWriteReactor<v1::StreamMetersResponse>* StreamMeters(
      grpc::CallbackServerContext* context, const v1::StreamMetersRequest* request) override;

 private:
  Engine& engine_;
};

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_RPC_EVENT_SERVICE_H_
