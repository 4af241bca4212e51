// What sessions ask of the stream, done one after the other.

#include <utility>

#include "absl/strings/str_cat.h"
#include "server/base/error_info.h"
#include "server/control/engine_impl.h"

namespace rtmixd {

StreamStatus EngineImpl::GetStream() {
  Lock lock(this);
  return StatusOf();
}

StreamStatus EngineImpl::StatusOf() {
  StreamStatus status;
  status.state = stream_state_;
  status.master_gain = master_gain_.target();
  if (stream_ == nullptr) return status;
  status.stream_id = stream_->id();
  status.info = stream_->info();
  status.settings = stream_->settings();
  status.next_frame = NextFrame();
  status.cpu_load = runner_->device().cpu_load();
  if (const CalibrationInfo* calibration = PresentCalibration(); calibration != nullptr) {
    status.calibration = *calibration;
  }
  return status;
}

void EngineImpl::OpenStream(const std::string& session_id, const StreamSettings& settings,
                            StreamCallback callback) {
  Lock lock(this);
  AddOp(std::make_shared<StreamOp>(StreamOp{.kind = StreamOp::Kind::kOpen,
                                            .session_id = session_id,
                                            .settings = settings,
                                            .callback = std::move(callback)}));
}

void EngineImpl::StartStream(const std::string& session_id, StreamCallback callback) {
  Lock lock(this);
  AddOp(std::make_shared<StreamOp>(StreamOp{.kind = StreamOp::Kind::kStart,
                                            .session_id = session_id,
                                            .settings = {},
                                            .callback = std::move(callback)}));
}

void EngineImpl::StopStream(const std::string& session_id, bool abort, StreamCallback callback) {
  Lock lock(this);
  AddOp(std::make_shared<StreamOp>(StreamOp{.kind = StreamOp::Kind::kStop,
                                            .session_id = session_id,
                                            .settings = {},
                                            .abort = abort,
                                            .callback = std::move(callback)}));
}

void EngineImpl::CloseStream(const std::string& session_id, StreamCallback callback) {
  Lock lock(this);
  AddOp(std::make_shared<StreamOp>(StreamOp{.kind = StreamOp::Kind::kClose,
                                            .session_id = session_id,
                                            .settings = {},
                                            .callback = std::move(callback)}));
}

void EngineImpl::RestoreStream(const std::string& session_id, StreamCallback callback) {
  Lock lock(this);
  AddOp(std::make_shared<StreamOp>(StreamOp{.kind = StreamOp::Kind::kRestore,
                                            .session_id = session_id,
                                            .settings = {},
                                            .callback = std::move(callback)}));
}

absl::Status EngineImpl::LoadScript(const std::string& session_id,
                                    const std::vector<ScriptedFault>& faults) {
  Lock lock(this);
  if (!options_.enable_device_scripts) {
    return MakeError(absl::StatusCode::kFailedPrecondition,
                     {.reason = ErrorReason::kNotEnabled, .field = "--enable_device_scripts"},
                     "the server was started without --enable_device_scripts");
  }
  if (absl::Status status = CheckMayWork(session_id); !status.ok()) return status;
  if (absl::Status status = CheckStream(); !status.ok()) return status;
  std::vector<ScriptedFault> shifted = faults;
  for (ScriptedFault& fault : shifted) fault.at_frame -= stream_->device_base_frame;
  absl::Status status = runner_->device().LoadScript(shifted);
  if (status.code() != absl::StatusCode::kUnimplemented) return status;
  return MakeError(absl::StatusCode::kFailedPrecondition,
                   {.reason = ErrorReason::kNotEnabled, .field = "--device"},
                   std::string(status.message()));
}

// --- One thing after the other ---

void EngineImpl::AddOp(OpPtr op) {
  ops_.push_back(std::move(op));
  RunOps();
}

void EngineImpl::RunOps() {
  while (current_op_ == nullptr && !abandoning_ && !ops_.empty()) {
    current_op_ = std::move(ops_.front());
    ops_.pop_front();
    const OpPtr op = current_op_;
    BeginOp(op);
  }
}

void EngineImpl::FinishOp(const OpPtr& op, const absl::Status& status) {
  if (current_op_ == op) current_op_ = nullptr;
  if (op->callback) {
    if (status.ok()) {
      Defer([callback = std::move(op->callback), answer = StatusOf()] { callback(answer); });
    } else {
      Defer([callback = std::move(op->callback), status] { callback(status); });
    }
  }
  // From the outermost caller, so that ops that end at once do not pile up.
  Defer([this] {
    Lock lock(this);
    RunOps();
  });
}

absl::Status EngineImpl::CheckMayChange(const StreamOp& op) {
  if (op.session_id.empty()) return absl::OkStatus();
  if (absl::Status status = CheckMayWork(op.session_id); !status.ok()) return status;
  for (const std::string& busy : actions_.BusySessions()) {
    if (busy == op.session_id) continue;
    const std::string label = sessions_.Label(busy);
    return MakeError(absl::StatusCode::kFailedPrecondition,
                     {.reason = ErrorReason::kBusy, .holder_label = label},
                     absl::StrCat("session \"", label, "\" has unfinished actions"));
  }
  return absl::OkStatus();
}

void EngineImpl::BeginOp(const OpPtr& op) {
  using Kind = StreamOp::Kind;
  if (op->kind == Kind::kRecover) {
    DoRecover(op);
    return;
  }
  absl::Status status = absl::OkStatus();
  if (!op->session_id.empty()) status = CheckMayWork(op->session_id);
  // What changes nothing disturbs nobody.
  bool nothing_to_do = false;
  switch (op->kind) {
    case Kind::kOpen:
      nothing_to_do = stream_ != nullptr && stream_->settings() == op->settings;
      if (status.ok() && stream_ != nullptr && !nothing_to_do) {
        status =
            MakeError(absl::StatusCode::kFailedPrecondition, {.reason = ErrorReason::kStreamOpen},
                      "a stream is open with other settings: close it first");
      }
      break;
    case Kind::kStart:
      nothing_to_do = running();
      if (status.ok()) status = CheckStream();
      break;
    case Kind::kStop:
      nothing_to_do = stream_state_ == StreamState::kStopped;
      if (status.ok()) status = CheckStream();
      break;
    case Kind::kClose:
      nothing_to_do = stream_ == nullptr;
      break;
    case Kind::kRestore:
      nothing_to_do =
          options_.default_stream.has_value()
              ? stream_ != nullptr && running() && stream_->settings() == *options_.default_stream
              : stream_ == nullptr;
      break;
    case Kind::kRecover:
      break;
  }
  if (status.ok() && !nothing_to_do) status = CheckMayChange(*op);
  if (!status.ok() || nothing_to_do) {
    FinishOp(op, status);
    return;
  }
  if (!op->session_id.empty() && sessions_.exclusive_session_id() == op->session_id) {
    changed_by_exclusive_ = op->kind != Kind::kRestore;
  }
  const Next finish = [this, op](const absl::Status& result) {
    mu_.AssertHeld();
    FinishOp(op, result);
  };
  switch (op->kind) {
    case Kind::kOpen:
      DoOpen(op, op->settings, finish);
      break;
    case Kind::kStart:
      DoStart(op, finish);
      break;
    case Kind::kStop:
      DoStop(op, op->abort, finish);
      break;
    case Kind::kClose:
      DoClose(op, finish);
      break;
    case Kind::kRestore:
      DoRestore(op);
      break;
    case Kind::kRecover:
      break;
  }
}

}  // namespace rtmixd
