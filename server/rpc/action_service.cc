#include "server/rpc/action_service.h"

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "server/base/error_info.h"
#include "server/rpc/call.h"
#include "server/rpc/convert_action.h"
#include "server/rpc/convert_time.h"
#include "server/rpc/page.h"
#include "server/rpc/request_check.h"
#include "server/rpc/watch_call.h"

namespace rtmixd {
namespace {

constexpr absl::Duration kWatchInterval =
    absl::Milliseconds(900);  // so that an answer comes each second
// What a longer request asks for takes longer than a block: hundreds of actions, or their audio.
constexpr size_t kLongRequestBytes = 16 << 10;
// A report tells of 64 xruns and 8 gaps at most: about 2 kB.
constexpr int kMaxReportsPerMessage = 500;

class WatchActionsCall final : public WatchCall<v1::WatchActionsResponse> {
 public:
  WatchActionsCall(Engine& engine, std::string session_id, bool include_present)
      : WatchCall(engine), session_id_(std::move(session_id)), include_present_(include_present) {}

 private:
  absl::Status Subscribe(ChangeCallback on_change) override {
    absl::StatusOr<std::unique_ptr<ActionWatch>> watch =
        engine().WatchActions(session_id_, include_present_, std::move(on_change));
    if (!watch.ok()) return watch.status();
    watch_ = *std::move(watch);
    open_.store(true, std::memory_order_release);
    return absl::OkStatus();
  }

  bool Next(v1::WatchActionsResponse* response) override {
    // A change may be told of before Subscribe has the watch.
    if (!open_.load(std::memory_order_acquire)) return false;
    const bool due = due_.exchange(false);
    const absl::StatusOr<std::vector<ActionReport>> reports = watch_->Read(kMaxReportsPerMessage);
    over_ = reports.status();
    if (!reports.ok() || (reports->empty() && !due)) return false;
    for (const ActionReport& report : *reports) *response->add_reports() = ToProto(report);
    return true;
  }
  absl::Status Over() override { return over_; }
  void OnInterval() override { due_ = true; }

