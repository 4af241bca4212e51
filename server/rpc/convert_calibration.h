#ifndef RTMIXD_SERVER_RPC_CONVERT_CALIBRATION_H_
#define RTMIXD_SERVER_RPC_CONVERT_CALIBRATION_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "rtmixd/v1/calibration.pb.h"
#include "server/control/calibration.h"

// Calibrations between the API and the control layer.
namespace rtmixd {

// Its age is that at `now`.
v1::Calibration ToProto(const CalibrationInfo& calibration, absl::Time now);

// `field` is the path in the request, for errors.
absl::StatusOr<LatencyMeasurementInfo> FromProto(const v1::LatencyMeasurement& proto,
                                                 const std::string& field);
// Of one that a server wrote; what follows from other fields is not read.
absl::StatusOr<CalibrationInfo> FromProto(const v1::Calibration& proto, const std::string& field);

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_RPC_CONVERT_CALIBRATION_H_
