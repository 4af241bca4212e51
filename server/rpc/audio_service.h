#ifndef RTMIXD_SERVER_RPC_AUDIO_SERVICE_H_
#define RTMIXD_SERVER_RPC_AUDIO_SERVICE_H_

#include <memory>

#include "rtmixd/v1/audio.grpc.pb.h"
#include "server/control/change_signal.h"
#include "server/control/engine.h"
#include "server/rpc/periodic_alarm.h"

namespace rtmixd {

// rtmixd.v1.AudioService over an Engine, which outlives it.
class AudioService final : public v1::AudioService::WithRawCallbackMethod_Play<
                               v1::AudioService::WithRawCallbackMethod_Record<
                                   v1::AudioService::WithRawCallbackMethod_Duplex<
                                       v1::AudioService::WithRawCallbackMethod_StreamRecording<
                                           v1::AudioService::Service>>>> {
 public:
  using BidiReactor = grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>;

  explicit AudioService(Engine& engine);
  ~AudioService() override;

  BidiReactor* Play(grpc::CallbackServerContext* context) override;
  BidiReactor* Record(grpc::CallbackServerContext* context) override;
  BidiReactor* Duplex(grpc::CallbackServerContext* context) override;
  grpc::ServerWriteReactor<grpc::ByteBuffer>* StreamRecording(
      grpc::CallbackServerContext* context, const grpc::ByteBuffer* request) override;

 private:
  Engine& engine_;
  // For the progress of all calls: one alarm, since each costs two switches between threads.
  ChangeSignal ticks_;
  const std::shared_ptr<PeriodicAlarm> alarm_;
};

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_RPC_AUDIO_SERVICE_H_
