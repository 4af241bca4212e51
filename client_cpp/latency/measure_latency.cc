#include "client_cpp/latency/measure_latency.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <string>
#include <utility>

#include "absl/random/random.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "client_cpp/audio.h"
#include "client_cpp/buffer.h"
#include "client_cpp/duration.h"
#include "client_cpp/latency/excitation.h"

namespace rtmixd::client {
namespace {

constexpr int kMaxRepeats = 8;
// Repeats thrown away for each one that is wanted.
constexpr int kMaxVoidedPerRepeat = 3;
constexpr double kMaxSpreadFrames = 0.5;
// Between repeats, so that one has died away before the next is listened to.
constexpr int64_t kPauseFrames = 2048;
// The period over the longest delay, at least. A delay beyond the period looks like one that is
// shorter by a period, but the beginning of the recording misses what has not come yet: a fifth of
// it, which leaves a confidence of 0.8.
constexpr double kPeriodPerDelay = 1.25;
constexpr double kLeastConfidence = 0.85;
constexpr int kMinPeriodFrames = 4096;

absl::Status BadOption(const char* name, double value, const char* limit) {
  return absl::InvalidArgumentError(
      absl::StrFormat("%s is %g, but must be %s", name, value, limit));
}

absl::Status Check(const LatencyOptions& options) {
  const auto within = [](double value, double low, double high) {
    return value >= low && value <= high;
  };
  if (options.output < 1) return BadOption("output", options.output, "at least 1");
  if (options.input < 1) return BadOption("input", options.input, "at least 1");
  if (!within(options.repeats, 1, kMaxRepeats)) {
    return BadOption("repeats", options.repeats, "1 to 8");
  }
  if (!within(options.amplitude, 1e-4, 1)) {
    return BadOption("amplitude", options.amplitude, "0.0001 to 1");
  }
  if (!within(options.max_delay_seconds, 0.001, 5)) {
    return BadOption("max_delay_seconds", options.max_delay_seconds, "0.001 to 5");
  }
  if (!within(options.min_confidence, kLeastConfidence, 1)) {
    return BadOption("min_confidence", options.min_confidence, "0.85 to 1");
  }
  if (!within(options.min_gain, 0, 1)) return BadOption("min_gain", options.min_gain, "0 to 1");
  return absl::OkStatus();
}

// One recording of a period, and the excitation whose it is.
struct Repeat {
  Excitation excitation;
  std::string play_id;
  std::string record_id;
  std::string buffer_id;
};

// The times of one repeat. The excitation begins so that the recording is one period from its first
// frame on, delayed: it has been in steady state for the longest delay then.
struct Plan {
  int64_t max_delay_frames;
  int64_t period_frames;

