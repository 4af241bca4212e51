#include "server/rpc/calibration_file.h"

#include <google/protobuf/util/json_util.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "rtmixd/v1/calibration.pb.h"
#include "server/base/error_info.h"
#include "server/base/replace_file.h"
#include "server/rpc/convert_calibration.h"

namespace rtmixd {
namespace {

absl::Status Failed(const std::string& path, absl::string_view why) {
  return MakeError(absl::StatusCode::kInternal,
                   {.reason = ErrorReason::kInternal, .field = "--calibration-file", .value = path},
                   std::string(why));
}

}  // namespace

absl::StatusOr<std::vector<CalibrationInfo>> ReadCalibrations(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    if (errno == ENOENT) return std::vector<CalibrationInfo>();
    return Failed(path, absl::StrCat("cannot read ", path, ": ", std::strerror(errno)));
  }
  const std::string text(std::istreambuf_iterator<char>(file), {});
  v1::ListCalibrationsResponse list;
  const auto parsed = google::protobuf::util::JsonStringToMessage(text, &list);
  if (!parsed.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, " is no file of calibrations: ", parsed.ToString()));
  }
  std::vector<CalibrationInfo> calibrations;
  for (int i = 0; i < list.calibrations_size(); ++i) {
    auto calibration = FromProto(list.calibrations(i), absl::StrCat("calibrations[", i, "]"));
    if (!calibration.ok()) {
      return absl::InvalidArgumentError(absl::StrCat(path, ": ", calibration.status().message()));
    }
    calibrations.push_back(*std::move(calibration));
  }
  return calibrations;
}

absl::Status WriteCalibrations(const std::string& path,
                               const std::vector<CalibrationInfo>& calibrations) {
  v1::ListCalibrationsResponse list;
  for (const CalibrationInfo& calibration : calibrations) {
    v1::Calibration& proto = *list.add_calibrations() =
        ToProto(calibration, calibration.store_time);
    proto.clear_age();
  }
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = true;
  options.preserve_proto_field_names = true;
  std::string text;
  if (!google::protobuf::util::MessageToJsonString(list, &text, options).ok()) {
    return MakeError(absl::StatusCode::kInternal, {.reason = ErrorReason::kInternal},
                     "calibrations cannot be written as JSON");
  }
  if (absl::Status status = ReplaceFile(path, text); !status.ok()) {
    return Failed(path, status.message());
  }
  return absl::OkStatus();
}

}  // namespace rtmixd
