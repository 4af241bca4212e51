#ifndef RTMIXD_SERVER_RPC_CALIBRATION_FILE_H_
#define RTMIXD_SERVER_RPC_CALIBRATION_FILE_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/control/calibration.h"

// The file that calibrations last in: a rtmixd.v1.ListCalibrationsResponse as protobuf's JSON.
namespace rtmixd {

// What the file holds; nothing if it does not exist. Errors name the path.
absl::StatusOr<std::vector<CalibrationInfo>> ReadCalibrations(const std::string& path);

// Replaces the file, all of it or nothing, also if the host loses its power meanwhile.
absl::Status WriteCalibrations(const std::string& path,
                               const std::vector<CalibrationInfo>& calibrations);

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_RPC_CALIBRATION_FILE_H_
