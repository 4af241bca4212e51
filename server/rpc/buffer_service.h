#ifndef RTMIXD_SERVER_RPC_BUFFER_SERVICE_H_
#define RTMIXD_SERVER_RPC_BUFFER_SERVICE_H_

#include "rtmixd/v1/buffer.grpc.pb.h"
#include "server/control/engine.h"
#include "server/rpc/worker.h"

namespace rtmixd {

// rtmixd.v1.BufferService over an Engine and a Worker, which outlive it.
class BufferService final : public v1::BufferService::WithCallbackMethod_CreateBuffer<
                                v1::BufferService::WithRawCallbackMethod_UploadBuffer<
                                    v1::BufferService::WithRawCallbackMethod_DownloadBuffer<
                                        v1::BufferService::WithCallbackMethod_GetBuffer<
                                            v1::BufferService::WithCallbackMethod_ListBuffers<
                                                v1::BufferService::WithCallbackMethod_DeleteBuffer<
                                                    v1::BufferService::Service>>>>>> {
 public:
  BufferService(Engine& engine, Worker& worker) : engine_(engine), worker_(worker) {}

  grpc::ServerUnaryReactor* CreateBuffer(grpc::CallbackServerContext* context,
                                         const v1::CreateBufferRequest* request,
                                         v1::CreateBufferResponse* response) override;
  grpc::ServerReadReactor<grpc::ByteBuffer>* UploadBuffer(grpc::CallbackServerContext* context,
                                                          grpc::ByteBuffer* response) override;
  grpc::ServerWriteReactor<grpc::ByteBuffer>* DownloadBuffer(
      grpc::CallbackServerContext* context, const grpc::ByteBuffer* request) override;
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
  Worker& worker_;
};

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_RPC_BUFFER_SERVICE_H_
