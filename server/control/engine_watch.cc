// Who follows a session's actions, and is told of what becomes of them.

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/base/error_info.h"
#include "server/control/action_watch_impl.h"
#include "server/control/engine_impl.h"

namespace rtmixd {

ActionWatchImpl::ActionWatchImpl(EngineImpl* engine, std::shared_ptr<EngineImpl::Follower> follower,
                                 std::unique_ptr<ChangeSignal::Subscription> subscription)
    : engine_(engine), follower_(std::move(follower)), subscription_(std::move(subscription)) {}

ActionWatchImpl::~ActionWatchImpl() {
  subscription_ = nullptr;
  engine_->Unfollow(follower_);
}

absl::StatusOr<std::vector<ActionReport>> ActionWatchImpl::Read(int max_reports) {
  return engine_->ReadNews(follower_, max_reports);
}

absl::StatusOr<std::unique_ptr<ActionWatch>> EngineImpl::WatchActions(const std::string& session_id,
                                                                      bool include_present,
                                                                      ChangeCallback on_change) {
  Lock lock(this);
  if (absl::Status status = CheckSession(session_id); !status.ok()) return status;
  if (absl::Status status = CheckRoomForWatch(); !status.ok()) return status;
  auto follower = std::make_shared<Follower>();
  follower->session_id = session_id;
  if (include_present) {
    for (std::shared_ptr<Action>& action : NotEnded(session_id)) {
      follower->news.Add(std::move(action));
    }
  }
  followers_.emplace(session_id, follower);
  auto subscription = follower->changed.Subscribe(std::move(on_change));
  return std::make_unique<ActionWatchImpl>(this, std::move(follower), std::move(subscription));
}

absl::StatusOr<std::vector<ActionReport>> EngineImpl::ReadNews(
    const std::shared_ptr<Follower>& follower, int max_reports) {
  Lock lock(this);
  std::vector<ActionReport> reports;
  while (!follower->news.empty() && static_cast<int>(reports.size()) < max_reports) {
    reports.push_back(ReportOf(*follower->news.Take()));
  }
  if (reports.empty()) {
    if (absl::Status status = CheckSession(follower->session_id); !status.ok()) return status;
  }
  return reports;
}

void EngineImpl::Unfollow(const std::shared_ptr<Follower>& follower) {
  Lock lock(this);
  const auto [begin, end] = followers_.equal_range(follower->session_id);
  followers_.erase(std::find_if(begin, end, [&](const auto& f) { return f.second == follower; }));
}

absl::Status EngineImpl::CheckRoomForWatch() {
  const size_t watches = watches_.size() + followers_.size() + 1;
  if (static_cast<int>(watches) <= limits_.max_watch_streams) return absl::OkStatus();
  return LimitExceeded("max_watch_streams", absl::StrCat(watches),
                       absl::StrCat(limits_.max_watch_streams));
}

void EngineImpl::TellFollowers(const Action& action) {
  const auto [begin, end] = followers_.equal_range(action.common->session_id);
  if (begin == end) return;
  const std::shared_ptr<Action> held = actions_.Hold(action);
  if (held == nullptr) return;
  for (auto follower = begin; follower != end; ++follower) {
    // Whoever has not taken what was there will look again by itself.
    const bool wake = follower->second->news.empty();
    follower->second->news.Add(held);
    if (wake) Defer([follower = follower->second] { follower->changed.Notify(); });
  }
}

void EngineImpl::WakeFollowers(const std::string& session_id) {
  const auto [begin, end] = followers_.equal_range(session_id);
  for (auto follower = begin; follower != end; ++follower) {
    Defer([follower = follower->second] { follower->changed.Notify(); });
  }
}

void EngineImpl::NoteOver(const std::shared_ptr<Action>& action) {
  const std::shared_ptr<Action> forgotten = actions_.NoteEnded(*action);
  if (forgotten == nullptr) return;
  const auto [begin, end] = followers_.equal_range(forgotten->common->session_id);
  for (auto follower = begin; follower != end; ++follower) follower->second->news.Drop(*forgotten);
}

std::vector<std::shared_ptr<Action>> EngineImpl::NotEnded(const std::string& session_id) {
  std::vector<std::shared_ptr<Action>> actions =
      actions_.List(session_id, /*unfinished_only=*/true);
  for (const auto& [key, action] : judging_) {
    if (action->common->session_id == session_id) actions.push_back(action);
  }
  std::sort(actions.begin(), actions.end(),
            [](const auto& a, const auto& b) { return a->number < b->number; });
  return actions;
}

}  // namespace rtmixd
