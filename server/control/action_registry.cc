#include "server/control/action_registry.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/base/error_info.h"

namespace rtmixd {

absl::Status ActionRegistry::CheckRoom(const std::string& session_id, int64_t count) const {
  if (static_cast<int64_t>(unfinished_.size()) + count > limits_.max_actions) {
    return LimitExceeded("max_actions", absl::StrCat(unfinished_.size() + count),
                         absl::StrCat(limits_.max_actions));
  }
  const int64_t of_session = unfinished_count(session_id) + count;
  if (of_session > limits_.max_actions_per_session) {
    return LimitExceeded("max_actions_per_session", absl::StrCat(of_session),
                         absl::StrCat(limits_.max_actions_per_session));
  }
  return absl::OkStatus();
}

void ActionRegistry::Add(std::shared_ptr<Action> action) {
  const ActionCommon& common = *action->common;
  Session& session = sessions_[common.session_id];
  ++session.unfinished;
  if (!common.batch_id.empty()) {
    ++batches_.try_emplace(common.batch_id, Batch{action->number, 0}).first->second.count;
  }
  unfinished_.emplace(action->number, action.get());
  session.actions.emplace(action->number, std::move(action));
}

std::shared_ptr<Action> ActionRegistry::Hold(const Action& action) const {
  const auto session = sessions_.find(action.common->session_id);
  if (session == sessions_.end()) return nullptr;
  const auto found = session->second.actions.find(action.number);
  return found != session->second.actions.end() ? found->second : nullptr;
}

std::vector<std::shared_ptr<Action>> ActionRegistry::HoldUnfinished() const {
  std::vector<std::shared_ptr<Action>> actions;
  actions.reserve(unfinished_.size());
  for (const auto& [number, action] : unfinished_) actions.push_back(Hold(*action));
  return actions;
}

std::shared_ptr<Action> ActionRegistry::NoteEnded(const Action& action) {
  const int64_t number = action.number;
  const auto found = sessions_.find(action.common->session_id);
  Session& session = found->second;
  --session.unfinished;
  session.ended.push_back(number);
  const bool forgotten = session.forgotten;
  std::shared_ptr<Action> dropped;
  if (static_cast<int>(session.ended.size()) > limits_.max_kept_reports_per_session || forgotten) {
    const int64_t oldest = session.ended.front();
    session.ended.pop_front();
    dropped = Forget(&session, oldest);
  }
  unfinished_.erase(number);
  if (forgotten && session.unfinished == 0) sessions_.erase(found);
  return dropped;
}

void ActionRegistry::ForgetSession(const std::string& session_id) {
  const auto found = sessions_.find(session_id);
  if (found == sessions_.end()) return;
  Session& session = found->second;
  for (const int64_t number : session.ended) Forget(&session, number);
  session.ended.clear();
  session.forgotten = true;
  if (session.unfinished == 0) sessions_.erase(found);
}

std::shared_ptr<Action> ActionRegistry::Forget(Session* session, int64_t number) {
  const auto found = session->actions.find(number);
  std::shared_ptr<Action> action = std::move(found->second);
  batches_.erase(action->common->batch_id);
  session->actions.erase(found);
  return action;
}

absl::StatusOr<std::shared_ptr<Action>> ActionRegistry::Find(const std::string& session_id,
                                                             const std::string& action_id,
                                                             const std::string& field) const {
  const std::optional<int64_t> number = ids_.NumberOf('a', action_id);
  if (!number.has_value()) return ids_.NotFound(field, action_id, "action");
  const auto own = sessions_.find(session_id);
  if (own != sessions_.end()) {
    const auto found = own->second.actions.find(*number);
    if (found != own->second.actions.end()) return found->second;
  }
  const bool foreign = std::any_of(sessions_.begin(), sessions_.end(), [&](const auto& entry) {
    return entry.second.actions.contains(*number);
  });
  if (!foreign) return ids_.NotFound(field, action_id, "action");
  return MakeError(absl::StatusCode::kPermissionDenied, {.reason = ErrorReason::kForeignSession,
                                                         .field = field,
                                                         .value = action_id,
                                                         .limit = "an action of the session"});
}

absl::StatusOr<std::vector<std::shared_ptr<Action>>> ActionRegistry::FindBatch(
    const std::string& session_id, const std::string& batch_id) const {
  const auto batch = batches_.find(batch_id);
  const auto session = sessions_.find(session_id);
  if (batch == batches_.end() || session == sessions_.end() ||
      !session->second.actions.contains(batch->second.first)) {
    return ids_.NotFound("batch_id", batch_id, "batch");
  }
  std::vector<std::shared_ptr<Action>> actions;
  actions.reserve(batch->second.count);
  for (auto member = session->second.actions.find(batch->second.first);
       static_cast<int64_t>(actions.size()) < batch->second.count; ++member) {
    actions.push_back(member->second);
  }
  return actions;
}

std::vector<std::shared_ptr<Action>> ActionRegistry::List(const std::string& session_id,
                                                          bool unfinished_only) const {
  std::vector<std::shared_ptr<Action>> actions;
  const auto found = sessions_.find(session_id);
  if (found == sessions_.end()) return actions;
  for (const auto& [number, action] : found->second.actions) {
    if (!unfinished_only || !action->done()) actions.push_back(action);
  }
  return actions;
}

int64_t ActionRegistry::unfinished_count(const std::string& session_id) const {
  const auto found = sessions_.find(session_id);
  return found == sessions_.end() ? 0 : found->second.unfinished;
}

std::vector<std::string> ActionRegistry::BusySessions() const {
  std::vector<std::string> ids;
  for (const auto& [id, session] : sessions_) {
    if (session.unfinished > 0) ids.push_back(id);
  }
  return ids;
}

}  // namespace rtmixd
