// Sessions, waits, and the buffers that sessions own.

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/base/error_info.h"
#include "server/control/engine_impl.h"

namespace rtmixd {

absl::Status EngineImpl::CheckSession(const std::string& session_id) {
  return sessions_.CheckExists(session_id);
}

absl::Status EngineImpl::CheckMayWork(const std::string& session_id) {
  if (shutting_down_) {
    return MakeError(absl::StatusCode::kUnavailable, {.reason = ErrorReason::kShuttingDown},
                     "the server stops and takes no new work");
  }
  if (absl::Status status = sessions_.CheckMayWork(session_id); !status.ok()) return status;
  if (restoring_) {
    return MakeError(absl::StatusCode::kFailedPrecondition,
                     {.reason = ErrorReason::kBusy, .holder_label = restoring_label_},
                     absl::StrCat("the stream is put back after ", restoring_label_));
  }
  return absl::OkStatus();
}

void EngineImpl::AddUsage(SessionInfo* info) {
  const BufferStore::Usage usage = buffers_.GetUsage(info->session_id);
  info->buffers = usage.buffers;
  info->buffer_bytes = usage.bytes;
  info->active_actions = static_cast<int>(actions_.unfinished_count(info->session_id));
  const auto gain = session_gains_.find(info->session_id);
  info->gain = gain != session_gains_.end() ? gain->second.target() : 1.0f;
}

absl::StatusOr<SessionInfo> EngineImpl::FullInfo(const std::string& session_id) {
  absl::StatusOr<SessionInfo> info = sessions_.Get(session_id, Now());
  if (info.ok()) AddUsage(&*info);
  return info;
}

absl::StatusOr<Engine::NewSession> EngineImpl::CreateSession(const SessionSpec& spec) {
  Lock lock(this);
  if (shutting_down_) {
    return MakeError(absl::StatusCode::kUnavailable, {.reason = ErrorReason::kShuttingDown},
                     "the server stops and takes no new work");
  }
  absl::StatusOr<SessionRegistry::Created> created = sessions_.Create(spec, Now());
  if (!created.ok()) return created.status();
  const std::string& id = created->info.session_id;
  if (!created->repeated) {
    buffers_.AddSession(id);
    LogEntry entry = Event(EventKind::kSessionCreated);
    entry.session_id = id;
    entry.session_label = created->info.label;
    events_.Append(std::move(entry));
    GrantExclusive();
    if (absl::StatusOr<SessionInfo> info = FullInfo(id); info.ok()) created->info = *info;
  }
  return NewSession{created->info, created->token};
}

absl::StatusOr<std::string> EngineImpl::Authenticate(std::string_view token) {
  Lock lock(this);
  return sessions_.Authenticate(token, Now());
}

absl::StatusOr<SessionInfo> EngineImpl::GetSession(const std::string& session_id) {
  Lock lock(this);
  return FullInfo(session_id);
}

std::vector<SessionInfo> EngineImpl::ListSessions() {
  Lock lock(this);
  std::vector<SessionInfo> sessions = sessions_.List(Now());
  for (SessionInfo& session : sessions) AddUsage(&session);
  return sessions;
}

absl::Status EngineImpl::EndSession(const std::string& session_id) {
  {
    Lock lock(this);
    const absl::StatusOr<SessionInfo> ended = sessions_.End(session_id, Now());
    if (!ended.ok()) return ended.status();
    WindUp(*ended, EventKind::kSessionEnded);
  }
  WakePump();
  return absl::OkStatus();
}

absl::StatusOr<SessionInfo> EngineImpl::BreakSession(const std::string& session_id,
                                                     const std::string& reason) {
  absl::StatusOr<SessionInfo> ended;
  {
    Lock lock(this);
    ended = FullInfo(session_id);
    if (!ended.ok()) return ended;
    const absl::StatusOr<SessionInfo> removed = sessions_.Break(session_id, reason, Now());
    if (!removed.ok()) return removed;
    ended->state = removed->state;
    ended->queue_position = 0;
    WindUp(*removed, EventKind::kSessionBroken);
  }
  WakePump();
  return ended;
}

void EngineImpl::WindUp(const SessionInfo& session, EventKind how) {
  const std::string& id = session.session_id;
  LogEntry entry = Event(how);
  entry.session_id = id;
  entry.session_label = session.label;
  entry.text = sessions_.WhyBroken(id);
  events_.Append(std::move(entry));

  for (const std::shared_ptr<Action>& action : NotEnded(id)) {
    const bool broke_off = action->is_stream() && !action->attached && action->reattachable;
    Doom(action, broke_off ? ActionEnd::kDisconnected : ActionEnd::kSessionEnded);
  }
  std::vector<WaitId> waits;
  for (const auto& [wait_id, wait] : waits_) {
    if (wait.session_id == id) waits.push_back(wait_id);
  }
  for (const WaitId wait : waits) FinishWait(wait);
  WakeFollowers(id);
  ForgetPrepared(id);
  actions_.ForgetSession(id);
  buffers_.EndSession(id);
  baselines_.erase(id);
  session_gains_.erase(id);
  PutBackMasterGain();
  // Only an exclusive session that ends leaves the place empty with the stream changed.
  if (changed_by_exclusive_ && sessions_.exclusive_session_id().empty()) {
    changed_by_exclusive_ = false;
    restoring_ = true;
    restoring_label_ = session.label;
    auto op = std::make_shared<StreamOp>();
    op->kind = StreamOp::Kind::kRestore;
    op->callback = [this](const absl::StatusOr<StreamStatus>& status) {
      Lock lock(this);
      restoring_ = false;
      if (!status.ok()) {
        LogEntry note = Event(EventKind::kNote);
        note.text = absl::StrCat("the stream could not be put back: ", status.status().message());
        events_.Append(std::move(note));
      }
      GrantExclusive();
    };
    AddOp(std::move(op));
  }
  GrantExclusive();
}

void EngineImpl::GrantExclusive() {
  if (restoring_ || shutting_down_) return;
  const std::vector<std::string> busy = actions_.BusySessions();
  const auto is_busy = [&](const std::string& session_id) {
    return std::find(busy.begin(), busy.end(), session_id) != busy.end();
  };
  // What a session that has ended leaves behind is over within a block: it is waited for, too.
  for (const std::string& session_id : busy) {
    if (!sessions_.Exists(session_id)) return;
  }
  const std::string granted = sessions_.GrantNext(is_busy, Now());
  if (granted.empty()) return;
  LogEntry entry = Event(EventKind::kSessionGranted);
  entry.session_id = granted;
  entry.session_label = sessions_.Label(granted);
  events_.Append(std::move(entry));
  std::vector<WaitId> waits;
  for (const auto& [id, wait] : waits_) {
    if (wait.on_exclusive && wait.session_id == granted) waits.push_back(id);
  }
  for (const WaitId id : waits) FinishWait(id);
}

// --- Waits ---

Engine::ExclusiveAnswer EngineImpl::AnswerExclusive(const std::string& session_id) {
  ExclusiveAnswer answer;
  if (absl::StatusOr<SessionInfo> info = FullInfo(session_id); info.ok()) answer.info = *info;
  if (answer.info.state != SessionState::kQueued) return answer;
  const std::string& exclusive = sessions_.exclusive_session_id();
  if (!exclusive.empty()) answer.holder_labels.push_back(sessions_.Label(exclusive));
  for (const std::string& busy : actions_.BusySessions()) {
    if (busy != exclusive && busy != session_id && sessions_.Exists(busy)) {
      answer.holder_labels.push_back(sessions_.Label(busy));
    }
  }
  if (answer.holder_labels.empty() && restoring_) answer.holder_labels.push_back(restoring_label_);
  return answer;
}

Engine::WaitId EngineImpl::AwaitExclusive(
    const std::string& session_id, absl::Duration timeout,
    std::function<void(absl::StatusOr<ExclusiveAnswer>)> callback) {
  Lock lock(this);
  const absl::StatusOr<SessionInfo> info = FullInfo(session_id);
  absl::Status error = info.status();
  if (error.ok() && info->state == SessionState::kShared) {
    error = MakeError(absl::StatusCode::kFailedPrecondition,
                      {.reason = ErrorReason::kWrongState,
                       .field = "session",
                       .value = session_id,
                       .limit = "a session that was made with exclusive set"});
  }
  const bool at_once =
      !error.ok() || info->state == SessionState::kExclusive || timeout <= absl::ZeroDuration();
  if (!at_once && static_cast<int>(waits_.size()) >= limits_.max_waits) {
    error = LimitExceeded("max_waits", absl::StrCat(waits_.size() + 1),
                          absl::StrCat(limits_.max_waits));
  }
  if (!error.ok()) {
    Defer([callback = std::move(callback), error] { callback(error); });
    return 0;
  }
  const WaitId id = ++last_wait_;
  Wait& wait = waits_[id];
  wait.session_id = session_id;
  wait.deadline_nanos = NowNanos() + absl::ToInt64Nanoseconds(std::min(timeout, absl::Hours(24)));
  wait.on_exclusive = std::move(callback);
  if (at_once) FinishWait(id);
  return id;
}

Engine::WaitId EngineImpl::WaitActions(const std::string& session_id,
                                       const std::vector<std::string>& action_ids, bool any,
                                       bool until_done, absl::Duration timeout,
                                       std::function<void(absl::StatusOr<WaitAnswer>)> callback) {
  Lock lock(this);
  absl::Status error = CheckSession(session_id);
  Wait wait;
  if (error.ok() && action_ids.empty()) {
    wait.actions =
        until_done ? actions_.List(session_id, /*unfinished_only=*/true) : NotEnded(session_id);
  }
  for (size_t i = 0; error.ok() && i < action_ids.size(); ++i) {
    absl::StatusOr<std::shared_ptr<Action>> action =
        actions_.Find(session_id, action_ids[i], absl::StrCat("action_ids[", i, "]"));
    error = action.status();
    if (action.ok()) wait.actions.push_back(*std::move(action));
  }
  wait.session_id = session_id;
  wait.any = any;
  wait.until_done = until_done;
  wait.on_actions = callback;
  const absl::StatusOr<WaitId> id = error.ok() ? BeginWait(std::move(wait), timeout) : error;
  if (id.ok()) return *id;
  Defer([callback = std::move(callback), error = id.status()] { callback(error); });
  return 0;
}

Engine::WaitId EngineImpl::WaitBatch(const std::string& session_id, const std::string& batch_id,
                                     bool until_done, absl::Duration timeout,
                                     std::function<void(absl::StatusOr<BatchReport>)> callback) {
  Lock lock(this);
  absl::Status error = CheckSession(session_id);
  Wait wait;
  if (error.ok()) {
    absl::StatusOr<std::vector<std::shared_ptr<Action>>> actions =
        actions_.FindBatch(session_id, batch_id);
    error = actions.status();
    if (actions.ok()) wait.actions = *std::move(actions);
  }
  wait.session_id = session_id;
  wait.until_done = until_done;
  wait.batch_id = batch_id;
  wait.on_batch = callback;
  const absl::StatusOr<WaitId> id = error.ok() ? BeginWait(std::move(wait), timeout) : error;
  if (id.ok()) return *id;
  Defer([callback = std::move(callback), error = id.status()] { callback(error); });
  return 0;
}

absl::StatusOr<Engine::WaitId> EngineImpl::BeginWait(Wait wait, absl::Duration timeout) {
  for (const std::shared_ptr<Action>& action : wait.actions) {
    wait.remaining += wait.Over(*action) ? 0 : 1;
  }
  const bool at_once = wait.remaining == 0 || timeout <= absl::ZeroDuration() ||
                       (wait.any && wait.remaining < static_cast<int64_t>(wait.actions.size()));
  if (!at_once && static_cast<int>(waits_.size()) >= limits_.max_waits) {
    return LimitExceeded("max_waits", absl::StrCat(waits_.size() + 1),
                         absl::StrCat(limits_.max_waits));
  }
  const WaitId id = ++last_wait_;
  wait.deadline_nanos = NowNanos() + absl::ToInt64Nanoseconds(std::min(timeout, absl::Hours(24)));
  for (const std::shared_ptr<Action>& action : wait.actions) {
    if (!wait.Over(*action)) action->MutableLinks().waits.push_back(id);
  }
  waits_.emplace(id, std::move(wait));
  if (at_once) FinishWait(id);
  return id;
}

void EngineImpl::CancelWait(WaitId wait) {
  Lock lock(this);
  FinishWait(wait);
}

void EngineImpl::FinishWait(WaitId id) {
  const auto found = waits_.find(id);
  if (found == waits_.end()) return;
  Wait wait = std::move(found->second);
  waits_.erase(found);
  if (wait.on_exclusive) {
    if (absl::Status status = CheckSession(wait.session_id); !status.ok()) {
      Defer([callback = std::move(wait.on_exclusive), status] { callback(status); });
      return;
    }
    Defer([callback = std::move(wait.on_exclusive), answer = AnswerExclusive(wait.session_id)] {
      callback(answer);
    });
    return;
  }
  for (const std::shared_ptr<Action>& action : wait.actions) {
    if (!wait.Over(*action)) std::erase(action->links->waits, id);
  }
  if (wait.on_batch) {
    Defer([callback = std::move(wait.on_batch), report = ReportOf(wait.batch_id, wait.actions)] {
      callback(report);
    });
    return;
  }
  WaitAnswer answer;
  for (const std::shared_ptr<Action>& action : wait.actions) {
    if (wait.Over(*action)) {
      answer.ended.push_back(ReportOf(*action));
    } else {
      answer.still_running.push_back(action->id());
    }
  }
  Defer([callback = std::move(wait.on_actions), answer = std::move(answer)] { callback(answer); });
}

}  // namespace rtmixd
