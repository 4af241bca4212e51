// What becomes of actions between admission and their reports.

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/base/error_info.h"
#include "server/control/engine_impl.h"
#include "server/mixer/stream_time.h"

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

// --- What clients ask ---

absl::StatusOr<ActionReport> EngineImpl::GetAction(const std::string& session_id,
                                                   const std::string& action_id) {
  Lock lock(this);
  if (absl::Status status = CheckSession(session_id); !status.ok()) return status;
  absl::StatusOr<std::shared_ptr<Action>> action =
      actions_.Find(session_id, action_id, "action_id");
  if (!action.ok()) return action.status();
  return ReportOf(**action);
}

absl::StatusOr<std::vector<ActionReport>> EngineImpl::ListActions(const std::string& session_id,
                                                                  bool active_only) {
  Lock lock(this);
  if (absl::Status status = CheckSession(session_id); !status.ok()) return status;
  std::vector<ActionReport> reports;
  for (const std::shared_ptr<Action>& action : actions_.List(session_id, active_only)) {
    reports.push_back(ReportOf(*action));
  }
  return reports;
}

absl::StatusOr<std::vector<ActionReport>> EngineImpl::CancelActions(
    const std::string& session_id, const std::vector<std::string>& action_ids, bool all,
    std::optional<int64_t> frame) {
  Lock lock(this);
  if (absl::Status status = CheckSession(session_id); !status.ok()) return status;
  if (frame.has_value()) {
    absl::Status status = CheckFrames(*frame, 0, kMaxStreamFrame - 1, "frame");
    if (!status.ok()) return status;
  }
  std::vector<std::shared_ptr<Action>> actions;
  if (all) {
    actions = actions_.List(session_id, /*unfinished_only=*/true);
  } else if (action_ids.empty()) {
    return BadField("action_ids", "empty", "1 or more ids, or all");
  }
  for (size_t i = 0; !all && i < action_ids.size(); ++i) {
    absl::StatusOr<std::shared_ptr<Action>> action =
        actions_.Find(session_id, action_ids[i], absl::StrCat("action_ids[", i, "]"));
    if (!action.ok()) return action.status();
    actions.push_back(*std::move(action));
  }
  for (const std::shared_ptr<Action>& action : actions) Cancel(action, frame);
  std::vector<ActionReport> reports;
  reports.reserve(actions.size());
  for (const std::shared_ptr<Action>& action : actions) reports.push_back(ReportOf(*action));
  WakePump();
  return reports;
}

absl::StatusOr<StreamStatsInfo> EngineImpl::GetStats(const std::string& session_id,
                                                     bool reset_baseline) {
  Lock lock(this);
  if (!session_id.empty() || reset_baseline) {
    if (absl::Status status = CheckSession(session_id); !status.ok()) return status;
  }
  if (stream_ != nullptr) TakeResults();
  return CountersOf(session_id, NextFrame(), reset_baseline);
}

StreamStatsInfo EngineImpl::CountersOf(const std::string& session_id, int64_t end_frame,
                                       bool reset_baseline) {
  StreamStatsInfo stats;
  if (stream_ != nullptr) {
    LiveStream::Baseline baseline;
    const auto found = baselines_.find(session_id);
    if (found != baselines_.end() && found->second.stream_id == stream_->id()) {
      baseline = found->second.baseline;
    }
    stats = stream_->StatsBetween(baseline, end_frame);
    stats.cpu_load = runner_->device().cpu_load();
    if (reset_baseline && !session_id.empty()) {
      baselines_[session_id] = {stream_->id(), stream_->BaselineAt(end_frame)};
    }
  }
  stats.active_actions = active_actions_;
  stats.pending_actions = pending_actions_;
  return stats;
}

ActionReport EngineImpl::ReportOf(const Action& action) {
  ActionReport report = action.report;
  if (action.ended()) return report;
  if (action.voice != nullptr) {
    report.done_frames = action.voice->done_frames();
    report.underruns = action.play_feed != nullptr ? action.voice->gap_count() : 0;
  }
  if (action.recording != nullptr) CopyStatus(action.recording->status(), &report);
  if (report.start_frame.has_value()) {
    const int64_t end_frame =
        action.ending.has_value() ? action.ending->end_frame : action.stream->mixer().next_frame();
    if (!action.done()) action.stream->DescribeBlocks(action.mark, end_frame, &report);
    action.stream->DescribeXruns(action.mark, end_frame, &report);
    if (!action.ending.has_value() && report.touched == Touched::kNo) {
      report.touched = Touched::kCannotTell;
    }
  }
  return report;
}

