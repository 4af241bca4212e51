#ifndef RTMIXD_SERVER_RPC_AUDIO_SERVICE_H_
#define RTMIXD_SERVER_RPC_AUDIO_SERVICE_H_

#include "rtmixd/v1/audio.grpc.pb.h"
#include "server/control/engine.h"

namespace rtmixd {

// rtmixd.v1.AudioService over an Engine, which outlives it.
class AudioService final : public v1::AudioService::CallbackService {
 public:
  explicit AudioService(Engine& engine) : engine_(engine) {}

  grpc::ServerBidiReactor<v1::PlayRequest, v1::PlayResponse>* Play(
      grpc::CallbackServerContext* context) override;
  grpc::ServerBidiReactor<v1::RecordRequest, v1::RecordResponse>* Record(
      grpc::CallbackServerContext* context) override;
  grpc::ServerBidiReactor<v1::DuplexRequest, v1::DuplexResponse>* Duplex(
      grpc::CallbackServerContext* context) override;
  grpc::ServerWriteReactor<v1::StreamRecordingResponse>* StreamRecording(
      grpc::CallbackServerContext* context, const v1::StreamRecordingRequest* request) override;

 private:
  Engine& engine_;
};

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_RPC_AUDIO_SERVICE_H_
