#include "server/rpc/stream_service.h"

#include <optional>
#include <string>
#include <utility>

#include "server/base/error_info.h"
#include "server/rpc/call.h"
#include "server/rpc/convert_action.h"
#include "server/rpc/convert_stream.h"
#include "server/rpc/request_check.h"

namespace rtmixd {
namespace {

template <typename Response>
void SetStream(const StreamStatus& stream, Response* response) {
  *response->mutable_stream() = ToProto(stream);
}
void SetStream(const StreamStatus& /*stream*/, v1::CloseStreamResponse* /*response*/) {}

// Fills `response` and ends the call.
template <typename Response>
Engine::StreamCallback AnswerWith(Response* response, FinishCallback finish) {
  return [response, finish = std::move(finish)](const absl::StatusOr<StreamStatus>& stream) {
    if (stream.ok()) SetStream(*stream, response);
    finish(PrefixField(stream.status(), "settings."));  // only OpenStream has fields to name
  };
}

}  // namespace

grpc::ServerUnaryReactor* StreamService::GetStream(grpc::CallbackServerContext* context,
                                                   const v1::GetStreamRequest* request,
                                                   v1::GetStreamResponse* response) {
  if (absl::Status status = CheckRequest(*request); !status.ok()) return Reply(context, status);
  *response->mutable_stream() = ToProto(engine_.GetStream());
  return Reply(context, absl::OkStatus());
}

grpc::ServerUnaryReactor* StreamService::OpenStream(grpc::CallbackServerContext* context,
                                                    const v1::OpenStreamRequest* request,
                                                    v1::OpenStreamResponse* response) {
  const absl::StatusOr<std::string> session = BeginCall(engine_, *context, *request);
  if (!session.ok()) return Reply(context, session.status());
  const absl::StatusOr<StreamSettings> settings = FromProto(request->settings(), "settings");
  if (!settings.ok()) return Reply(context, settings.status());
  return ReplyLater(context, engine_, [&](FinishCallback finish) {
    engine_.OpenStream(*session, *settings, AnswerWith(response, std::move(finish)));
    return kNoWait;
  });
}

grpc::ServerUnaryReactor* StreamService::StartStream(grpc::CallbackServerContext* context,
                                                     const v1::StartStreamRequest* request,
                                                     v1::StartStreamResponse* response) {
  const absl::StatusOr<std::string> session = BeginCall(engine_, *context, *request);
  if (!session.ok()) return Reply(context, session.status());
  return ReplyLater(context, engine_, [&](FinishCallback finish) {
    engine_.StartStream(*session, AnswerWith(response, std::move(finish)));
    return kNoWait;
  });
}

grpc::ServerUnaryReactor* StreamService::StopStream(grpc::CallbackServerContext* context,
                                                    const v1::StopStreamRequest* request,
                                                    v1::StopStreamResponse* response) {
  const absl::StatusOr<std::string> session = BeginCall(engine_, *context, *request);
  if (!session.ok()) return Reply(context, session.status());
  return ReplyLater(context, engine_, [&](FinishCallback finish) {
    engine_.StopStream(*session, request->abort(), AnswerWith(response, std::move(finish)));
    return kNoWait;
  });
}

grpc::ServerUnaryReactor* StreamService::CloseStream(grpc::CallbackServerContext* context,
                                                     const v1::CloseStreamRequest* request,
                                                     v1::CloseStreamResponse* response) {
  const absl::StatusOr<std::string> session = BeginCall(engine_, *context, *request);
  if (!session.ok()) return Reply(context, session.status());
  return ReplyLater(context, engine_, [&](FinishCallback finish) {
    engine_.CloseStream(*session, AnswerWith(response, std::move(finish)));
    return kNoWait;
  });
}

grpc::ServerUnaryReactor* StreamService::RestoreStream(grpc::CallbackServerContext* context,
                                                       const v1::RestoreStreamRequest* request,
                                                       v1::RestoreStreamResponse* response) {
  const absl::StatusOr<std::string> session = BeginCall(engine_, *context, *request);
  if (!session.ok()) return Reply(context, session.status());
  return ReplyLater(context, engine_, [&](FinishCallback finish) {
    engine_.RestoreStream(*session, AnswerWith(response, std::move(finish)));
    return kNoWait;
  });
}

grpc::ServerUnaryReactor* StreamService::SetMasterGain(grpc::CallbackServerContext* context,
                                                       const v1::SetMasterGainRequest* request,
                                                       v1::SetMasterGainResponse* response) {
  const absl::StatusOr<std::string> session = BeginCall(engine_, *context, *request);
  if (!session.ok()) return Reply(context, session.status());
  if (!request->has_gain()) return Reply(context, BadField("gain", "absent", "a gain"));
  std::optional<int64_t> frame;
  if (request->has_frame()) frame = request->frame();
  const absl::StatusOr<int64_t> changes =
      engine_.SetMasterGain(*session, FromProto(request->gain()), frame);
  if (!changes.ok()) return Reply(context, changes.status());
  response->set_frame(*changes);
  return Reply(context, absl::OkStatus());
}

}  // namespace rtmixd
