#include "tests/conformance/scheduling_rows.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <memory>
#include <random>
#include <thread>
#include <utility>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "server/mixer/batch.h"
#include "server/mixer/mixer.h"
#include "server/mixer/voice.h"
#include "server/realtime/audio_block.h"
#include "tests/device/stepped_device.h"
#include "tests/mixer/planar_sound.h"

namespace rtmixd::conformance {
namespace {

// Sound i of one frame is this sample, so that it is known wherever it is heard.
float Mark(int i) { return static_cast<float>(i + 1) / 1024; }

EngineRig::Options Roomy() {
  EngineRig::Options options = EngineRig::DefaultOptions();
  options.limits.max_actions = 4000;
  options.limits.max_actions_per_session = 4000;
  options.limits.max_batch_actions = 4000;
  return options;
}

std::vector<double> StampErrors(int64_t frames, double jitter_seconds, double jump_seconds,
                                std::mt19937_64* random) {
  std::uniform_real_distribution<double> jitter(-jitter_seconds, jitter_seconds);
  std::vector<double> errors(frames / kBlockFrames + 1);
  for (size_t b = 0; b < errors.size(); ++b) {
    if (jitter_seconds > 0) errors[b] = jitter(*random);
    if (b >= errors.size() / 2) errors[b] += jump_seconds;
  }
  return errors;
}

// Makes a block for each error, all stamps off by it.
void RunWithErrors(EngineRig* rig, const std::vector<double>& errors_seconds) {
  for (const double error_seconds : errors_seconds) {
    const int64_t nanos = rig->device().now_nanos() + std::llround(error_seconds * 1e9);
    rig->device().Step(SteppedDevice::Callback{
        .frames = kBlockFrames,
        .callback_nanos = nanos,
        .host_now_seconds = static_cast<double>(nanos) * 1e-9,
        .host_output_seconds = static_cast<double>(nanos) * 1e-9 + kOutputLatencyFrames / kRateHz});
    rig->engine().PumpOnce();
  }
}

ActionSpec PlaySamples(const std::vector<float>& samples) {
  PlaySpec play;
  play.inline_channels = 1;
  play.inline_data = FloatBytes(samples);
  ActionSpec action;
  action.what = std::move(play);
  return action;
}

// At the output converter.
StartSpec AtTime(int64_t frame) {
  StartSpec start;
  start.kind = StartSpec::Kind::kStreamTime;
  start.seconds = static_cast<double>(frame + kOutputLatencyFrames) / kRateHz;
  return start;
}

// Where each mark was heard, by its number; -1: nowhere.
std::vector<int64_t> HeardMarks(const std::vector<float>& sent, int marks) {
  std::vector<int64_t> heard(marks, -1);
  for (size_t f = 0; f < sent.size(); ++f) {
    const float number = sent[f] * 1024 - 1;
    if (sent[f] == 0.0f || number != std::floor(number) || number >= static_cast<float>(marks)) {
      continue;
    }
    heard[static_cast<int>(number)] = static_cast<int64_t>(f);
  }
  return heard;
}

}  // namespace

StartsRow PlayStarts(double jitter_seconds, double jump_seconds) {
  constexpr int kStarts = 500;
  std::mt19937_64 random(20);
  StartsRow row;
  int64_t frame = 10 * kBlockFrames;
  BatchSpec batch;
  for (int i = 0; i < kStarts; ++i) {
    frame += std::uniform_int_distribution<int>(100, 700)(random);
    row.asked_frames.push_back(frame);
    batch.actions.push_back(PlaySamples({Mark(i)}));
    batch.actions.back().start = AtTime(frame);
  }
  row.stamp_errors_seconds = StampErrors(frame + 48000, jitter_seconds, jump_seconds, &random);

  EngineRig rig(Roomy());
  const std::string session = rig.Session();
  const auto admitted = rig.ScheduleNow(session, batch);
  if (!admitted.ok()) std::abort();
  RunWithErrors(&rig, row.stamp_errors_seconds);

  const std::vector<int64_t> heard = HeardMarks(rig.device().sent(0), kStarts);
  for (int i = 0; i < kStarts; ++i) {
    const int64_t off = std::abs(heard[i] - row.asked_frames[i]);
    row.not_on_their_frame += off > 0;
    if (heard[i] >= 0) row.most_frames_off = std::max(row.most_frames_off, off);
    row.wrongly_reported +=
        rig.Report(session, admitted->actions[i].action_id).start_frame != heard[i];
  }
  return row;
}

JoinsRow PlayJoins(double jitter_seconds) {
  constexpr int kSounds = 1000;
  constexpr float kSample = 0.25f;
  constexpr int64_t kFirstFrame = 10 * kBlockFrames;
  std::mt19937_64 random(21);
  JoinsRow row;
  row.sound_frames = 480;
  BatchSpec batch;
  for (int i = 0; i < kSounds; ++i) {
    row.asked_frames.push_back(kFirstFrame + i * row.sound_frames);
    batch.actions.push_back(PlaySamples(std::vector<float>(row.sound_frames, kSample)));
    batch.actions.back().start = AtTime(row.asked_frames.back());
  }
  const int64_t end_frame = kFirstFrame + kSounds * row.sound_frames;
  row.stamp_errors_seconds = StampErrors(end_frame + 4800, jitter_seconds, 0, &random);

  EngineRig rig(Roomy());
  if (!rig.ScheduleNow(rig.Session(), batch).ok()) std::abort();
  RunWithErrors(&rig, row.stamp_errors_seconds);

  const std::vector<float> sent = rig.device().sent(0);
  row.silent_samples = std::count(sent.begin() + kFirstFrame, sent.begin() + end_frame, 0.0f);
  row.doubled_samples =
      std::count(sent.begin() + kFirstFrame, sent.begin() + end_frame, 2 * kSample);
  return row;
}

CostRow MeasureCost() {
  constexpr int kBlocks = 2001;
  constexpr int64_t kFarFrame = int64_t{1} << 40;
  CostRow row;
  row.pending_actions = {0, 1000, 10000, 100000};
  const PlanarSound sound(1, 1, [](int, int64_t) { return 0.5f; });
  for (const int pending : row.pending_actions) {
    Mixer::Options options;
    options.output_channels = 1;
    options.max_pending_voices = options.max_batches = 100000;
    std::unique_ptr<Mixer> mixer = *Mixer::Create(options);
    std::vector<float> samples(kBlockFrames);
    float* const output = samples.data();
    AudioBlock block;
    block.frames = kBlockFrames;
    block.output = &output;
    for (int i = 0; i < pending; ++i) {
      auto batch = std::make_unique<Batch>();
      batch->origin_frame = kFarFrame + (int64_t{i} * 7919) % pending;
      Voice::Spec spec;
      spec.sequence = i;
      spec.channel_map = {0};
      spec.view = sound.view();
      batch->AddVoice(spec);
      while (!mixer->Submit(&batch).ok()) mixer->ProcessRt(block);
    }
    for (int i = 0; i < pending / Mixer::kMaxCommandsPerBlock + 1; ++i) mixer->ProcessRt(block);
    std::vector<double> costs;
    for (int i = 0; i < kBlocks; ++i) {
      const auto begin = std::chrono::steady_clock::now();
      mixer->ProcessRt(block);
      costs.push_back(
          std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
    }
    std::nth_element(costs.begin(), costs.begin() + kBlocks / 2, costs.end());
    row.block_seconds.push_back(costs[kBlocks / 2]);
  }
  return row;
}

FullRow FillServer() {
  FullRow row;
  EngineRig::Options options = EngineRig::DefaultOptions();
  options.limits.max_actions = row.room;
  options.limits.max_actions_per_session = row.room;
  EngineRig rig(options);
  const std::string session = rig.Session();
  for (int i = 0; i < row.asked; ++i) {
    const auto admitted = rig.ScheduleNow(session, At(kBlockFrames, {PlaySamples({Mark(i)})}));
    ++(admitted.ok() ? row.admitted : row.refused);
    if (admitted.ok()) continue;
    row.refusal = ReasonOf(admitted.status());
    row.limit = LimitOf(admitted.status());
  }
  const auto ended = [&] {
    rig.Finish(session);
    return static_cast<int>(rig.Events(EventKind::kActionEnded).size());
  };
  row.ended = ended();
  int again = row.refused;
  while (again > 0) {
    const auto admitted = rig.ScheduleNow(session, NowBatch({RecordNew("", 1, 0)}));
    if (admitted.ok()) {
      --again;
    } else {
      rig.Finish(session);
    }
  }
  row.ended_after_asking = ended();
  return row;
}

DryRow RunDry() {
  constexpr int64_t kStart = 2 * kBlockFrames;
  constexpr int64_t kFirstPart = 100;
  DryRow row;
  EngineRig rig;
  const std::string session = rig.Session();
  PlayStreamSpec spec;
  spec.channels = 1;
  spec.ring_frames = 512;
  spec.start = AtFrame(kStart);
  const auto stream = rig.engine().OpenPlay(session, spec, [] {});
  if (!stream.ok() || !(*stream)->Push(0, TestBytes(1, 1, 0, kFirstPart)).ok()) std::abort();
  rig.Run(5);
  row.dry_from_frame = kStart + kFirstPart;
  row.dry_frames = rig.next_frame() - row.dry_from_frame;
  if (!(*stream)->Push(kFirstPart, TestBytes(1, 1, kFirstPart, 200)).ok()) std::abort();
  if (!(*stream)->EndOfSound().ok()) std::abort();
  rig.Finish(session);
  row.report = (*stream)->FinalReport().value_or(ActionReport());
  return row;
}

CancelRow CancelWhatIsNotThere() {
  CancelRow row;
  EngineRig rig;
  const std::string session = rig.Session();
  const auto admitted = rig.ScheduleNow(session, At(kBlockFrames, {PlayInline("", 1, 1, 10, 3)}));
  if (!admitted.ok()) std::abort();
  rig.Finish(session);
  const auto ended = rig.engine().CancelActions(session, {admitted->actions[0].action_id},
                                                /*all=*/false, std::nullopt, /*fade=*/{});
  if (ended.ok() && ended->size() == 1) row.ended = ended->front();
  const absl::Status unknown =
      rig.engine()
          .CancelActions(session, {"a-99"}, /*all=*/false, std::nullopt, /*fade=*/{})
          .status();
  row.unknown_code = absl::StatusCodeToString(unknown.code());
  row.unknown_field = FieldOf(unknown);
  return row;
}

StoppedRow CloseUnderAWaiter() {
  StoppedRow row;
  EngineRig rig;
  const std::string session = rig.Session();
  if (!rig.ScheduleNow(session, At(48000, {PlayInline("", 1, 1, 10, 0)})).ok()) std::abort();
  rig.engine().WaitActions(session, {}, /*any=*/false, /*until_done=*/false, absl::Hours(24),
                           [&row](const absl::StatusOr<Engine::WaitAnswer>& answer) {
                             row.told = answer.ok() && answer->ended.size() == 1;
                             if (row.told) row.end_reason = answer->ended[0].end_reason;
                           });
  rig.Run(5);
  rig.engine().CloseStream(session, [](const absl::StatusOr<StreamStatus>&) {});
  rig.engine().PumpOnce();
  return row;
}

ProducersRow ScheduleFromThreads() {
  constexpr int kPerThread = 100;
  constexpr int64_t kFirstFrame = 100 * kBlockFrames;
  ProducersRow row;
  row.asked = row.threads * kPerThread;
  EngineRig rig(Roomy());
  const std::string session = rig.Session();
  std::atomic<int> admitted = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < row.threads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kPerThread; ++i) {
        const int number = i * row.threads + t;
        BatchSpec batch = NowBatch({PlaySamples({Mark(number)})});
        batch.actions[0].start = AtTime(kFirstFrame + number);
        admitted += rig.ScheduleNow(session, batch).ok();
      }
    });
  }
  // Blocks go on meanwhile, fewer than would reach the first start.
  rig.Run(50);
  for (std::thread& thread : threads) thread.join();
  rig.Finish(session);
  row.admitted = admitted;
  const std::vector<int64_t> heard = HeardMarks(rig.device().sent(0), row.asked);
  for (int i = 0; i < row.asked; ++i) row.on_their_frame += heard[i] == kFirstFrame + i;
  return row;
}

