#include "tests/control/engine_rig.h"

#include <cstring>
#include <utility>

#include "gtest/gtest.h"

namespace rtmixd {

EngineRig::Options EngineRig::DefaultOptions() {
  Options options;
  options.limits.max_actions = 1000;
  options.limits.max_actions_per_session = 900;
  options.limits.max_batch_actions = 50;
  options.limits.history = absl::Seconds(1);
  options.device.block_frames = kBlockFrames;
  options.device.input_latency_frames = kInputLatencyFrames;
  options.device.output_latency_frames = kOutputLatencyFrames;
  for (int c = 0; c < 2; ++c) {
    LoopbackRoute route;
    route.output_channel = c;
    route.input_channel = c;
    route.delay_frames = kCableFrames;
    options.device.routes.push_back(route);
  }
  return options;
}

StreamSettings EngineRig::Settings() {
  StreamSettings settings;
  settings.input.channels = 2;
  settings.output.channels = 2;
  settings.sample_rate_hz = 48000;
  settings.block_frames = kBlockFrames;
  return settings;
}

EngineRig::EngineRig(const Options& options) {
  auto device = std::make_unique<SteppedDevice>(options.device);
  device_ = device.get();
  Engine::Options engine_options;
  engine_options.limits = options.limits;
  engine_options.manual = true;
  engine_options.enable_device_scripts = options.enable_device_scripts;
  engine_options.device_features = options.device_features;
  engine_options.calibrations = options.calibrations;
  engine_options.save_calibrations = options.save_calibrations;
  if (options.open) engine_options.default_stream = Settings();
  engine_options.monotonic_nanos = [device = device_] { return device->now_nanos(); };
  engine_options.wall_time = [device = device_, offset = wall_offset_] {
    return absl::UnixEpoch() + *offset + absl::Nanoseconds(device->now_nanos());
  };
  engine_options.wall_clock_state = [state = wall_clock_state_] { return *state; };
  auto engine = Engine::Create(std::move(engine_options), std::move(device));
  EXPECT_TRUE(engine.ok()) << engine.status();
  engine_ = *std::move(engine);
  const absl::Status started = engine_->Start();
  EXPECT_TRUE(started.ok()) << started;
}

EngineRig::~EngineRig() = default;

absl::Time EngineRig::wall_now() const {
  return absl::UnixEpoch() + *wall_offset_ + absl::Nanoseconds(device_->now_nanos());
}

void EngineRig::Run(int blocks, int frames) {
  for (int i = 0; i < blocks; ++i) {
    device_->Step(frames);
    engine_->PumpOnce();
  }
}

void EngineRig::Finish(const std::string& session_id) {
  bool ended = false;
  const auto wait =
      engine_->WaitActions(session_id, {}, /*any=*/false, /*until_done=*/false, absl::Hours(24),
                           [&ended](const absl::StatusOr<Engine::WaitAnswer>& answer) {
                             ended = answer.ok() && answer->still_running.empty();
                           });
  for (int i = 0; i < 20000 && !ended; ++i) Run(1);
  if (ended) return;
  engine_->CancelWait(wait);
  FAIL() << "actions go on for ever";
}

void EngineRig::Wait(absl::Duration duration) {
  device_->AdvanceClockNanos(absl::ToInt64Nanoseconds(duration));
  engine_->PumpOnce();
}

std::string EngineRig::Session(SessionSpec spec) {
  if (spec.label.empty()) spec.label = "test";
  if (spec.ttl == absl::Seconds(15)) spec.ttl = absl::Minutes(30);
  auto session = engine_->CreateSession(spec);
  EXPECT_TRUE(session.ok()) << session.status();
  return session->info.session_id;
}

absl::StatusOr<BatchAdmitted> EngineRig::ScheduleNow(const std::string& session_id,
                                                     BatchSpec batch) {
  auto answer = std::make_shared<std::optional<absl::StatusOr<BatchAdmitted>>>();
  engine_->Schedule(session_id, std::move(batch),
                    [answer](absl::StatusOr<BatchAdmitted> got) { *answer = std::move(got); });
  if (!answer->has_value()) return absl::UnknownError("no answer yet");
  return **answer;
}

absl::StatusOr<BatchAdmitted> EngineRig::Schedule(const std::string& session_id, BatchSpec batch) {
  auto answer = std::make_shared<std::optional<absl::StatusOr<BatchAdmitted>>>();
  engine_->Schedule(session_id, std::move(batch),
                    [answer](absl::StatusOr<BatchAdmitted> got) { *answer = std::move(got); });
  if (!answer->has_value()) Run(1);
  if (!answer->has_value()) return absl::UnknownError("no answer after a block");
  return **answer;
}

ActionReport EngineRig::Report(const std::string& session_id, const std::string& action_id) {
  auto report = engine_->GetAction(session_id, action_id);
  EXPECT_TRUE(report.ok()) << report.status();
  return report.ok() ? *report : ActionReport();
}

std::vector<std::vector<float>> EngineRig::Download(const std::string& session_id,
                                                    const std::string& buffer_id) {
  auto reader = engine_->OpenDownload(session_id, buffer_id, [] {});
  EXPECT_TRUE(reader.ok()) << reader.status();
  if (!reader.ok()) return {};
  const BufferInfo info = (*reader)->info();
  std::string bytes;
  for (int64_t at = 0; at < info.frames;) {
    std::string part;
    at += (*reader)->Read(at, info.frames - at, SampleFormat::kFloat32, &part);
    bytes += part;
  }
  const std::vector<float> samples = Floats(bytes);
  std::vector<std::vector<float>> channels(info.channels);
  for (size_t i = 0; i < samples.size(); ++i) channels[i % info.channels].push_back(samples[i]);
  return channels;
}

std::vector<LogEntry> EngineRig::Events(EventKind kind) {
  return engine_->ReadEvents(0, {kind}, 100000).entries;
}

int EngineRig::CountEvents(EventKind kind) { return static_cast<int>(Events(kind).size()); }

float TestSample(int sound, int channel, int64_t frame) {
  return static_cast<float>(1 + (sound * 7919 + channel * 104729 + frame * 3) % 65521) / (1 << 19);
}

std::string FloatBytes(const std::vector<float>& samples) {
  const auto* const bytes = reinterpret_cast<const char*>(samples.data());
  return std::string(bytes, bytes + samples.size() * sizeof(float));
}

std::string TestBytes(int sound, int channels, int64_t first_frame, int64_t frames) {
  std::vector<float> samples;
  for (int64_t f = first_frame; f < first_frame + frames; ++f) {
    for (int c = 0; c < channels; ++c) samples.push_back(TestSample(sound, c, f));
  }
  return FloatBytes(samples);
}

std::vector<float> Floats(const std::string& bytes) {
  std::vector<float> samples(bytes.size() / sizeof(float));
  if (!samples.empty()) std::memcpy(samples.data(), bytes.data(), samples.size() * sizeof(float));
  return samples;
}

ActionSpec PlayInline(const std::string& key, int sound, int channels, int64_t frames,
                      int64_t offset_frames) {
  PlaySpec play;
  play.inline_channels = channels;
  play.inline_data = TestBytes(sound, channels, 0, frames);
  ActionSpec action;
  action.key = key;
  action.start.frames = offset_frames;
  action.what = std::move(play);
  return action;
}

ActionSpec RecordNew(const std::string& key, std::optional<int64_t> frames, int64_t offset_frames) {
  RecordSpec record;
  record.frames = frames;
  ActionSpec action;
  action.key = key;
  action.start.frames = offset_frames;
  action.what = std::move(record);
  return action;
}

ActionSpec CancelKey(const std::string& key, const std::string& target, int64_t offset_frames) {
  ActionSpec action;
  action.key = key;
  action.start.frames = offset_frames;
  action.what = CancelSpec{.target = {.key = target, .action_id = {}}};
  return action;
}

BatchSpec NowBatch(std::vector<ActionSpec> actions) {
  BatchSpec batch;
  batch.actions = std::move(actions);
  return batch;
}

BatchSpec At(int64_t origin_frame, std::vector<ActionSpec> actions) {
  BatchSpec batch = NowBatch(std::move(actions));
  batch.origin = origin_frame;
  return batch;
}

BatchSpec AtWallTime(absl::Time origin, std::vector<ActionSpec> actions) {
  BatchSpec batch = NowBatch(std::move(actions));
  batch.origin = origin;
  return batch;
}

StartSpec AtFrame(int64_t frame) {
  StartSpec start;
  start.kind = StartSpec::Kind::kFrame;
  start.frames = frame;
  return start;
}

ErrorReason ReasonOf(const absl::Status& status) {
  const std::optional<ErrorInfo> info = GetErrorInfo(status);
  return info.has_value() ? info->reason : ErrorReason::kInternal;
}

std::string FieldOf(const absl::Status& status) {
  const std::optional<ErrorInfo> info = GetErrorInfo(status);
  return info.has_value() ? info->field : "no details";
}

std::string LimitOf(const absl::Status& status) {
  const std::optional<ErrorInfo> info = GetErrorInfo(status);
  return info.has_value() ? info->limit : "no details";
}

std::string HolderOf(const absl::Status& status) {
  const std::optional<ErrorInfo> info = GetErrorInfo(status);
  return info.has_value() ? info->holder_label : "no details";
}

}  // namespace rtmixd
