#include "server/rpc/convert_stream.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "server/base/error_info.h"
#include "server/rpc/convert_action.h"
#include "server/rpc/convert_calibration.h"
#include "server/rpc/convert_time.h"

namespace rtmixd {
namespace {

constexpr int64_t kMaxFaultFrames = 10'000'000;
constexpr int kMaxFaultBlocks = 1'000'000;
constexpr int kMaxBlockFrames = 8192;

v1::DirectionSettings ToProto(const DirectionSettings& direction) {
  v1::DirectionSettings proto;
  proto.set_device(direction.device);
  proto.set_channels(direction.channels);
  switch (direction.latency.kind) {
    case LatencyRequest::Kind::kLow:
      proto.set_latency_class(v1::LATENCY_CLASS_LOW);
      break;
    case LatencyRequest::Kind::kHigh:
      proto.set_latency_class(v1::LATENCY_CLASS_HIGH);
      break;
    case LatencyRequest::Kind::kSeconds:
      proto.set_latency_seconds(direction.latency.seconds);
      break;
  }
  proto.mutable_host_settings()->insert(direction.host_settings.begin(),
                                        direction.host_settings.end());
  return proto;
}

absl::StatusOr<DirectionSettings> FromProto(const v1::DirectionSettings& proto,
                                            const std::string& field) {
  DirectionSettings direction;
  direction.device = proto.device();
  if (proto.channels() < 0) {
    return BadField(field + ".channels", absl::StrCat(proto.channels()),
                    "0 for all, or 1 to the device's channels");
  }
  direction.channels = proto.channels() == 0 ? DirectionSettings::kAllChannels : proto.channels();
  if (proto.latency_case() == v1::DirectionSettings::kLatencySeconds) {
    if (proto.latency_seconds() < 0) {
      return BadField(field + ".latency_seconds", absl::StrCat(proto.latency_seconds()),
                      "at least 0");
    }
    direction.latency.kind = LatencyRequest::Kind::kSeconds;
    direction.latency.seconds = proto.latency_seconds();
  } else if (proto.latency_class() == v1::LATENCY_CLASS_HIGH) {
    direction.latency.kind = LatencyRequest::Kind::kHigh;
  }
  direction.host_settings.insert(proto.host_settings().begin(), proto.host_settings().end());
  return direction;
}

v1::Level ToProto(const Level& level) {
  v1::Level proto;
  proto.set_peak(level.peak);
  proto.set_rms(level.rms);
  proto.set_clipped_samples(level.clipped_samples);
  return proto;
}

}  // namespace

v1::HostApi ToProto(const HostApiInfo& host_api) {
  v1::HostApi proto;
  proto.set_id(host_api.id);
  proto.set_name(host_api.name);
  proto.set_device_count(host_api.device_count);
  proto.set_default_input_device_id(host_api.default_input_device_id);
  proto.set_default_output_device_id(host_api.default_output_device_id);
  return proto;
}

v1::Device ToProto(const DeviceInfo& device) {
  v1::Device proto;
  proto.set_id(device.id);
  proto.set_index(device.index);
  proto.set_name(device.name);
  proto.set_host_api_id(device.host_api_id);
  proto.set_max_input_channels(device.max_input_channels);
  proto.set_max_output_channels(device.max_output_channels);
  proto.set_default_sample_rate_hz(device.default_sample_rate_hz);
  proto.set_default_low_input_latency_seconds(device.default_low_input_latency_seconds);
  proto.set_default_low_output_latency_seconds(device.default_low_output_latency_seconds);
  proto.set_default_high_input_latency_seconds(device.default_high_input_latency_seconds);
  proto.set_default_high_output_latency_seconds(device.default_high_output_latency_seconds);
  return proto;
}

v1::StreamSettings ToProto(const StreamSettings& settings) {
  v1::StreamSettings proto;
  if (settings.input.channels != 0) *proto.mutable_input() = ToProto(settings.input);
  if (settings.output.channels != 0) *proto.mutable_output() = ToProto(settings.output);
  proto.set_sample_rate_hz(settings.sample_rate_hz);
  proto.set_block_frames(settings.block_frames);
  return proto;
}

v1::AudioStream ToProto(const StreamStatus& status) {
  v1::AudioStream proto;
  proto.set_stream_id(status.stream_id);
  proto.set_state(static_cast<v1::StreamState>(status.state));
  proto.set_master_gain(status.master_gain);
  if (status.state == StreamState::kClosed) return proto;
  const StreamInfo& info = status.info;
  proto.set_sample_rate_hz(info.sample_rate_hz);
  proto.set_block_frames(info.block_frames);
  if (info.input_channels > 0) *proto.mutable_input_device() = ToProto(info.input_device);
  if (info.output_channels > 0) *proto.mutable_output_device() = ToProto(info.output_device);
  proto.set_input_channels(info.input_channels);
  proto.set_output_channels(info.output_channels);
  proto.set_input_latency_frames(info.input_latency_frames);
  proto.set_output_latency_frames(info.output_latency_frames);
  proto.set_clocks_related(info.clocks_related);
  proto.set_reports_xruns(info.reports_xruns);
  proto.set_next_frame(status.next_frame);
  proto.set_cpu_load(status.cpu_load);
  *proto.mutable_settings() = ToProto(status.settings);
  if (status.calibration.has_value()) {
    *proto.mutable_calibration() = ToProto(*status.calibration, absl::Now());
  }
  return proto;
}

v1::ClockReading ToProto(const ClockReading& reading) {
  v1::ClockReading proto;
  *proto.mutable_wall_time() = ToProto(reading.wall_time);
  proto.set_monotonic_nanos(reading.monotonic_nanos);
  proto.set_wall_clock_synchronized(reading.wall_clock.synchronized);
  if (reading.wall_clock.synchronized) {
    proto.set_wall_clock_max_error_seconds(reading.wall_clock.max_error_seconds);
    proto.set_wall_clock_estimated_error_seconds(reading.wall_clock.estimated_error_seconds);
  }
  if (reading.stream_id.empty()) return proto;
  proto.set_stream_id(reading.stream_id);
  proto.set_frame(reading.frame);
  proto.set_stream_time_seconds(reading.stream_time_seconds);
  proto.set_rate_hz(reading.rate_hz);
  proto.set_rate_uncertainty_ppm(reading.rate_uncertainty_ppm);
  proto.set_uncertainty_frames(reading.uncertainty_frames);
  proto.set_locked(reading.locked);
  proto.set_running(reading.running);
  proto.set_next_frame(reading.next_frame);
  return proto;
}

v1::StreamMetersResponse ToProto(const MeterReading& reading) {
  v1::StreamMetersResponse proto;
  proto.set_first_frame(reading.first_frame);
  proto.set_frames(reading.frames);
  for (const Level& level : reading.inputs) *proto.add_inputs() = ToProto(level);
  for (const Level& level : reading.outputs) *proto.add_outputs() = ToProto(level);
  return proto;
}

v1::LogEntry ToProto(const LogEntry& entry) {
  v1::LogEntry proto;
  proto.set_sequence(entry.sequence);
  *proto.mutable_time() = ToProto(entry.time);
  proto.set_kind(static_cast<v1::EventKind>(entry.kind));
  if (entry.frame.has_value()) proto.set_frame(*entry.frame);
  proto.set_stream_id(entry.stream_id);
  proto.set_session_id(entry.session_id);
  proto.set_session_label(entry.session_label);
  proto.set_action_id(entry.action_id);
  if (entry.xrun.has_value()) *proto.mutable_xrun() = ToProto(*entry.xrun);
  proto.set_end_reason(static_cast<v1::EndReason>(entry.end_reason));
  proto.set_frames(entry.frames);
  proto.set_text(entry.text);
  for (const std::string& id : entry.touched_action_ids) proto.add_touched_action_ids(id);
  proto.set_touched_action_count(entry.touched_action_count);
  if (entry.clock_relock.has_value()) {
    const ClockRelockInfo& relock = *entry.clock_relock;
    v1::ClockRelock* const to = proto.mutable_clock_relock();
    to->set_earliest_frame(relock.earliest_frame);
    to->set_latest_frame(relock.latest_frame);
    to->set_moved_frames(relock.moved_frames);
    to->set_moved_frames_error(relock.moved_frames_error);
  }
  return proto;
}

absl::StatusOr<StreamSettings> FromProto(const v1::StreamSettings& proto,
                                         const std::string& field) {
  StreamSettings settings;
  if (!proto.has_input() && !proto.has_output()) {
    return BadField(field, "no direction", "input, output or both");
  }
  if (proto.has_input()) {
    absl::StatusOr<DirectionSettings> input = FromProto(proto.input(), field + ".input");
    if (!input.ok()) return input.status();
    settings.input = *std::move(input);
  }
  if (proto.has_output()) {
    absl::StatusOr<DirectionSettings> output = FromProto(proto.output(), field + ".output");
    if (!output.ok()) return output.status();
    settings.output = *std::move(output);
  }
  if (proto.sample_rate_hz() < 0) {
    return BadField(field + ".sample_rate_hz", absl::StrCat(proto.sample_rate_hz()), "at least 0");
  }
  settings.sample_rate_hz = proto.sample_rate_hz();
  if (proto.block_frames() < 0 || proto.block_frames() > kMaxBlockFrames) {
    return BadField(field + ".block_frames", absl::StrCat(proto.block_frames()),
                    absl::StrCat("0 to ", kMaxBlockFrames));
  }
  settings.block_frames = proto.block_frames();
  return settings;
}

absl::StatusOr<ScriptedFault> FromProto(const v1::Fault& proto, const std::string& field) {
  ScriptedFault fault;
  if (proto.kind() == v1::FAULT_KIND_UNSPECIFIED) {
    return BadField(field + ".kind", "FAULT_KIND_UNSPECIFIED", "a kind of fault");
  }
  fault.kind = static_cast<ScriptedFault::Kind>(proto.kind() - 1);
  if (proto.frame() < 0)
    return BadField(field + ".frame", absl::StrCat(proto.frame()), "at least 0");
  fault.at_frame = proto.frame();
  const bool loses = fault.kind == ScriptedFault::Kind::kLoseInput ||
                     fault.kind == ScriptedFault::Kind::kLoseOutput ||
                     fault.kind == ScriptedFault::Kind::kLoseBoth;
  if (loses && (proto.frames() < 1 || proto.frames() > kMaxFaultFrames)) {
    return BadField(field + ".frames", absl::StrCat(proto.frames()),
                    absl::StrCat("1 to ", kMaxFaultFrames));
  }
  fault.frames = proto.frames();
  if (proto.has_time()) {
    absl::StatusOr<absl::Duration> time =
        FromProto(proto.time(), field + ".time", -absl::Hours(24 * 365), absl::Hours(24 * 365));
    if (!time.ok()) return time.status();
    fault.nanos = absl::ToInt64Nanoseconds(*time);
  }
  if (proto.blocks() < 0 || proto.blocks() > kMaxFaultBlocks) {
    return BadField(field + ".blocks", absl::StrCat(proto.blocks()),
                    absl::StrCat("0 to ", kMaxFaultBlocks));
  }
  fault.blocks = proto.blocks() == 0 ? 1 : proto.blocks();
  fault.flagged = !proto.unflagged();
  if (fault.kind == ScriptedFault::Kind::kSpuriousFlags) {
    fault.host_flags = kHostInputOverflow | kHostOutputUnderflow;
  }
  return fault;
}

}  // namespace rtmixd
