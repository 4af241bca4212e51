// Batches that wait on the control side: for their moment of the wall clock, or to be committed.
//
// Their actions are registered at once and count against the limits, so that all have their room
// when their time comes. The mixer gets nothing before.

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "server/control/engine_impl.h"

namespace rtmixd {
namespace {

// So long before its moment the frame of an origin is fixed. Later would leave less room for a
// machine that stalls (healthy ones did for 283 ms) and for a slow pump; earlier would carry the
// error of the rate further, 0.1 frames per second and ppm at 96 kHz, and would follow the host's
// clock less long.
constexpr absl::Duration kFixAhead = absl::Seconds(2);
// At the latest, if the stream's clock is not known well: it needs 2 s of blocks.
constexpr absl::Duration kFixAtLast = absl::Milliseconds(500);
// A wall clock that moves by more against the monotonic one was set.
constexpr absl::Duration kClockStep = absl::Milliseconds(1);

}  // namespace

absl::Status EngineImpl::KeepWaiting(std::unique_ptr<Submission> submission) {
  Submission* const s = submission.get();
  submissions_.emplace(s, std::move(submission));
  for (const std::shared_ptr<Action>& action : s->members) {
    action->set_requested_start_frame(FrameOf(*action, *s));
    Register(action);
    LinkSuccessor(action);
  }
  s->registered = true;
  if (s->common->wall_origin.has_value()) waiting_.emplace(*s->common->wall_origin, s);
  if (s->prepared) {
    RememberPrepared(s);
    Answer(s);
    RunWaiting();
  } else {
    // What is near is answered with its frame.
    RunWaiting();
    if (submissions_.contains(s) && s->waiting) Answer(s);
  }
  WakePump();
  return absl::OkStatus();
}

void EngineImpl::RunWaiting() {
  if (submissions_.empty() || (waiting_.empty() && prepared_frames_.empty())) {
    wall_offset_.reset();
    return;
  }
  ExpirePrepared();
  if (waiting_.empty()) return;
  const ClockPair now = ReadClocks();
  NoteClockSteps(now);
  const StreamInfo& info = stream_->info();
  const absl::Time converter_now =
      now.wall +
      absl::Seconds(static_cast<double>(info.output_latency_frames) / info.sample_rate_hz);
  std::vector<Submission*> near;
  for (auto it = waiting_.begin(); it != waiting_.end() && it->first <= converter_now + kFixAhead;
       ++it) {
    if (!it->second->prepared && MayFix(it->first - converter_now)) near.push_back(it->second);
  }
  for (Submission* const submission : near) {
    // Another's cancel may have ended it.
    if (!submissions_.contains(submission)) continue;
    FixOrigin(submission, now);
    Release(submission);
  }
}

bool EngineImpl::MayFix(absl::Duration until) const {
  const TimeMap::Estimate& estimate = stream_->time_map().estimate();
  return stream_state_ == StreamState::kRunning && estimate.rate_hz > 0 &&
         (estimate.locked || until <= kFixAtLast);
}

void EngineImpl::FixOrigin(Submission* submission, const ClockPair& now) {
  const WallTimeFrame fixed =
      FrameAtWallTime(stream_->time_map(), now, *submission->common->wall_origin,
                      stream_->info().output_latency_frames);
  submission->origin = fixed.frame;
  submission->origin_uncertainty_frames = fixed.uncertainty_frames;
  const WallClockState clock = options_.wall_clock_state();
  for (const std::shared_ptr<Action>& action : submission->members) {
    if (action->over) continue;
    action->set_requested_start_frame(FrameOf(*action, *submission));
    ActionReport& report = action->MutableOutcome().report;
    report.origin_frame = fixed.frame;
    report.origin_uncertainty_frames = fixed.uncertainty_frames;
    if (clock.synchronized) report.wall_clock_max_error_seconds = clock.max_error_seconds;
    TellFollowers(*action);
  }
  LogEntry entry = Event(EventKind::kNote);
  entry.session_id = submission->common->session_id;
  entry.frame = fixed.frame;
  // Streams are no batch.
  const std::string& batch_id = submission->common->batch_id;
  entry.text =
      absl::StrFormat("%s: the wall clock's %s is this frame, +-%.3f frames",
                      batch_id.empty() ? submission->members[0]->id() : "batch " + batch_id,
                      absl::FormatTime(*submission->common->wall_origin, absl::UTCTimeZone()),
                      fixed.uncertainty_frames);
  events_.Append(std::move(entry));
}

void EngineImpl::Release(Submission* submission) {
  Unlist(submission);
  submission->waiting = false;
  std::unique_ptr<Submission> owned = std::move(submissions_.extract(submission).mapped());
  std::erase_if(submission->members, [](const auto& action) { return action->over.load(); });
  // They follow others from now on.
  for (const std::shared_ptr<Action>& action : submission->members) {
    if (action->after() == nullptr || !action->after()->over) continue;
    action->set_requested_start_frame(action->after()->outcome->end_frame);
    action->links->after = nullptr;
  }
  if (!submission->origin.has_value()) {
    submission->floating =
        running() && std::any_of(submission->members.begin(), submission->members.end(),
                                 [](const auto& a) { return a->floats(); });
    if (!submission->floating) submission->origin = NextFrame();
  }
  NoteOutcome(*submission);
  // What did not go well is in the reports.
  Admit(std::move(owned)).IgnoreError();
}

void EngineImpl::GiveUpReleased(std::unique_ptr<Submission> submission) {
  Submission* const s = submission.get();
  submissions_.emplace(s, std::move(submission));
  ++s->lent;  // not dropped by the end of its last member: it is to be answered
  for (const std::shared_ptr<Action>& action : std::vector<std::shared_ptr<Action>>(s->members)) {
    if (action->voice != nullptr) continue;
    Conclude(action, ActionEnd::kLimitExceeded,
             action->requested_start_frame().value_or(NextFrame()));
  }
  --s->lent;
  Answer(s);
  DropSubmission(s);
}

void EngineImpl::DropIfOver(Submission* submission) {
  for (const std::shared_ptr<Action>& action : submission->members) {
    if (!action->over) return;
  }
  Unlist(submission);
  NoteOutcome(*submission);
  submission->common->submission = nullptr;
  submissions_.erase(submission);
}

void EngineImpl::Unlist(Submission* submission) {
  const auto is_it = [submission](const auto& entry) { return entry.second == submission; };
  if (submission->common->wall_origin.has_value()) {
    const auto [begin, end] = waiting_.equal_range(*submission->common->wall_origin);
    const auto found = std::find_if(begin, end, is_it);
    if (found != end) waiting_.erase(found);
  }
  const std::optional<int64_t> first = FirstStart(*submission);
  if (first.has_value()) {
    const auto [begin, end] = prepared_frames_.equal_range(*first);
    const auto found = std::find_if(begin, end, is_it);
    if (found != end) prepared_frames_.erase(found);
  }
}

void EngineImpl::NoteStartWallTime(Action* action) {
  if (!action->common->wall_origin.has_value()) return;
  ActionReport& report = action->outcome->report;
  const StreamInfo& info = StreamOf(*action).info();
  int64_t latency_frames = info.output_latency_frames;
  double excess_frames = 0;  // of a recording, beyond latency_frames
  if (action->is_record_of_input()) {
    latency_frames = -info.input_latency_frames;
    if (const CalibrationInfo* const calibration = PresentCalibration()) {
      excess_frames = calibration->excess_frames();
    }
  }
  const FrameWallTime started = WallTimeAtFrame(StreamOf(*action).time_map(), ReadClocks(),
                                                *report.start_frame, latency_frames);
  report.start_wall_time = started.moment - absl::Seconds(excess_frames / info.sample_rate_hz);
  report.start_wall_time_uncertainty_frames = started.uncertainty_frames;
}

void EngineImpl::NoteClockSteps(const ClockPair& now) {
  const absl::Duration offset =
      now.wall - absl::UnixEpoch() - absl::Nanoseconds(now.monotonic_nanos);
  const absl::Duration moved =
      wall_offset_.has_value() ? offset - *wall_offset_ : absl::ZeroDuration();
  if (absl::AbsDuration(moved) > kClockStep + absl::Nanoseconds(now.error_nanos)) {
    LogEntry entry = Event(EventKind::kNote);
    entry.text = absl::StrCat("the wall clock of the host was set by ", absl::FormatDuration(moved),
                              " while batches wait for it");
    events_.Append(std::move(entry));
    wall_offset_ = offset;
  } else if (!wall_offset_.has_value()) {
    wall_offset_ = offset;
  }
}

}  // namespace rtmixd
