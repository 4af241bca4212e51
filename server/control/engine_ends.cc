// The end of actions: their audio is over, and their reports become final.

#include <algorithm>
#include <utility>

#include "server/control/engine_impl.h"

namespace rtmixd {

void EngineImpl::Conclude(const std::shared_ptr<Action>& action, ActionEnd reason,
                          int64_t end_frame) {
  if (action->over) return;
  ActionOutcome& outcome = action->MutableOutcome();
  outcome.end_reason = reason;
  outcome.end_frame = end_frame;
  action->over = true;
  if (action->recording() != nullptr && !action->recording()->ended()) {
    action->recording()->EndNow(reason);
  }
  std::erase(recordings_, action);
  std::erase(feeds_, action);
  DropWaitingChanges(action.get());

  std::vector<std::weak_ptr<Action>> cancels;
  if (action->links != nullptr) {
    action->links->after = nullptr;
    // It may have been for long after.
    for (const DueActions::iterator due : std::exchange(action->links->due, {})) due_.erase(due);
    cancels.swap(action->links->cancels);
  }
  for (const std::weak_ptr<Action>& weak : cancels) {
    const std::shared_ptr<Action> cancel = weak.lock();
    if (cancel == nullptr || cancel->over) continue;
    cancel->request()->target = nullptr;
    // The mixer tells when a change took effect, or that it never will.
    if (cancel->kind == ActionKind::kChange) continue;
    const std::optional<int64_t> frame = cancel->requested_start_frame();
    if (!cancel->handed_on || reason != ActionEnd::kCancelled || !frame.has_value()) continue;
    const bool sounded = action->start_frame().has_value();
    const int64_t start_frame = sounded ? std::max(*frame, end_frame) : *frame;
    ActionReport& report = cancel->MutableOutcome().report;
    report.start_frame = start_frame;
    report.late_frames = start_frame - *frame;
    Conclude(cancel, ActionEnd::kCompleted, start_frame);
  }

  StartSuccessors(action.get());
  const bool had_audio = action->has_audio() && action->start_frame().has_value() &&
                         end_frame > *action->start_frame();
  if (!had_audio || action->doom != ActionEnd::kNone || stream_state_ != StreamState::kRunning) {
    Finish(action);
  } else {
    AwaitJudgement(action);
  }
}

void EngineImpl::AwaitJudgement(const std::shared_ptr<Action>& action) {
  ActionOutcome& outcome = *action->outcome;
  StreamOf(*action).DescribeBlocks(outcome.mark, outcome.end_frame, &outcome.report);
  SetState(action.get(), ActionState::kDone);
  TellSpool(*action);
  judging_.emplace(std::pair(outcome.end_frame, action->number), action);
  NoteOver(action);
  TellEnd(action);
}

void EngineImpl::Finish(const std::shared_ptr<Action>& action) {
  if (action->ended()) return;
  ActionOutcome& outcome = *action->outcome;
  ActionReport& report = outcome.report;
  report.touched = Touched::kNo;
  if (report.start_frame.has_value() && action->has_audio()) {
    if (!action->done()) {
      StreamOf(*action).DescribeBlocks(outcome.mark, outcome.end_frame, &report);
    }
    StreamOf(*action).DescribeXruns(outcome.mark, outcome.end_frame, action->is_record_of_input(),
                                    &report);
  }
  if (action->voice == nullptr) GiveUpFeed(action.get());
  LetGoOfStream(action.get());
  const bool was_done = action->done();
  SetState(action.get(), ActionState::kEnded);
  TellSpool(*action);
  if (was_done) {
    judging_.erase({outcome.end_frame, action->number});
  } else {
    NoteOver(action);
  }
  TellEnd(action);
  if (action->request() != nullptr) action->request()->target = nullptr;
  action->setup = nullptr;
  // Of a play that the mixer never had, and of what waited for the origin that such a play would
  // have brought, nothing else will.
  if (action->common->submission != nullptr && !action->lent &&
      (action->is_play() || !action->common->submission->origin.has_value())) {
    DropSubmission(action->common->submission);
  }
  if (Waits(*action)) DropIfOver(action->common->submission);
}

void EngineImpl::LetGoOfStream(Action* action) {
  if (action->record() == nullptr) return;
  const bool closed = !IsOfOpenStream(*action);
  // Its call takes it at the end of admission; another call may come for what the client lacks.
  if (closed || !(action->reattachable || action->attached)) {
    action->record()->recording = nullptr;
  }
  if (closed) action->record()->stream = nullptr;
}

void EngineImpl::TellEnd(const std::shared_ptr<Action>& action) {
  const ActionOutcome& outcome = *action->outcome;
  if (action->ended() && outcome.end_reason == ActionEnd::kSkipped) {
    LogEntry skipped = Event(EventKind::kActionSkipped, *action);
    skipped.frame = action->requested_start_frame();
    skipped.frames = outcome.report.late_frames;
    events_.Append(std::move(skipped));
  }
  LogEntry entry =
      Event(action->ended() ? EventKind::kActionEnded : EventKind::kActionDone, *action);
  entry.frame = outcome.end_frame;
  entry.end_reason = outcome.end_reason;
  entry.frames = outcome.report.done_frames;
  events_.Append(std::move(entry));

  if (action->links != nullptr) TellWaits(action.get());
  NotifyCall(*action);
  TellFollowers(*action);
}

void EngineImpl::TellWaits(Action* action) {
  std::vector<int64_t> still_waiting;
  for (const int64_t id : std::exchange(action->links->waits, {})) {
    const auto wait = waits_.find(id);
    if (wait == waits_.end()) continue;
    if (!wait->second.Over(*action)) {
      still_waiting.push_back(id);
      continue;
    }
    --wait->second.remaining;
    if (wait->second.any || wait->second.remaining == 0) FinishWait(id);
  }
  action->links->waits = std::move(still_waiting);
}

}  // namespace rtmixd
