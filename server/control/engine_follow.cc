// Actions that follow others: they start where those end.

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/base/error_info.h"
#include "server/control/engine_impl.h"

namespace rtmixd {

absl::Status EngineImpl::Follow(const std::shared_ptr<Action>& action,
                                const std::shared_ptr<Action>& after, const std::string& key,
                                const std::string& field) {
  if (!after->is_play()) {
    return BadField(field + (key.empty() ? ".action_id" : ".key"), key.empty() ? after->id() : key,
                    "an action that plays");
  }
  action->MutableLinks().after_number = after->number;
  if (after->over) {
    action->set_requested_start_frame(after->outcome->end_frame);
    return absl::OkStatus();
  }
  const size_t successors = CountSuccessors(after.get()) + 1;
  if (successors > kMaxSuccessors) {
    return LimitExceeded("max_successors_per_action", absl::StrCat(successors),
                         absl::StrCat(kMaxSuccessors));
  }
  action->links->after = after;
  return absl::OkStatus();
}

size_t EngineImpl::CountSuccessors(Action* action) {
  const auto gone = [](const std::weak_ptr<Action>& weak) {
    const std::shared_ptr<Action> successor = weak.lock();
    return successor == nullptr || successor->over;
  };
  if (action->links == nullptr) return 0;
  ActionLinks& links = *action->links;
  std::erase_if(links.successors, gone);
  std::erase_if(links.waiting_successors, gone);
  return links.successors.size() + links.waiting_successors.size();
}

absl::Status EngineImpl::FollowIfAsked(const std::shared_ptr<Action>& action,
                                       const StartSpec& start, const std::string& field) {
  if (start.kind != StartSpec::Kind::kAfter) return absl::OkStatus();
  absl::StatusOr<std::shared_ptr<Action>> after =
      actions_.Find(action->common->session_id, start.after.action_id, field + ".action_id");
  return after.ok() ? Follow(action, *after, "", field) : after.status();
}

void EngineImpl::LinkSuccessor(const std::shared_ptr<Action>& action) {
  if (action->after() == nullptr) return;
  ActionLinks& links = action->after()->MutableLinks();
  std::erase_if(links.waiting_successors, [&](const auto& weak) { return weak.lock() == action; });
  (Waits(*action) ? links.waiting_successors : links.successors).push_back(action);
}

void EngineImpl::StartSuccessors(Action* action) {
  if (action->links == nullptr) return;
  const int64_t end_frame = action->outcome->end_frame;
  // What ends everything of a session ends these as well.
  const bool all_end = action->doom == ActionEnd::kSessionEnded ||
                       action->doom == ActionEnd::kStreamClosed ||
                       action->doom == ActionEnd::kShutdown;
  for (const std::weak_ptr<Action>& weak : std::exchange(action->links->successors, {})) {
    const std::shared_ptr<Action> successor = weak.lock();
    if (successor == nullptr || successor->over) continue;
    successor->links->after = nullptr;
    if (all_end) continue;
    if (successor->is_play() && successor->lent) continue;  // the mixer sees to it
    successor->set_requested_start_frame(end_frame);
    if (!successor->is_play()) {
      Place(successor, /*can_be_late=*/true);
    } else if (successor->common->submission != nullptr &&
               !Lend(successor->common->submission).ok()) {
      Conclude(successor, ActionEnd::kLimitExceeded, NextFrame());
    }
  }
}

}  // namespace rtmixd
