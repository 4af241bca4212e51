#include "server/rpc/convert_calibration.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "server/base/error_info.h"
#include "server/control/calibration_store.h"
#include "server/rpc/convert_time.h"

namespace rtmixd {
namespace {

constexpr absl::string_view kIdPrefix = "calibration-";

absl::StatusOr<absl::Time> TimeFromProto(const google::protobuf::Timestamp& proto,
                                         const std::string& field) {
  // The years 1 to 9999, as the message's own definition has it.
  if (proto.seconds() < -62135596800 || proto.seconds() > 253402300799 || proto.nanos() < 0 ||
      proto.nanos() > 999'999'999) {
    return BadField(field, absl::StrCat(proto.seconds(), " s, ", proto.nanos(), " ns"),
                    "a moment of the years 1 to 9999");
  }
  return absl::FromUnixSeconds(proto.seconds()) + absl::Nanoseconds(proto.nanos());
}

v1::LatencyMeasurement MeasurementToProto(const LatencyMeasurementInfo& measurement) {
  v1::LatencyMeasurement proto;
  proto.set_verdict(v1::LATENCY_VERDICT_FOUND);
  proto.set_stream_id(measurement.stream_id);
  proto.set_output_channel(measurement.output_channel);
  proto.set_input_channel(measurement.input_channel);
  proto.set_round_trip_frames(measurement.round_trip_frames);
  proto.set_spread_frames(measurement.spread_frames);
  proto.set_repeats(measurement.repeats);
  proto.set_voided_repeats(measurement.voided_repeats);
  proto.set_gain(measurement.gain);
  proto.set_inverted(measurement.inverted);
  proto.set_confidence(measurement.confidence);
  *proto.mutable_measure_time() = ToProto(measurement.measure_time);
  return proto;
}

}  // namespace

v1::Calibration ToProto(const CalibrationInfo& calibration, absl::Time now) {
  v1::Calibration proto;
  proto.set_calibration_id(calibration.id());
  v1::CalibratedSettings& settings = *proto.mutable_settings();
  settings.set_input_device_id(calibration.settings.input_device_id);
  settings.set_output_device_id(calibration.settings.output_device_id);
  settings.set_sample_rate_hz(calibration.settings.sample_rate_hz);
  settings.set_block_frames(calibration.settings.block_frames);
  settings.set_input_channels(calibration.settings.input_channels);
  settings.set_output_channels(calibration.settings.output_channels);
  settings.set_input_latency_frames(calibration.settings.input_latency_frames);
  settings.set_output_latency_frames(calibration.settings.output_latency_frames);
  *proto.mutable_measurement() = MeasurementToProto(calibration.measurement);
  proto.set_excess_frames(calibration.excess_frames());
  proto.set_used_frames(calibration.used_frames());
  *proto.mutable_store_time() = ToProto(calibration.store_time);
  // The wall clock may have been set back.
  *proto.mutable_age() = ToProto(std::max(now - calibration.store_time, absl::ZeroDuration()));
  return proto;
}

absl::StatusOr<LatencyMeasurementInfo> FromProto(const v1::LatencyMeasurement& proto,
                                                 const std::string& field) {
  if (proto.verdict() != v1::LATENCY_VERDICT_FOUND) {
    return BadField(field + ".verdict", v1::LatencyVerdict_Name(proto.verdict()),
                    "LATENCY_VERDICT_FOUND");
  }
  const absl::StatusOr<absl::Time> time =
      TimeFromProto(proto.measure_time(), field + ".measure_time");
  if (!time.ok()) return time.status();
  return LatencyMeasurementInfo{.found = true,
                                .stream_id = proto.stream_id(),
                                .output_channel = proto.output_channel(),
                                .input_channel = proto.input_channel(),
                                .round_trip_frames = proto.round_trip_frames(),
                                .spread_frames = proto.spread_frames(),
                                .repeats = proto.repeats(),
                                .voided_repeats = proto.voided_repeats(),
                                .gain = proto.gain(),
                                .inverted = proto.inverted(),
                                .confidence = proto.confidence(),
                                .measure_time = *time};
}

absl::StatusOr<CalibrationInfo> FromProto(const v1::Calibration& proto, const std::string& field) {
  CalibrationInfo calibration;
  absl::string_view number = proto.calibration_id();
  if (!absl::ConsumePrefix(&number, kIdPrefix) || !absl::SimpleAtoi(number, &calibration.number) ||
      calibration.number < 1) {
    return BadField(field + ".calibration_id", proto.calibration_id(), "calibration-1 and so on");
  }
  const v1::CalibratedSettings& settings = proto.settings();
  for (const int64_t frames : {settings.input_latency_frames(), settings.output_latency_frames()}) {
    if (frames < 0 || frames > std::numeric_limits<int32_t>::max()) {
      return BadField(field + ".settings", absl::StrCat(frames, " frames of latency"),
                      "at least 0 and below 2^31");
    }
  }
  calibration.settings = {
      .input_device_id = settings.input_device_id(),
      .output_device_id = settings.output_device_id(),
      .sample_rate_hz = settings.sample_rate_hz(),
      .block_frames = settings.block_frames(),
      .input_channels = settings.input_channels(),
      .output_channels = settings.output_channels(),
      .input_latency_frames = static_cast<int>(settings.input_latency_frames()),
      .output_latency_frames = static_cast<int>(settings.output_latency_frames())};
  absl::StatusOr<LatencyMeasurementInfo> measurement =
      FromProto(proto.measurement(), field + ".measurement");
  if (!measurement.ok()) return measurement.status();
  const double frames = measurement->round_trip_frames;
  // NaN included.
  if (!(frames >= 0 && frames <= CalibrationStore::kMaxRoundTripFrames)) {
    return BadField(field + ".measurement.round_trip_frames", absl::StrCat(frames),
                    absl::StrCat("0 to ", CalibrationStore::kMaxRoundTripFrames));
  }
  calibration.measurement = *std::move(measurement);
  const absl::StatusOr<absl::Time> time = TimeFromProto(proto.store_time(), field + ".store_time");
  if (!time.ok()) return time.status();
  calibration.store_time = *time;
  return calibration;
}

}  // namespace rtmixd
