#include "server/control/batch_sum.h"

#include <algorithm>

namespace rtmixd {
namespace {

constexpr size_t kReportedXruns = 64;  // as of one action

}  // namespace

void BatchSum::Add(const ActionReport& report) {
  sum_.stream_id = report.stream_id;
  ++sum_.actions;
  switch (report.state) {
    case ActionState::kPending:
      ++sum_.pending_actions;
      break;
    case ActionState::kActive:
      ++sum_.active_actions;
      break;
    case ActionState::kDone:
      ++sum_.done_actions;
      break;
    case ActionState::kEnded:
      ++sum_.ended_actions;
      break;
  }
  if (report.end_reason != ActionEnd::kNone) ++ends_[report.end_reason];
  if (report.start_frame.has_value()) {
    sum_.start_frame =
        std::min(sum_.start_frame.value_or(*report.start_frame), *report.start_frame);
  }
  if (report.end_frame.has_value()) {
    sum_.end_frame = std::max(sum_.end_frame.value_or(*report.end_frame), *report.end_frame);
  }
  AddXruns(report);
  sum_.gap_count += report.gap_count;
  sum_.gap_frames += report.gap_frames;
  sum_.late_actions += report.late_frames > 0 ? 1 : 0;
  sum_.late_frames = std::max(sum_.late_frames, report.late_frames);
  sum_.dropped_frames += report.dropped_frames;
  sum_.clipped_actions += report.clipped_samples > 0 ? 1 : 0;
  sum_.clipped_samples = std::max(sum_.clipped_samples, report.clipped_samples);
}

void BatchSum::AddXruns(const ActionReport& report) {
  if (report.touched == Touched::kYes) {
    ++sum_.touched_actions;
    sum_.touched = Touched::kYes;
  } else if (report.touched == Touched::kCannotTell && sum_.touched == Touched::kNo) {
    sum_.touched = Touched::kCannotTell;
  }
  sum_.shortest_detectable_loss_frames =
      std::max(sum_.shortest_detectable_loss_frames, report.shortest_detectable_loss_frames);
  for (const XrunInfo& xrun : report.xruns) {
    xruns_.emplace(std::tuple(xrun.frame, xrun.earliest_frame, xrun.latest_frame, xrun.flagged),
                   xrun);
  }
}

BatchReport BatchSum::Report() const {
  BatchReport report = sum_;
  if (report.ended_actions == report.actions) {
    report.state = ActionState::kEnded;
  } else if (report.ended_actions + report.done_actions == report.actions) {
    report.state = ActionState::kDone;
  } else if (report.pending_actions < report.actions) {
    report.state = ActionState::kActive;
  }
  if (report.ended_actions + report.done_actions < report.actions) report.end_frame.reset();
  for (const auto& [reason, actions] : ends_) report.ends.push_back({reason, actions});
  report.xrun_count = static_cast<int64_t>(xruns_.size());
  for (const auto& [place, xrun] : xruns_) {
    if (report.xruns.size() == kReportedXruns) break;
    report.xruns.push_back(xrun);
  }
  return report;
}

}  // namespace rtmixd
