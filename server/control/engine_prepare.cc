// Batches that are prepared, and start only when they are committed.

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/base/error_info.h"
#include "server/control/engine_impl.h"

namespace rtmixd {
namespace {

// So long before its first start a batch has to be committed: enough for the pump, the queue to the
// mixer and the block that it is mixed in, on a machine that is not stalled.
constexpr absl::Duration kCommitAhead = absl::Milliseconds(100);

}  // namespace

absl::StatusOr<BatchCommitted> EngineImpl::CommitBatch(const std::string& session_id,
                                                       const std::string& batch_id) {
  Lock lock(this);
  if (absl::Status status = CheckSession(session_id); !status.ok()) return status;
  // What is too late now is, whether the pump has seen it or not.
  RunWaiting();
  const auto found = prepared_.find(batch_id);
  if (found == prepared_.end() || found->second.session_id != session_id) {
    return ids_.NotFound("batch_id", batch_id, "prepared batch");
  }
  PreparedBatch& batch = found->second;
  if (batch.committed) return batch.answer;
  if (batch.submission == nullptr) {
    return MakeError(
        absl::StatusCode::kFailedPrecondition,
        {.reason = ErrorReason::kWrongState,
         .field = "batch_id",
         .value = batch_id,
         .limit = "a batch that is prepared, 0.1 s before its first start at the latest"});
  }
  Submission* const submission = batch.submission;
  batch.committed = true;
  submission->prepared = false;
  if (submission->common->wall_origin.has_value()) {
    RunWaiting();
  } else {
    Release(submission);
  }
  WakePump();
  return prepared_.at(batch_id).answer;
}

void EngineImpl::RememberPrepared(Submission* submission) {
  const std::string& batch_id = submission->common->batch_id;
  PreparedBatch& batch = prepared_[batch_id];
  batch.session_id = submission->common->session_id;
  batch.submission = submission;
  batch.answer.origin_frame = submission->origin;
  if (const std::optional<int64_t> first = FirstStart(*submission)) {
    prepared_frames_.emplace(*first, submission);
  }
  prepared_order_.push_back(batch_id);
  // Those that still wait are bounded by their actions; of the others the oldest are forgotten.
  const auto most = static_cast<size_t>(2) * limits_.max_actions;
  while (prepared_order_.size() > most) {
    std::string oldest = std::move(prepared_order_.front());
    prepared_order_.pop_front();
    const auto found = prepared_.find(oldest);
    if (found == prepared_.end()) continue;
    if (found->second.submission != nullptr) {
      prepared_order_.push_back(std::move(oldest));
    } else {
      prepared_.erase(found);
    }
  }
}

void EngineImpl::NoteOutcome(const Submission& submission) {
  const auto found = prepared_.find(submission.common->batch_id);
  if (found == prepared_.end()) return;
  found->second.submission = nullptr;
  found->second.answer.origin_frame = submission.origin;
  found->second.answer.origin_uncertainty_frames = submission.origin_uncertainty_frames;
}

std::optional<int64_t> EngineImpl::FirstStart(const Submission& submission) {
  if (submission.common->wall_origin.has_value()) return std::nullopt;
  std::optional<int64_t> first;
  for (const std::shared_ptr<Action>& action : submission.members) {
    const std::optional<int64_t> frame = action->requested_start_frame();
    if (frame.has_value()) first = std::min(first.value_or(*frame), *frame);
  }
  return first;
}

void EngineImpl::ExpirePrepared() {
  const StreamInfo& info = stream_->info();
  const auto ahead_frames =
      static_cast<int64_t>(absl::ToDoubleSeconds(kCommitAhead) * info.sample_rate_hz);
  while (!prepared_frames_.empty() &&
         prepared_frames_.begin()->first < NextFrame() + ahead_frames) {
    Expire(prepared_frames_.begin()->second);
  }
  if (waiting_.empty()) return;
  const absl::Time limit =
      options_.wall_time() + kCommitAhead +
      absl::Seconds(static_cast<double>(info.output_latency_frames) / info.sample_rate_hz);
  std::vector<Submission*> late;
  for (auto it = waiting_.begin(); it != waiting_.end() && it->first < limit; ++it) {
    if (it->second->prepared) late.push_back(it->second);
  }
  for (Submission* const submission : late) {
    if (submissions_.contains(submission)) Expire(submission);
  }
}

void EngineImpl::Expire(Submission* submission) {
  // With the last of them it is gone.
  for (const std::shared_ptr<Action>& action :
       std::vector<std::shared_ptr<Action>>(submission->members)) {
    Conclude(action, ActionEnd::kNotCommitted,
             action->requested_start_frame().value_or(NextFrame()));
  }
}

void EngineImpl::ForgetPrepared(const std::string& session_id) {
  absl::erase_if(prepared_, [&](const auto& entry) {
    return entry.second.session_id == session_id && entry.second.submission == nullptr;
  });
}

}  // namespace rtmixd
