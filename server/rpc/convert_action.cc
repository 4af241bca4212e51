#include "server/rpc/convert_action.h"

#include <type_traits>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "server/base/error_info.h"
#include "server/rpc/convert_time.h"

namespace rtmixd {
namespace {

// Frames and positions stay below 2^53, so that every language can hold them in a double.
constexpr int64_t kMaxFrame = (int64_t{1} << 53) - 1;

absl::Status CheckFrame(int64_t frame, const std::string& field) {
  if (frame >= 0 && frame <= kMaxFrame) return absl::OkStatus();
  return BadField(field, absl::StrCat(frame), "0 to 2^53 - 1");
}

absl::Status CheckSeconds(double seconds, const std::string& field) {
  if (seconds >= 0) return absl::OkStatus();
  return BadField(field, absl::StrCat(seconds), "at least 0");
}

absl::StatusOr<StartSpec> FromProto(const v1::Start& proto, const std::string& field) {
  StartSpec start;
  switch (proto.at_case()) {
    case v1::Start::kOffsetFrames:
      start.kind = StartSpec::Kind::kOffset;
      start.frames = proto.offset_frames();
      if (absl::Status status = CheckFrame(start.frames, field + ".offset_frames"); !status.ok())
        return status;
      break;
    case v1::Start::kFrame:
      start.kind = StartSpec::Kind::kFrame;
      start.frames = proto.frame();
      if (absl::Status status = CheckFrame(start.frames, field + ".frame"); !status.ok())
        return status;
      break;
    case v1::Start::kStreamTimeSeconds:
      start.kind = StartSpec::Kind::kStreamTime;
      start.seconds = proto.stream_time_seconds();
      if (absl::Status status = CheckSeconds(start.seconds, field + ".stream_time_seconds");
          !status.ok()) {
        return status;
      }
      break;
    case v1::Start::kAfter:
      start.kind = StartSpec::Kind::kAfter;
      start.after = {.key = proto.after().key(), .action_id = proto.after().action_id()};
      break;
    case v1::Start::kWallTime: {
      start.kind = StartSpec::Kind::kWallTime;
      const absl::StatusOr<absl::Time> time =
          rtmixd::FromProto(proto.wall_time(), field + ".wall_time");
      if (!time.ok()) return time.status();
      start.wall_time = *time;
      break;
    }
    case v1::Start::AT_NOT_SET:
      break;
  }
  return start;
}

// A stream has no batch: its start is now, or not an offset.
absl::StatusOr<StartSpec> StreamStart(const v1::Start& proto, const std::string& field) {
  absl::StatusOr<StartSpec> start = FromProto(proto, field);
  if (start.ok() && start->kind == StartSpec::Kind::kOffset && start->frames != 0) {
    return BadField(field + ".offset_frames", absl::StrCat(start->frames),
                    "0: a stream has no batch to count from");
  }
  return start;
}

LatePolicy FromProto(v1::LatePolicy policy) {
  switch (policy) {
    case v1::LATE_POLICY_SKIP:
      return LatePolicy::kSkip;
    case v1::LATE_POLICY_TRIM:
      return LatePolicy::kTrim;
    default:
      return LatePolicy::kPlay;
  }
}

UnderrunPolicy FromProto(v1::UnderrunPolicy policy) {
  switch (policy) {
    case v1::UNDERRUN_POLICY_END:
      return UnderrunPolicy::kEnd;
    case v1::UNDERRUN_POLICY_KEEP_TIMELINE:
      return UnderrunPolicy::kKeepTimeline;
    default:
      return UnderrunPolicy::kSilence;
  }
}

XrunPolicy FromProto(v1::XrunPolicy policy) {
  return policy == v1::XRUN_POLICY_KEEP_TIMELINE ? XrunPolicy::kKeepTimeline
                                                 : XrunPolicy::kContinue;
}

RecordSource FromProto(v1::RecordSource source) {
  return source == v1::RECORD_SOURCE_OUTPUT ? RecordSource::kOutput : RecordSource::kInput;
}

template <typename Message>
ChannelMapSpec MapFromProto(const Message& message) {
  if (!message.has_channel_map()) return std::nullopt;
  const auto& channels = message.channel_map().channels();
  return std::vector<int>(channels.begin(), channels.end());
}

absl::StatusOr<PlaySpec> FromProto(v1::PlaySpec* proto, const std::string& field) {
  PlaySpec play;
  switch (proto->source_case()) {
    case v1::PlaySpec::kBufferId:
      play.buffer_id = proto->buffer_id();
      if (play.buffer_id.empty())
        return BadField(field + ".buffer_id", "\"\"", "the id of a buffer");
      break;
    case v1::PlaySpec::kInlineAudio:
      play.inline_channels = proto->inline_audio().channels();
      play.inline_format = rtmixd::FromProto(proto->inline_audio().sample_format());
      play.inline_data = std::move(*proto->mutable_inline_audio()->mutable_data());
      break;
    case v1::PlaySpec::SOURCE_NOT_SET:
      return BadField(field + ".source", "not set", "buffer_id or inline_audio");
  }
  if (proto->has_gain()) play.gain = proto->gain();
  play.channel_map = MapFromProto(*proto);
  play.xrun_policy = FromProto(proto->xrun_policy());
  play.fade_in = rtmixd::FromProto(proto->fade_in());
  play.fade_out = rtmixd::FromProto(proto->fade_out());
  play.offset_frames = proto->offset_frames();
  if (proto->has_max_frames()) play.max_frames = proto->max_frames();
  if (proto->has_loop()) {
    LoopSpec& loop = play.loop.emplace();
    loop.begin_frame = proto->loop().begin_frame();
    if (proto->loop().has_end_frame()) loop.end_frame = proto->loop().end_frame();
    if (proto->loop().has_passes()) loop.passes = proto->loop().passes();
  }
  return play;
}

absl::StatusOr<RecordSpec> FromProto(const v1::RecordSpec& proto, const std::string& field) {
  RecordSpec record;
  record.buffer_id = proto.buffer_id();
  if (proto.has_frames()) {
    if (absl::Status status = CheckFrame(proto.frames(), field + ".frames"); !status.ok())
      return status;
    record.frames = proto.frames();
  }
  record.channel_map = MapFromProto(proto);
  record.source = FromProto(proto.source());
  record.label = proto.label();
  record.keep = proto.keep();
  record.leave_open = proto.leave_open();
  return record;
}

absl::StatusOr<CancelSpec> FromProto(const v1::CancelSpec& proto, const std::string& field) {
  CancelSpec cancel;
  cancel.target = {.key = proto.key(), .action_id = proto.action_id()};
  if (cancel.target.key.empty() && cancel.target.action_id.empty()) {
    return BadField(field + ".target", "not set", "a key of the batch, or an action_id");
  }
  cancel.fade = rtmixd::FromProto(proto.fade());
  return cancel;
}

// Of a message with the oneof `change`.
template <typename Message>
absl::StatusOr<VoiceChangeSpec> ChangeFromProto(const Message& proto, const std::string& prefix) {
  switch (proto.change_case()) {
    case Message::kGain:
      return rtmixd::FromProto(proto.gain());
    case Message::kPause:
      return PauseSpec{};
    case Message::kResume:
      return ResumeSpec{};
    case Message::kLeaveLoop:
      return LeaveLoopSpec{.at_once = proto.leave_loop().at_once()};
    case Message::CHANGE_NOT_SET:
      break;
  }
  return BadField(prefix + "change", "not set", "gain, pause, resume or leave_loop");
}

absl::StatusOr<ChangeSpec> FromProto(const v1::ChangeSpec& proto, const std::string& field) {
  ChangeSpec spec;
  spec.target = {.key = proto.key(), .action_id = proto.action_id()};
  if (spec.target.key.empty() && spec.target.action_id.empty()) {
    return BadField(field + ".target", "not set", "a key of the batch, or an action_id");
  }
  absl::StatusOr<VoiceChangeSpec> change = ChangeFromProto(proto, field + ".");
  if (!change.ok()) return change.status();
  spec.change = *std::move(change);
  return spec;
}

absl::StatusOr<ActionSpec> FromProto(v1::ActionSpec* proto, const std::string& field) {
  ActionSpec action;
  action.key = proto->key();
  absl::StatusOr<StartSpec> start = FromProto(proto->start(), field + ".start");
  if (!start.ok()) return start.status();
  action.start = *start;
  action.late_policy = FromProto(proto->late_policy());
  const auto set = [&action](auto spec) -> absl::Status {
    if (!spec.ok()) return spec.status();
    action.what = *std::move(spec);
    return absl::OkStatus();
  };
  absl::Status status;
  switch (proto->action_case()) {
    case v1::ActionSpec::kPlay:
      status = set(FromProto(proto->mutable_play(), field + ".play"));
      break;
    case v1::ActionSpec::kRecord:
      status = set(FromProto(proto->record(), field + ".record"));
      break;
    case v1::ActionSpec::kCancel:
      status = set(FromProto(proto->cancel(), field + ".cancel"));
      break;
    case v1::ActionSpec::kStats:
      action.what = StatsSpec{.reset_baseline = proto->stats().reset_baseline()};
      break;
    case v1::ActionSpec::kChange:
      status = set(FromProto(proto->change(), field + ".change"));
      break;
    case v1::ActionSpec::ACTION_NOT_SET:
      status = BadField(field + ".action", "not set", "play, record, cancel, stats or change");
      break;
  }
  if (!status.ok()) return status;
  return action;
}

v1::BlockStats ToProto(const BlockStatsInfo& stats) {
  v1::BlockStats proto;
  proto.set_blocks(stats.blocks);
  proto.set_min_frames(stats.min_frames);
  proto.set_max_frames(stats.max_frames);
  proto.set_input_underflows(stats.input_underflows);
  proto.set_input_overflows(stats.input_overflows);
  proto.set_output_underflows(stats.output_underflows);
  proto.set_output_overflows(stats.output_overflows);
  return proto;
}

}  // namespace

v1::Xrun ToProto(const XrunInfo& xrun) {
  v1::Xrun proto;
  proto.set_frame(xrun.frame);
  proto.set_side(static_cast<v1::XrunSide>(xrun.side));
  proto.set_lost_frames(xrun.lost_frames);
  proto.set_lost_frames_error(xrun.lost_frames_error);
  proto.set_flagged(xrun.flagged);
  proto.set_earliest_frame(xrun.earliest_frame);
  proto.set_latest_frame(xrun.latest_frame);
  return proto;
}

v1::Gap ToProto(const GapInfo& gap) {
  v1::Gap proto;
  proto.set_position(gap.position);
  proto.set_frame(gap.frame);
  proto.set_frames(gap.frames);
  return proto;
}

v1::ActionReport ToProto(const ActionReport& report) {
  v1::ActionReport proto;
  proto.set_action_id(report.action_id);
  proto.set_key(report.key);
  proto.set_batch_id(report.batch_id);
  proto.set_kind(static_cast<v1::ActionKind>(report.kind));
  proto.set_state(static_cast<v1::ActionState>(report.state));
  proto.set_stream_id(report.stream_id);
  if (report.requested_start_frame) proto.set_requested_start_frame(*report.requested_start_frame);
  if (report.start_frame) proto.set_start_frame(*report.start_frame);
  if (report.end_frame) proto.set_end_frame(*report.end_frame);
  if (report.total_frames) proto.set_total_frames(*report.total_frames);
  proto.set_done_frames(report.done_frames);
  proto.set_late_frames(report.late_frames);
  proto.set_dropped_frames(report.dropped_frames);
  proto.set_end_reason(static_cast<v1::EndReason>(report.end_reason));
  for (const GapInfo& gap : report.gaps) *proto.add_gaps() = ToProto(gap);
  proto.set_gap_count(report.gap_count);
  proto.set_gap_frames(report.gap_frames);
  for (const XrunInfo& xrun : report.xruns) *proto.add_xruns() = ToProto(xrun);
  proto.set_xrun_count(report.xrun_count);
  proto.set_touched(static_cast<v1::Touched>(report.touched));
  proto.set_shortest_detectable_loss_frames(report.shortest_detectable_loss_frames);
  proto.set_clipped_samples(report.clipped_samples);
  *proto.mutable_blocks() = ToProto(report.blocks);
  proto.set_buffer_id(report.buffer_id);
  proto.set_target_action_id(report.target_action_id);
  if (report.stats) *proto.mutable_stats() = ToProto(*report.stats);
  proto.set_underruns(report.underruns);
  proto.set_nonfinite_input_samples(report.nonfinite_input_samples);
  if (report.position_frames) proto.set_position_frames(*report.position_frames);
  proto.set_paused(report.paused);
  proto.set_after_action_id(report.after_action_id);
  if (report.origin_wall_time) {
    *proto.mutable_origin_wall_time() = ToProto(*report.origin_wall_time);
  }
  if (report.origin_frame) proto.set_origin_frame(*report.origin_frame);
  if (report.origin_uncertainty_frames) {
    proto.set_origin_uncertainty_frames(*report.origin_uncertainty_frames);
  }
  if (report.start_wall_time) *proto.mutable_start_wall_time() = ToProto(*report.start_wall_time);
  if (report.start_wall_time_uncertainty_frames) {
    proto.set_start_wall_time_uncertainty_frames(*report.start_wall_time_uncertainty_frames);
  }
  if (report.wall_clock_max_error_seconds) {
    proto.set_wall_clock_max_error_seconds(*report.wall_clock_max_error_seconds);
  }
  proto.set_calibrated(report.calibrated);
  return proto;
}

v1::BatchReport ToProto(const BatchReport& report) {
  v1::BatchReport proto;
  proto.set_batch_id(report.batch_id);
  proto.set_stream_id(report.stream_id);
  proto.set_state(static_cast<v1::ActionState>(report.state));
  proto.set_actions(report.actions);
  proto.set_pending_actions(report.pending_actions);
  proto.set_active_actions(report.active_actions);
  proto.set_done_actions(report.done_actions);
  proto.set_ended_actions(report.ended_actions);
  for (const EndCount& end : report.ends) {
    v1::EndCount* const added = proto.add_ends();
    added->set_end_reason(static_cast<v1::EndReason>(end.reason));
    added->set_actions(end.actions);
  }
  if (report.start_frame) proto.set_start_frame(*report.start_frame);
  if (report.end_frame) proto.set_end_frame(*report.end_frame);
  proto.set_touched(static_cast<v1::Touched>(report.touched));
  proto.set_touched_actions(report.touched_actions);
  proto.set_shortest_detectable_loss_frames(report.shortest_detectable_loss_frames);
  for (const XrunInfo& xrun : report.xruns) *proto.add_xruns() = ToProto(xrun);
  proto.set_xrun_count(report.xrun_count);
  proto.set_gap_count(report.gap_count);
  proto.set_gap_frames(report.gap_frames);
  proto.set_late_actions(report.late_actions);
  proto.set_late_frames(report.late_frames);
  proto.set_dropped_frames(report.dropped_frames);
  proto.set_clipped_actions(report.clipped_actions);
  proto.set_clipped_samples(report.clipped_samples);
  return proto;
}

v1::StreamStats ToProto(const StreamStatsInfo& stats) {
  v1::StreamStats proto;
  proto.set_stream_id(stats.stream_id);
  proto.set_since_frame(stats.since_frame);
  proto.set_until_frame(stats.until_frame);
  *proto.mutable_blocks() = ToProto(stats.blocks);
  proto.set_xruns(stats.xruns);
  proto.set_lost_frames(stats.lost_frames);
  for (int64_t clipped : stats.clipped_samples) proto.add_clipped_samples(clipped);
  proto.set_cpu_load(stats.cpu_load);
  proto.set_active_actions(stats.active_actions);
  proto.set_pending_actions(stats.pending_actions);
  proto.set_nonfinite_input_samples(stats.nonfinite_input_samples);
  return proto;
}

v1::ScheduleActionsResponse ToProto(const BatchAdmitted& admitted) {
  v1::ScheduleActionsResponse proto;
  proto.set_batch_id(admitted.batch_id);
  if (admitted.origin_frame) proto.set_origin_frame(*admitted.origin_frame);
  proto.set_stream_id(admitted.stream_id);
  for (const ScheduledAction& action : admitted.actions) {
    v1::ScheduledAction* added = proto.add_actions();
    added->set_action_id(action.action_id);
    added->set_key(action.key);
    if (action.start_frame) added->set_start_frame(*action.start_frame);
    added->set_buffer_id(action.buffer_id);
  }
  if (admitted.origin_wall_time) {
    *proto.mutable_origin_wall_time() = ToProto(*admitted.origin_wall_time);
  }
  if (admitted.origin_uncertainty_frames) {
    proto.set_origin_uncertainty_frames(*admitted.origin_uncertainty_frames);
  }
  return proto;
}

v1::CommitBatchResponse ToProto(const BatchCommitted& committed) {
  v1::CommitBatchResponse proto;
  if (committed.origin_frame) proto.set_origin_frame(*committed.origin_frame);
  if (committed.origin_uncertainty_frames) {
    proto.set_origin_uncertainty_frames(*committed.origin_uncertainty_frames);
  }
  return proto;
}

v1::PlayProgress ToProto(const PlayStreamProgress& progress) {
  v1::PlayProgress proto;
  proto.set_granted_position(progress.granted_position);
  proto.set_received_position(progress.received_position);
  proto.set_played_position(progress.played_position);
  proto.set_next_frame(progress.next_frame);
  proto.set_underruns(progress.underruns);
  if (progress.start_frame) proto.set_start_frame(*progress.start_frame);
  proto.set_done(progress.done);
  return proto;
}

v1::RecordProgress ToProto(const RecordStreamProgress& progress) {
  v1::RecordProgress proto;
  proto.set_recorded_position(progress.recorded_position);
  proto.set_sent_position(progress.sent_position);
  proto.set_next_frame(progress.next_frame);
  if (progress.start_frame) proto.set_start_frame(*progress.start_frame);
  if (progress.end_position) proto.set_end_position(*progress.end_position);
  return proto;
}

absl::StatusOr<BatchSpec> FromProto(v1::ScheduleActionsRequest request) {
  BatchSpec batch;
  batch.request_id = request.request_id();
  if (!batch.request_id.empty()) batch.fingerprint = request.SerializeAsString();
  switch (request.origin_case()) {
    case v1::ScheduleActionsRequest::kOriginFrame:
      if (absl::Status status = CheckFrame(request.origin_frame(), "origin_frame"); !status.ok())
        return status;
      batch.origin = request.origin_frame();
      break;
    case v1::ScheduleActionsRequest::kOriginStreamTimeSeconds:
      if (absl::Status status =
              CheckSeconds(request.origin_stream_time_seconds(), "origin_stream_time_seconds");
          !status.ok()) {
        return status;
      }
      batch.origin = request.origin_stream_time_seconds();
      break;
    case v1::ScheduleActionsRequest::kOriginWallTime: {
      absl::StatusOr<absl::Time> time = FromProto(request.origin_wall_time(), "origin_wall_time");
      if (!time.ok()) return time.status();
      batch.origin = *time;
      break;
    }
    case v1::ScheduleActionsRequest::ORIGIN_NOT_SET:
      break;
  }
  batch.align_at_converters = request.align_at_converters();
  batch.prepare = request.prepare();
  batch.actions.reserve(request.actions_size());
  for (int i = 0; i < request.actions_size(); ++i) {
    absl::StatusOr<ActionSpec> action =
        FromProto(request.mutable_actions(i), absl::StrCat("actions[", i, "]"));
    if (!action.ok()) return action.status();
    batch.actions.push_back(*std::move(action));
  }
  return batch;
}

absl::StatusOr<PlayStreamSpec> FromProto(const v1::PlayConfig& config, const std::string& field) {
  PlayStreamSpec spec;
  spec.channels = config.channels();
  spec.sample_format = FromProto(config.sample_format());
  absl::StatusOr<StartSpec> start = StreamStart(config.start(), field + ".start");
  if (!start.ok()) return start.status();
  spec.start = *start;
  spec.late_policy = FromProto(config.late_policy());
  spec.underrun_policy = FromProto(config.underrun_policy());
  spec.xrun_policy = FromProto(config.xrun_policy());
  if (config.has_gain()) spec.gain = config.gain();
  spec.channel_map = MapFromProto(config);
  spec.ring_frames = config.ring_frames();
  spec.prebuffer_frames = config.prebuffer_frames();
  spec.reattachable = config.reattachable();
  spec.reattach_action_id = config.reattach_action_id();
  spec.fade_in = FromProto(config.fade_in());
  spec.fade_out = FromProto(config.fade_out());
  if (config.has_max_frames()) spec.max_frames = config.max_frames();
  return spec;
}

absl::StatusOr<RecordStreamSpec> FromProto(const v1::RecordConfig& config,
                                           const std::string& field) {
  RecordStreamSpec spec;
  spec.sample_format = FromProto(config.sample_format());
  absl::StatusOr<StartSpec> start = StreamStart(config.start(), field + ".start");
  if (!start.ok()) return start.status();
  spec.start = *start;
  spec.late_policy = FromProto(config.late_policy());
  if (config.has_frames()) {
    if (absl::Status status = CheckFrame(config.frames(), field + ".frames"); !status.ok())
      return status;
    spec.frames = config.frames();
  }
  spec.channel_map = MapFromProto(config);
  spec.source = FromProto(config.source());
  spec.chunk_frames = config.chunk_frames();
  spec.granted_position = config.granted_position();
  spec.reattachable = config.reattachable();
  spec.reattach_action_id = config.reattach_action_id();
  spec.resume_position = config.resume_position();
  return spec;
}

Fade FromProto(const v1::Fade& fade) {
  return {.frames = fade.frames(),
          .shape = fade.shape() == v1::FADE_SHAPE_EQUAL_POWER ? FadeShape::kEqualPower
                                                              : FadeShape::kLinear};
}

GainChangeSpec FromProto(const v1::GainChange& change) {
  return {.gain = change.gain(), .fade = FromProto(change.fade())};
}

absl::StatusOr<VoiceChangeSpec> FromProto(const v1::ChangeActionsRequest& request) {
  return ChangeFromProto(request, "");
}

SampleFormat FromProto(v1::SampleFormat format) {
  return format == v1::SAMPLE_FORMAT_UNSPECIFIED ? SampleFormat::kFloat32
                                                 : static_cast<SampleFormat>(format);
}

}  // namespace rtmixd
