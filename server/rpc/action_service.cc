#include "server/rpc/action_service.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/base/error_info.h"
#include "server/rpc/call.h"
#include "server/rpc/convert_action.h"
#include "server/rpc/convert_time.h"
#include "server/rpc/page.h"
#include "server/rpc/request_check.h"

namespace rtmixd {
grpc::ServerUnaryReactor* ActionService::ScheduleActions(grpc::CallbackServerContext* context,
                                                         const v1::ScheduleActionsRequest* request,
                                                         v1::ScheduleActionsResponse* response) {
  const absl::StatusOr<std::string> session = BeginCall(engine_, *context, *request);
  if (!session.ok()) return Reply(context, session.status());
  absl::StatusOr<BatchSpec> batch = FromProto(*request);
  if (!batch.ok()) return Reply(context, batch.status());
  return ReplyLater(engine_, [&](const FinishCallback& finish) {
    engine_.Schedule(*session, *std::move(batch),
                     [response, finish](const absl::StatusOr<BatchAdmitted>& admitted) {
                       if (admitted.ok()) *response = ToProto(*admitted);
                       finish(admitted.status());
                     });
    return kNoWait;
  });
}

grpc::ServerUnaryReactor* ActionService::GetAction(grpc::CallbackServerContext* context,
                                                   const v1::GetActionRequest* request,
                                                   v1::GetActionResponse* response) {
  const absl::StatusOr<std::string> session = BeginCall(engine_, *context, *request);
  if (!session.ok()) return Reply(context, session.status());
  const absl::StatusOr<ActionReport> report = engine_.GetAction(*session, request->action_id());
  if (!report.ok()) return Reply(context, report.status());
  *response->mutable_report() = ToProto(*report);
  return Reply(context, absl::OkStatus());
}

grpc::ServerUnaryReactor* ActionService::ListActions(grpc::CallbackServerContext* context,
                                                     const v1::ListActionsRequest* request,
                                                     v1::ListActionsResponse* response) {
  const absl::StatusOr<std::string> session = BeginCall(engine_, *context, *request);
  if (!session.ok()) return Reply(context, session.status());
  const absl::StatusOr<std::vector<ActionReport>> reports =
      engine_.ListActions(*session, request->active_only());
  if (!reports.ok()) return Reply(context, reports.status());
  const absl::StatusOr<Page> page =
      MakePage(request->page_size(), request->page_token(), static_cast<int64_t>(reports->size()));
  if (!page.ok()) return Reply(context, page.status());
  for (int64_t i = page->begin; i < page->end; ++i)
    *response->add_reports() = ToProto((*reports)[i]);
  response->set_next_page_token(page->next_page_token);
  return Reply(context, absl::OkStatus());
}

grpc::ServerUnaryReactor* ActionService::CancelActions(grpc::CallbackServerContext* context,
                                                       const v1::CancelActionsRequest* request,
                                                       v1::CancelActionsResponse* response) {
  const absl::StatusOr<std::string> session = BeginCall(engine_, *context, *request);
  if (!session.ok()) return Reply(context, session.status());
  if (request->all() == !request->action_ids().empty()) {
    return Reply(context,
                 BadField("action_ids", absl::StrCat(request->action_ids_size(), " entries"),
                          request->all() ? "none with `all`" : "at least one, or `all`"));
  }
  std::optional<int64_t> frame;
  if (request->has_frame()) {
    frame = request->frame();
    if (*frame < 0) return Reply(context, BadField("frame", absl::StrCat(*frame), "at least 0"));
  }
  const absl::StatusOr<std::vector<ActionReport>> reports =
      engine_.CancelActions(*session, {request->action_ids().begin(), request->action_ids().end()},
                            request->all(), frame);
  if (!reports.ok()) return Reply(context, reports.status());
  for (const ActionReport& report : *reports) *response->add_reports() = ToProto(report);
  return Reply(context, absl::OkStatus());
}

grpc::ServerUnaryReactor* ActionService::WaitActions(grpc::CallbackServerContext* context,
                                                     const v1::WaitActionsRequest* request,
                                                     v1::WaitActionsResponse* response) {
  const absl::StatusOr<std::string> session = BeginCall(engine_, *context, *request);
  if (!session.ok()) return Reply(context, session.status());
  const absl::StatusOr<absl::Duration> timeout = WaitTimeout(*request);
  if (!timeout.ok()) return Reply(context, timeout.status());
  return ReplyLater(engine_, [&](const FinishCallback& finish) {
    return engine_.WaitActions(
        *session, {request->action_ids().begin(), request->action_ids().end()}, request->any(),
        *timeout, [response, finish](const absl::StatusOr<Engine::WaitAnswer>& answer) {
          if (answer.ok()) {
            for (const ActionReport& report : answer->ended) {
              *response->add_ended() = ToProto(report);
            }
            for (const std::string& id : answer->still_running) response->add_still_running(id);
          }
          finish(answer.status());
        });
  });
}

grpc::ServerUnaryReactor* ActionService::GetStats(grpc::CallbackServerContext* context,
                                                  const v1::GetStatsRequest* request,
                                                  v1::GetStatsResponse* response) {
  if (absl::Status status = CheckRequest(*request); !status.ok()) return Reply(context, status);
  const absl::StatusOr<std::string> session = request->reset_baseline()
                                                  ? RequireSession(engine_, *context)
                                                  : OptionalSession(engine_, *context);
  if (!session.ok()) return Reply(context, session.status());
  const absl::StatusOr<StreamStatsInfo> stats =
      engine_.GetStats(*session, request->reset_baseline());
  if (!stats.ok()) return Reply(context, stats.status());
  *response->mutable_stats() = ToProto(*stats);
  return Reply(context, absl::OkStatus());
}

}  // namespace rtmixd
