// Measured latencies: storing them, and what is aligned with them.

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "server/base/error_info.h"
#include "server/control/engine_impl.h"

namespace rtmixd {

absl::StatusOr<CalibrationInfo> EngineImpl::SetCalibration(
    const std::string& session_id, const LatencyMeasurementInfo& measurement) {
  CalibrationInfo added;
  absl::Status changed = ChangeCalibrations(session_id, [&](CalibrationStore& store) {
    mu_.AssertHeld();
    if (absl::Status status = CheckStream(); !status.ok()) return status;
    if (measurement.stream_id != stream_->id()) {
      return BadField("measurement.stream_id", measurement.stream_id, stream_->id());
    }
    absl::StatusOr<CalibrationInfo> calibration =
        store.Add(CalibratedSettings::Of(stream_->info()), measurement, options_.wall_time());
    if (!calibration.ok()) return calibration.status();
    added = *std::move(calibration);
    return absl::OkStatus();
  });
  if (!changed.ok()) return changed;
  Lock lock(this);
  LogEntry entry = Event(EventKind::kNote);
  entry.session_id = session_id;
  entry.session_label = sessions_.Label(session_id);
  entry.text = absl::StrFormat("%s: %+.3f frames beyond the latencies that the host claims",
                               added.id(), added.excess_frames());
  events_.Append(std::move(entry));
  return added;
}

absl::Status EngineImpl::DeleteCalibration(const std::string& session_id,
                                           const std::string& calibration_id) {
  return ChangeCalibrations(session_id, [&calibration_id](CalibrationStore& store) {
    return store.Delete(calibration_id);
  });
}

std::vector<CalibrationInfo> EngineImpl::ListCalibrations() {
  Lock lock(this);
  return calibrations_.all();
}

absl::Status EngineImpl::ChangeCalibrations(
    const std::string& session_id, const std::function<absl::Status(CalibrationStore&)>& change) {
  // One change at a time, from its copy to its file, without the engine's lock while that is
  // written.
  MutexLock one_change(&calibration_change_mu_);
  CalibrationStore changed;
  {
    Lock lock(this);
    StreamOp op;
    op.session_id = session_id;
    if (absl::Status status = CheckMayChange(op); !status.ok()) return status;
    changed = calibrations_;
    if (absl::Status status = change(changed); !status.ok()) return status;
  }
  if (options_.save_calibrations) {
    if (absl::Status status = options_.save_calibrations(changed.all()); !status.ok()) {
      return status;
    }
  }
  Lock lock(this);
  calibrations_ = std::move(changed);
  return absl::OkStatus();
}

const CalibrationInfo* EngineImpl::PresentCalibration() const {
  return stream_ == nullptr ? nullptr : calibrations_.Find(CalibratedSettings::Of(stream_->info()));
}

int64_t EngineImpl::RoundTripFrames() const {
  const StreamInfo& info = stream_->info();
  const CalibrationInfo* const calibration = PresentCalibration();
  return info.input_latency_frames + info.output_latency_frames +
         (calibration == nullptr ? 0 : calibration->used_frames());
}

void EngineImpl::Calibrate(Submission* submission) {
  const CalibrationInfo* const calibration = PresentCalibration();
  if (calibration == nullptr) return;
  submission->calibration_frames = calibration->used_frames();
  for (const std::shared_ptr<Action>& action : submission->members) {
    action->calibrated =
        action->start_kind == StartSpec::Kind::kStreamTime ||
        (action->start_kind == StartSpec::Kind::kOffset && submission->record_shift_frames != 0);
  }
}

}  // namespace rtmixd
