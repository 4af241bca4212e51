// The end of actions: their audio is over, and their reports become final.

#include <algorithm>
#include <utility>

#include "server/control/engine_impl.h"

namespace rtmixd {

void EngineImpl::Conclude(const std::shared_ptr<Action>& action, ActionEnd reason,
                          int64_t end_frame) {
  if (action->ended() || action->ending.has_value()) return;
  action->ending = Action::Ending{reason, end_frame};
  action->over = true;
  if (action->recording != nullptr && !action->recording->ended()) {
    action->recording->EndNow(reason);
  }
  // It may have been for long after.
  for (const DueActions::iterator due : std::exchange(action->due, {})) due_.erase(due);
  std::erase(recordings_, action);
  std::erase(feeds_, action);
  action->after = nullptr;
  DropWaitingChanges(action.get());

  for (const std::weak_ptr<Action>& weak : std::exchange(action->cancels, {})) {
    const std::shared_ptr<Action> cancel = weak.lock();
    if (cancel == nullptr || cancel->ended() || cancel->ending.has_value()) continue;
    cancel->target = nullptr;
    // The mixer tells when a change took effect, or that it never will.
    if (cancel->report.kind == ActionKind::kChange) continue;
    const std::optional<int64_t>& frame = cancel->report.requested_start_frame;
    if (!cancel->handed_on || reason != ActionEnd::kCancelled || !frame.has_value()) continue;
    const bool sounded = action->report.start_frame.has_value();
    cancel->report.start_frame = sounded ? std::max(*frame, end_frame) : *frame;
    cancel->report.late_frames = *cancel->report.start_frame - *frame;
    Conclude(cancel, ActionEnd::kCompleted, *cancel->report.start_frame);
  }

  StartSuccessors(action.get());
  const bool had_audio = action->has_audio() && action->report.start_frame.has_value() &&
                         end_frame > *action->report.start_frame;
  if (!had_audio || action->doom != ActionEnd::kNone || stream_state_ != StreamState::kRunning) {
    Finish(action);
  } else {
    AwaitJudgement(action);
  }
}

void EngineImpl::AwaitJudgement(const std::shared_ptr<Action>& action) {
  const Action::Ending& ending = *action->ending;
  action->report.end_reason = ending.reason;
  action->report.end_frame = ending.end_frame;
  action->stream->DescribeBlocks(action->mark, ending.end_frame, &action->report);
  SetState(action.get(), ActionState::kDone);
  TellSpool(*action);
  judging_.emplace(std::pair(ending.end_frame, action->number), action);
  NoteOver(action);
  TellEnd(action);
}

void EngineImpl::Finish(const std::shared_ptr<Action>& action) {
  if (action->ended()) return;
  const Action::Ending& ending = *action->ending;
  ActionReport& report = action->report;
  report.touched = Touched::kNo;
  if (report.start_frame.has_value() && action->has_audio()) {
    if (!action->done()) {
      action->stream->DescribeBlocks(action->mark, ending.end_frame, &report);
    }
    action->stream->DescribeXruns(action->mark, ending.end_frame, action->is_record_of_input(),
                                  &report);
  }
  if (action->voice == nullptr) GiveUpFeed(action.get());
  LetGoOfStream(action.get());
  report.end_reason = ending.reason;
  report.end_frame = ending.end_frame;
  const bool was_done = action->done();
  SetState(action.get(), ActionState::kEnded);
  TellSpool(*action);
  if (was_done) {
    judging_.erase({ending.end_frame, action->number});
  } else {
    NoteOver(action);
  }
  TellEnd(action);
  action->target = nullptr;
  // Of a play that the mixer never had, and of what waited for the origin that such a play would
  // have brought, nothing else will.
  if (action->submission != nullptr && !action->lent &&
      (action->is_play() || !action->submission->origin.has_value())) {
    DropSubmission(action->submission);
  }
  if (Waits(*action)) DropIfOver(action->submission);
}

void EngineImpl::LetGoOfStream(Action* action) {
  const bool closed = action->stream != stream_;
  // Its call takes it at the end of admission; another call may come for what the client lacks.
  if (closed || !(action->reattachable || action->attached)) action->recording = nullptr;
  if (closed) action->stream = nullptr;
}

void EngineImpl::TellEnd(const std::shared_ptr<Action>& action) {
  const ActionReport& report = action->report;
  if (action->ended() && report.end_reason == ActionEnd::kSkipped) {
    LogEntry skipped = Event(EventKind::kActionSkipped, *action);
    skipped.frame = report.requested_start_frame;
    skipped.frames = report.late_frames;
    events_.Append(std::move(skipped));
  }
  LogEntry entry =
      Event(action->ended() ? EventKind::kActionEnded : EventKind::kActionDone, *action);
  entry.frame = report.end_frame;
  entry.end_reason = report.end_reason;
  entry.frames = report.done_frames;
  events_.Append(std::move(entry));

  std::vector<int64_t> still_waiting;
  for (const int64_t id : std::exchange(action->waits, {})) {
    const auto wait = waits_.find(id);
    if (wait == waits_.end()) continue;
    if (!wait->second.Over(*action)) {
      still_waiting.push_back(id);
      continue;
    }
    --wait->second.remaining;
    if (wait->second.any || wait->second.remaining == 0) FinishWait(id);
  }
  action->waits = std::move(still_waiting);
  if (action->signal != nullptr) Defer([signal = action->signal] { signal->Notify(); });
  TellFollowers(action);
}

}  // namespace rtmixd