// --- From admission on ---

void EngineImpl::Register(const std::shared_ptr<Action>& action) {
  action->report.state = ActionState::kPending;
  ++pending_actions_;
  LogEntry entry = Event(EventKind::kActionScheduled, *action);
  entry.frame = action->report.requested_start_frame;
  events_.Append(std::move(entry));
  actions_.Add(action);
}

void EngineImpl::SetState(Action* action, ActionState state) {
  if (action->report.state == ActionState::kPending) --pending_actions_;
  if (action->report.state == ActionState::kActive) --active_actions_;
  if (state == ActionState::kActive) ++active_actions_;
  action->report.state = state;
}

void EngineImpl::Began(Action* action, int64_t start_frame) {
  action->report.start_frame = start_frame;
  action->mark = action->stream->run_stats().MarkAt(start_frame);
  SetState(action, ActionState::kActive);
  TellFollowers(action->shared_from_this());
  LogEntry entry = Event(EventKind::kActionStarted, *action);
  entry.frame = start_frame;
  events_.Append(std::move(entry));
  if (action->report.late_frames > 0) {
    LogEntry late = Event(EventKind::kActionLate, *action);
    late.frame = start_frame;
    late.frames = action->report.late_frames;
    events_.Append(std::move(late));
  }
}

void EngineImpl::OnVoiceStarted(const Voice& voice, int64_t frame) {
  auto* const action = static_cast<Action*>(voice.spec().owner);
  if (action->ended() || action->report.start_frame.has_value()) return;
  if (action->report.requested_start_frame.has_value()) {
    action->report.late_frames = frame - *action->report.requested_start_frame;
  }
  Began(action, frame);
  if (action->signal != nullptr) Defer([signal = action->signal] { signal->Notify(); });
}

void EngineImpl::CopyOutcome(const Voice& voice, Action* action) {
  ActionReport& report = action->report;
  report.done_frames = voice.done_frames();
  report.late_frames = voice.late_frames();
  report.dropped_frames = voice.trimmed_frames();
  report.gap_count = voice.gap_count();
  report.gap_frames = voice.gap_total_frames();
  report.gaps.clear();
  for (int64_t i = 0; i < std::min<int64_t>(report.gap_count, Voice::kGapSlots); ++i) {
    const VoiceGap& gap = voice.gaps()[i];
    report.gaps.push_back(
        {.position = gap.position, .frame = gap.first_frame, .frames = gap.frames});
  }
  if (action->play_feed != nullptr) {
    report.underruns = report.gap_count;
    // All that left the ring and did not sound.
    report.dropped_frames = action->play_feed->read_position() - report.done_frames;
  }
}

void EngineImpl::OnVoiceEnded(const Voice& voice) {
  const std::shared_ptr<Action> action =
      static_cast<Action*>(voice.spec().owner)->shared_from_this();
  action->voice = nullptr;
  if (!action->ended() && !action->ending.has_value()) {
    CopyOutcome(voice, action.get());
    if (voice.start_frame() >= 0 && !action->report.start_frame.has_value()) {
      Began(action.get(), voice.start_frame());
    }
    ActionEnd reason = ToActionEnd(voice.end_reason());
    if (reason == ActionEnd::kCancelled && action->doom != ActionEnd::kNone) reason = action->doom;
    Conclude(action, reason, voice.end_frame());
  }
  action->audio = nullptr;
  GiveUpFeed(action.get());
}

void EngineImpl::GiveUpFeed(Action* action) {
  if (action->play_feed == nullptr || action->play_feed->feed == nullptr) return;
  PlayFeedState& state = *action->play_feed;
  state.last_write_position = state.feed->write_position();
  state.last_read_position = state.feed->read_position();
  // Freed without the lock.
  Defer([feed = std::move(state.feed)] {});
  state.feed = nullptr;
}

void EngineImpl::LetGoOfStream(Action* action) {
  const bool closed = action->stream != stream_;
  // Another call may come for what the client lacks.
  if (closed || !action->reattachable) action->recording = nullptr;
  if (closed) action->stream = nullptr;
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
  if (status.gap_frames <= action->noted_gap_frames) return;
  LogEntry entry = Event(EventKind::kOverrun, *action);
  entry.frame = status.gaps.back().frame;
  entry.frames = status.gap_frames - action->noted_gap_frames;
  events_.Append(std::move(entry));
  action->noted_gap_frames = status.gap_frames;
}

