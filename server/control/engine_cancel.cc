// Ends that are asked for: by clients, by cancels at a frame, and by control itself.

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "server/base/error_info.h"
#include "server/control/engine_impl.h"
#include "server/mixer/stream_time.h"

namespace rtmixd {

absl::StatusOr<std::vector<ActionReport>> EngineImpl::CancelActions(
    const std::string& session_id, const std::vector<std::string>& action_ids, bool all,
    std::optional<int64_t> frame, const Fade& fade) {
  Lock lock(this);
  if (absl::Status status = CheckSession(session_id); !status.ok()) return status;
  if (frame.has_value()) {
    absl::Status status = CheckFrames(*frame, 0, kMaxStreamFrame - 1, "frame");
    if (!status.ok()) return status;
  }
  if (absl::Status status = CheckFade(fade, "fade"); !status.ok()) return status;
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
  if (fade.frames > 0 && stream_ != nullptr) {
    const auto count = static_cast<int64_t>(actions.size());
    if (absl::Status status = CheckRoomInMixer(count); !status.ok()) return status;
    for (size_t i = 0; i < actions.size(); ++i) {
      absl::Status status =
          CheckRoomForChanges(*actions[i], 1, all ? "all" : absl::StrCat("action_ids[", i, "]"));
      if (!status.ok()) return status;
    }
  }
  for (const std::shared_ptr<Action>& action : actions) Cancel(action, frame, fade);
  std::vector<ActionReport> reports;
  reports.reserve(actions.size());
  for (const std::shared_ptr<Action>& action : actions) reports.push_back(ReportOf(*action));
  WakePump();
  return reports;
}

void EngineImpl::HandOnCancel(const std::shared_ptr<Action>& cancel, bool can_be_late) {
  const int64_t frame = *cancel->requested_start_frame();
  const int64_t late = can_be_late ? NextFrame() - frame : 0;
  if (late > 0) cancel->MutableOutcome().report.late_frames = late;
  if (late > 0 && cancel->late_policy == LatePolicy::kSkip) {
    Conclude(cancel, ActionEnd::kSkipped, frame);
    return;
  }
  const std::shared_ptr<Action> target = cancel->request()->target;
  if (cancel->handed_on || target == nullptr) return;
  if (target->is_play()) {
    cancel->handed_on = true;
    const Fade& fade = cancel->request()->cancel_fade;
    if (fade.frames > 0) {
      FadeOut(target, frame, fade, cancel);
    } else {
      CancelPlay(target, frame);
    }
  } else if (target->is_record()) {
    cancel->handed_on = true;
    const std::optional<int64_t> start = target->requested_start_frame();
    if (start.has_value() && frame <= *start && !target->start_frame().has_value()) {
      CancelRecord(target, frame);
    } else {
      // Exact even if that frame has passed: it is still to be copied.
      target->recording()->StopBefore(frame, ActionEnd::kCancelled);
    }
  }
}

void EngineImpl::Cancel(const std::shared_ptr<Action>& action, std::optional<int64_t> frame,
                        const Fade& fade) {
  if (action->over) return;
  if (frame.has_value() && *frame <= NextFrame()) frame.reset();
  if (action->is_play()) {
    if (fade.frames > 0) {
      FadeOut(action, frame, fade, nullptr);
    } else {
      CancelPlay(action, frame);
    }
    return;
  }
  if (action->is_record()) {
    CancelRecord(action, frame);
    return;
  }
  // A cancel that its target has cannot be taken back, and what happens at one frame happens there.
  const std::optional<int64_t> start = action->requested_start_frame();
  if (action->handed_on || (frame.has_value() && (!start.has_value() || *start < *frame))) return;
  Conclude(action, ActionEnd::kCancelled, start.value_or(NextFrame()));
}

void EngineImpl::CancelPlay(const std::shared_ptr<Action>& action, std::optional<int64_t> frame) {
  const std::optional<int64_t> requested = action->requested_start_frame();
  const int64_t next_frame = NextFrame();
  const bool at_once =
      !frame.has_value() || *frame <= next_frame ||
      (!action->start_frame().has_value() && requested.has_value() && *requested >= *frame);
  if (action->waits_for_voice()) {
    if (at_once) {
      Conclude(action, action->doom != ActionEnd::kNone ? action->doom : ActionEnd::kCancelled,
               requested.value_or(next_frame));
    } else {
      action->setup->cut_frame = std::min(action->setup->cut_frame, *frame);
      AddDue(*frame - 1, action);
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
    // CopyOutcome may have learnt it from the voice.
    const std::optional<int64_t> known = action->requested_start_frame();
    action->MutableOutcome().report.late_frames =
        voice.start_frame() >= 0 && known.has_value() ? voice.start_frame() - *known : 0;
    const int64_t end_frame = voice.start_frame() >= 0 ? next_frame : known.value_or(next_frame);
    Conclude(action, action->doom != ActionEnd::kNone ? action->doom : ActionEnd::kCancelled,
             end_frame);
  }
}

void EngineImpl::FadeOut(const std::shared_ptr<Action>& action, std::optional<int64_t> frame,
                         const Fade& fade, const std::shared_ptr<Action>& by) {
  const bool sounds = action->start_frame().has_value();
  const std::optional<int64_t> requested = action->requested_start_frame();
  const bool before_start =
      !sounds && (!frame.has_value() || (requested.has_value() && *frame <= *requested));
  // Nothing fades that does not sound. What is to end at once does not wait for a stopped stream to
  // go on.
  const bool at_once = !frame.has_value() || *frame <= NextFrame();
  if (before_start || (at_once && stream_state_ == StreamState::kStopped)) {
    CancelPlay(action, frame);
    return;
  }
  SendChange({.kind = VoiceChange::Kind::kStop,
              .absolute = true,
              .fade = fade,
              .frame = frame.value_or(NextFrame())},
             action, by);
}

void EngineImpl::CutVoice(const std::shared_ptr<Action>& action, int64_t frame) {
  if (!commands_.empty() || !stream_->mixer().Cancel(action->voice, frame).ok()) {
    commands_.push_back({.action = action, .cut_frame = frame});
  }
}

void EngineImpl::CancelRecord(const std::shared_ptr<Action>& action, std::optional<int64_t> frame) {
  const ActionEnd reason = action->doom != ActionEnd::kNone ? action->doom : ActionEnd::kCancelled;
  const std::optional<int64_t> requested = action->requested_start_frame();
  if (!action->recording()->status().start_frame.has_value()) {
    const bool never_begins = !frame.has_value() || (requested.has_value() && *frame <= *requested);
    if (never_begins) {
      action->recording()->EndNow(reason);
      Conclude(action, reason, requested.value_or(NextFrame()));
      return;
    }
    action->recording()->StopBefore(*frame, reason);
    return;
  }
  action->recording()->StopBefore(std::max(frame.value_or(0), NextFrame()), reason);
}

void EngineImpl::Doom(const std::shared_ptr<Action>& action, ActionEnd reason) {
  if (action->ended()) return;
  if (action->over) {
    Finish(action);
    return;
  }
  if (action->doom == ActionEnd::kNone) action->doom = reason;
  if (action->is_play()) {
    CancelPlay(action, std::nullopt);
  } else if (action->is_record()) {
    CancelRecord(action, std::nullopt);
    if (action->is_stream() && !action->ended()) {
      action->recording()->EndNow(action->doom);
      LookAtRecording(action);
    }
  } else {
    Conclude(action, action->doom, action->requested_start_frame().value_or(NextFrame()));
  }
}

}  // namespace rtmixd
