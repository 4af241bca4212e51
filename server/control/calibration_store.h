#ifndef RTMIXD_SERVER_CONTROL_CALIBRATION_STORE_H_
#define RTMIXD_SERVER_CONTROL_CALIBRATION_STORE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/control/calibration.h"

namespace rtmixd {

// All calibrations, one for each settings of a stream at most. A value: a change is made on a copy,
// which takes the place of this one when it has been written to wherever it has to last.
//
// Threading: thread-compatible.
class CalibrationStore {
 public:
  static constexpr int kMaxCalibrations = 1000;
  // Longer round trips than this are none.
  static constexpr double kMaxRoundTripFrames = 1e7;

  CalibrationStore() = default;
  // Of several with the same settings the last counts.
  explicit CalibrationStore(const std::vector<CalibrationInfo>& calibrations);

  // In order of their numbers.
  const std::vector<CalibrationInfo>& all() const { return calibrations_; }
  // The one of these settings; null if there is none.
  const CalibrationInfo* Find(const CalibratedSettings& settings) const;

  // Adds one, in place of the one of the same settings. INVALID_ARGUMENT
  // for a measurement that found nothing or cannot be, with fields from "measurement" on;
  // RESOURCE_EXHAUSTED at kMaxCalibrations.
  absl::StatusOr<CalibrationInfo> Add(const CalibratedSettings& settings,
                                      const LatencyMeasurementInfo& measurement, absl::Time now);
  // NOT_FOUND.
  absl::Status Delete(const std::string& calibration_id);

 private:
  std::vector<CalibrationInfo> calibrations_;
  int64_t last_number_ = 0;
};

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_CONTROL_CALIBRATION_STORE_H_
