#include "client_cpp/action.h"

#include <algorithm>
#include <utility>

#include "absl/time/clock.h"
#include "client_cpp/duration.h"
#include "client_cpp/random_id.h"

namespace rtmixd::client {
namespace {

// Waits are made of slices: they tell whether the server is there, and shorter ones let whoever
// asks stop soon.
absl::Duration NextSlice(absl::Time deadline, const KeepWaiting& keep_waiting) {
  const absl::Duration longest =
      keep_waiting == nullptr ? absl::Seconds(1) : absl::Milliseconds(250);
  return std::clamp(deadline - absl::Now(), absl::ZeroDuration(), longest);
}

}  // namespace

absl::StatusOr<v1::ScheduleActionsResponse> ScheduleActions(Session& session,
                                                            v1::ScheduleActionsRequest request) {
  if (request.request_id().empty()) request.set_request_id(RandomId());
  // The answer to a batch that starts now takes up to a second, and audio may travel with the
  // request.
  constexpr absl::Duration kTimeout = absl::Seconds(10);
  return session.client().Call(&Stubs::actions, &v1::ActionService::Stub::ScheduleActions, request,
                               session.call(kTimeout, /*retry=*/true));
}

absl::StatusOr<v1::ChangeActionsResponse> ChangeActions(Session& session,
                                                        const v1::ChangeActionsRequest& request) {
  const bool fades = request.gain().fade().frames() > 0;
  return session.client().Call(&Stubs::actions, &v1::ActionService::Stub::ChangeActions, request,
                               session.call(kSilenceLimit, /*retry=*/!fades));
}

absl::StatusOr<v1::CancelActionsResponse> CancelActions(Session& session,
                                                        const v1::CancelActionsRequest& request) {
  const bool fades = request.fade().frames() > 0;
  return session.client().Call(&Stubs::actions, &v1::ActionService::Stub::CancelActions, request,
                               session.call(kSilenceLimit, /*retry=*/!fades));
}

absl::StatusOr<v1::WaitActionsResponse> WaitActions(Session& session,
                                                    const std::vector<std::string>& action_ids,
                                                    absl::Duration timeout,
                                                    const KeepWaiting& keep_waiting, WaitFor what) {
  const absl::Time deadline = absl::Now() + timeout;
  v1::WaitActionsRequest request;
  request.mutable_action_ids()->Add(action_ids.begin(), action_ids.end());
  request.set_until_done(what == WaitFor::kDone);
  while (true) {
    const absl::Duration slice = NextSlice(deadline, keep_waiting);
    *request.mutable_timeout() = ToProto(slice);
    auto response =
        session.client().Call(&Stubs::actions, &v1::ActionService::Stub::WaitActions, request,
                              session.call(slice + absl::Seconds(2), /*retry=*/true));
    if (!response.ok() || response->still_running().empty()) return response;
    if (absl::Now() >= deadline || (keep_waiting != nullptr && !keep_waiting())) return response;
    // "All of the session" means what was there at first.
    if (request.action_ids().empty()) {
      *request.mutable_action_ids() = response->still_running();
      for (const auto& report : response->ended()) request.add_action_ids(report.action_id());
    }
  }
}

absl::StatusOr<v1::BatchReport> GetBatch(Session& session, const std::string& batch_id) {
  v1::GetBatchRequest request;
  request.set_batch_id(batch_id);
  auto response = session.client().Call(&Stubs::actions, &v1::ActionService::Stub::GetBatch,
                                        request, session.call(kSilenceLimit, /*retry=*/true));
  if (!response.ok()) return response.status();
  return std::move(*response->mutable_report());
}

absl::StatusOr<v1::BatchReport> WaitBatch(Session& session, const std::string& batch_id,
                                          absl::Duration timeout, const KeepWaiting& keep_waiting,
                                          WaitFor what) {
  const absl::Time deadline = absl::Now() + timeout;
  v1::WaitBatchRequest request;
  request.set_batch_id(batch_id);
  request.set_until_done(what == WaitFor::kDone);
  while (true) {
    const absl::Duration slice = NextSlice(deadline, keep_waiting);
    *request.mutable_timeout() = ToProto(slice);
    auto response =
        session.client().Call(&Stubs::actions, &v1::ActionService::Stub::WaitBatch, request,
                              session.call(slice + absl::Seconds(2), /*retry=*/true));
    if (!response.ok()) return response.status();
    const v1::ActionState state = response->report().state();
    const bool come = state == v1::ACTION_STATE_ENDED ||
                      (what == WaitFor::kDone && state == v1::ACTION_STATE_DONE);
    if (come || absl::Now() >= deadline || (keep_waiting != nullptr && !keep_waiting())) {
      return std::move(*response->mutable_report());
    }
  }
}

Action::Action(std::shared_ptr<Session> session, std::string action_id)
    : session_(std::move(session)), action_id_(std::move(action_id)) {}

absl::StatusOr<v1::ActionReport> Action::Report() const {
  v1::GetActionRequest request;
  request.set_action_id(action_id_);
  auto response = session_->client().Call(&Stubs::actions, &v1::ActionService::Stub::GetAction,
                                          request, session_->call(kSilenceLimit, /*retry=*/true));
  if (!response.ok()) return response.status();
  return std::move(*response->mutable_report());
}

absl::StatusOr<v1::ActionReport> Action::Wait(absl::Duration timeout, WaitFor what) const {
  auto response = WaitActions(*session_, {action_id_}, timeout, nullptr, what);
  if (!response.ok()) return response.status();
  if (response->ended().empty()) return Report();
  return std::move(*response->mutable_ended(0));
}

absl::StatusOr<v1::ActionReport> Action::Cancel(std::optional<int64_t> frame,
                                                const v1::Fade& fade) const {
  v1::CancelActionsRequest request;
  request.add_action_ids(action_id_);
  if (frame.has_value()) request.set_frame(*frame);
  if (fade.frames() > 0) *request.mutable_fade() = fade;
  auto response = CancelActions(*session_, request);
  if (!response.ok()) return response.status();
  if (response->reports().empty()) return absl::InternalError("the server sent no report");
  return std::move(*response->mutable_reports(0));
}

absl::StatusOr<int64_t> Action::SetGain(float gain, const v1::Fade& fade,
                                        std::optional<int64_t> frame) const {
  v1::ChangeActionsRequest request;
  request.mutable_gain()->set_gain(gain);
  *request.mutable_gain()->mutable_fade() = fade;
  return Change(std::move(request), frame);
}

absl::StatusOr<int64_t> Action::Pause(std::optional<int64_t> frame) const {
  v1::ChangeActionsRequest request;
  request.mutable_pause();
  return Change(std::move(request), frame);
}

absl::StatusOr<int64_t> Action::Resume(std::optional<int64_t> frame) const {
  v1::ChangeActionsRequest request;
  request.mutable_resume();
  return Change(std::move(request), frame);
}

absl::StatusOr<int64_t> Action::LeaveLoop(bool at_once, std::optional<int64_t> frame) const {
  v1::ChangeActionsRequest request;
  request.mutable_leave_loop()->set_at_once(at_once);
  return Change(std::move(request), frame);
}

absl::StatusOr<int64_t> Action::Change(v1::ChangeActionsRequest request,
                                       std::optional<int64_t> frame) const {
  request.add_action_ids(action_id_);
  if (frame.has_value()) request.set_frame(*frame);
  const auto response = ChangeActions(*session_, request);
  if (!response.ok()) return response.status();
  return response->frame();
}

}  // namespace rtmixd::client