  int64_t play_frames() const { return max_delay_frames + period_frames; }
};

void AddRepeat(const Repeat& repeat, const Plan& plan, int64_t offset_frames,
               const LatencyOptions& options, v1::ScheduleActionsRequest& request) {
  v1::ActionSpec& record = *request.add_actions();
  record.mutable_start()->set_offset_frames(offset_frames + plan.max_delay_frames);
  record.mutable_record()->set_frames(plan.period_frames);
  *record.mutable_record()->mutable_channel_map() = ToChannelMap({options.input});

  v1::ActionSpec& play = *request.add_actions();
  play.mutable_start()->set_offset_frames(offset_frames);
  *play.mutable_play()->mutable_channel_map() = ToChannelMap({options.output});
  v1::InlineAudio& audio = *play.mutable_play()->mutable_inline_audio();
  audio.set_channels(1);
  audio.set_sample_format(v1::SAMPLE_FORMAT_FLOAT32);
  audio.set_data(EncodeFloat32(repeat.excitation.Play(plan.period_frames - plan.max_delay_frames,
                                                      plan.play_frames(), options.amplitude)));
}

bool IsSound(const v1::ActionReport& report) {
  return report.end_reason() == v1::END_REASON_COMPLETED && report.touched() != v1::TOUCHED_YES &&
         report.late_frames() == 0 && report.gap_frames() == 0 &&
         report.nonfinite_input_samples() == 0;
}

absl::StatusOr<std::vector<float>> Fetch(const std::shared_ptr<Session>& session,
                                         const std::string& buffer_id) {
  auto buffer = Buffer::Open(session, buffer_id);
  if (!buffer.ok()) return buffer.status();
  std::vector<float> samples;
  absl::Status fetched =
      (*buffer)->Download({}, [&samples](int64_t /*position*/, absl::Span<const float> part) {
        samples.insert(samples.end(), part.begin(), part.end());
        return absl::OkStatus();
      });
  // The caller has it now; a long session is not to fill the server.
  (*buffer)->Delete().IgnoreError();
  if (!fetched.ok()) return fetched;
  return samples;
}

// Schedules `count` repeats, one behind the other.
absl::StatusOr<std::vector<Repeat>> Schedule(Session& session, int count, const Plan& plan,
                                             uint64_t& seed, const LatencyOptions& options,
                                             std::string& stream_id) {
  std::vector<Repeat> repeats;
  v1::ScheduleActionsRequest request;
  for (int i = 0; i < count; ++i) {
    repeats.push_back({.excitation = Excitation(seed++, static_cast<int>(plan.period_frames)),
                       .play_id = {},
                       .record_id = {},
                       .buffer_id = {}});
    AddRepeat(repeats.back(), plan, i * (plan.play_frames() + plan.max_delay_frames + kPauseFrames),
              options, request);
  }
  auto scheduled = ScheduleActions(session, std::move(request));
  if (!scheduled.ok()) return scheduled.status();
  if (scheduled->actions_size() != 2 * count) {
    return absl::InternalError("the server did not answer for each action");
  }
  if (!stream_id.empty() && stream_id != scheduled->stream_id()) {
    return absl::UnavailableError("the stream was closed while the latency was measured");
  }
  stream_id = scheduled->stream_id();
  for (int i = 0; i < count; ++i) {
    Repeat& repeat = repeats[static_cast<size_t>(i)];
    repeat.record_id = scheduled->actions(2 * i).action_id();
    repeat.buffer_id = scheduled->actions(2 * i).buffer_id();
    repeat.play_id = scheduled->actions(2 * i + 1).action_id();
  }
  return repeats;
}

absl::Status Cancel(Session& session, const std::vector<std::string>& action_ids) {
  v1::CancelActionsRequest request;
  request.mutable_action_ids()->Add(action_ids.begin(), action_ids.end());
  return session.client()
      .Call(&Stubs::actions, &v1::ActionService::Stub::CancelActions, request, session.call())
      .status();
}

// Waits for their final reports, and appends what those tell that nothing disturbed.
absl::Status Collect(const std::shared_ptr<Session>& session, const std::vector<Repeat>& repeats,
                     const Plan& plan, absl::Time deadline, const LatencyOptions& options,
                     MeasuredLatency& result) {
  std::vector<std::string> action_ids;
  for (const Repeat& repeat : repeats) {
    action_ids.push_back(repeat.play_id);
    action_ids.push_back(repeat.record_id);
  }
  auto waited = WaitActions(*session, action_ids, deadline - absl::Now(), options.keep_waiting);
  if (!waited.ok()) return waited.status();
  if (!waited->still_running().empty()) {
    Cancel(*session, action_ids).IgnoreError();
    if (options.keep_waiting != nullptr && !options.keep_waiting()) {
      return absl::CancelledError("interrupted: the measurement was cancelled");
    }
    return absl::DeadlineExceededError(absl::StrCat("still measuring after ",
                                                    absl::FormatDuration(options.timeout),
                                                    ": the measurement was cancelled"));
  }
  const auto sound = [&waited](const std::string& action_id) {
    return std::any_of(waited->ended().begin(), waited->ended().end(),
                       [&action_id](const v1::ActionReport& report) {
                         return report.action_id() == action_id && IsSound(report);
                       });
  };
  const DelayCriteria criteria = {.min_confidence = options.min_confidence,
                                  .min_gain = options.min_gain,
                                  .max_delay_frames = static_cast<int>(plan.max_delay_frames)};
  for (const Repeat& repeat : repeats) {
    auto recorded = Fetch(session, repeat.buffer_id);
    if (!recorded.ok()) return recorded.status();
    if (!sound(repeat.play_id) || !sound(repeat.record_id) ||
        static_cast<int64_t>(recorded->size()) != plan.period_frames) {
      result.measurement.set_voided_repeats(result.measurement.voided_repeats() + 1);
      continue;
    }
    result.repeats.push_back(
        EstimateDelay(repeat.excitation, options.amplitude, *recorded, criteria));
  }
  return absl::OkStatus();
}

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

}  // namespace

v1::LatencyMeasurement CombineRepeats(const std::vector<DelayEstimate>& repeats) {
  v1::LatencyMeasurement measurement;
  measurement.set_repeats(static_cast<int>(repeats.size()));
  if (repeats.empty()) {
    measurement.set_verdict(v1::LATENCY_VERDICT_XRUN);
    return measurement;
  }
  std::vector<double> delays;
  std::vector<double> gains;
  double confidence = 1;
  bool same_polarity = true;
  measurement.set_verdict(v1::LATENCY_VERDICT_FOUND);
  for (const DelayEstimate& repeat : repeats) {
    delays.push_back(repeat.delay_frames);
    gains.push_back(repeat.gain);
    confidence = std::min(confidence, repeat.confidence);
    same_polarity = same_polarity && repeat.inverted == repeats.front().inverted;
    if (measurement.verdict() == v1::LATENCY_VERDICT_FOUND) measurement.set_verdict(repeat.verdict);
  }
  const auto [least, most] = std::minmax_element(delays.begin(), delays.end());
  measurement.set_spread_frames(*most - *least);
  measurement.set_round_trip_frames(Median(delays));
  measurement.set_gain(Median(gains));
  measurement.set_inverted(repeats.front().inverted);
  measurement.set_confidence(confidence);
  if (measurement.verdict() == v1::LATENCY_VERDICT_FOUND &&
      (!same_polarity || measurement.spread_frames() > kMaxSpreadFrames)) {
    measurement.set_verdict(v1::LATENCY_VERDICT_UNSTEADY);
  }
  if (measurement.verdict() != v1::LATENCY_VERDICT_FOUND) measurement.clear_round_trip_frames();
  return measurement;
}

absl::StatusOr<MeasuredLatency> MeasureLatency(const std::shared_ptr<Session>& session,
                                               const LatencyOptions& options) {
  if (absl::Status status = Check(options); !status.ok()) return status;
  const absl::Time deadline = absl::Now() + options.timeout;
  auto stream = session->client().Call(&Stubs::stream, &v1::StreamService::Stub::GetStream,
                                       v1::GetStreamRequest(), {.retry = true});
  if (!stream.ok()) return stream.status();

  MeasuredLatency result;
  result.sample_rate_hz = stream->stream().sample_rate_hz();
  Plan plan = {.max_delay_frames =
                   std::llround(std::ceil(options.max_delay_seconds * result.sample_rate_hz)),
               .period_frames = 0};
  plan.period_frames = static_cast<int64_t>(std::bit_ceil(static_cast<uint64_t>(std::max<double>(
      kMinPeriodFrames, kPeriodPerDelay * static_cast<double>(plan.max_delay_frames)))));
  uint64_t seed = options.seed.value_or(absl::Uniform<uint64_t>(absl::BitGen()));
  std::string stream_id;
  const int most_voided = kMaxVoidedPerRepeat * options.repeats;
  while (static_cast<int>(result.repeats.size()) < options.repeats &&
         result.measurement.voided_repeats() <= most_voided) {
    const int missing = options.repeats - static_cast<int>(result.repeats.size());
    auto repeats = Schedule(*session, missing, plan, seed, options, stream_id);
    if (!repeats.ok()) return repeats.status();
    if (absl::Status status = Collect(session, *repeats, plan, deadline, options, result);
        !status.ok()) {
      return status;
    }
  }
  const int voided = result.measurement.voided_repeats();
  result.measurement = CombineRepeats(result.repeats);
  if (static_cast<int>(result.repeats.size()) < options.repeats) {
    result.measurement.set_verdict(v1::LATENCY_VERDICT_XRUN);
    result.measurement.clear_round_trip_frames();
  }
  result.measurement.set_voided_repeats(voided);
  result.measurement.set_stream_id(stream_id);
  result.measurement.set_output_channel(options.output);
  result.measurement.set_input_channel(options.input);
  *result.measurement.mutable_measure_time() = ToProto(absl::Now());
  return result;
}

}  // namespace rtmixd::client
