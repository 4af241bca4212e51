#ifndef RTMIXD_SERVER_RPC_STREAM_SERVICE_H_
#define RTMIXD_SERVER_RPC_STREAM_SERVICE_H_

#include "rtmixd/v1/stream.grpc.pb.h"
#include "server/control/engine.h"

namespace rtmixd {

// rtmixd.v1.StreamService over an Engine, which outlives it.
class StreamService final : public v1::StreamService::CallbackService {
 public:
  explicit StreamService(Engine& engine) : engine_(engine) {}

  grpc::ServerUnaryReactor* GetStream(grpc::CallbackServerContext* context,
                                      const v1::GetStreamRequest* request,
                                      v1::GetStreamResponse* response) override;
  grpc::ServerUnaryReactor* OpenStream(grpc::CallbackServerContext* context,
                                       const v1::OpenStreamRequest* request,
                                       v1::OpenStreamResponse* response) override;
  grpc::ServerUnaryReactor* StartStream(grpc::CallbackServerContext* context,
                                        const v1::StartStreamRequest* request,
                                        v1::StartStreamResponse* response) override;
  grpc::ServerUnaryReactor* StopStream(grpc::CallbackServerContext* context,
                                       const v1::StopStreamRequest* request,
                                       v1::StopStreamResponse* response) override;
  grpc::ServerUnaryReactor* CloseStream(grpc::CallbackServerContext* context,
                                        const v1::CloseStreamRequest* request,
                                        v1::CloseStreamResponse* response) override;
  grpc::ServerUnaryReactor* RestoreStream(grpc::CallbackServerContext* context,
                                          const v1::RestoreStreamRequest* request,
                                          v1::RestoreStreamResponse* response) override;
  grpc::ServerUnaryReactor* SetMasterGain(grpc::CallbackServerContext* context,
                                          const v1::SetMasterGainRequest* request,
                                          v1::SetMasterGainResponse* response) override;

 private:
  Engine& engine_;
};

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_RPC_STREAM_SERVICE_H_
