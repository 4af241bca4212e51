// Admission: a batch is lent to the mixer and registered as a whole, and answered when its origin
// is known.

#include <algorithm>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "server/base/error_info.h"
#include "server/control/engine_impl.h"
#include "server/mixer/stream_time.h"

namespace rtmixd {
namespace {

// A batch that starts now is answered without its origin if the device does not take it up by then.
constexpr int64_t kOriginPatienceNanos = 1'000'000'000;

}  // namespace

absl::Status EngineImpl::Admit(std::unique_ptr<Submission> submission) {
  Submission* const s = submission.get();
  Calibrate(s);
  if (s->common->batch_id.empty() && s->callback) {
    s->common->batch_id = ids_.Make('t', ++last_batch_);
  }
  if (s->waiting) return KeepWaiting(std::move(submission));
  for (const std::shared_ptr<Action>& action : s->members) {
    action->set_requested_start_frame(FrameOf(*action, *s));
  }
  for (const std::shared_ptr<Action>& action : s->members) {
    const Action* const after = action->after();
    action->with_origin = action->is_play() && !action->requested_start_frame().has_value() &&
                          (action->floats() ||
                           (after != nullptr && after->common == s->common && after->with_origin));
  }
  // Cuts and changes that are known now go with the voices, so that they hold however soon they
  // come.
  for (const std::shared_ptr<Action>& action : s->members) {
    const Action* const target = action->target();
    if (target == nullptr || target->common != s->common || !target->waits_for_voice()) continue;
    const ActionRequest& request = *action->request();
    if (action->kind == ActionKind::kChange) {
      SendWithVoice(action, request.change);
    } else if (request.cancel_fade.frames > 0) {
      SendWithVoice(action, {.kind = VoiceChange::Kind::kStop, .fade = request.cancel_fade});
    } else {
      CutWithVoice(action);
    }
  }
  if (absl::Status status = Lend(s); !status.ok()) {
    if (s->registered) {
      GiveUpReleased(std::move(submission));
      return status;
    }
    for (const std::string& buffer_id : s->made_buffers) {
      buffers_.Delete(s->common->session_id, buffer_id).IgnoreError();
    }
    for (const std::shared_ptr<Action>& action : s->members) {
      if (action->setup == nullptr) continue;
      for (VoiceChange* const change : std::exchange(action->setup->spec.changes, {})) {
        changes_.erase(change);
      }
    }
    // Kept for as long as the mixer has a part of it.
    if (s->lent > 0) submissions_.emplace(s, std::move(submission));
    return status;
  }

  submissions_.emplace(s, std::move(submission));
  if (!s->registered) {
    for (const std::shared_ptr<Action>& action : s->members) Register(action);
  }
  for (const std::shared_ptr<Action>& action : s->members) LinkSuccessor(action);
  for (const std::shared_ptr<Action>& action : s->members) {
    if (action->target() == nullptr) continue;
    if (action->target()->over) {
      action->request()->target = nullptr;
    } else {
      action->target()->MutableLinks().cancels.push_back(action);
    }
  }
  if (s->callback) {
    s->answer_by_nanos = NowNanos() + kOriginPatienceNanos;
    unanswered_.insert(s);
  }
  for (const std::shared_ptr<Action>& action : std::vector<std::shared_ptr<Action>>(s->members)) {
    if (!action->is_play() && action->requested_start_frame().has_value()) {
      Place(action, /*can_be_late=*/true);
    }
  }
  if (s->origin.has_value()) {
    Answer(s);
    DropSubmission(s);
  }
  RunDue();
  // Otherwise the next block wakes it, and a call that schedules does not pay for that.
  if (!running()) WakePump();
  return absl::OkStatus();
}

void EngineImpl::CutWithVoice(const std::shared_ptr<Action>& cancel) {
  const Action& target = *cancel->target();
  const std::optional<int64_t> frame = cancel->requested_start_frame();
  const bool late = frame.has_value() && *frame < NextFrame();
  if (frame.has_value() && !(late && cancel->late_policy == LatePolicy::kSkip)) {
    target.setup->cut_frame = std::min(target.setup->cut_frame, *frame);
  } else if (!frame.has_value() && target.with_origin) {
    int64_t& cut = target.setup->spec.cut_offset_frames;
    cut = std::min(cut, cancel->start_frames);
  } else {
    return;
  }
  cancel->handed_on = true;
}

absl::Status EngineImpl::Lend(Submission* submission) {
  std::vector<std::shared_ptr<Action>> lent;
  if (absl::Status status = LendOwn(submission, &lent); !status.ok()) return status;
  // A chain may be as long as there are actions: one after the other, not one inside the other.
  for (size_t i = 0; i < lent.size(); ++i) {
    const std::shared_ptr<Action> action = lent[i];
    if (action->links == nullptr) continue;
    for (const std::weak_ptr<Action>& weak : action->links->successors) {
      const std::shared_ptr<Action> successor = weak.lock();
      if (successor == nullptr || !successor->waits_for_voice() ||
          successor->common->submission == nullptr) {
        continue;
      }
      if (!LendOwn(successor->common->submission, &lent).ok()) {
        Conclude(successor, ActionEnd::kLimitExceeded, NextFrame());
      }
    }
  }
  return absl::OkStatus();
}

absl::Status EngineImpl::LendOwn(Submission* submission,
                                 std::vector<std::shared_ptr<Action>>* lent) {
  auto placed = std::make_unique<Batch>();
  placed->origin_frame = 0;
  auto floating = std::make_unique<Batch>();
  // Those that go, with their voices: first who, so that their voices lie in a row.
  absl::flat_hash_map<const Action*, Voice*> made;
  const auto batch_of = [&](const Action& action) {
    return (action.with_origin && !action.requested_start_frame().has_value() ? floating : placed)
        .get();
  };
  const auto follows = [](const Action& action) {
    return !action.requested_start_frame().has_value() &&
           action.start_kind == StartSpec::Kind::kAfter;
  };
  absl::flat_hash_map<const Batch*, size_t> counts;
  for (const std::shared_ptr<Action>& action : submission->members) {
    if (!action->waits_for_voice() ||
        (action->play_feed() != nullptr && !action->play_feed()->handed_over)) {
      continue;
    }
    if (follows(*action)) {
      const Action* const predecessor = action->after();
      if (predecessor == nullptr ||
          (!made.contains(predecessor) && predecessor->voice == nullptr)) {
        continue;
      }
    }
    made[action.get()] = nullptr;
    ++counts[batch_of(*action)];
  }
  for (Batch* const batch : {placed.get(), floating.get()}) batch->ReserveVoices(counts[batch]);
  for (const std::shared_ptr<Action>& action : submission->members) {
    const auto voice = made.find(action.get());
    if (voice == made.end()) continue;
    Voice* after = nullptr;
    if (const Action* const predecessor = action->after();
        predecessor != nullptr && follows(*action)) {
      const auto found = made.find(predecessor);
      after = found != made.end() ? found->second : predecessor->voice;
    }
    const int64_t offset_frames =
        after != nullptr ? Voice::kFollows
                         : action->requested_start_frame().value_or(action->start_frames);
    voice->second = AddVoice(action, offset_frames, after, batch_of(*action));
  }
  // Both or none: what the mixer has sounds.
  std::vector<const Batch*> batches;
  for (const auto* const batch : {&placed, &floating}) {
    if (!(*batch)->voices.empty()) batches.push_back(batch->get());
  }
  if (!stream_->mixer().CheckRoom(batches).ok()) {
    for (const auto& [action, voice] : made) TakeBackSessionGain(*voice);
    return LimitExceeded("max_actions", "more", absl::StrCat(limits_.max_actions));
  }
  for (std::unique_ptr<Batch>* batch : {&placed, &floating}) {
    if ((*batch)->voices.empty()) continue;
    (*batch)->owner = submission;
    absl::Status status = stream_->mixer().Submit(batch);
    if (!status.ok()) {
      for (const Voice* const voice : (*batch)->voices) TakeBackSessionGain(*voice);
      return MakeError(absl::StatusCode::kInternal, {.reason = ErrorReason::kInternal},
                       std::string(status.message()));
    }
    ++submission->lent;
  }
  for (const std::shared_ptr<Action>& action : submission->members) {
    const auto voice = made.find(action.get());
    if (voice == made.end()) continue;
    action->voice = voice->second;
    action->lent = true;
    action->setup = nullptr;
    lent->push_back(action);
  }
  return absl::OkStatus();
}

Voice* EngineImpl::AddVoice(const std::shared_ptr<Action>& action, int64_t offset_frames,
                            Voice* after, Batch* batch) {
  // Copied: the mixer may refuse it.
  Voice::Spec spec = action->setup->spec;
  spec.offset_frames = offset_frames;
  spec.after = after;
  if (action->play_feed() != nullptr) {
    spec.feed = action->play_feed()->feed.get();
  } else {
    spec.view = action->audio()->View();
  }
  AddSessionGain(action, &spec);
  Voice* const voice = batch->AddVoice(spec);
  if (action->setup->cut_frame != Voice::kNoFrame) {
    voice->MakeExtras();
    voice->CutRt(action->setup->cut_frame);
  }
  return voice;
}

std::optional<int64_t> EngineImpl::FrameOf(const Action& action,
                                           const Submission& submission) const {
  const ConverterClock clock = action.clock();
  const StreamInfo& info = submission.stream->info();
  switch (action.start_kind) {
    case StartSpec::Kind::kFrame:
      return action.start_frames;
    case StartSpec::Kind::kStreamTime: {
      const int64_t frame = action.start_frames;
      if (clock == ConverterClock::kInput) {
        return frame + info.input_latency_frames + submission.calibration_frames;
      }
      return clock == ConverterClock::kOutput ? frame - info.output_latency_frames : frame;
    }
    case StartSpec::Kind::kAfter:
      return action.requested_start_frame();
    case StartSpec::Kind::kOffset:
    case StartSpec::Kind::kWallTime:  // is no action's own
      break;
  }
  if (!submission.origin.has_value()) return std::nullopt;
  return *submission.origin + action.start_frames +
         (clock == ConverterClock::kInput ? submission.record_shift_frames : 0);
}

void EngineImpl::Resolve(Submission* submission) {
  for (const std::shared_ptr<Action>& action :
       std::vector<std::shared_ptr<Action>>(submission->members)) {
    if (action->requested_start_frame().has_value()) continue;
    action->set_requested_start_frame(FrameOf(*action, *submission));
    if (!action->requested_start_frame().has_value()) continue;
    if (!action->is_play() && !action->over) {
      Place(action, /*can_be_late=*/false);
    }
  }
  Answer(submission);
}

void EngineImpl::Place(const std::shared_ptr<Action>& action, bool can_be_late) {
  const int64_t frame = *action->requested_start_frame();
  switch (action->kind) {
    case ActionKind::kRecord:
    case ActionKind::kRecordStream:
      // Nothing has to be there to record nothing.
      AddDue(action->total_frames() == 0 ? frame - 1 : frame, action);
      break;
    case ActionKind::kCancel:
      HandOnCancel(action, can_be_late);
      if (!action->ended()) AddDue(frame - 1, action);
      break;
    case ActionKind::kChange:
      HandOnChange(action, can_be_late);
      break;
    case ActionKind::kStats: {
      const int64_t late = can_be_late ? NextFrame() - frame : 0;
      if (late > 0) action->MutableOutcome().report.late_frames = late;
      if (late > 0 && action->late_policy == LatePolicy::kSkip) {
        Conclude(action, ActionEnd::kSkipped, frame);
      } else {
        AddDue(frame, action);
      }
      break;
    }
    default:
      break;
  }
}

void EngineImpl::Answer(Submission* submission) {
  unanswered_.erase(submission);
  if (!submission->callback) return;
  BatchAdmitted admitted;
  admitted.batch_id = submission->common->batch_id;
  admitted.stream_id = submission->common->stream_id;
  admitted.origin_frame = submission->origin;
  admitted.origin_wall_time = submission->common->wall_origin;
  admitted.origin_uncertainty_frames = submission->origin_uncertainty_frames;
  admitted.actions.reserve(submission->members.size());
  for (const std::shared_ptr<Action>& member : submission->members) {
    admitted.actions.push_back(
        {.action_id = member->id(),
         .key = member->key(),
         .start_frame = member->requested_start_frame(),
         .buffer_id = member->is_record() ? ids_.Make('b', member->buffer_number) : ""});
  }
  for (auto& other : requests_.Finish(submission->common->session_id, submission->request_id,
                                      admitted, Now().monotonic)) {
    Defer([other = std::move(other), admitted] { other(admitted); });
  }
  Defer([callback = std::move(submission->callback), admitted = std::move(admitted)] {
    callback(admitted);
  });
  submission->callback = nullptr;
}

void EngineImpl::DropSubmission(Submission* submission) {
  if (submission->lent > 0 || submission->callback || submission->waiting) return;
  for (const std::shared_ptr<Action>& action : submission->members) {
    if (action->waits_for_voice()) return;
    if (!submission->origin.has_value() && !action->over) return;
  }
  submission->common->submission = nullptr;
  submissions_.erase(submission);
}

}  // namespace rtmixd
