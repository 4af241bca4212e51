// The loss of the device, and its recovery.

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/base/error_info.h"
#include "server/control/engine_impl.h"

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

}  // namespace

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
      if (action->doom != ActionEnd::kNone) doomed.push_back(actions_.Hold(*action));
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
        // A host that hangs costs a thread for each Open, and nothing when it is only asked.
        const absl::Status asked = device.CheckSettings(settings);
        absl::StatusOr<StreamInfo> info =
            asked.ok() ? device.Open(settings, relay.get()) : absl::StatusOr<StreamInfo>(asked);
        return [this, op, relay, info = std::move(info)] {
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
  const int64_t lost_frame = stream_->counted_until_frame();
  const int64_t away = stream_->FramesAway(NowNanos());
  const int64_t hole_frame = NextFrame();
  stream_->mixer().JumpForward(away);
  stream_->NoteJump(away);
  stream_->device_base_frame = NextFrame();
  if (away > 0) {
    for (const auto& [number, action] : actions_.unfinished()) {
      if (action->recording() != nullptr) action->recording()->AddHole(hole_frame, away);
    }
  }
  const auto recovered = [this, op, lost_frame] {
    mu_.AssertHeld();
    LogEntry entry = Event(EventKind::kDeviceRecovered);
    entry.frame = stream_->device_base_frame;
    entry.frames = stream_->device_base_frame - lost_frame;
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

}  // namespace rtmixd
