// Changes of what sounds: gains, pauses, loops that are left; for one action, several, a session,
// all.

#include <algorithm>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "server/base/error_info.h"
#include "server/control/engine_impl.h"
#include "server/mixer/stream_time.h"

namespace rtmixd {
namespace {

std::string GainText(float gain, const Fade& fade) {
  std::string text = absl::StrCat("gain to ", gain);
  if (fade.frames > 0) {
    absl::StrAppend(&text, " over ", fade.frames, " frames",
                    fade.shape == FadeShape::kEqualPower ? ", equal power" : "");
  }
  return text;
}

std::string ChangeText(const VoiceChange& change) {
  switch (change.kind) {
    case VoiceChange::Kind::kGain:
    case VoiceChange::Kind::kSessionGain:
      return GainText(change.gain, change.fade);
    case VoiceChange::Kind::kPause:
      return "paused";
    case VoiceChange::Kind::kResume:
      return "resumed";
    case VoiceChange::Kind::kLeaveLoop:
      return change.at_once ? "left its loop" : "leaves its loop at the end of the pass";
    case VoiceChange::Kind::kStop:
      return absl::StrCat("fades out over ", change.fade.frames, " frames");
  }
  return "";
}

}  // namespace

absl::Status EngineImpl::CheckRoomForChanges(const Action& target, int more,
                                             const std::string& field) {
  if (target.pending_changes + more <= kMaxChangesOfAction) return absl::OkStatus();
  return MakeError(absl::StatusCode::kResourceExhausted,
                   {.reason = ErrorReason::kLimitExceeded,
                    .field = field,
                    .value = absl::StrCat(target.id(), " with ", target.pending_changes + more,
                                          " changes under way"),
                    .limit = absl::StrCat(kMaxChangesOfAction, " of one action")});
}

absl::Status EngineImpl::CheckRoomInMixer(int64_t changes) {
  // What actions may still need of it is left to them.
  if (changes + limits_.max_actions - static_cast<int64_t>(actions_.unfinished().size()) <=
      stream_->mixer().room()) {
    return absl::OkStatus();
  }
  return LimitExceeded("max_actions", absl::StrCat(changes, " changes more"),
                       absl::StrCat(limits_.max_actions, " changes under way"));
}

int64_t EngineImpl::CommonFrame(int64_t changes) {
  // A block may begin between the look at its frame and the hand-over, which takes up so many a
  // block.
  const int64_t commands =
      changes + stream_->mixer().waiting_commands() + static_cast<int64_t>(commands_.size());
  const int64_t blocks = 2 + commands / Mixer::kMaxCommandsPerBlock;
  return NextFrame() + (running() ? blocks * stream_->last_block_frames() : 0);
}

void EngineImpl::SendChange(const VoiceChange& change, const std::shared_ptr<Action>& target,
                            const std::shared_ptr<Action>& by,
                            const std::shared_ptr<CommonGainChange>& common) {
  auto pending = std::make_unique<PendingChange>();
  pending->change = change;
  pending->target = target;
  pending->by = by;
  pending->common = common;
  VoiceChange* const sent = &pending->change;
  changes_.emplace(sent, std::move(pending));
  if (target != nullptr) {
    ++target->pending_changes;
    if (target->waits_for_voice()) {
      target->setup->spec.changes.push_back(sent);
      return;
    }
    if (target->voice == nullptr) {
      OnChangeDone(sent);
      return;
    }
  }
  Voice* const voice = target != nullptr ? target->voice : nullptr;
  if (!commands_.empty() || !stream_->mixer().Change(voice, sent).ok()) {
    commands_.push_back({.action = target, .change = sent});
  }
  waker_->Arm();
}

void EngineImpl::OnChangeDone(const VoiceChange* change) {
  const auto found = changes_.find(change);
  if (found == changes_.end()) return;
  const std::unique_ptr<PendingChange> done = std::move(found->second);
  changes_.erase(found);
  if (done->common != nullptr) OnCommonGainChangeDone(done->common.get(), change->applied_frame);
  const std::shared_ptr<Action>& target = done->target;
  if (target == nullptr) return;
  --target->pending_changes;
  const int64_t frame = change->applied_frame;
  // What was ended while the stream stood still sounds no more, though its voice takes up what
  // waits when it goes on.
  const bool applied = frame != VoiceChange::kNever && !target->over;
  if (applied && change->kind != VoiceChange::Kind::kSessionGain) {
    LogEntry entry = Event(EventKind::kActionChanged, *target);
    entry.frame = frame;
    entry.text = ChangeText(*change);
    events_.Append(std::move(entry));
    TellFollowers(*target);
  }
  const std::shared_ptr<Action>& by = done->by;
  if (by == nullptr || by->over) return;
  if (applied) {
    ActionReport& report = by->MutableOutcome().report;
    report.start_frame = frame;
    report.late_frames = std::max<int64_t>(frame - by->requested_start_frame().value_or(frame), 0);
    Conclude(by, ActionEnd::kCompleted, frame);
  } else if (by->kind == ActionKind::kChange) {
    Conclude(by, by->doom != ActionEnd::kNone ? by->doom : ActionEnd::kTargetEnded,
             by->requested_start_frame().value_or(NextFrame()));
  }
}

void EngineImpl::OnCommonGainChangeDone(CommonGainChange* common, int64_t applied_frame) {
  // kNever, of a voice that has ended, is before all frames.
  common->kept_frame = std::max(common->kept_frame, applied_frame);
  if (--common->left > 0) return;
  const int64_t late_frames = common->kept_frame - common->wanted.frame;
  if (late_frames > 0) NoteGain(common->session_id, common->wanted, late_frames);
}

void EngineImpl::DropWaitingChanges(Action* action) {
  if (action->setup == nullptr) return;
  for (VoiceChange* const change : std::exchange(action->setup->spec.changes, {})) {
    OnChangeDone(change);
  }
}

void EngineImpl::SendWithVoice(const std::shared_ptr<Action>& action, VoiceChange change) {
  const std::optional<int64_t> frame = action->requested_start_frame();
  const bool late = frame.has_value() && *frame < NextFrame();
  if (frame.has_value() && !(late && action->late_policy == LatePolicy::kSkip)) {
    change.frame = *frame;
    change.absolute = true;
  } else if (!frame.has_value() && action->target()->with_origin) {
    change.frame = action->start_frames;
  } else {
    return;
  }
  action->handed_on = true;
  SendChange(change, action->request()->target, action);
}

void EngineImpl::HandOnChange(const std::shared_ptr<Action>& action, bool can_be_late) {
  const int64_t frame = *action->requested_start_frame();
  const int64_t late = can_be_late ? NextFrame() - frame : 0;
  if (late > 0) action->MutableOutcome().report.late_frames = late;
  if (late > 0 && action->late_policy == LatePolicy::kSkip) {
    Conclude(action, ActionEnd::kSkipped, frame);
    return;
  }
  if (action->handed_on) return;
  if (action->target() == nullptr) {
    Conclude(action, ActionEnd::kTargetEnded, frame);
    return;
  }
  action->handed_on = true;
  VoiceChange change = action->request()->change;
  change.frame = frame;
  change.absolute = true;
  SendChange(change, action->request()->target, action);
}

absl::StatusOr<ChangesAdmitted> EngineImpl::ChangeActions(
    const std::string& session_id, const std::vector<std::string>& action_ids, bool all,
    std::optional<int64_t> frame, const VoiceChangeSpec& change) {
  Lock lock(this);
  absl::Status status = CheckSession(session_id);
  if (status.ok()) status = CheckStream();
  if (status.ok() && frame.has_value()) {
    status = CheckFrames(*frame, 0, kMaxStreamFrame - 1, "frame");
  }
  if (status.ok()) status = CheckChange(change, "");
  if (!status.ok()) return status;
  std::vector<std::shared_ptr<Action>> actions;
  if (all) {
    actions = actions_.List(session_id, /*unfinished_only=*/true);
    std::erase_if(actions, [](const auto& action) { return !action->is_play(); });
  } else if (action_ids.empty()) {
    return BadField("action_ids", "empty", "1 or more ids, or all");
  }
  absl::flat_hash_set<const Action*> named;
  for (size_t i = 0; !all && i < action_ids.size(); ++i) {
    const std::string field = absl::StrCat("action_ids[", i, "]");
    absl::StatusOr<std::shared_ptr<Action>> action =
        actions_.Find(session_id, action_ids[i], field);
    if (!action.ok()) return action.status();
    if (!(*action)->is_play()) return BadField(field, action_ids[i], "an action that plays");
    if (!named.insert(action->get()).second) return BadField(field, action_ids[i], "named once");
    actions.push_back(*std::move(action));
  }
  for (size_t i = 0; i < actions.size(); ++i) {
    status = CheckRoomForChanges(*actions[i], 1, all ? "all" : absl::StrCat("action_ids[", i, "]"));
    if (!status.ok()) return status;
  }
  const auto count = static_cast<int64_t>(actions.size());
  if (status = CheckRoomInMixer(count); !status.ok()) return status;

  ChangesAdmitted admitted;
  admitted.frame = frame.has_value() && *frame >= NextFrame() ? *frame : CommonFrame(count);
  VoiceChange made = ToVoiceChange(change);
  made.frame = admitted.frame;
  made.absolute = true;
  for (const std::shared_ptr<Action>& action : actions) {
    if (!action->over) SendChange(made, action, nullptr);
  }
  admitted.reports.reserve(actions.size());
  for (const std::shared_ptr<Action>& action : actions) {
    admitted.reports.push_back(ReportOf(*action));
  }
  WakePump();
  return admitted;
}

// --- Gains that many have in common ---

void EngineImpl::NoteGain(const std::string& session_id, const GainTimeline::Change& change,
                          int64_t late_frames) {
  LogEntry entry = Event(EventKind::kGainChanged);
  entry.session_id = session_id;
  entry.session_label = sessions_.Label(session_id);
  if (stream_ != nullptr) entry.frame = change.frame + late_frames;
  entry.frames = late_frames;
  entry.text =
      absl::StrCat(session_id.empty() ? "master " : "session ", GainText(change.gain, change.fade));
  if (late_frames > 0) absl::StrAppend(&entry.text, ", ", late_frames, " frames late");
  events_.Append(std::move(entry));
}

void EngineImpl::AddSessionGain(const std::shared_ptr<Action>& action, Voice::Spec* spec) {
  const auto found = session_gains_.find(action->common->session_id);
  if (found == session_gains_.end()) return;
  found->second.Settle(NextFrame());
  spec->session_gain = found->second.base();
  for (const GainTimeline::Change& change : found->second.changes()) {
    auto pending = std::make_unique<PendingChange>();
    pending->change = {.kind = VoiceChange::Kind::kSessionGain,
                       .absolute = true,
                       .gain = change.gain,
                       .fade = change.fade,
                       .frame = change.frame};
    pending->target = action;
    ++action->pending_changes;
    spec->changes.push_back(&pending->change);
    changes_.emplace(&pending->change, std::move(pending));
  }
}

void EngineImpl::TakeBackSessionGain(const Voice& voice) {
  auto* const action = static_cast<Action*>(voice.owner());
  action->pending_changes -= static_cast<int>(std::erase_if(changes_, [action](const auto& entry) {
    const PendingChange& pending = *entry.second;
    return pending.target.get() == action && pending.change.kind == VoiceChange::Kind::kSessionGain;
  }));
}

absl::StatusOr<std::optional<int64_t>> EngineImpl::SetSessionGain(const std::string& session_id,
                                                                  const GainChangeSpec& gain,
                                                                  std::optional<int64_t> frame) {
  Lock lock(this);
  absl::Status status = CheckMayWork(session_id);
  if (status.ok()) status = CheckChange(gain, "");
  if (status.ok() && frame.has_value()) {
    status = CheckFrames(*frame, 0, kMaxStreamFrame - 1, "frame");
  }
  if (!status.ok()) return status;
  GainTimeline& timeline = session_gains_[session_id];
  GainTimeline::Change change = {.frame = 0, .gain = gain.gain, .fade = gain.fade};
  if (stream_ == nullptr) {
    timeline.Set(gain.gain);
    NoteGain(session_id, change);
    return std::nullopt;
  }
  std::vector<std::shared_ptr<Action>> actions =
      actions_.List(session_id, /*unfinished_only=*/true);
  // The others get it when their voices are made.
  std::erase_if(actions, [](const auto& action) { return action->voice == nullptr; });
  const auto count = static_cast<int64_t>(actions.size());
  if (status = CheckRoomInMixer(count); !status.ok()) return status;
  const int64_t next_frame = NextFrame();
  change.frame = frame.has_value() && *frame >= next_frame ? *frame : CommonFrame(count);
  timeline.Settle(next_frame);
  status = timeline.Add(change, "max_gain_changes");
  if (!status.ok()) return status;
  NoteGain(session_id, change);
  const auto common = std::make_shared<CommonGainChange>(
      CommonGainChange{.session_id = session_id, .wanted = change, .left = count});
  for (const std::shared_ptr<Action>& action : actions) {
    SendChange({.kind = VoiceChange::Kind::kSessionGain,
                .absolute = true,
                .gain = change.gain,
                .fade = change.fade,
                .frame = change.frame},
               action, nullptr, common);
  }
  WakePump();
  return change.frame;
}

absl::StatusOr<int64_t> EngineImpl::SetMasterGain(const std::string& session_id,
                                                  const GainChangeSpec& gain,
                                                  std::optional<int64_t> frame) {
  Lock lock(this);
  absl::Status status = CheckMayWork(session_id);
  if (status.ok()) status = CheckStream();
  if (status.ok()) status = CheckChange(gain, "");
  if (status.ok() && frame.has_value()) {
    status = CheckFrames(*frame, 0, kMaxStreamFrame - 1, "frame");
  }
  if (status.ok()) status = CheckRoomInMixer(1);
  if (!status.ok()) return status;
  const int64_t next_frame = NextFrame();
  GainTimeline::Change change = {
      .frame = frame.has_value() && *frame >= next_frame ? *frame : CommonFrame(1),
      .gain = gain.gain,
      .fade = gain.fade};
  master_gain_.Settle(next_frame);
  const float before = master_gain_.target();
  status = master_gain_.Add(change, "max_gain_changes");
  if (!status.ok()) return status;
  if (session_id == sessions_.exclusive_session_id() && !gain_to_put_back_.has_value()) {
    gain_to_put_back_ = before;
  }
  ChangeMasterGain(change, /*clears_later=*/false);
  WakePump();
  return change.frame;
}

void EngineImpl::ChangeMasterGain(const GainTimeline::Change& change, bool clears_later) {
  NoteGain("", change);
  SendChange({.kind = VoiceChange::Kind::kGain,
              .absolute = true,
              .clears_later = clears_later,
              .gain = change.gain,
              .fade = change.fade,
              .frame = change.frame},
             nullptr, nullptr,
             std::make_shared<CommonGainChange>(
                 CommonGainChange{.session_id = "", .wanted = change, .left = 1}));
}

void EngineImpl::ApplyMasterGain() {
  if (master_gain_.target() == 1.0f) return;
  SendChange({.kind = VoiceChange::Kind::kGain, .absolute = true, .gain = master_gain_.target()},
             nullptr, nullptr);
}

void EngineImpl::PutBackMasterGain() {
  if (!gain_to_put_back_.has_value() || !sessions_.exclusive_session_id().empty()) return;
  const float gain = *std::exchange(gain_to_put_back_, std::nullopt);
  if (stream_ == nullptr) {
    master_gain_.Set(gain);
    return;
  }
  const GainTimeline::Change change = {.frame = CommonFrame(1), .gain = gain, .fade = {}};
  master_gain_.Set(gain);
  // Later changes of the session that has ended come to nothing.
  ChangeMasterGain(change, /*clears_later=*/true);
}

void EngineImpl::FinishGains() {
  master_gain_.Finish();
  for (auto& [session_id, timeline] : session_gains_) timeline.Finish();
}

}  // namespace rtmixd