ChecksRow AskNonsense() {
  ChecksRow row;
  EngineRig rig;
  const std::string session = rig.Session();
  const auto field = [&](const ActionSpec& action) {
    const absl::Status status = rig.ScheduleNow(session, NowBatch({action})).status();
    return status.code() == absl::StatusCode::kInvalidArgument ? FieldOf(status) : "";
  };
  ActionSpec action = PlaySamples({0.5f});
  std::get<PlaySpec>(action.what).inline_data += "123";
  row.length_field = field(action);
  action = PlaySamples({0.5f});
  action.start.kind = StartSpec::Kind::kStreamTime;
  action.start.seconds = std::numeric_limits<double>::quiet_NaN();
  row.start_field = field(action);
  row.sample_field = field(PlaySamples({std::numeric_limits<float>::quiet_NaN()}));
  return row;
}

LateRow BecomeLate() {
  LateRow row;
  EngineRig rig;
  const std::string session = rig.Session();
  ActionSpec action = PlayInline("", 1, 1, 100, 0);
  action.late_policy = LatePolicy::kSkip;
  const auto admitted = rig.ScheduleNow(session, At(20000, {action}));
  if (!admitted.ok()) std::abort();
  rig.Run(10);
  // The device is silent, lost, and comes back; the frame counter goes on where time is.
  rig.Wait(absl::Milliseconds(510));
  rig.Wait(absl::Milliseconds(500));
  rig.Finish(session);
  row.report = rig.Report(session, admitted->actions[0].action_id);
  for (const float sample : rig.device().sent(0)) row.heard_frames += sample != 0.0f;
  return row;
}

}  // namespace rtmixd::conformance
