// Life of the engine, and its pump.

#include "server/control/engine_impl.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <future>
#include <random>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "server/base/error_info.h"
#include "server/control/wall_clock.h"

namespace rtmixd {
namespace {

// How long the pump sleeps if no block wakes it, the grain of all timeouts: while an action or a
// change is under way or somebody waits, while nothing is, and without a stream.
constexpr int64_t kPumpNanos = 20'000'000;
constexpr int64_t kRestingPumpNanos = 50'000'000;
constexpr int64_t kIdlePumpNanos = 100'000'000;
// A report waits so long at the most until it is known what the device lost.
constexpr double kMaxJudgeSeconds = 4;
// Between two signs of life that an open call or wait gives its session.
constexpr int64_t kTouchNanos = 200'000'000;

std::string RandomId() {
  std::random_device random;
  std::string id;
  for (int i = 0; i < 4; ++i) absl::StrAppendFormat(&id, "%08x", random());
  return id;
}

Engine::Options WithClocks(Engine::Options options) {
  if (!options.monotonic_nanos) {
    // steady_clock is CLOCK_MONOTONIC, which the callbacks' stamps are on.
    options.monotonic_nanos = [] {
      return std::chrono::duration_cast<std::chrono::nanoseconds>(
                 std::chrono::steady_clock::now().time_since_epoch())
          .count();
    };
  }
  if (!options.wall_time) options.wall_time = [] { return absl::Now(); };
  if (!options.wall_clock_state) options.wall_clock_state = ReadWallClockState;
  return options;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Engine>> Engine::Create(Options options,
                                                       std::unique_ptr<AudioDevice> device) {
  if (device == nullptr) return absl::InvalidArgumentError("device is null");
  std::unique_ptr<EventFdWaker> waker = EventFdWaker::Create();
  if (waker == nullptr) {
    return MakeError(absl::StatusCode::kResourceExhausted, {.reason = ErrorReason::kInternal},
                     "the system has no file descriptor left");
  }
  return std::make_unique<EngineImpl>(WithClocks(std::move(options)), std::move(device),
                                      std::move(waker));
}

EngineImpl::EngineImpl(Options options, std::unique_ptr<AudioDevice> device,
                       std::shared_ptr<EventFdWaker> waker)
    : options_(std::move(options)),
      limits_(options_.limits),
      instance_id_(RandomId()),
      ids_(instance_id_),
      start_time_(options_.wall_time()),
      waker_(std::move(waker)),
      events_(options_.event_capacity),
      buffers_(limits_, ids_),
      calibrations_(options_.calibrations),
      sessions_(limits_, ids_),
      actions_(limits_, ids_),
      requests_(limits_.request_id_retention, limits_.max_actions),
      buffer_requests_(limits_.request_id_retention, limits_.max_actions),
      runner_(std::make_unique<DeviceRunner>(std::move(device), options_.manual)) {}

EngineImpl::~EngineImpl() {
  stop_pump_ = true;
  waker_->Notify();
  if (pump_.joinable()) pump_.join();
  {
    Lock lock(this);
    shutting_down_ = true;
    ended_everything_ = true;
    while (!ops_.empty()) {
      const OpPtr op = ops_.front();
      ops_.pop_front();
      if (op->callback) {
        Defer([callback = std::move(op->callback)] {
          callback(MakeError(absl::StatusCode::kUnavailable, {.reason = ErrorReason::kShuttingDown},
                             "the server stops"));
        });
      }
    }
  }
  // After this no device thread is in our code, and the device calls nobody back.
  runner_->Stop();
  runner_->device().Abandon();
  while (true) {
    std::function<void()> given_up;
    {
      Lock lock(this);
      if (device_calls_.empty()) break;
      given_up = std::move(device_calls_.begin()->second.given_up);
      device_calls_.erase(device_calls_.begin());
    }
    if (given_up) given_up();
  }
  {
    Lock lock(this);
    EndEverything(ActionEnd::kShutdown);
    if (stream_ != nullptr) DropStream();
    while (!waits_.empty()) FinishWait(waits_.begin()->first);
    for (std::function<void()>& done : on_shutdown_) Defer(std::move(done));
    on_shutdown_.clear();
  }
  CopyRecordings();
}

absl::Status EngineImpl::Start() {
  auto opened = std::make_shared<std::promise<absl::Status>>();
  std::future<absl::Status> result = opened->get_future();
  {
    Lock lock(this);
    events_.Append(Event(EventKind::kServerStarted));
    if (!options_.default_stream.has_value()) {
      opened->set_value(absl::OkStatus());
    } else {
      auto op = std::make_shared<StreamOp>();
      op->kind = StreamOp::Kind::kRestore;
      op->callback = [opened](const absl::StatusOr<StreamStatus>& status) {
        opened->set_value(status.status());
      };
      AddOp(std::move(op));
    }
  }
  if (!options_.manual) pump_ = std::thread([this] { RunPump(); });
  return result.get();
}

std::vector<std::string> EngineImpl::features() const {
  std::vector<std::string> features = options_.device_features;
  if (options_.enable_device_scripts) features.emplace_back("virtual-device-script");
  return features;
}

// --- The lock ---

EngineImpl::Lock::Lock(EngineImpl* engine) : engine_(engine) { engine_->mu_.Lock(); }

EngineImpl::Lock::~Lock() {
  std::vector<std::function<void()>> deferred;
  deferred.swap(engine_->deferred_);
  engine_->mu_.Unlock();
  for (const std::function<void()>& callback : deferred) callback();
  engine_->events_.NotifyWatchers();
}

void EngineImpl::Defer(std::function<void()> callback) { deferred_.push_back(std::move(callback)); }

Moment EngineImpl::Now() const { return {absl::Nanoseconds(NowNanos()), options_.wall_time()}; }

void EngineImpl::WakePump() {
  if (!options_.manual) waker_->Notify();
}

LogEntry EngineImpl::Event(EventKind kind) const {
  LogEntry entry;
  entry.time = options_.wall_time();
  entry.kind = kind;
  if (stream_ != nullptr) entry.stream_id = stream_->id();
  return entry;
}

LogEntry EngineImpl::Event(EventKind kind, const Action& action) const {
  LogEntry entry = Event(kind);
  entry.stream_id = action.common->stream_id;
  entry.session_id = action.common->session_id;
  entry.session_label = action.common->session_label;
  entry.action_id = action.id();
  return entry;
}

// --- The pump ---

void EngineImpl::RunPump() {
  bool resting = false;
  while (!stop_pump_) {
    // Armed first: what is published from here on brings a wake. While the pump rests, whoever adds
    // an action or a change arms it.
    if (!resting) waker_->Arm();
    Pump();
    const bool rested = resting;
    int64_t timeout_nanos = 0;
    {
      Lock lock(this);
      resting = PumpRests();
      timeout_nanos = PumpTimeoutNanos();
    }
    // What came meanwhile may have been published already.
    if (rested && !resting) continue;
    waker_->WaitFor(timeout_nanos);
  }
}

bool EngineImpl::PumpRests() const {
  return pending_actions_ == 0 && active_actions_ == 0 && submissions_.empty() &&
         changes_.empty() && commands_.empty() && judging_.empty() && waits_.empty() &&
         ops_.empty() && !shutting_down_;
}

int64_t EngineImpl::PumpTimeoutNanos() const {
  if (!PumpRests()) return kPumpNanos;
  return stream_state_ == StreamState::kClosed ? kIdlePumpNanos : kRestingPumpNanos;
}

void EngineImpl::PumpOnce() { Pump(); }

void EngineImpl::Pump() {
  GiveUpHungDevice();
  {
    Lock lock(this);
    TakeResults();
    RunWaiting();
    RunTimeouts();
    WatchDevice();
  }
  CopyRecordings();
  {
    Lock lock(this);
    for (const std::shared_ptr<Action>& action :
         std::vector<std::shared_ptr<Action>>(recordings_)) {
      LookAtRecording(action);
    }
    Judge(/*all=*/false);
    RunOps();
    GrantExclusive();
    LookAtSpool();
    CheckShutdown();
  }
  buffers_.NotifyReaders();
}

void EngineImpl::CopyRecordings() {
  std::vector<std::shared_ptr<Recording>> recordings;
  {
    Lock lock(this);
    for (const std::shared_ptr<Action>& action : recordings_) {
      if (action->recording()->to_buffer()) recordings.push_back(action->record()->recording);
    }
  }
  for (const std::shared_ptr<Recording>& recording : recordings) recording->CopyToBuffer();
}

void EngineImpl::SendCommands() {
  Mixer& mixer = stream_->mixer();
  while (!commands_.empty()) {
    const VoiceCommand& command = commands_.front();
    Voice* const voice = command.action != nullptr ? command.action->voice : nullptr;
    const bool gone = command.action != nullptr && voice == nullptr;
    if (command.change != nullptr) {
      if (!gone && !mixer.Change(voice, command.change).ok()) return;
      if (gone) OnChangeDone(command.change);
    } else if (!gone && !mixer.Cancel(voice, command.cut_frame).ok()) {
      return;
    }
    commands_.pop_front();
  }
}

void EngineImpl::TakeResults() {
  if (stream_ == nullptr) return;
  Mixer& mixer = stream_->mixer();
  SendCommands();
  std::vector<MixerResult> results;
  MixerResult result;
  while (mixer.PollResult(&result)) results.push_back(result);
  // Results first: the block log then covers all of them.
  TakeBlocks();
  for (const MixerResult& r : results) {
    if (r.kind == MixerResult::Kind::kChangeDone) {
      OnChangeDone(r.change);
      continue;
    }
    auto* const submission = static_cast<Submission*>(r.batch->owner);
    switch (r.kind) {
      case MixerResult::Kind::kBatchOrigin:
        submission->origin = r.frame;
        Resolve(submission);
        break;
      case MixerResult::Kind::kVoiceStarted:
        OnVoiceStarted(*r.voice, r.frame);
        break;
      case MixerResult::Kind::kVoiceEnded:
        OnVoiceEnded(*r.voice);
        break;
      case MixerResult::Kind::kBatchReleased:
        mixer.Retire(std::unique_ptr<Batch>(r.batch));
        --submission->lent;
        DropSubmission(submission);
        break;
      case MixerResult::Kind::kChangeDone:
        break;
    }
  }
  RunDue();
  for (const std::shared_ptr<Action>& action : std::vector<std::shared_ptr<Action>>(feeds_)) {
    LookAtFeed(action);
  }
}

void EngineImpl::TakeBlocks() {
  const LiveStream::News news = stream_->ReadBlocks();
  if (news.clipped_samples > 0) {
    LogEntry entry = Event(EventKind::kClipped);
    entry.frame = news.clipped_frame;
    entry.frames = news.clipped_samples;
    events_.Append(std::move(entry));
  }
  if (news.nonfinite_frame.has_value()) {
    LogEntry entry = Event(EventKind::kNote);
    entry.frame = news.nonfinite_frame;
    entry.text = "the device's input is not finite here; what is not is taken for 0 and counted";
    events_.Append(std::move(entry));
  }
  if (news.repeated_frame.has_value()) {
    LogEntry entry = Event(EventKind::kNote);
    entry.frame = news.repeated_frame;
    entry.text =
        "what came with the block before came again: it may have been lost what was to come, or "
        "the "
        "sound repeats itself";
    events_.Append(std::move(entry));
  }
  if (news.missed_blocks > 0) {
    LogEntry entry = Event(EventKind::kNote);
    entry.text = absl::StrCat(news.missed_blocks, " blocks came and went unseen");
    events_.Append(std::move(entry));
  }
  for (const XrunInfo& xrun : news.xruns) OnXrun(xrun);
  for (const ClockRelockInfo& relock : news.relocks) {
    LogEntry entry = Event(EventKind::kClockRelocked);
    entry.frame = relock.frame;
    entry.clock_relock = relock;
    NameTouched(relock.earliest_frame, relock.latest_frame, &entry);
    events_.Append(std::move(entry));
  }
}

void EngineImpl::NameTouched(int64_t earliest_frame, int64_t latest_frame, LogEntry* entry) const {
  const auto look = [&](const Action& action) {
    mu_.AssertHeld();
    const std::optional<int64_t>& start_frame = action.start_frame();
    if (!start_frame.has_value() || !action.has_audio() || !IsOfOpenStream(action)) {
      return;
    }
    // What was lost before its first frame is not its own.
    if (latest_frame <= *start_frame) return;
    if (action.over && action.outcome->end_frame <= earliest_frame) return;
    ++entry->touched_action_count;
    if (entry->touched_action_count <= LogEntry::kMaxTouchedIds) {
      entry->touched_action_ids.push_back(action.id());
    }
  };
  for (const auto& [number, action] : actions_.unfinished()) look(*action);
  for (const auto& [key, action] : judging_) look(*action);
}

void EngineImpl::OnXrun(const XrunInfo& xrun) {
  LogEntry entry = Event(EventKind::kXrun);
  entry.frame = xrun.frame;
  entry.frames = xrun.lost_frames;
  entry.xrun = xrun;
  NameTouched(xrun.earliest_frame, xrun.latest_frame, &entry);
  events_.Append(std::move(entry));
  if (xrun.lost_frames == 0 || xrun.side == XrunSide::kInput) return;
  for (const auto& [number, action] : actions_.unfinished()) {
    if (action->voice != nullptr && action->xrun_policy == XrunPolicy::kKeepTimeline &&
        action->start_frame().has_value() && *action->start_frame() < xrun.frame) {
      // No room: it sounds late for now, as it would have with the other policy.
      stream_->mixer().SkipFrames(action->voice, xrun.lost_frames).IgnoreError();
    }
  }
}

void EngineImpl::AddDue(int64_t frame, const std::shared_ptr<Action>& action) {
  action->MutableLinks().due.push_back(due_.emplace(frame, action));
}

void EngineImpl::RunDue() {
  const int64_t next_frame = NextFrame();
  while (!due_.empty() && due_.begin()->first < next_frame) {
    const std::shared_ptr<Action> action = std::move(due_.begin()->second);
    std::erase(action->links->due, due_.begin());
    due_.erase(due_.begin());
    OnDue(action);
  }
}

void EngineImpl::Judge(bool all) {
  if (stream_ == nullptr) return;
  const int64_t next_frame = NextFrame();
  const auto patience = static_cast<int64_t>(kMaxJudgeSeconds * stream_->rate_hz());
  while (!judging_.empty()) {
    const int64_t end_frame = judging_.begin()->first.first;
    if (!all && stream_state_ == StreamState::kRunning && !stream_->Judged(end_frame) &&
        next_frame < end_frame + patience) {
      return;
    }
    const std::shared_ptr<Action> action = judging_.begin()->second;
    Finish(action);
  }
}

void EngineImpl::RunTimeouts() {
  const Moment now = Now();
  const int64_t now_nanos = absl::ToInt64Nanoseconds(now.monotonic);

  if (now_nanos - last_touch_nanos_ >= kTouchNanos) {
    last_touch_nanos_ = now_nanos;
    for (const auto& [id, wait] : waits_) sessions_.Touch(wait.session_id, now);
    for (const auto& [number, action] : actions_.unfinished()) {
      if (action->attached) sessions_.Touch(action->common->session_id, now);
    }
    for (const auto& [key, action] : judging_) {
      if (action->attached) sessions_.Touch(action->common->session_id, now);
    }
    for (const auto& [session_id, follower] : followers_) sessions_.Touch(session_id, now);
  }
  for (const SessionInfo& session : sessions_.TakeExpired(now)) {
    WindUp(session, sessions_.WhyBroken(session.session_id).empty() ? EventKind::kSessionExpired
                                                                    : EventKind::kSessionBroken);
  }
  std::vector<WaitId> over;
  for (const auto& [id, wait] : waits_) {
    if (wait.deadline_nanos <= now_nanos) over.push_back(id);
  }
  for (const WaitId id : over) FinishWait(id);
  for (Submission* const submission : std::set<Submission*>(unanswered_)) {
    if (submission->answer_by_nanos <= now_nanos) Answer(submission);
  }
}

// --- The end ---

void EngineImpl::Shutdown(absl::Duration grace, std::function<void()> done) {
  Lock lock(this);
  const int64_t by_nanos = NowNanos() + absl::ToInt64Nanoseconds(std::min(grace, absl::Hours(24)));
  if (!shutting_down_) {
    shutting_down_ = true;
    events_.Append(Event(EventKind::kServerStopping));
    shutdown_by_nanos_ = by_nanos;
  }
  shutdown_by_nanos_ = std::min(shutdown_by_nanos_, by_nanos);
  if (done) on_shutdown_.push_back(std::move(done));
  CheckShutdown();
  WakePump();
}

void EngineImpl::CheckShutdown() {
  if (!shutting_down_ || on_shutdown_.empty()) return;
  const auto all_ended = [this] {
    mu_.AssertHeld();
    return actions_.unfinished().empty() && judging_.empty();
  };
  if (!all_ended() && !ended_everything_ && NowNanos() >= shutdown_by_nanos_) {
    ended_everything_ = true;
    EndEverything(ActionEnd::kShutdown);
  }
  if (!all_ended()) return;
  stopped_ = true;
  for (const auto& [session_id, follower] : followers_) {
    Defer([follower = follower] { follower->changed.Notify(); });
  }
  LogEntry entry = Event(EventKind::kNote);
  entry.text = "nothing is active any more";
  events_.Append(std::move(entry));
  for (std::function<void()>& done : on_shutdown_) Defer(std::move(done));
  on_shutdown_.clear();
}

void EngineImpl::EndEverything(ActionEnd reason) {
  Judge(/*all=*/true);
  for (const std::shared_ptr<Action>& action : actions_.HoldUnfinished()) Doom(action, reason);
}

// --- Events ---

EventPage EngineImpl::ReadEvents(int64_t from_sequence, const std::vector<EventKind>& kinds,
                                 int max_entries) {
  return events_.Read(from_sequence, kinds, max_entries);
}

int64_t EngineImpl::next_event_sequence() { return events_.next_sequence(); }

absl::StatusOr<Engine::WatchId> EngineImpl::Watch(ChangeCallback on_change) {
  Lock lock(this);
  if (absl::Status status = CheckRoomForWatch(); !status.ok()) return status;
  watches_.emplace(++last_watch_, events_.Watch(std::move(on_change)));
  return last_watch_;
}

void EngineImpl::Unwatch(WatchId watch) {
  // Destroyed without the lock: that waits for a callback, which may want it.
  std::unique_ptr<ChangeSignal::Subscription> subscription;
  Lock lock(this);
  const auto found = watches_.find(watch);
  if (found == watches_.end()) return;
  subscription = std::move(found->second);
  watches_.erase(found);
}

}  // namespace rtmixd
