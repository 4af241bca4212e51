// What becomes of actions between admission and their ends.

#include <algorithm>
#include <utility>

#include "server/control/engine_impl.h"

namespace rtmixd {
namespace {

ActionEnd ToActionEnd(EndReason reason) {
  switch (reason) {
    case EndReason::kNone:
      return ActionEnd::kNone;
    case EndReason::kCompleted:
      return ActionEnd::kCompleted;
    case EndReason::kCancelled:
      return ActionEnd::kCancelled;
    case EndReason::kSkipped:
      return ActionEnd::kSkipped;
    case EndReason::kUnderrun:
      return ActionEnd::kUnderrun;
  }
  return ActionEnd::kNone;
}

}  // namespace

void EngineImpl::Register(const std::shared_ptr<Action>& action) {
  action->state = ActionState::kPending;
  ++pending_actions_;
  waker_->Arm();
  LogEntry entry = Event(EventKind::kActionScheduled, *action);
  entry.frame = action->requested_start_frame();
  events_.Append(std::move(entry));
  actions_.Add(action);
}

void EngineImpl::SetState(Action* action, ActionState state) {
  if (action->state == ActionState::kPending) --pending_actions_;
  if (action->state == ActionState::kActive) --active_actions_;
  if (state == ActionState::kActive) ++active_actions_;
  action->state = state;
}

void EngineImpl::Began(Action* action, int64_t start_frame) {
  ActionOutcome& outcome = action->MutableOutcome();
  outcome.report.start_frame = start_frame;
  outcome.mark = StreamOf(*action).run_stats().MarkAt(start_frame);
  SetState(action, ActionState::kActive);
  NoteStartWallTime(action);
  TellFollowers(*action);
  LogEntry entry = Event(EventKind::kActionStarted, *action);
  entry.frame = start_frame;
  events_.Append(std::move(entry));
  if (outcome.report.late_frames > 0) {
    LogEntry late = Event(EventKind::kActionLate, *action);
    late.frame = start_frame;
    late.frames = outcome.report.late_frames;
    events_.Append(std::move(late));
  }
}

void EngineImpl::OnVoiceStarted(const Voice& voice, int64_t frame) {
  auto* const action = static_cast<Action*>(voice.owner());
  if (action->ended() || action->start_frame().has_value()) return;
  // Of one that follows another, it is known only now.
  if (!action->requested_start_frame().has_value() && !action->floats()) {
    action->set_requested_start_frame(voice.requested_frame());
  }
  if (action->requested_start_frame().has_value()) {
    action->MutableOutcome().report.late_frames = frame - *action->requested_start_frame();
  }
  Began(action, frame);
  NotifyCall(*action);
}

void EngineImpl::CopyOutcome(const Voice& voice, Action* action) {
  ActionReport& report = action->MutableOutcome().report;
  DescribeProgress(voice, *action, NextFrame(), &report);
  report.late_frames = voice.late_frames();
  report.dropped_frames = voice.trimmed_frames();
  if (!action->requested_start_frame().has_value() && !action->floats() &&
      voice.requested_frame() != Voice::kNoFrame) {
    action->set_requested_start_frame(voice.requested_frame());
  }
  report.gap_count = voice.gap_count();
  report.gap_frames = voice.gap_total_frames();
  report.gaps.clear();
  for (int64_t i = 0; i < std::min<int64_t>(report.gap_count, Voice::kGapSlots); ++i) {
    const VoiceGap& gap = voice.gaps()[i];
    report.gaps.push_back(
        {.position = gap.position, .frame = gap.first_frame, .frames = gap.frames});
  }
  if (action->play_feed() != nullptr) {
    report.underruns = report.gap_count;
    // All that left the ring and did not sound.
    report.dropped_frames = action->play_feed()->read_position() - report.done_frames;
  }
}

void EngineImpl::DescribeProgress(const Voice& voice, const Action& action, int64_t next_frame,
                                  ActionReport* report) {
  const VoiceProgress::Value progress = voice.progress(next_frame);
  report->done_frames = progress.done_frames;
  report->paused = voice.paused();
  if (action.play_feed() == nullptr) report->position_frames = progress.position_frames;
}

void EngineImpl::OnVoiceEnded(const Voice& voice) {
  auto* const action = static_cast<Action*>(voice.owner());
  action->voice = nullptr;
  if (!action->over) {
    CopyOutcome(voice, action);
    if (voice.start_frame() >= 0 && !action->start_frame().has_value()) {
      Began(action, voice.start_frame());
    }
    ActionEnd reason = ToActionEnd(voice.end_reason());
    if (reason == ActionEnd::kCancelled && action->doom != ActionEnd::kNone) reason = action->doom;
    Conclude(actions_.Hold(*action), reason, voice.end_frame());
  }
  // Its submission holds it, for as long as the mixer has its batch.
  if (action->kind == ActionKind::kPlay) action->of_kind = std::shared_ptr<const AudioStorage>();
  GiveUpFeed(action);
}

void EngineImpl::NotifyCall(const Action& action) {
  if (action.links == nullptr || action.links->call == nullptr) return;
  Defer([call = action.links->call] { call->signal.Notify(); });
}

void EngineImpl::GiveUpFeed(Action* action) {
  if (action->play_feed() == nullptr || action->play_feed()->feed == nullptr) return;
  PlayFeedState& state = *action->play_feed();
  state.last_write_position = state.feed->write_position();
  state.last_read_position = state.feed->read_position();
  // Freed without the lock.
  Defer([feed = std::move(state.feed)] {});
  state.feed = nullptr;
}

void EngineImpl::CopyStatus(const Recording::Status& status, ActionReport* report) const {
  report->start_frame = status.start_frame;
  report->done_frames = status.recorded_frames;
  report->late_frames = status.late_frames;
  CopyGaps(status, report);
}

void EngineImpl::CopyGaps(const Recording::Status& status, ActionReport* report) const {
  report->gaps = status.gaps;
  report->gap_count = status.gap_count;
  report->gap_frames = status.gap_frames;
}

void EngineImpl::NoteGaps(const Recording::Status& status, Action* action) {
  if (status.gap_frames <= action->record()->noted_gap_frames) return;
  LogEntry entry = Event(EventKind::kOverrun, *action);
  entry.frame = status.gaps.back().frame;
  entry.frames = status.gap_frames - action->record()->noted_gap_frames;
  events_.Append(std::move(entry));
  action->record()->noted_gap_frames = status.gap_frames;
}

void EngineImpl::LookAtRecording(const std::shared_ptr<Action>& action) {
  if (action->over) return;
  Recording& recording = *action->recording();
  Recording::Status status = recording.status();
  // A recording that is stopped without a call ends at once; a call to come may read what is left.
  if (status.stopping && status.end == ActionEnd::kNone && action->is_stream() &&
      !action->attached) {
    recording.EndUnread(action->doom != ActionEnd::kNone ? action->doom : ActionEnd::kCancelled);
    status = recording.status();
  }
  if (status.start_frame.has_value() && !action->start_frame().has_value()) {
    action->MutableOutcome().report.late_frames = status.late_frames;
    Began(action.get(), *status.start_frame);
    NotifyCall(*action);
  }
  NoteGaps(status, action.get());
  if (status.end != ActionEnd::kNone) {
    // The history may be ahead of the blocks that were read, and what those tell is final here.
    if (status.start_frame.has_value() && stream_state_ == StreamState::kRunning &&
        *status.end_frame > stream_->counted_until_frame()) {
      TakeBlocks();
      if (*status.end_frame > stream_->counted_until_frame()) return;
    }
    CopyStatus(status, &action->MutableOutcome().report);
    const ActionEnd reason = status.end == ActionEnd::kCancelled && action->doom != ActionEnd::kNone
                                 ? action->doom
                                 : status.end;
    Conclude(action, reason, *status.end_frame);
    return;
  }
  if (action->links == nullptr || action->links->call == nullptr) return;
  const StreamCall& call = *action->links->call;
  // Tell the call when there is a chunk, when something has waited long, or at the end.
  constexpr int64_t kLongestWaitNanos = 400'000'000;
  const int64_t now_nanos = NowNanos();
  const int64_t there = status.recorded_frames;
  if (there <= status.copied_frames || action->record()->seen_frames <= status.copied_frames) {
    action->record()->seen_since_nanos = now_nanos;
  }
  action->record()->seen_frames = there;
  const bool waited = there > status.copied_frames && call.wake_position != Recording::kNever &&
                      now_nanos - action->record()->seen_since_nanos >= kLongestWaitNanos;
  if (there >= call.wake_position || waited || status.stopping || status.end_position.has_value()) {
    NotifyCall(*action);
  }
}

void EngineImpl::LookAtFeed(const std::shared_ptr<Action>& action) {
  if (action->over) return;
  PlayFeedState& state = *action->play_feed();
  bool tell = false;
  if (action->voice != nullptr) {
    const int64_t underruns = action->voice->gap_count();
    if (underruns > state.noted_underruns) {
      state.noted_underruns = underruns;
      LogEntry entry = Event(EventKind::kUnderrun, *action);
      entry.frame = NextFrame();
      entry.frames = action->voice->gap_total_frames();
      events_.Append(std::move(entry));
      tell = true;
    }
  }
  const int64_t played = state.read_position();
  if (played - state.told_position >= std::max<int64_t>(state.ring_frames / 16, 1)) tell = true;
  if (tell) {
    state.told_position = played;
    NotifyCall(*action);
  }
}

void EngineImpl::OnDue(const std::shared_ptr<Action>& action) {
  if (action->over) return;
  const int64_t frame = action->requested_start_frame().value_or(0);
  switch (action->kind) {
    case ActionKind::kRecord:
    case ActionKind::kRecordStream:
      action->recording()->Begin(frame);
      BeginSpooling(action.get());
      recordings_.push_back(action);
      LookAtRecording(action);
      break;
    case ActionKind::kCancel:
      // Held here: the target lets go of its cancels when it ends.
      if (const std::shared_ptr<Action> target = action->request()->target) {
        // What the audio thread cuts says itself when it is over.
        if (action->handed_on && target->voice != nullptr) return;
        if (!action->handed_on) Cancel(target, frame);
      }
      action->MutableOutcome().report.start_frame = frame;
      Conclude(action, ActionEnd::kCompleted, frame);
      break;
    case ActionKind::kStats:
      TakeStats(action);
      break;
    case ActionKind::kPlay:
    case ActionKind::kPlayStream:
      // Was to be cut here, and has not even begun.
      if (!action->lent) Conclude(action, ActionEnd::kCancelled, NextFrame());
      break;
    default:
      break;
  }
}

void EngineImpl::TakeStats(const std::shared_ptr<Action>& action) {
  const int64_t frame = *action->requested_start_frame();
  ActionReport& report = action->MutableOutcome().report;
  const int64_t end_frame = report.late_frames > 0
                                ? NextFrame()
                                : stream_->run_stats().EndOfBlockAt(frame).value_or(NextFrame());
  report.stats = CountersOf(action->common->session_id, end_frame, action->reset_baseline);
  report.start_frame = report.late_frames > 0 ? end_frame : frame;
  Conclude(action, ActionEnd::kCompleted, *report.start_frame);
}

}  // namespace rtmixd
