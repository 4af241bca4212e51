#ifndef RTMIXD_SERVER_CONTROL_CALIBRATION_H_
#define RTMIXD_SERVER_CONTROL_CALIBRATION_H_

#include <cmath>
#include <cstdint>
#include <string>

#include "absl/time/time.h"
#include "server/device/audio_device.h"

// Calibration as proto/rtmixd/v1/calibration.proto has it, whose comments say what the fields mean.
namespace rtmixd {

struct LatencyMeasurementInfo {
  bool found = false;
  std::string stream_id;
  int output_channel = 0;
  int input_channel = 0;
  double round_trip_frames = 0;
  double spread_frames = 0;
  int repeats = 0;
  int voided_repeats = 0;
  double gain = 0;
  bool inverted = false;
  double confidence = 0;
  absl::Time measure_time;
};

struct CalibratedSettings {
  std::string input_device_id;
  std::string output_device_id;
  double sample_rate_hz = 0;
  int block_frames = 0;
  int input_channels = 0;
  int output_channels = 0;
  int input_latency_frames = 0;
  int output_latency_frames = 0;

  static CalibratedSettings Of(const StreamInfo& info) {
    return {.input_device_id = info.input_device.id,
            .output_device_id = info.output_device.id,
            .sample_rate_hz = info.sample_rate_hz,
            .block_frames = info.block_frames,
            .input_channels = info.input_channels,
            .output_channels = info.output_channels,
            .input_latency_frames = info.input_latency_frames,
            .output_latency_frames = info.output_latency_frames};
  }
  bool operator==(const CalibratedSettings&) const = default;
};

struct CalibrationInfo {
  int64_t number = 0;  // its id, in words "calibration-1"
  CalibratedSettings settings;
  LatencyMeasurementInfo measurement;
  absl::Time store_time;

  std::string id() const { return "calibration-" + std::to_string(number); }
  double excess_frames() const {
    return measurement.round_trip_frames -
           (settings.input_latency_frames + settings.output_latency_frames);
  }
  // To be added to the latency of the input.
  int64_t used_frames() const { return std::llround(excess_frames()); }
};

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_CONTROL_CALIBRATION_H_
