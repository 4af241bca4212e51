#include "tests/fuzz/action_ledger.h"

#include <algorithm>

#include "absl/strings/numbers.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "tests/fuzz/require.h"

namespace rtmixd {

void ActionLedger::ReadEvents(Engine* engine) {
  while (true) {
    const EventPage page = engine->ReadEvents(next_sequence_, {}, 1000);
    RTMIXD_REQUIRE(page.missed == 0, std::to_string(page.missed));
    for (const LogEntry& entry : page.entries) {
      RTMIXD_REQUIRE(entry.sequence == next_sequence_, std::to_string(entry.sequence));
      ++next_sequence_;
      if (!entry.action_id.empty()) Take(entry);
    }
    RTMIXD_REQUIRE(page.next_sequence == next_sequence_, std::to_string(page.next_sequence));
    if (page.entries.empty()) return;
  }
}

std::optional<size_t> ActionLedger::NumberOf(const std::string& action_id) const {
  absl::string_view digits = action_id;
  uint64_t number = 0;
  if (mark_.empty() || !absl::ConsumePrefix(&digits, "a-") ||
      !absl::ConsumeSuffix(&digits, mark_) || !absl::SimpleAtoi(digits, &number)) {
    return std::nullopt;
  }
  return number;
}

void ActionLedger::Take(const LogEntry& entry) {
  const std::string& id = entry.action_id;
  if (entry.kind == EventKind::kActionScheduled) {
    if (mark_.empty()) mark_ = id.substr(std::min(id.find('.'), id.size()));
    const std::optional<size_t> number = NumberOf(id);
    RTMIXD_REQUIRE(number.has_value(), id);
    if (numbers_.size() <= *number) numbers_.resize(*number + 1);
    RTMIXD_REQUIRE(!numbers_[*number], id);
    numbers_[*number] = true;
    ++scheduled_;
    open_[id].session_id = entry.session_id;
    return;
  }
  const auto found = open_.find(id);
  // What a client reattaches to may have ended, and its reader may have lost more; and what a
  // change did is told when the mixer gives it back.
  if (entry.kind == EventKind::kCallReattached || entry.kind == EventKind::kCallDetached ||
      entry.kind == EventKind::kOverrun || entry.kind == EventKind::kActionChanged) {
    CheckAdmitted(id);
    return;
  }
  RTMIXD_REQUIRE(found != open_.end(), id + " has ended, or never was: event " +
                                           std::to_string(static_cast<int>(entry.kind)));
  Open& action = found->second;
  RTMIXD_REQUIRE(action.session_id == entry.session_id, id);
  switch (entry.kind) {
    case EventKind::kActionStarted:
      RTMIXD_REQUIRE(!action.started && !action.done, id);
      action.started = true;
      break;
    case EventKind::kActionDone:
      RTMIXD_REQUIRE(action.started && !action.done, id);
      RTMIXD_REQUIRE(entry.end_reason != ActionEnd::kNone, id);
      action.done = true;
      ++done_;
      break;
    case EventKind::kActionEnded:
      RTMIXD_REQUIRE(entry.end_reason != ActionEnd::kNone, id);
      ++ends_[entry.end_reason];
      if (action.done) --done_;
      open_.erase(found);
      break;
    default:
      break;
  }
}

void ActionLedger::CheckAdmitted(const std::string& action_id) const {
  const std::optional<size_t> number = NumberOf(action_id);
  RTMIXD_REQUIRE(number.has_value() && *number < numbers_.size() && numbers_[*number], action_id);
}

void ActionLedger::CheckReport(const ActionReport& report) const {
  const std::string& id = report.action_id;
  CheckAdmitted(id);
  const auto found = open_.find(id);
  RTMIXD_REQUIRE((found == open_.end()) == (report.state == ActionState::kEnded), id);
  if (found != open_.end()) {
    RTMIXD_REQUIRE(found->second.done == (report.state == ActionState::kDone), id);
  }
  const bool over = report.state == ActionState::kEnded || report.state == ActionState::kDone;
  RTMIXD_REQUIRE(over == (report.end_reason != ActionEnd::kNone), id);
  RTMIXD_REQUIRE(report.state != ActionState::kActive || report.start_frame.has_value(), id);
  RTMIXD_REQUIRE(report.done_frames >= 0 && report.late_frames >= 0, id);
  RTMIXD_REQUIRE(report.dropped_frames >= 0 && report.underruns >= 0, id);
  if (report.total_frames.has_value()) {
    RTMIXD_REQUIRE(report.done_frames <= *report.total_frames, id);
  }
  if (over && report.start_frame.has_value() && report.end_frame.has_value()) {
    RTMIXD_REQUIRE(*report.end_frame >= *report.start_frame, id);
  }
  int64_t gap_frames = 0;
  for (const GapInfo& gap : report.gaps) {
    RTMIXD_REQUIRE(gap.frames > 0 && gap.position >= 0, id);
    gap_frames += gap.frames;
  }
  RTMIXD_REQUIRE(gap_frames <= report.gap_frames, id);
  RTMIXD_REQUIRE(static_cast<int64_t>(report.gaps.size()) <= report.gap_count, id);
  RTMIXD_REQUIRE(static_cast<int64_t>(report.xruns.size()) <= report.xrun_count, id);
}

void ActionLedger::CheckCounts(Engine* engine) {
  // Whoever asks for them lets the engine take what the mixer gave back, which may be an end.
  const auto stats = engine->GetStats("", /*reset_baseline=*/false);
  ReadEvents(engine);
  std::map<std::string, int> of_sessions;
  for (const auto& [id, action] : open_) {
    if (!action.done) ++of_sessions[action.session_id];
  }
  for (const SessionInfo& session : engine->ListSessions()) {
    RTMIXD_REQUIRE(session.active_actions == of_sessions[session.session_id], session.session_id);
  }
  RTMIXD_REQUIRE(stats.ok(), stats.status().ToString());
  RTMIXD_REQUIRE(stats->active_actions >= 0 && stats->pending_actions >= 0, "");
  RTMIXD_REQUIRE(stats->active_actions + stats->pending_actions == unfinished(),
                 std::to_string(unfinished()));
}

void ActionLedger::CheckAllEnded() const {
  RTMIXD_REQUIRE(open_.empty(), open_.begin()->first);
  int64_t ended = 0;
  for (const auto& [reason, count] : ends_) ended += count;
  RTMIXD_REQUIRE(ended == scheduled(), std::to_string(ended));
}

}  // namespace rtmixd
