// Actions that follow others: they start where those end.

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/base/error_info.h"
#include "server/control/engine_impl.h"

namespace rtmixd {

absl::Status EngineImpl::Follow(const std::shared_ptr<Action>& action,
                                const std::shared_ptr<Action>& after, const std::string& field) {
  if (!after->is_play()) {
    const std::string& key = action->start.after.key;
    return BadField(field + (key.empty() ? ".action_id" : ".key"),
                    key.empty() ? after->report.action_id : key, "an action that plays");
  }
  action->report.after_action_id = after->report.action_id;
  if (after->ending.has_value()) {
    action->report.requested_start_frame = after->ending->end_frame;
    return absl::OkStatus();
  }
  const size_t successors = CountSuccessors(after.get()) + 1;
  if (successors > kMaxSuccessors) {
    return LimitExceeded("max_successors_per_action", absl::StrCat(successors),
                         absl::StrCat(kMaxSuccessors));
  }
  action->after = after;
  return absl::OkStatus();
}

size_t EngineImpl::CountSuccessors(Action* action) {
  const auto gone = [](const std::weak_ptr<Action>& weak) {
    const std::shared_ptr<Action> successor = weak.lock();
    return successor == nullptr || successor->over;
  };
  std::erase_if(action->successors, gone);
  std::erase_if(action->waiting_successors, gone);
  return action->successors.size() + action->waiting_successors.size();
}

absl::Status EngineImpl::FollowIfAsked(const std::shared_ptr<Action>& action,
                                       const std::string& field) {
  if (action->start.kind != StartSpec::Kind::kAfter) return absl::OkStatus();
  absl::StatusOr<std::shared_ptr<Action>> after =
      actions_.Find(action->session_id, action->start.after.action_id, field + ".action_id");
  return after.ok() ? Follow(action, *after, field) : after.status();
}

void EngineImpl::LinkSuccessor(const std::shared_ptr<Action>& action) {
  if (action->after == nullptr) return;
  auto& waiting = action->after->waiting_successors;
  std::erase_if(waiting, [&](const auto& weak) { return weak.lock() == action; });
  (Waits(*action) ? waiting : action->after->successors).push_back(action);
}

void EngineImpl::StartSuccessors(Action* action) {
  const int64_t end_frame = action->ending->end_frame;
  // What ends everything of a session ends these as well.
  const bool all_end = action->doom == ActionEnd::kSessionEnded ||
                       action->doom == ActionEnd::kStreamClosed ||
                       action->doom == ActionEnd::kShutdown;
  for (const std::weak_ptr<Action>& weak : std::exchange(action->successors, {})) {
    const std::shared_ptr<Action> successor = weak.lock();
    if (successor == nullptr || successor->over) continue;
    successor->after = nullptr;
    if (all_end) continue;
    if (successor->is_play() && successor->lent) continue;  // the mixer sees to it
    successor->report.requested_start_frame = end_frame;
    if (!successor->is_play()) {
      Place(successor, /*can_be_late=*/true);
    } else if (successor->submission != nullptr && !Lend(successor->submission).ok()) {
      Conclude(successor, ActionEnd::kLimitExceeded, NextFrame());
    }
  }
}

}  // namespace rtmixd
