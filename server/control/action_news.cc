#include "server/control/action_news.h"

#include <utility>

namespace rtmixd {

void ActionNews::Add(std::shared_ptr<Action> action) {
  const auto [change, is_new] = change_of_.try_emplace(action->number, 0);
  if (!is_new) by_change_.erase(change->second);
  change->second = ++last_change_;
  by_change_.emplace_hint(by_change_.end(), last_change_, std::move(action));
}

void ActionNews::Drop(const Action& action) {
  const auto found = change_of_.find(action.number);
  if (found == change_of_.end()) return;
  by_change_.erase(found->second);
  change_of_.erase(found);
}

std::shared_ptr<Action> ActionNews::Take() {
  const auto first = by_change_.begin();
  std::shared_ptr<Action> action = std::move(first->second);
  by_change_.erase(first);
  change_of_.erase(action->number);
  return action;
}

}  // namespace rtmixd