void EngineImpl::LookAtRecording(const std::shared_ptr<Action>& action) {
  if (action->ended() || action->ending.has_value()) return;
  Recording& recording = *action->recording;
  Recording::Status status = recording.status();
  // A recording that is stopped without a call ends at once; a call to come may read what is left.
  if (status.stopping && status.end == ActionEnd::kNone && action->is_stream() &&
      !action->attached) {
    recording.EndUnread(action->doom != ActionEnd::kNone ? action->doom : ActionEnd::kCancelled);
    status = recording.status();
  }
  if (status.start_frame.has_value() && !action->report.start_frame.has_value()) {
    action->report.late_frames = status.late_frames;
    Began(action.get(), *status.start_frame);
    if (action->signal != nullptr) Defer([signal = action->signal] { signal->Notify(); });
  }
  NoteGaps(status, action.get());
  if (status.end != ActionEnd::kNone) {
    // The history may be ahead of the blocks that were read, and what those tell is final here.
    if (status.start_frame.has_value() && stream_state_ == StreamState::kRunning &&
        *status.end_frame > stream_->counted_until_frame()) {
      TakeBlocks();
      if (*status.end_frame > stream_->counted_until_frame()) return;
    }
    CopyStatus(status, &action->report);
    const ActionEnd reason = status.end == ActionEnd::kCancelled && action->doom != ActionEnd::kNone
                                 ? action->doom
                                 : status.end;
    Conclude(action, reason, *status.end_frame);
    return;
  }
  if (action->call == nullptr || action->signal == nullptr) return;
  // Tell the call when there is a chunk, when something has waited long, or at the end.
  constexpr int64_t kLongestWaitNanos = 400'000'000;
  const int64_t now_nanos = NowNanos();
  const int64_t there = status.recorded_frames;
  if (there <= status.copied_frames || action->seen_frames <= status.copied_frames) {
    action->seen_since_nanos = now_nanos;
  }
  action->seen_frames = there;
  const bool waited = there > status.copied_frames &&
                      action->call->wake_position != Recording::kNever &&
                      now_nanos - action->seen_since_nanos >= kLongestWaitNanos;
  if (there >= action->call->wake_position || waited || status.stopping ||
      status.end_position.has_value()) {
    Defer([signal = action->signal] { signal->Notify(); });
  }
}

void EngineImpl::LookAtFeed(const std::shared_ptr<Action>& action) {
  if (action->ended() || action->ending.has_value()) return;
  PlayFeedState& state = *action->play_feed;
  bool tell = false;
  if (action->voice != nullptr) {
    const int64_t underruns = action->voice->gap_count();
    if (underruns > action->noted_underruns) {
      action->noted_underruns = underruns;
      LogEntry entry = Event(EventKind::kUnderrun, *action);
      entry.frame = NextFrame();
      entry.frames = action->voice->gap_total_frames();
      events_.Append(std::move(entry));
      tell = true;
    }
  }
  const int64_t played = state.read_position();
  if (played - state.told_position >= std::max<int64_t>(state.ring_frames / 16, 1)) tell = true;
  if (tell && action->signal != nullptr) {
    state.told_position = played;
    Defer([signal = action->signal] { signal->Notify(); });
  }
}

void EngineImpl::OnDue(const std::shared_ptr<Action>& action) {
  if (action->ended() || action->ending.has_value()) return;
  const int64_t frame = action->report.requested_start_frame.value_or(0);
  switch (action->report.kind) {
    case ActionKind::kRecord:
    case ActionKind::kRecordStream:
      action->recording->Begin(frame);
      recordings_.push_back(action);
      LookAtRecording(action);
      break;
    case ActionKind::kCancel:
      // Held here: the target lets go of its cancels when it ends.
      if (const std::shared_ptr<Action> target = action->target) {
        // What the audio thread cuts says itself when it is over.
        if (action->handed_on && target->voice != nullptr) return;
        if (!action->handed_on) Cancel(target, frame);
      }
      action->report.start_frame = frame;
      Conclude(action, ActionEnd::kCompleted, frame);
      break;
    case ActionKind::kStats:
      TakeStats(action);
      break;
    case ActionKind::kPlayStream:
      // Was to be cut here, and has not even begun.
      if (!action->play_feed->handed_over) Conclude(action, ActionEnd::kCancelled, NextFrame());
      break;
    default:
      break;
  }
}

