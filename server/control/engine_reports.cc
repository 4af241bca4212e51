// What can be told of actions and of the stream's counters.

#include "server/control/batch_sum.h"
#include "server/control/engine_impl.h"

namespace rtmixd {

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

absl::StatusOr<BatchReport> EngineImpl::GetBatch(const std::string& session_id,
                                                 const std::string& batch_id) {
  Lock lock(this);
  if (absl::Status status = CheckSession(session_id); !status.ok()) return status;
  const absl::StatusOr<std::vector<std::shared_ptr<Action>>> actions =
      actions_.FindBatch(session_id, batch_id);
  if (!actions.ok()) return actions.status();
  return ReportOf(batch_id, *actions);
}

BatchReport EngineImpl::ReportOf(const std::string& batch_id,
                                 const std::vector<std::shared_ptr<Action>>& actions) {
  BatchSum sum(batch_id);
  for (const std::shared_ptr<Action>& action : actions) {
    sum.Add(ReportOf(*action));
  }
  return sum.Report();
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
  ActionReport report = action.Report();
  if (action.ended()) return report;
  if (action.voice != nullptr) {
    DescribeProgress(*action.voice, action, StreamOf(action).mixer().next_frame(), &report);
    report.underruns = action.play_feed() != nullptr ? action.voice->gap_count() : 0;
  }
  if (action.recording() != nullptr) CopyStatus(action.recording()->status(), &report);
  if (report.start_frame.has_value()) {
    const int64_t end_frame =
        action.over ? action.outcome->end_frame : StreamOf(action).mixer().next_frame();
    if (!action.done()) StreamOf(action).DescribeBlocks(action.outcome->mark, end_frame, &report);
    StreamOf(action).DescribeXruns(action.outcome->mark, end_frame, action.is_record_of_input(),
                                   &report);
    if (!action.over && report.touched == Touched::kNo) {
      report.touched = Touched::kCannotTell;
    }
  }
  return report;
}

}  // namespace rtmixd
