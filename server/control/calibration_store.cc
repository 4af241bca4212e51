#include "server/control/calibration_store.h"

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "server/base/error_info.h"

namespace rtmixd {
namespace {

// Whether it can be, on a stream with these settings.
absl::Status Check(const LatencyMeasurementInfo& measurement, const CalibratedSettings& settings) {
  if (!measurement.found) {
    return BadField("measurement.verdict", "another", "LATENCY_VERDICT_FOUND");
  }
  const auto channel = [](int value, int channels, const char* field) {
    if (value >= 1 && value <= channels) return absl::OkStatus();
    return BadField(field, absl::StrCat(value), absl::StrCat("1 to ", channels));
  };
  const auto number = [](double value, double high, const char* field) {
    // NaN included.
    if (value >= 0 && value <= high) return absl::OkStatus();
    return BadField(field, absl::StrCat(value), absl::StrCat("0 to ", high));
  };
  constexpr double kMaxFrames = CalibrationStore::kMaxRoundTripFrames;
  for (const absl::Status& status :
       {channel(measurement.output_channel, settings.output_channels, "measurement.output_channel"),
        channel(measurement.input_channel, settings.input_channels, "measurement.input_channel"),
        number(measurement.round_trip_frames, kMaxFrames, "measurement.round_trip_frames"),
        number(measurement.spread_frames, kMaxFrames, "measurement.spread_frames"),
        number(measurement.repeats, 1e6, "measurement.repeats"),
        number(measurement.voided_repeats, 1e6, "measurement.voided_repeats"),
        number(measurement.gain, 1e6, "measurement.gain"),
        number(measurement.confidence, 1, "measurement.confidence")}) {
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

}  // namespace

CalibrationStore::CalibrationStore(const std::vector<CalibrationInfo>& calibrations) {
  for (const CalibrationInfo& calibration : calibrations) {
    std::erase_if(calibrations_, [&calibration](const CalibrationInfo& other) {
      return other.settings == calibration.settings || other.number == calibration.number;
    });
    calibrations_.push_back(calibration);
    last_number_ = std::max(last_number_, calibration.number);
  }
  std::sort(calibrations_.begin(), calibrations_.end(),
            [](const auto& a, const auto& b) { return a.number < b.number; });
}

const CalibrationInfo* CalibrationStore::Find(const CalibratedSettings& settings) const {
  const auto found =
      std::find_if(calibrations_.begin(), calibrations_.end(),
                   [&settings](const auto& other) { return other.settings == settings; });
  return found == calibrations_.end() ? nullptr : &*found;
}

absl::StatusOr<CalibrationInfo> CalibrationStore::Add(const CalibratedSettings& settings,
                                                      const LatencyMeasurementInfo& measurement,
                                                      absl::Time now) {
  if (absl::Status status = Check(measurement, settings); !status.ok()) return status;
  if (Find(settings) == nullptr && calibrations_.size() >= kMaxCalibrations) {
    return LimitExceeded("calibrations", absl::StrCat(calibrations_.size() + 1),
                         absl::StrCat(kMaxCalibrations));
  }
  std::erase_if(calibrations_,
                [&settings](const auto& other) { return other.settings == settings; });
  calibrations_.push_back({.number = ++last_number_,
                           .settings = settings,
                           .measurement = measurement,
                           .store_time = now});
  return calibrations_.back();
}

absl::Status CalibrationStore::Delete(const std::string& calibration_id) {
  const auto erased = std::erase_if(calibrations_, [&calibration_id](const auto& calibration) {
    return calibration.id() == calibration_id;
  });
  if (erased == 0) return NotFound("calibration_id", calibration_id, "calibration");
  return absl::OkStatus();
}

}  // namespace rtmixd
