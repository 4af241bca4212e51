#include "tests/fuzz/engine_program.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/base/error_info.h"
#include "server/realtime/audio_block.h"
#include "tests/fuzz/require.h"

namespace rtmixd {
namespace {

constexpr size_t kMaxHeld = 8;  // of each kind; beyond, the oldest is let go

float Input(int kind, int channel, int64_t frame) {
  switch (kind) {
    case 1:
      return std::numeric_limits<float>::quiet_NaN();
    case 2:
      return channel == 0 ? std::numeric_limits<float>::infinity() : 1e38f;
    default:
      return static_cast<float>(frame % 100) / 100.0f;
  }
}

template <typename Held>
void LetGoOfOldest(std::vector<Held>* held) {
  if (held->size() > kMaxHeld) held->erase(held->begin());
}

}  // namespace

EngineProgram::Options EngineProgram::SmallOptions() {
  Options options;
  Limits& limits = options.limits;
  limits.max_sessions = 6;
  limits.max_actions = 60;
  limits.max_actions_per_session = 40;
  limits.max_batch_actions = 12;
  limits.max_buffer_bytes = 1 << 20;
  limits.max_buffer_bytes_per_session = 1 << 18;
  limits.max_buffers_per_session = 8;
  limits.max_audio_streams = 6;
  limits.max_watch_streams = 6;
  limits.max_ring_frames = 4096;
  limits.max_chunk_bytes = 4096;
  limits.history = absl::Milliseconds(100);
  limits.max_kept_reports_per_session = 50;
  limits.max_waits = 8;
  return options;
}

EngineProgram::EngineProgram(const Options& options)
    : options_(options), wall_offset_(std::make_shared<absl::Duration>(absl::Hours(24))) {
  SteppedDevice::Options device_options;
  device_options.sample_rate_hz = options_.sample_rate_hz;
  device_options.block_frames = options_.block_frames;
  device_options.input_latency_frames = 40;
  device_options.output_latency_frames = 24;
  device_options.max_block_frames = std::max(256, options_.block_frames);
  device_options.keep_sent = false;
  for (int c = 0; c < 2; ++c) {
    LoopbackRoute route;
    route.output_channel = c;
    route.input_channel = c;
    route.delay_frames = static_cast<int>(CableFrames());
    device_options.routes.push_back(route);
  }
  auto device = std::make_unique<SteppedDevice>(device_options);
  device_ = device.get();
  device_->WatchOutput([this](int channel, const std::vector<float>& samples) {
    // Without its sign a float is in the order of its bits, and what is not finite comes last.
    uint32_t most = 0;
    for (const float sample : samples) most = std::max(most, std::bit_cast<uint32_t>(sample) << 1);
    RTMIXD_REQUIRE(most <= std::bit_cast<uint32_t>(1.0f) << 1, absl::StrCat(channel + 1));
    RTMIXD_REQUIRE(!idle_ || most == 0, "a sound of nobody");
  });
  Engine::Options engine_options;
  engine_options.limits = options_.limits;
  engine_options.manual = true;
  engine_options.event_capacity = options_.event_capacity;
  StreamSettings settings;
  settings.input.channels = 2;
  settings.output.channels = 2;
  settings.sample_rate_hz = options_.sample_rate_hz;
  settings.block_frames = options_.block_frames;
  engine_options.default_stream = settings;
  engine_options.monotonic_nanos = [device = device_] { return device->now_nanos(); };
  engine_options.wall_time = [device = device_, offset = wall_offset_] {
    return absl::UnixEpoch() + *offset + absl::Nanoseconds(device->now_nanos());
  };
  engine_options.wall_clock_state = [] { return WallClockState(); };
  std::unique_ptr<AudioDevice> given = std::move(device);
  if (options_.wrap_device) given = options_.wrap_device(std::move(given));
  auto engine = Engine::Create(std::move(engine_options), std::move(given));
  RTMIXD_REQUIRE(engine.ok(), engine.status().ToString());
  engine_ = *std::move(engine);
  const absl::Status started = engine_->Start();
  RTMIXD_REQUIRE(started.ok(), started.ToString());
}

EngineProgram::~EngineProgram() = default;

void EngineProgram::Run(Choices* choices) {
  while (!choices->done()) {
    Step(choices);
    if (++steps_ % options_.check_every == 0) CheckState();
  }
}

void EngineProgram::Step(Choices* choices) {
  if (sessions_.empty()) return CallSessions(choices);
  int64_t step = choices->Between(0, 23);
  if (!options_.with_accidents) {
    // Calls take the place of what happens.
    if (step == 6) step = 5;
    if (step < 5) step = 9;
  }
  switch (step) {
    case 0:
    case 1:
    case 2:
    case 3:
      return PassTime(choices);
    case 4:
      return HarmDevice(choices);
    case 5:
      return CallSessions(choices);
    case 6:
      return CallStream(choices);
    case 7:
      return CallCalibration(choices);
    case 8:
      return Look(choices);
    case 9:
    case 10:
    case 11:
    case 12:
      return CallActions(choices);
    case 13:
    case 14:
    case 15:
      return CallChanges(choices);
    case 16:
      return CallWaits(choices);
    case 17:
      return CallBuffers(choices);
    case 18:
      return UseUploads(choices);
    case 19:
    case 20:
      return OpenStreams(choices);
    case 21:
    case 22:
      return UsePlay(choices);
    default:
      return UseRecord(choices);
  }
}

void EngineProgram::Finish() {
  plays_.clear();
  records_.clear();
  const std::shared_ptr<int> answer = ExpectAnswer();
  engine_->Shutdown(absl::ZeroDuration(), [answer] { ++*answer; });
  for (int i = 0; i < 10000 && *answer == 0; ++i) {
    MakeBlock({.frames = options_.block_frames});
    if (i > 100) device_->AdvanceClockNanos(100'000'000);
  }
  RTMIXD_REQUIRE(*answer == 1, "the engine does not stop");
  RTMIXD_REQUIRE(engine_->stopped(), "");
  CheckState();
  ledger_.CheckAllEnded();
  action_watches_.clear();
  writers_.clear();
  readers_.clear();
  for (const Engine::WatchId watch : watches_) engine_->Unwatch(watch);
  *callbacks_allowed_ = false;
  // Longer than any wait; then none is left to the destructor.
  for (int i = 0; i < 50; ++i) {
    device_->AdvanceClockNanos(100'000'000);
    engine_->PumpOnce();
  }
  for (const std::shared_ptr<int>& calls : answers_) {
    RTMIXD_REQUIRE(*calls == 1, absl::StrCat(*calls));
  }
  engine_ = nullptr;
  device_ = nullptr;
  for (const std::shared_ptr<int>& calls : answers_) {
    RTMIXD_REQUIRE(*calls == 1, absl::StrCat(*calls));
  }
}

void EngineProgram::ForgetEndedSessions() {
  std::erase_if(sessions_,
                [this](const Session& session) { return !engine_->GetSession(session.id).ok(); });
}

void EngineProgram::LetGo() {
  plays_.clear();
  records_.clear();
  writers_.clear();
  readers_.clear();
  action_watches_.clear();
  for (const Engine::WatchId watch : watches_) engine_->Unwatch(watch);
  watches_.clear();
  for (const Engine::WaitId wait : waits_) engine_->CancelWait(wait);
  waits_.clear();
  batch_ids_.clear();
  sessions_.clear();
  for (const SessionInfo& session : engine_->ListSessions()) {
    const absl::Status ended = engine_->EndSession(session.session_id);
    RTMIXD_REQUIRE(ended.ok(), ended.ToString());
  }
  engine_->PumpOnce();
  SessionSpec spec;
  spec.label = "cleaner";
  const auto session = engine_->CreateSession(spec);
  RTMIXD_REQUIRE(session.ok(), session.status().ToString());
  const std::string& id = session->info.session_id;
  const auto buffers = engine_->ListBuffers(id);
  RTMIXD_REQUIRE(buffers.ok(), buffers.status().ToString());
  for (const BufferInfo& buffer : *buffers) {
    const absl::Status deleted = engine_->DeleteBuffer(id, buffer.buffer_id);
    RTMIXD_REQUIRE(deleted.ok(), deleted.ToString());
  }
  const absl::Status ended = engine_->EndSession(id);
  RTMIXD_REQUIRE(ended.ok(), ended.ToString());
  CheckState();
}

absl::Time EngineProgram::WallNow() const {
  return absl::UnixEpoch() + *wall_offset_ + absl::Nanoseconds(device_->now_nanos());
}

// --- What happens ---

void EngineProgram::MakeBlock(const SteppedDevice::Callback& callback, bool pump) {
  const StreamStatus before = engine_->GetStream();
  const auto stats = engine_->GetStats("", /*reset_baseline=*/false);
  idle_ = stats->active_actions == 0 && stats->pending_actions == 0;
  const bool ran = device_->Step(callback);
  if (ran) {
    const StreamStatus after = engine_->GetStream();
    RTMIXD_REQUIRE(after.next_frame == before.next_frame + callback.frames,
                   absl::StrCat(before.next_frame, " ", after.next_frame));
  }
  if (pump) engine_->PumpOnce();
}

void EngineProgram::PassTime(Choices* choices) {
  if (choices->OneIn(6)) {
    device_->AdvanceClockNanos(choices->OneOf<int64_t>(
        {choices->Between(0, 50'000'000), choices->Between(0, 3'000'000'000),
         choices->OneIn(10) ? choices->Between(0, int64_t{4} * 3600 * 1'000'000'000) : 1000}));
    if (choices->OneIn(6)) *wall_offset_ += absl::Milliseconds(choices->Between(-5000, 5000));
    engine_->PumpOnce();
    return;
  }
  const int64_t blocks = choices->OneIn(10) ? choices->Between(1, 100) : choices->Between(1, 6);
  const bool pump = !choices->OneIn(4);
  SteppedDevice::Callback callback;
  callback.frames = choices->OneIn(4) ? static_cast<int>(choices->Between(1, CableFrames()))
                                      : options_.block_frames;
  if (choices->OneIn(10)) {
    callback.callback_nanos = device_->now_nanos() + choices->Between(-2'000'000, 2'000'000);
  }
  if (choices->OneIn(20)) callback.host_flags = static_cast<uint32_t>(choices->Between(0, 31));
  if (choices->OneIn(20)) {
    callback.host_input_seconds = choices->Seconds();
    callback.host_now_seconds = choices->Seconds();
    callback.host_output_seconds = choices->Seconds();
  }
  if (choices->OneIn(20)) {
    const int kind = static_cast<int>(choices->Between(0, 3));
    device_->SetInput(nullptr);
    if (kind > 0) {
      device_->SetInput([kind](int channel, int64_t frame) { return Input(kind, channel, frame); });
    }
  }
  for (int64_t i = 0; i < blocks; ++i) {
    MakeBlock(callback, pump);
    callback.callback_nanos.reset();
  }
  engine_->PumpOnce();
}

void EngineProgram::HarmDevice(Choices* choices) {
  const absl::Status failure = absl::UnavailableError("host error");
  switch (choices->Between(0, 8)) {
    case 0:
      device_->FailNextOpen(failure);
      break;
    case 1:
      device_->FailNextStart(failure);
      break;
    case 2:
      device_->FailNextStop(failure);
      break;
    case 3:
      device_->Die();
      break;
    case 4:
      device_->AddIncident(
          {.kind = choices->OneOf({DeviceIncident::Kind::kNote, DeviceIncident::Kind::kFault,
                                   DeviceIncident::Kind::kInjected}),
           .frame = choices->FrameNear(next_frame_),
           .text = "incident"});
      break;
    default:
      // Frames that the host has lost.
      device_->AdvanceClockFrames(choices->Between(0, 2000));
      break;
  }
  engine_->PumpOnce();
}

// --- Calls ---

void EngineProgram::CallSessions(Choices* choices) {
  switch (choices->Between(0, 6)) {
    case 5: {
      const std::string id = PickSession(choices);
      Check([&] { return engine_->EndSession(id); });
      return;
    }
    case 4: {
      const std::string token =
          sessions_.empty() || choices->OneIn(8)
              ? choices->Bytes(20)
              : sessions_[choices->Between(0, static_cast<int64_t>(sessions_.size()) - 1)].token;
      Check([&] { return engine_->Authenticate(token).status(); });
      return;
    }
    case 3: {
      const std::string id = PickSession(choices);
      Check([&] { return engine_->GetSession(id).status(); });
      return;
    }
    case 6: {
      const std::string id = PickSession(choices);
      waits_.push_back(engine_->AwaitExclusive(
          id, absl::Milliseconds(choices->Between(-1, 3000)),
          [this, answer = ExpectAnswer()](const absl::StatusOr<Engine::ExclusiveAnswer>& got) {
            ++*answer;
            CheckError(got.status());
          }));
      return;
    }
    default:
      Check([&] {
        auto session = engine_->CreateSession(ChooseSession(choices));
        if (!session.ok()) return session.status();
        sessions_.push_back({session->info.session_id, session->token});
        ++sessions_made_;
        LetGoOfOldest(&sessions_);
        return absl::OkStatus();
      });
  }
}

void EngineProgram::CallStream(Choices* choices) {
  const auto answer = [this] {
    // What the device says is handed on as it is.
    return [calls = ExpectAnswer()](const absl::StatusOr<StreamStatus>&) { ++*calls; };
  };
  const std::string session = choices->OneIn(10) ? "" : PickSession(choices);
  switch (choices->Between(0, 5)) {
    case 0:
      return engine_->StartStream(session, answer());
    case 1:
      return engine_->StopStream(session, choices->OneIn(2), answer());
    case 2:
      return engine_->CloseStream(session, answer());
    case 3:
      return engine_->RestoreStream(session, answer());
    case 4:
      engine_->CheckSettings(ChooseSettings(options_.sample_rate_hz, choices),
                             [calls = ExpectAnswer()](const absl::Status&) { ++*calls; });
      return;
    default:
      engine_->OpenStream(session, ChooseSettings(options_.sample_rate_hz, choices), answer());
      if (!choices->OneIn(4)) engine_->StartStream(session, answer());
  }
}

void EngineProgram::CallCalibration(Choices* choices) {
  const std::string session = PickSession(choices);
  if (choices->OneIn(3)) {
    const auto calibrations = engine_->ListCalibrations();
    const std::string id =
        calibrations.empty() || choices->OneIn(5) ? choices->Bytes(20) : calibrations.back().id();
    Check([&] { return engine_->DeleteCalibration(session, id); });
    return;
  }
  LatencyMeasurementInfo measurement;
  measurement.found = !choices->OneIn(5);
  measurement.stream_id = choices->OneIn(5) ? choices->Bytes(4) : engine_->GetStream().stream_id;
  measurement.output_channel = static_cast<int>(choices->Between(0, 3));
  measurement.input_channel = static_cast<int>(choices->Between(0, 3));
  measurement.round_trip_frames = choices->OneIn(10)
                                      ? choices->Seconds() * 1e9
                                      : static_cast<double>(choices->Between(-100, 5000)) / 7;
  measurement.spread_frames = choices->Seconds();
  measurement.repeats = static_cast<int>(choices->Between(-1, 10));
  measurement.gain = choices->Gain();
  measurement.confidence = choices->Seconds();
  Check([&] { return engine_->SetCalibration(session, measurement).status(); });
}

void EngineProgram::Look(Choices* choices) {
  switch (choices->Between(0, 5)) {
    case 0: {
      const MeterReading meters = engine_->ReadMeters(&meter_cursor_);
      for (const auto* levels : {&meters.inputs, &meters.outputs}) {
        for (const Level& level : *levels) {
          RTMIXD_REQUIRE(std::isfinite(level.peak) && std::isfinite(level.rms), "");
          RTMIXD_REQUIRE(level.peak >= 0 && level.rms >= 0, "");
        }
      }
      if (choices->OneIn(8)) meter_cursor_ = choices->FrameNear(next_frame_);
      return;
    }
    case 1: {
      const ClockReading clock = engine_->ReadClock();
      RTMIXD_REQUIRE(std::isfinite(clock.frame) && std::isfinite(clock.rate_hz), "");
      return;
    }
    case 2: {
      const std::string session = PickSession(choices);
      Check([&] { return engine_->GetStats(session, choices->OneIn(2)).status(); });
      return;
    }
    case 3:
      Check([&] {
        auto watch = engine_->Watch(Callback(callbacks_allowed_));
        if (watch.ok()) watches_.push_back(*watch);
        return watch.status();
      });
      return;
    case 4:
      if (watches_.empty()) return;
      engine_->Unwatch(watches_.back());
      watches_.pop_back();
      return;
    default:
      (void)engine_->ReadEvents(choices->FrameNear(engine_->next_event_sequence()),
                                {EventKind::kXrun, EventKind::kActionEnded},
                                static_cast<int>(choices->Between(0, 100)));
  }
}

void EngineProgram::CallActions(Choices* choices) {
  const std::string session = PickSession(choices);
  if (choices->OneIn(10) && !batch_ids_.empty()) {
    const std::string batch = choices->IdOf(batch_ids_);
    Check([&] { return engine_->CommitBatch(session, batch).status(); });
    return;
  }
  const BatchSpec batch = ChooseBatch(Context(session), choices);
  std::string before;
  if (options_.check_refusals) before = Snapshot();
  const std::shared_ptr<int> calls = ExpectAnswer();
  const auto refused = std::make_shared<bool>(false);
  engine_->Schedule(session, batch,
                    [this, calls, refused](const absl::StatusOr<BatchAdmitted>& got) {
                      ++*calls;
                      CheckError(got.status());
                      *refused = !got.ok();
                      if (!got.ok()) return;
                      ledger_.ReadEvents(engine_.get());
                      for (const ScheduledAction& action : got->actions)
                        ledger_.CheckAdmitted(action.action_id);
                      batch_ids_.push_back(got->batch_id);
                      LetGoOfOldest(&batch_ids_);
                    });
  if (*refused && options_.check_refusals) RTMIXD_REQUIRE(Snapshot() == before, Snapshot());
}

void EngineProgram::CallChanges(Choices* choices) {
  const std::string session = PickSession(choices);
  const RequestContext context = Context(session);
  std::vector<std::string> ids;
  const bool all = choices->OneIn(5);
  if (!all || choices->OneIn(10)) {
    ids.push_back(choices->IdOf(context.action_ids));
    if (choices->OneIn(4)) ids.push_back(choices->IdOf(context.action_ids));
  }
  std::optional<int64_t> frame;
  if (choices->OneIn(2)) frame = choices->FrameNear(context.next_frame);
  switch (choices->Between(0, 5)) {
    case 0:
    case 1: {
      const Fade fade = choices->OneIn(2) ? ChooseFade(choices) : Fade();
      Check([&] { return engine_->CancelActions(session, ids, all, frame, fade).status(); });
      return;
    }
    case 2:
    case 3: {
      const VoiceChangeSpec change = ChooseChange(choices);
      Check([&] { return engine_->ChangeActions(session, ids, all, frame, change).status(); });
      return;
    }
    case 4: {
      const GainChangeSpec gain = ChooseGainChange(choices);
      Check([&] { return engine_->SetSessionGain(session, gain, frame).status(); });
      return;
    }
    default: {
      const GainChangeSpec gain = ChooseGainChange(choices);
      Check([&] { return engine_->SetMasterGain(session, gain, frame).status(); });
    }
  }
}

void EngineProgram::CallWaits(Choices* choices) {
  const std::string session = PickSession(choices);
  if (choices->OneIn(4)) {
    if (!waits_.empty())
      engine_->CancelWait(waits_[choices->Between(0, static_cast<int64_t>(waits_.size()) - 1)]);
    return;
  }
  if (choices->OneIn(4)) {
    Check([&] {
      auto watch = engine_->WatchActions(session, choices->OneIn(2), Callback(callbacks_allowed_));
      const absl::Status status = watch.status();
      if (watch.ok()) action_watches_.push_back(*std::move(watch));
      LetGoOfOldest(&action_watches_);
      return status;
    });
    return;
  }
  if (choices->OneIn(4)) {
    if (action_watches_.empty()) return;
    const auto reports = action_watches_.back()->Read(static_cast<int>(choices->Between(1, 10)));
    CheckError(reports.status());
    if (!reports.ok()) action_watches_.pop_back();
    return;
  }
  std::vector<std::string> ids;
  const RequestContext context = Context(session);
  for (int64_t i = choices->Between(0, 3); i > 0; --i)
    ids.push_back(choices->IdOf(context.action_ids));
  waits_.push_back(engine_->WaitActions(
      session, ids, choices->OneIn(2), choices->OneIn(2),
      absl::Milliseconds(choices->Between(-1, 2000)),
      [this, answer = ExpectAnswer()](const absl::StatusOr<Engine::WaitAnswer>& got) {
        ++*answer;
        CheckError(got.status());
      }));
  LetGoOfOldest(&waits_);
}

// --- What is checked ---

std::string EngineProgram::PickSession(Choices* choices) {
  if (sessions_.empty() || choices->OneIn(40)) {
    return choices->OneOf<const char*>({"", "s-0", "s-9999", "nobody"});
  }
  return sessions_[choices->Between(0, static_cast<int64_t>(sessions_.size()) - 1)].id;
}

RequestContext EngineProgram::Context(const std::string& session_id) {
  RequestContext context;
  const auto reports = engine_->ListActions(session_id, /*active_only=*/false);
  if (reports.ok()) {
    for (const ActionReport& report : *reports) context.action_ids.push_back(report.action_id);
  }
  const auto buffers = engine_->ListBuffers(session_id);
  if (buffers.ok()) {
    for (const BufferInfo& buffer : *buffers) context.buffer_ids.push_back(buffer.buffer_id);
  }
  context.next_frame = engine_->GetStream().next_frame;
  context.sample_rate_hz = options_.sample_rate_hz;
  context.wall_now = WallNow();
  return context;
}

void EngineProgram::Check(const std::function<absl::Status()>& call) {
  std::string before;
  if (options_.check_refusals) before = Snapshot();
  const absl::Status status = call();
  CheckError(status);
  if (status.ok() || !options_.check_refusals) return;
  const std::string after = Snapshot();
  RTMIXD_REQUIRE(before == after, absl::StrCat(status.ToString(), "\n", before, "\n", after));
}

void EngineProgram::CheckError(const absl::Status& status) {
  if (status.ok()) return;
  ++refusals_;
  const std::optional<ErrorInfo> info = GetErrorInfo(status);
  RTMIXD_REQUIRE(info.has_value(), status.ToString());
  RTMIXD_REQUIRE(info->reason != ErrorReason::kInternal, status.ToString());
  RTMIXD_REQUIRE(info->reason != ErrorReason::kBadField || !info->field.empty(), status.ToString());
  RTMIXD_REQUIRE(!status.message().empty(), "");
}

std::shared_ptr<int> EngineProgram::ExpectAnswer() {
  std::erase_if(answers_, [](const std::shared_ptr<int>& calls) {
    RTMIXD_REQUIRE(*calls <= 1, absl::StrCat(*calls));
    return *calls == 1 && calls.use_count() == 1;  // nobody can call it again
  });
  answers_.push_back(std::make_shared<int>(0));
  return answers_.back();
}

ChangeCallback EngineProgram::Callback(const std::shared_ptr<bool>& alive) {
  return [this, alive] {
    RTMIXD_REQUIRE(*alive, "a callback after its object has gone");
    (void)engine_->next_event_sequence();  // no lock is held
  };
}

void EngineProgram::CheckState() {
  ledger_.CheckCounts(engine_.get());
  const StreamStatus stream = engine_->GetStream();
  if (stream.stream_id == stream_id_) {
    RTMIXD_REQUIRE(stream.next_frame >= next_frame_,
                   absl::StrCat(next_frame_, " ", stream.next_frame));
  }
  stream_id_ = stream.stream_id;
  next_frame_ = stream.next_frame;
  CheckLimits();
}

void EngineProgram::CheckLimits() {
  const Limits& limits = options_.limits;
  RTMIXD_REQUIRE(ledger_.unfinished() <= limits.max_actions, "");
  const std::vector<SessionInfo> sessions = engine_->ListSessions();
  RTMIXD_REQUIRE(static_cast<int>(sessions.size()) <= limits.max_sessions, "");
  int exclusive = 0;
  for (const SessionInfo& session : sessions) {
    RTMIXD_REQUIRE(session.active_actions <= limits.max_actions_per_session, session.session_id);
    RTMIXD_REQUIRE(session.buffers <= limits.max_buffers_per_session, session.session_id);
    RTMIXD_REQUIRE(session.buffer_bytes >= 0, session.session_id);
    RTMIXD_REQUIRE(session.buffer_bytes <= limits.max_buffer_bytes_per_session, session.session_id);
    exclusive += session.state == SessionState::kExclusive;
    const auto reports = engine_->ListActions(session.session_id, /*active_only=*/false);
    RTMIXD_REQUIRE(reports.ok(), reports.status().ToString());
    int unfinished = 0;
    for (const ActionReport& report : *reports) {
      ledger_.CheckReport(report);
      unfinished += report.state == ActionState::kPending || report.state == ActionState::kActive;
    }
    RTMIXD_REQUIRE(unfinished == session.active_actions, session.session_id);
    RTMIXD_REQUIRE(
        static_cast<int>(reports->size()) - unfinished <= limits.max_kept_reports_per_session, "");
  }
  RTMIXD_REQUIRE(exclusive <= 1, "");
}

// What clients can see, but for times.
std::string EngineProgram::Snapshot() {
  const StreamStatus stream = engine_->GetStream();
  std::string text = absl::StrCat("stream ", stream.stream_id, " ", static_cast<int>(stream.state),
                                  " ", stream.next_frame, " gain ", stream.master_gain, " events ",
                                  engine_->next_event_sequence(), " calibrations ",
                                  engine_->ListCalibrations().size());
  for (const SessionInfo& session : engine_->ListSessions()) {
    absl::StrAppend(&text, "\n", session.session_id, " ", static_cast<int>(session.state), " ",
                    session.active_actions, " ", session.buffers, " ", session.buffer_bytes, " ",
                    session.queue_position, " ", session.gain);
    const auto reports = engine_->ListActions(session.session_id, /*active_only=*/false);
    for (const ActionReport& report : *reports) {
      absl::StrAppend(&text, "\n  ", report.action_id, " ", static_cast<int>(report.state), " ",
                      report.start_frame.value_or(-1), " ",
                      report.requested_start_frame.value_or(-1), " ", report.end_frame.value_or(-1),
                      " ", report.done_frames, " ", static_cast<int>(report.end_reason), " ",
                      report.after_action_id, " ", report.paused);
    }
    const auto buffers = engine_->ListBuffers(session.session_id);
    for (const BufferInfo& buffer : *buffers) {
      absl::StrAppend(&text, "\n  ", buffer.buffer_id, " ", buffer.frames, " ",
                      static_cast<int>(buffer.state), " ", buffer.bytes, " ", buffer.keep);
    }
  }
  return text;
}

}  // namespace rtmixd