void EngineImpl::HandOnCancel(const std::shared_ptr<Action>& cancel, bool can_be_late) {
  const int64_t frame = *cancel->report.requested_start_frame;
  const int64_t late = can_be_late ? NextFrame() - frame : 0;
  cancel->report.late_frames = std::max<int64_t>(late, 0);
  if (late > 0 && cancel->late_policy == LatePolicy::kSkip) {
    Conclude(cancel, ActionEnd::kSkipped, frame);
    return;
  }
  const std::shared_ptr<Action> target = cancel->target;
  if (cancel->handed_on || target == nullptr) return;
  if (target->is_play()) {
    cancel->handed_on = true;
    CancelPlay(target, frame);
  } else if (target->is_record()) {
    cancel->handed_on = true;
    const std::optional<int64_t>& start = target->report.requested_start_frame;
    if (start.has_value() && frame <= *start && !target->report.start_frame.has_value()) {
      CancelRecord(target, frame);
    } else {
      // Exact even if that frame has passed: it is still to be copied.
      target->recording->StopBefore(frame, ActionEnd::kCancelled);
    }
  }
}

void EngineImpl::TakeStats(const std::shared_ptr<Action>& action) {
  const int64_t frame = *action->report.requested_start_frame;
  const int64_t end_frame = action->report.late_frames > 0
                                ? NextFrame()
                                : stream_->run_stats().EndOfBlockAt(frame).value_or(NextFrame());
  action->report.stats = CountersOf(action->session_id, end_frame, action->reset_baseline);
  action->report.start_frame = action->report.late_frames > 0 ? end_frame : frame;
  Conclude(action, ActionEnd::kCompleted, *action->report.start_frame);
}

// --- Cancelling ---

void EngineImpl::Cancel(const std::shared_ptr<Action>& action, std::optional<int64_t> frame) {
  if (action->ended() || action->ending.has_value()) return;
  if (frame.has_value() && *frame <= NextFrame()) frame.reset();
  if (action->is_play()) {
    CancelPlay(action, frame);
    return;
  }
  if (action->is_record()) {
    CancelRecord(action, frame);
    return;
  }
  // A cancel that its target has cannot be taken back, and what happens at one frame happens there.
  const std::optional<int64_t>& start = action->report.requested_start_frame;
  if (action->handed_on || (frame.has_value() && (!start.has_value() || *start < *frame))) return;
  Conclude(action, ActionEnd::kCancelled, start.value_or(NextFrame()));
}

void EngineImpl::CancelPlay(const std::shared_ptr<Action>& action, std::optional<int64_t> frame) {
  const std::optional<int64_t>& requested = action->report.requested_start_frame;
  const int64_t next_frame = NextFrame();
  const bool at_once =
      !frame.has_value() || *frame <= next_frame ||
      (!action->report.start_frame.has_value() && requested.has_value() && *requested >= *frame);
  if (action->play_feed != nullptr && !action->play_feed->handed_over) {
    if (at_once) {
      Conclude(action, action->doom != ActionEnd::kNone ? action->doom : ActionEnd::kCancelled,
               requested.value_or(next_frame));
    } else {
      action->cut_frame = std::min(action->cut_frame, *frame);
      due_.emplace(*frame - 1, action);
    }
    return;
  }
  if (action->voice == nullptr) return;
  CutVoice(action, frame.value_or(next_frame));
  // While nothing moves the audio thread takes up no command: it is over all the same, and the
  // voice will not sound again.
  const bool still = stream_state_ == StreamState::kStopped ||
                     (stream_state_ == StreamState::kLost && !abandoning_);
  if (still && at_once) {
    const Voice& voice = *action->voice;
    CopyOutcome(voice, action.get());
    action->report.late_frames =
        voice.start_frame() >= 0 && requested.has_value() ? voice.start_frame() - *requested : 0;
    const int64_t end_frame =
        voice.start_frame() >= 0 ? next_frame : requested.value_or(next_frame);
    Conclude(action, action->doom != ActionEnd::kNone ? action->doom : ActionEnd::kCancelled,
             end_frame);
  }
}

void EngineImpl::CutVoice(const std::shared_ptr<Action>& action, int64_t frame) {
  if (!cuts_.empty() || !stream_->mixer().Cancel(action->voice, frame).ok()) {
    cuts_.push_back({action, frame});
  }
}

