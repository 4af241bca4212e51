#ifndef RTMIXD_SERVER_RPC_BUFFER_SERVICE_H_
#define RTMIXD_SERVER_RPC_BUFFER_SERVICE_H_

#include "rtmixd/v1/buffer.grpc.pb.h"
#include "server/control/engine.h"

namespace rtmixd {

// rtmixd.v1.BufferService over an Engine, which outlives it.
class BufferService final : public v1::BufferService::CallbackService {
 public:
  explicit BufferService(Engine& engine) : engine_(engine) {}

  grpc::ServerUnaryReactor* CreateBuffer(grpc::CallbackServerContext* context,
                                         const v1::CreateBufferRequest* request,
                                         v1::CreateBufferResponse* response) override;
  grpc::ServerReadReactor<v1::UploadBufferRequest>* UploadBuffer(
      grpc::CallbackServerContext* context, v1::UploadBufferResponse* response) override;
  grpc::ServerWriteReactor<v1::DownloadBufferResponse>* DownloadBuffer(
      grpc::CallbackServerContext* context, const v1::DownloadBufferRequest* request) override;
  grpc::ServerUnaryReactor* GetBuffer(grpc::CallbackServerContext* context,
                                      const v1::GetBufferRequest* request,
                                      v1::GetBufferResponse* response) override;
  grpc::ServerUnaryReactor* ListBuffers(grpc::CallbackServerContext* context,
                                        const v1::ListBuffersRequest* request,
                                        v1::ListBuffersResponse* response) override;
  grpc::ServerUnaryReactor* DeleteBuffer(grpc::CallbackServerContext* context,
                                         const v1::DeleteBufferRequest* request,
                                         v1::DeleteBufferResponse* response) override;

 private:
  Engine& engine_;
};

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_RPC_BUFFER_SERVICE_H_
