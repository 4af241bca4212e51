#ifndef RTMIXD_SERVER_RPC_SPOOL_SERVICE_H_
#define RTMIXD_SERVER_RPC_SPOOL_SERVICE_H_

#include <memory>
#include <utility>

#include "rtmixd/v1/spool.grpc.pb.h"
#include "server/control/engine.h"
#include "server/spool/spool.h"

namespace rtmixd {

// rtmixd.v1.SpoolService over an Engine, which outlives it, and a Spool, null if there is none.
class SpoolService final : public v1::SpoolService::CallbackService {
 public:
  SpoolService(Engine& engine, std::shared_ptr<Spool> spool)
      : engine_(engine), spool_(std::move(spool)) {}

  grpc::ServerUnaryReactor* ListSpooledRecordings(
      grpc::CallbackServerContext* context, const v1::ListSpooledRecordingsRequest* request,
      v1::ListSpooledRecordingsResponse* response) override;
  grpc::ServerWriteReactor<v1::DownloadSpooledRecordingResponse>* DownloadSpooledRecording(
      grpc::CallbackServerContext* context,
      const v1::DownloadSpooledRecordingRequest* request) override;
  grpc::ServerUnaryReactor* DeleteSpooledRecording(
      grpc::CallbackServerContext* context, const v1::DeleteSpooledRecordingRequest* request,
      v1::DeleteSpooledRecordingResponse* response) override;

 private:
  Engine& engine_;
  const std::shared_ptr<Spool> spool_;
};

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_RPC_SPOOL_SERVICE_H_
