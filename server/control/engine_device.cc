// The device and its stream: opening to closing, loss and recovery, clock and meters.

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/base/error_info.h"
#include "server/control/engine_impl.h"
#include "server/control/level_meter.h"
#include "server/mixer/stream_time.h"

namespace rtmixd {
namespace {

// Without a callback for so long, a running device is taken for lost: stalls of a healthy one
// reached 283 ms.
constexpr int64_t kSilenceNanos = 500'000'000;
// The most that one look at the device adds to its silence: if all of the machine stood still, the
// device gets the time to show that it is alive.
constexpr int64_t kMaxSilencePerLookNanos = 100'000'000;
constexpr absl::Duration kFirstRecoveryPause = absl::Milliseconds(100);
constexpr absl::Duration kLongestRecoveryPause = absl::Seconds(5);

absl::Status NoStream() {
  return MakeError(absl::StatusCode::kFailedPrecondition,
                   {.reason = ErrorReason::kNoStream, .limit = "an open stream"},
                   "no stream is open");
}

absl::Status DeviceHangs() {
  return MakeError(absl::StatusCode::kFailedPrecondition, {.reason = ErrorReason::kDeviceError},
                   "the device did not answer and was given up");
}

}  // namespace

// --- Calls of the device ---

void EngineImpl::CallDevice(std::function<std::function<void()>(AudioDevice&)> call,
                            std::function<void()> given_up) {
  const int64_t id = ++last_call_;
  device_calls_[id] = {std::move(given_up)};
  DeviceRunner::Job job = [this, id, call = std::move(call)](AudioDevice& device) {
    {
      Lock lock(this);
      running_call_ = id;
    }
    std::function<void()> done = call(device);
    // Not reached by the runner if its thread was replaced.
    return [this, id, done = std::move(done)] {
      std::function<void()> next = done;
      {
        Lock lock(this);
        const auto found = device_calls_.find(id);
        if (found == device_calls_.end()) return;
        // What a call says after the device was abandoned under it is of no use.
        if (found->second.hung) next = std::move(found->second.given_up);
        device_calls_.erase(found);
        running_call_ = 0;
      }
      if (next) next();
    };
  };
  Defer([this, job = std::move(job)] { runner_->Post(job); });
}

void EngineImpl::GiveUpHungDevice() {
  if (runner_->busy_for() < DeviceRunner::kPatience) return;
  int64_t id = 0;
  {
    Lock lock(this);
    const auto found = device_calls_.find(running_call_);
    if (found == device_calls_.end()) return;
    found->second.hung = true;
    id = found->first;
  }
  if (!runner_->GiveUpJob()) return;  // it came back, and does what there is to be done
  std::function<void()> given_up;
  {
    Lock lock(this);
    const auto found = device_calls_.find(id);
    if (found == device_calls_.end()) return;
    given_up = std::move(found->second.given_up);
    device_calls_.erase(found);
    running_call_ = 0;
  }
  if (given_up) given_up();
}

void EngineImpl::ListHostApis(
    std::function<void(absl::StatusOr<std::vector<HostApiInfo>>)> callback) {
  Lock lock(this);
  CallDevice(
      [callback](AudioDevice& device) -> std::function<void()> {
        return [callback, apis = device.ListHostApis()] { callback(apis); };
      },
      [callback] { callback(DeviceHangs()); });
}

void EngineImpl::ListDevices(
    std::function<void(absl::StatusOr<std::vector<DeviceInfo>>)> callback) {
  Lock lock(this);
  CallDevice(
      [callback](AudioDevice& device) -> std::function<void()> {
        return [callback, devices = device.ListDevices()] { callback(devices); };
      },
      [callback] { callback(DeviceHangs()); });
}

void EngineImpl::CheckSettings(const StreamSettings& settings,
                               std::function<void(absl::Status)> callback) {
  Lock lock(this);
  CallDevice(
      [callback, settings](AudioDevice& device) -> std::function<void()> {
        return [callback, status = device.CheckSettings(settings)] { callback(status); };
      },
      [callback] { callback(DeviceHangs()); });
}

// --- What sessions ask for ---

StreamStatus EngineImpl::GetStream() {
  Lock lock(this);
  return StatusOf();
}

StreamStatus EngineImpl::StatusOf() {
  StreamStatus status;
  status.state = stream_state_;
  if (stream_ == nullptr) return status;
  status.stream_id = stream_->id();
  status.info = stream_->info();
  status.settings = stream_->settings();
  status.next_frame = NextFrame();
  status.cpu_load = runner_->device().cpu_load();
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
  if (stream_ == nullptr) return NoStream();
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
      if (status.ok() && stream_ == nullptr) status = NoStream();
      break;
    case Kind::kStop:
      nothing_to_do = stream_state_ == StreamState::kStopped;
      if (status.ok() && stream_ == nullptr) status = NoStream();
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

void EngineImpl::DoOpen(const OpPtr& op, const StreamSettings& settings, const Next& next) {
  auto relay = std::make_shared<SinkRelay>();
  const std::string stream_id = absl::StrCat("s-", ++last_stream_);
  const auto opened = [this, op, settings, relay, next,
                       stream_id](const absl::StatusOr<StreamInfo>& info) {
    // Without the lock: it allocates much.
    const auto make_stream = [&]() -> absl::StatusOr<std::shared_ptr<LiveStream>> {
      if (!info.ok()) return info.status();
      return LiveStream::Create({.stream_id = stream_id,
                                 .settings = settings,
                                 .info = *info,
                                 .history = limits_.history,
                                 .max_actions = limits_.max_actions,
                                 .waker = waker_});
    };
    absl::StatusOr<std::shared_ptr<LiveStream>> stream = make_stream();
    Lock lock(this);
    const absl::Status status = stream.status();
    if (status.ok()) TakeStream(*std::move(stream), relay);
    if (status.ok() || !info.ok()) {
      next(status);
      return;
    }
    const auto closed = [this, next, status] {
      Lock relock(this);
      next(status);
    };
    CallDevice(
        [closed](AudioDevice& device) -> std::function<void()> {
          if (!device.Close().ok()) device.Abandon();
          return closed;
        },
        closed);
  };
  CallDevice(
      [settings, relay, opened](AudioDevice& device) -> std::function<void()> {
        return [opened, info = device.Open(settings, relay.get())] { opened(info); };
      },
      [opened] { opened(DeviceHangs()); });
}

void EngineImpl::TakeStream(std::shared_ptr<LiveStream> stream, std::shared_ptr<SinkRelay> relay) {
  stream_ = std::move(stream);
  relay->set_target(&stream_->mixer());
  relay_ = std::move(relay);
  stream_state_ = StreamState::kStopped;
  goal_running_ = false;
  const StreamInfo& info = stream_->info();
  LogEntry entry = Event(EventKind::kStreamOpened);
  entry.text = absl::StrCat("input ", info.input_device.id, " (", info.input_channels, "), output ",
                            info.output_device.id, " (", info.output_channels, "), ",
                            info.sample_rate_hz, " Hz");
  events_.Append(std::move(entry));
}

void EngineImpl::SetRunning() {
  stream_state_ = StreamState::kRunning;
  goal_running_ = true;
  seen_frame_ = NextFrame();
  silent_nanos_ = 0;
  last_watch_nanos_ = NowNanos();
}

void EngineImpl::DoStart(const OpPtr& op, const Next& next) {
  stream_->device_base_frame = NextFrame();
  CallDevice(
      [this, op, next](AudioDevice& device) -> std::function<void()> {
        return [this, op, next, status = device.Start()] {
          Lock lock(this);
          if (status.ok()) {
            SetRunning();
            LogEntry entry = Event(EventKind::kStreamStarted);
            entry.frame = stream_->device_base_frame;
            events_.Append(std::move(entry));
            WakePump();
          }
          next(status);
        };
      },
      [this, op, next] {
        Lock lock(this);
        goal_running_ = true;
        NoteLoss("it hung when it was started");
        next(DeviceHangs());
      });
}

void EngineImpl::DoStop(const OpPtr& op, bool abort, const Next& next) {
  goal_running_ = false;
  if (stream_state_ == StreamState::kLost) {
    // There is nothing to be stopped; it comes back stopped.
    next(absl::OkStatus());
    return;
  }
  CallDevice(
      [this, op, abort, next](AudioDevice& device) -> std::function<void()> {
        const absl::Status status = abort ? device.Abort() : device.Stop();
        return [this, op, next, status] {
          Lock lock(this);
          if (status.ok()) {
            TakeResults();
            stream_state_ = StreamState::kStopped;
            stream_->device_base_frame = NextFrame();
            LogEntry entry = Event(EventKind::kStreamStopped);
            entry.frame = NextFrame();
            events_.Append(std::move(entry));
          } else {
            goal_running_ = true;
          }
          next(status);
        };
      },
      [this, op, next] {
        Lock lock(this);
        NoteLoss("it hung when it was stopped");
        next(DeviceHangs());
      });
}

void EngineImpl::DoClose(const OpPtr& op, const Next& next) {
  // Later than any abandoning, which closes a device without leave.
  const auto closed = [this, op, next] {
    {
      Lock lock(this);
      if (stream_ != nullptr) DropStream();
    }
    CopyRecordings();
    Lock lock(this);
    for (const std::shared_ptr<Action>& action :
         std::vector<std::shared_ptr<Action>>(recordings_)) {
      LookAtRecording(action);
    }
    next(absl::OkStatus());
  };
  if (stream_state_ == StreamState::kLost) {
    Defer(closed);
    return;
  }
  const bool runs = stream_state_ == StreamState::kRunning;
  CallDevice(
      [runs, closed](AudioDevice& device) -> std::function<void()> {
        if (runs) device.Abort().IgnoreError();
        if (!device.Close().ok()) device.Abandon();
        return closed;
      },
      closed);
}

void EngineImpl::DropStream() {
  std::vector<std::shared_ptr<Action>> actions;
  for (const auto& [number, action] : actions_.unfinished()) actions.push_back(action);
  TakeResults();
  Judge(/*all=*/true);
  stream_state_ = StreamState::kStopped;
  for (const std::shared_ptr<Action>& action : actions) {
    if (action->doom == ActionEnd::kNone) action->doom = ActionEnd::kStreamClosed;
  }
  stream_->mixer().EndAll();
  TakeResults();
  for (const std::shared_ptr<Action>& action : actions) {
    if (!action->ended()) Doom(action, ActionEnd::kStreamClosed);
  }
  LogEntry entry = Event(EventKind::kStreamClosed);
  entry.frame = NextFrame();
  events_.Append(std::move(entry));
  for (Submission* const submission : std::set<Submission*>(unanswered_)) Answer(submission);
  submissions_.clear();
  due_.clear();
  cuts_.clear();
  stream_ = nullptr;
  relay_ = nullptr;
  stream_state_ = StreamState::kClosed;
  goal_running_ = false;
}

void EngineImpl::DoRestore(const OpPtr& op) {
  const auto start = [this, op](const absl::Status& status) {
    mu_.AssertHeld();
    if (!status.ok()) {
      FinishOp(op, status);
      return;
    }
    DoStart(op, [this, op](const absl::Status& started) {
      mu_.AssertHeld();
      FinishOp(op, started);
    });
  };
  const auto open = [this, op, start](const absl::Status& status) {
    mu_.AssertHeld();
    if (!status.ok() || !options_.default_stream.has_value()) {
      FinishOp(op, status);
      return;
    }
    DoOpen(op, *options_.default_stream, start);
  };
  const bool as_it_was = stream_ != nullptr && options_.default_stream.has_value() &&
                         stream_->settings() == *options_.default_stream;
  if (stream_ == nullptr) {
    open(absl::OkStatus());
  } else if (as_it_was) {
    start(absl::OkStatus());
  } else {
    DoClose(op, open);
  }
}

// --- Loss and recovery ---

void EngineImpl::WatchDevice() {
  for (const DeviceIncident& incident : runner_->device().TakeIncidents()) {
    LogEntry entry =
        Event(incident.kind == DeviceIncident::Kind::kInjected ? EventKind::kFaultInjected
                                                               : EventKind::kNote);
    if (incident.frame >= 0 && stream_ != nullptr) {
      entry.frame = incident.frame + stream_->device_base_frame;
    }
    entry.text = incident.text;
    events_.Append(std::move(entry));
  }
  const int64_t now_nanos = NowNanos();
  const int64_t since_nanos = now_nanos - last_watch_nanos_;
  last_watch_nanos_ = now_nanos;
  if (stream_state_ == StreamState::kLost && current_op_ == nullptr && !abandoning_ &&
      now_nanos >= recover_at_nanos_) {
    auto op = std::make_shared<StreamOp>();
    op->kind = StreamOp::Kind::kRecover;
    AddOp(std::move(op));
    return;
  }
  if (stream_state_ != StreamState::kRunning || current_op_ != nullptr) return;
  const int64_t next_frame = NextFrame();
  if (next_frame != seen_frame_) {
    seen_frame_ = next_frame;
    silent_nanos_ = 0;
  } else {
    silent_nanos_ += options_.manual ? since_nanos : std::min(since_nanos, kMaxSilencePerLookNanos);
  }
  const AudioDevice::Health health = runner_->device().health();
  if (health == AudioDevice::Health::kDead) {
    NoteLoss("it died");
  } else if (health != AudioDevice::Health::kRunning) {
    NoteLoss("it stopped by itself");
  } else if (silent_nanos_ >= kSilenceNanos) {
    NoteLoss(absl::StrCat("no callback for ", silent_nanos_ / 1'000'000, " ms"));
  }
}

void EngineImpl::NoteLoss(const std::string& why) {
  stream_state_ = StreamState::kLost;
  LogEntry entry = Event(EventKind::kDeviceLost);
  entry.frame = NextFrame();
  entry.text = why;
  events_.Append(std::move(entry));
  abandoning_ = true;
  // It waits for a callback that has begun, and so without the lock.
  Defer([this] {
    runner_->device().Abandon();
    Lock lock(this);
    abandoning_ = false;
    recovery_pause_ = kFirstRecoveryPause;
    recover_at_nanos_ = NowNanos() + absl::ToInt64Nanoseconds(recovery_pause_);
    TakeResults();
    // What was told to end, and whose cut no audio thread will take up for now, is over.
    std::vector<std::shared_ptr<Action>> doomed;
    for (const auto& [number, action] : actions_.unfinished()) {
      if (action->doom != ActionEnd::kNone) doomed.push_back(action);
    }
    for (const std::shared_ptr<Action>& action : doomed) Doom(action, action->doom);
  });
}

void EngineImpl::DoRecover(const OpPtr& op) {
  if (stream_state_ != StreamState::kLost) {
    FinishOp(op, absl::OkStatus());
    return;
  }
  auto relay = std::make_shared<SinkRelay>();
  CallDevice(
      [this, op, relay,
       settings = stream_->settings()](AudioDevice& device) -> std::function<void()> {
        return [this, op, relay, info = device.Open(settings, relay.get())] {
          Lock lock(this);
          if (info.ok()) {
            Reopened(op, *info, relay);
          } else {
            RetryRecovery(op, info.status());
          }
        };
      },
      [this, op] {
        Lock lock(this);
        RetryRecovery(op, DeviceHangs());
      });
}

void EngineImpl::RetryRecovery(const OpPtr& op, const absl::Status& status) {
  LogEntry entry = Event(EventKind::kNote);
  entry.text = absl::StrCat("the device is not back yet: ", status.message());
  events_.Append(std::move(entry));
  recovery_pause_ = std::min(2 * recovery_pause_, kLongestRecoveryPause);
  recover_at_nanos_ = NowNanos() + absl::ToInt64Nanoseconds(recovery_pause_);
  FinishOp(op, status);
}

void EngineImpl::Reopened(const OpPtr& op, const StreamInfo& info,
                          std::shared_ptr<SinkRelay> relay) {
  const StreamInfo& before = stream_->info();
  const auto give_back = [this, op](const absl::Status& status) {
    mu_.AssertHeld();
    CallDevice(
        [this, op, status](AudioDevice& device) -> std::function<void()> {
          if (!device.Close().ok()) device.Abandon();
          return [this, op, status] {
            Lock lock(this);
            RetryRecovery(op, status);
          };
        },
        [this, op, status] {
          Lock lock(this);
          RetryRecovery(op, status);
        });
  };
  if (info.sample_rate_hz != before.sample_rate_hz ||
      info.input_channels != before.input_channels ||
      info.output_channels != before.output_channels) {
    give_back(MakeError(absl::StatusCode::kFailedPrecondition,
                        {.reason = ErrorReason::kDeviceError},
                        "it came back with other channels or another rate"));
    return;
  }
  relay->set_target(&stream_->mixer());
  relay_ = std::move(relay);
  const int64_t away = stream_->FramesAway(NowNanos());
  const int64_t hole_frame = NextFrame();
  stream_->mixer().JumpForward(away);
  stream_->NoteJump(away);
  stream_->device_base_frame = NextFrame();
  if (away > 0) {
    for (const auto& [number, action] : actions_.unfinished()) {
      if (action->recording != nullptr) action->recording->AddHole(hole_frame, away);
    }
  }
  const auto recovered = [this, op, away] {
    mu_.AssertHeld();
    LogEntry entry = Event(EventKind::kDeviceRecovered);
    entry.frame = stream_->device_base_frame;
    entry.frames = away;
    events_.Append(std::move(entry));
    FinishOp(op, absl::OkStatus());
  };
  if (!goal_running_) {
    stream_state_ = StreamState::kStopped;
    recovered();
    return;
  }
  CallDevice(
      [this, op, recovered, give_back](AudioDevice& device) -> std::function<void()> {
        return [this, op, recovered, give_back, status = device.Start()] {
          Lock lock(this);
          if (!status.ok()) {
            give_back(status);
            return;
          }
          SetRunning();
          recovered();
        };
      },
      [this, op] {
        Lock lock(this);
        RetryRecovery(op, DeviceHangs());
      });
}

// --- Clock and meters ---

ClockReading EngineImpl::ReadClock() {
  Lock lock(this);
  const Moment now = Now();
  ClockReading reading;
  reading.wall_time = now.wall;
  reading.monotonic_nanos = absl::ToInt64Nanoseconds(now.monotonic);
  if (stream_ == nullptr) return reading;
  if (stream_state_ == StreamState::kRunning) TakeBlocks();
  const TimeMap::Estimate& estimate = stream_->time_map().estimate();
  reading.stream_id = stream_->id();
  reading.next_frame = NextFrame();
  reading.running = stream_state_ == StreamState::kRunning;
  reading.rate_hz = stream_->rate_hz();
  reading.rate_uncertainty_ppm = estimate.rate_uncertainty_ppm;
  reading.uncertainty_frames = estimate.uncertainty_frames;
  reading.frame = static_cast<double>(reading.next_frame);
  if (reading.running && estimate.rate_hz > 0) {
    reading.rate_hz = estimate.rate_hz;
    reading.locked = estimate.locked;
    const auto since = static_cast<double>(reading.monotonic_nanos - estimate.reference_nanos);
    reading.frame = static_cast<double>(estimate.reference_frame) + since * 1e-9 * estimate.rate_hz;
    reading.uncertainty_frames = estimate.UncertaintyFramesAt(static_cast<int64_t>(reading.frame));
  }
  reading.stream_time_seconds = reading.frame / stream_->rate_hz();
  return reading;
}

MeterReading EngineImpl::ReadMeters(int64_t* cursor_frame) {
  std::shared_ptr<LiveStream> stream;
  {
    Lock lock(this);
    stream = stream_;
  }
  if (stream == nullptr) {
    *cursor_frame = 0;
    return {};
  }
  // A cursor of another stream means nothing here.
  if (*cursor_frame > stream->mixer().next_frame()) *cursor_frame = 0;
  const bool inputs = stream->info().input_channels > 0;
  const bool outputs = stream->info().output_channels > 0;
  MeterReading reading =
      MeasureLevels(inputs ? &stream->mixer().input_history() : nullptr,
                    outputs ? &stream->mixer().output_history() : nullptr, cursor_frame);
  Lock lock(this);
  if (stream == stream_) TakeBlocks();
  const std::vector<int64_t> before = stream->ClippedBy(reading.first_frame);
  const std::vector<int64_t> after = stream->ClippedBy(reading.first_frame + reading.frames);
  for (size_t c = 0; c < reading.outputs.size(); ++c) {
    reading.outputs[c].clipped_samples = after[c] - before[c];
  }
  return reading;
}

}  // namespace rtmixd
