// The steps of the stream's life: opening, starting, stopping, closing, putting back.

#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/control/engine_impl.h"

namespace rtmixd {

void EngineImpl::DoOpen(const OpPtr& op, const StreamSettings& settings, const Next& next) {
  auto relay = std::make_shared<SinkRelay>();
  const std::string stream_id = ids_.Make('s', ++last_stream_);
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
  ApplyMasterGain();
  const StreamInfo& info = stream_->info();
  LogEntry entry = Event(EventKind::kStreamOpened);
  entry.text = absl::StrCat("input ", info.input_device.id, " (", info.input_channels, "), output ",
                            info.output_device.id, " (", info.output_channels, "), ",
                            info.sample_rate_hz, " Hz");
  events_.Append(std::move(entry));
}

void EngineImpl::DoStart(const OpPtr& op, const Next& next) {
  stream_->device_base_frame = NextFrame();
  // How long it stood still is no loss, and what was known of its time is of no use any more.
  if (NextFrame() > 0) stream_->NoteJump(0);
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

void EngineImpl::SetRunning() {
  stream_state_ = StreamState::kRunning;
  goal_running_ = true;
  seen_frame_ = NextFrame();
  silent_nanos_ = 0;
  last_watch_nanos_ = NowNanos();
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
  const std::vector<std::shared_ptr<Action>> actions = actions_.HoldUnfinished();
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
  for (const auto& [submission, own] : submissions_) submission->common->submission = nullptr;
  submissions_.clear();
  for (const auto& [frame, action] : due_) action->links->due.clear();
  due_.clear();
  for (const VoiceCommand& command : std::exchange(commands_, {})) {
    if (command.change != nullptr) OnChangeDone(command.change);
  }
  changes_.clear();
  FinishGains();
  Defer([stream = std::move(stream_)] {});  // freed without the lock
  stream_ = nullptr;
  actions_.ForEach([this](Action& action) {
    mu_.AssertHeld();
    if (action.ended()) LetGoOfStream(&action);
  });
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

}  // namespace rtmixd