  const std::string session_id_;
  const bool include_present_;
  std::unique_ptr<ActionWatch> watch_;
  std::atomic<bool> open_{false};
  std::atomic<bool> due_{true};
  absl::Status over_;  // of Next and Over only
};

// That a request names actions, or all of them, and a frame that can be.
template <typename Request>
absl::Status CheckWhich(const Request& request) {
  if (request.all() == !request.action_ids().empty()) {
    return BadField("action_ids", absl::StrCat(request.action_ids_size(), " entries"),
                    request.all() ? "none with `all`" : "at least one, or `all`");
  }
  if (request.has_frame() && request.frame() < 0) {
    return BadField("frame", absl::StrCat(request.frame()), "at least 0");
  }
  return absl::OkStatus();
}

template <typename Request>
std::optional<int64_t> FrameOf(const Request& request) {
  return request.has_frame() ? std::optional<int64_t>(request.frame()) : std::nullopt;
}

}  // namespace

grpc::ServerUnaryReactor* ActionService::ScheduleActions(grpc::CallbackServerContext* context,
                                                         const v1::ScheduleActionsRequest* request,
                                                         v1::ScheduleActionsResponse* response) {
  const auto schedule = [this, context, request, response](const FinishCallback& finish) {
    const absl::StatusOr<std::string> session = BeginCall(engine_, *context, *request);
    if (!session.ok()) return finish(session.status());
    absl::StatusOr<BatchSpec> batch = FromProto(*request);
    if (!batch.ok()) return finish(batch.status());
    engine_.Schedule(*session, *std::move(batch),
                     [response, finish](const absl::StatusOr<BatchAdmitted>& admitted) {
                       if (admitted.ok()) *response = ToProto(*admitted);
                       finish(admitted.status());
                     });
  };
  return ReplyLater(context, engine_, [&](const FinishCallback& finish) {
    if (request->ByteSizeLong() > kLongRequestBytes) {
      worker_.Run([schedule, finish] { schedule(finish); });
    } else {
      schedule(finish);
    }
    return kNoWait;
  });
}

grpc::ServerUnaryReactor* ActionService::CommitBatch(grpc::CallbackServerContext* context,
                                                     const v1::CommitBatchRequest* request,
                                                     v1::CommitBatchResponse* response) {
  const absl::StatusOr<std::string> session = BeginCall(engine_, *context, *request);
  if (!session.ok()) return Reply(context, session.status());
  const absl::StatusOr<BatchCommitted> committed =
      engine_.CommitBatch(*session, request->batch_id());
  if (!committed.ok()) return Reply(context, committed.status());
  *response = ToProto(*committed);
  return Reply(context, absl::OkStatus());
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
  if (absl::Status status = CheckWhich(*request); !status.ok()) return Reply(context, status);
  const absl::StatusOr<std::vector<ActionReport>> reports =
      engine_.CancelActions(*session, {request->action_ids().begin(), request->action_ids().end()},
                            request->all(), FrameOf(*request), FromProto(request->fade()));
  if (!reports.ok()) return Reply(context, reports.status());
  for (const ActionReport& report : *reports) *response->add_reports() = ToProto(report);
  return Reply(context, absl::OkStatus());
}

grpc::ServerUnaryReactor* ActionService::ChangeActions(grpc::CallbackServerContext* context,
                                                       const v1::ChangeActionsRequest* request,
                                                       v1::ChangeActionsResponse* response) {
  const absl::StatusOr<std::string> session = BeginCall(engine_, *context, *request);
  if (!session.ok()) return Reply(context, session.status());
  if (absl::Status status = CheckWhich(*request); !status.ok()) return Reply(context, status);
  const absl::StatusOr<VoiceChangeSpec> change = FromProto(*request);
  if (!change.ok()) return Reply(context, change.status());
  const absl::StatusOr<ChangesAdmitted> admitted =
      engine_.ChangeActions(*session, {request->action_ids().begin(), request->action_ids().end()},
                            request->all(), FrameOf(*request), *change);
  if (!admitted.ok()) return Reply(context, admitted.status());
  response->set_frame(admitted->frame);
  for (const ActionReport& report : admitted->reports) *response->add_reports() = ToProto(report);
  return Reply(context, absl::OkStatus());
}

grpc::ServerUnaryReactor* ActionService::WaitActions(grpc::CallbackServerContext* context,
                                                     const v1::WaitActionsRequest* request,
                                                     v1::WaitActionsResponse* response) {
  const absl::StatusOr<std::string> session = BeginCall(engine_, *context, *request);
  if (!session.ok()) return Reply(context, session.status());
  const absl::StatusOr<absl::Duration> timeout = WaitTimeout(*request);
  if (!timeout.ok()) return Reply(context, timeout.status());
  return ReplyLater(context, engine_, [&](const FinishCallback& finish) {
    return engine_.WaitActions(
        *session, {request->action_ids().begin(), request->action_ids().end()}, request->any(),
        request->until_done(), *timeout,
        [response, finish](const absl::StatusOr<Engine::WaitAnswer>& answer) {
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

grpc::ServerUnaryReactor* ActionService::GetBatch(grpc::CallbackServerContext* context,
                                                  const v1::GetBatchRequest* request,
                                                  v1::GetBatchResponse* response) {
  const absl::StatusOr<std::string> session = BeginCall(engine_, *context, *request);
  if (!session.ok()) return Reply(context, session.status());
  const absl::StatusOr<BatchReport> report = engine_.GetBatch(*session, request->batch_id());
  if (!report.ok()) return Reply(context, report.status());
  *response->mutable_report() = ToProto(*report);
  return Reply(context, absl::OkStatus());
}

grpc::ServerUnaryReactor* ActionService::WaitBatch(grpc::CallbackServerContext* context,
                                                   const v1::WaitBatchRequest* request,
                                                   v1::WaitBatchResponse* response) {
  const absl::StatusOr<std::string> session = BeginCall(engine_, *context, *request);
  if (!session.ok()) return Reply(context, session.status());
  const absl::StatusOr<absl::Duration> timeout = WaitTimeout(*request);
  if (!timeout.ok()) return Reply(context, timeout.status());
  return ReplyLater(context, engine_, [&](const FinishCallback& finish) {
    return engine_.WaitBatch(*session, request->batch_id(), request->until_done(), *timeout,
                             [response, finish](const absl::StatusOr<BatchReport>& report) {
                               if (report.ok()) *response->mutable_report() = ToProto(*report);
                               finish(report.status());
                             });
  });
}

grpc::ServerWriteReactor<v1::WatchActionsResponse>* ActionService::WatchActions(
    grpc::CallbackServerContext* context, const v1::WatchActionsRequest* request) {
  absl::StatusOr<std::string> session = BeginCall(engine_, *context, *request);
  const absl::Status status = session.status();
  auto* call =
      new WatchActionsCall(engine_, std::move(session).value_or(""), request->include_present());
  call->Begin(status, kWatchInterval);
  return call;
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
