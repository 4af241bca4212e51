#include "server/rpc/session_service.h"

#include <optional>
#include <string>
#include <vector>

#include "server/base/error_info.h"
#include "server/rpc/call.h"
#include "server/rpc/convert_action.h"
#include "server/rpc/convert_session.h"
#include "server/rpc/convert_time.h"
#include "server/rpc/page.h"
#include "server/rpc/request_check.h"

namespace rtmixd {
grpc::ServerUnaryReactor* SessionService::CreateSession(grpc::CallbackServerContext* context,
                                                        const v1::CreateSessionRequest* request,
                                                        v1::CreateSessionResponse* response) {
  if (absl::Status status = CheckRequest(*request); !status.ok()) return Reply(context, status);
  const absl::StatusOr<SessionSpec> spec = FromProto(*request, engine_.limits().max_session_ttl);
  if (!spec.ok()) return Reply(context, spec.status());
  const absl::StatusOr<Engine::NewSession> session = engine_.CreateSession(*spec);
  if (!session.ok()) return Reply(context, session.status());
  *response->mutable_session() = ToProto(session->info);
  response->set_token(session->token);
  return Reply(context, absl::OkStatus());
}

grpc::ServerUnaryReactor* SessionService::KeepSession(grpc::CallbackServerContext* context,
                                                      const v1::KeepSessionRequest* request,
                                                      v1::KeepSessionResponse* response) {
  const absl::StatusOr<std::string> session_id = BeginCall(engine_, *context, *request);
  if (!session_id.ok()) return Reply(context, session_id.status());
  const absl::StatusOr<SessionInfo> session = engine_.GetSession(*session_id);
  if (!session.ok()) return Reply(context, session.status());
  *response->mutable_session() = ToProto(*session);
  return Reply(context, absl::OkStatus());
}

grpc::ServerUnaryReactor* SessionService::AwaitExclusive(grpc::CallbackServerContext* context,
                                                         const v1::AwaitExclusiveRequest* request,
                                                         v1::AwaitExclusiveResponse* response) {
  const absl::StatusOr<std::string> session_id = BeginCall(engine_, *context, *request);
  if (!session_id.ok()) return Reply(context, session_id.status());
  const absl::StatusOr<absl::Duration> timeout = WaitTimeout(*request);
  if (!timeout.ok()) return Reply(context, timeout.status());
  return ReplyLater(context, engine_, [&](const FinishCallback& finish) {
    return engine_.AwaitExclusive(
        *session_id, *timeout,
        [response, finish](const absl::StatusOr<Engine::ExclusiveAnswer>& answer) {
          if (answer.ok()) {
            *response->mutable_session() = ToProto(answer->info);
            for (const std::string& label : answer->holder_labels)
              response->add_holder_labels(label);
          }
          finish(answer.status());
        });
  });
}

grpc::ServerUnaryReactor* SessionService::GetSession(grpc::CallbackServerContext* context,
                                                     const v1::GetSessionRequest* request,
                                                     v1::GetSessionResponse* response) {
  const absl::StatusOr<std::string> own = BeginCall(engine_, *context, *request);
  if (!own.ok()) return Reply(context, own.status());
  const absl::StatusOr<SessionInfo> session =
      engine_.GetSession(request->session_id().empty() ? *own : request->session_id());
  if (!session.ok()) return Reply(context, session.status());
  *response->mutable_session() = ToProto(*session);
  return Reply(context, absl::OkStatus());
}

grpc::ServerUnaryReactor* SessionService::ListSessions(grpc::CallbackServerContext* context,
                                                       const v1::ListSessionsRequest* request,
                                                       v1::ListSessionsResponse* response) {
  if (absl::Status status = CheckRequest(*request); !status.ok()) return Reply(context, status);
  const std::vector<SessionInfo> sessions = engine_.ListSessions();
  const absl::StatusOr<Page> page =
      MakePage(request->page_size(), request->page_token(), static_cast<int64_t>(sessions.size()));
  if (!page.ok()) return Reply(context, page.status());
  for (int64_t i = page->begin; i < page->end; ++i)
    *response->add_sessions() = ToProto(sessions[i]);
  response->set_next_page_token(page->next_page_token);
  return Reply(context, absl::OkStatus());
}

grpc::ServerUnaryReactor* SessionService::EndSession(grpc::CallbackServerContext* context,
                                                     const v1::EndSessionRequest* request,
                                                     v1::EndSessionResponse* /*response*/) {
  const absl::StatusOr<std::string> session_id = BeginCall(engine_, *context, *request);
  if (!session_id.ok()) return Reply(context, session_id.status());
  return Reply(context, engine_.EndSession(*session_id));
}

grpc::ServerUnaryReactor* SessionService::SetSessionGain(grpc::CallbackServerContext* context,
                                                         const v1::SetSessionGainRequest* request,
                                                         v1::SetSessionGainResponse* response) {
  const absl::StatusOr<std::string> session_id = BeginCall(engine_, *context, *request);
  if (!session_id.ok()) return Reply(context, session_id.status());
  if (!request->has_gain()) return Reply(context, BadField("gain", "absent", "a gain"));
  std::optional<int64_t> frame;
  if (request->has_frame()) frame = request->frame();
  const absl::StatusOr<std::optional<int64_t>> changes =
      engine_.SetSessionGain(*session_id, FromProto(request->gain()), frame);
  if (!changes.ok()) return Reply(context, changes.status());
  if (changes->has_value()) response->set_frame(**changes);
  return Reply(context, absl::OkStatus());
}

grpc::ServerUnaryReactor* SessionService::BreakSession(grpc::CallbackServerContext* context,
                                                       const v1::BreakSessionRequest* request,
                                                       v1::BreakSessionResponse* response) {
  if (absl::Status status = CheckRequest(*request); !status.ok()) return Reply(context, status);
  const absl::StatusOr<SessionInfo> ended =
      engine_.BreakSession(request->session_id(), request->reason());
  if (!ended.ok()) return Reply(context, ended.status());
  *response->mutable_session() = ToProto(*ended);
  return Reply(context, absl::OkStatus());
}

}  // namespace rtmixd