void EngineImpl::CancelRecord(const std::shared_ptr<Action>& action, std::optional<int64_t> frame) {
  const ActionEnd reason = action->doom != ActionEnd::kNone ? action->doom : ActionEnd::kCancelled;
  const std::optional<int64_t>& requested = action->report.requested_start_frame;
  if (!action->recording->status().start_frame.has_value()) {
    const bool never_begins = !frame.has_value() || (requested.has_value() && *frame <= *requested);
    if (never_begins) {
      action->recording->EndNow(reason);
      Conclude(action, reason, requested.value_or(NextFrame()));
      return;
    }
    action->recording->StopBefore(*frame, reason);
    return;
  }
  action->recording->StopBefore(std::max(frame.value_or(0), NextFrame()), reason);
}

void EngineImpl::Doom(const std::shared_ptr<Action>& action, ActionEnd reason) {
  if (action->ended()) return;
  if (action->ending.has_value()) {
    Finish(action);
    return;
  }
  if (action->doom == ActionEnd::kNone) action->doom = reason;
  if (action->is_play()) {
    CancelPlay(action, std::nullopt);
  } else if (action->is_record()) {
    CancelRecord(action, std::nullopt);
    if (action->is_stream() && !action->ended()) {
      action->recording->EndNow(action->doom);
      LookAtRecording(action);
    }
  } else {
    Conclude(action, action->doom, action->report.requested_start_frame.value_or(NextFrame()));
  }
}

// --- The end ---

void EngineImpl::Conclude(const std::shared_ptr<Action>& action, ActionEnd reason,
                          int64_t end_frame) {
  if (action->ended() || action->ending.has_value()) return;
  action->ending = Action::Ending{reason, end_frame};
  action->over = true;
  if (action->recording != nullptr && !action->recording->ended()) {
    action->recording->EndNow(reason);
  }
  std::erase(recordings_, action);
  std::erase(feeds_, action);

  for (const std::weak_ptr<Action>& weak : std::exchange(action->cancels, {})) {
    const std::shared_ptr<Action> cancel = weak.lock();
    if (cancel == nullptr || cancel->ended() || cancel->ending.has_value()) continue;
    cancel->target = nullptr;
    const std::optional<int64_t>& frame = cancel->report.requested_start_frame;
    if (!cancel->handed_on || reason != ActionEnd::kCancelled || !frame.has_value()) continue;
    const bool sounded = action->report.start_frame.has_value();
    cancel->report.start_frame = sounded ? std::max(*frame, end_frame) : *frame;
    cancel->report.late_frames = *cancel->report.start_frame - *frame;
    Conclude(cancel, ActionEnd::kCompleted, *cancel->report.start_frame);
  }

  const bool had_audio = action->report.start_frame.has_value() &&
                         end_frame > *action->report.start_frame &&
                         (action->is_play() || action->is_record());
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
  judging_.emplace(std::pair(ending.end_frame, action->number), action);
  NoteOver(action);
  TellEnd(action);
}

void EngineImpl::Finish(const std::shared_ptr<Action>& action) {
  if (action->ended()) return;
  const Action::Ending& ending = *action->ending;
  ActionReport& report = action->report;
  report.touched = Touched::kNo;
  if (report.start_frame.has_value() && action->report.kind != ActionKind::kCancel &&
      action->report.kind != ActionKind::kStats) {
    if (!action->done()) {
      action->stream->DescribeBlocks(action->mark, ending.end_frame, &report);
    }
    action->stream->DescribeXruns(action->mark, ending.end_frame, &report);
  }
  if (action->voice == nullptr) GiveUpFeed(action.get());
  LetGoOfStream(action.get());
  report.end_reason = ending.reason;
  report.end_frame = ending.end_frame;
  const bool was_done = action->done();
  SetState(action.get(), ActionState::kEnded);
  if (was_done) {
    judging_.erase({ending.end_frame, action->number});
  } else {
    NoteOver(action);
  }
  TellEnd(action);
  action->target = nullptr;
  // Of a play stream whose mixer never had it, nothing else will.
  if (action->submission != nullptr && action->play_feed != nullptr) {
    DropSubmission(action->submission);
  }
}

void EngineImpl::TellEnd(const std::shared_ptr<Action>& action) {
  const ActionReport& report = action->report;
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
