#include "server/rpc/calibration_file.h"

#include <fcntl.h>
#include <google/protobuf/util/json_util.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "rtmixd/v1/calibration.pb.h"
#include "server/base/error_info.h"
#include "server/rpc/convert_calibration.h"

namespace rtmixd {
namespace {

absl::Status Failed(const std::string& path, const char* what, int error) {
  return MakeError(absl::StatusCode::kInternal,
                   {.reason = ErrorReason::kInternal, .field = "--calibration-file", .value = path},
                   absl::StrCat("cannot ", what, " ", path, ": ", std::strerror(error)));
}

absl::Status WriteAll(int file, absl::string_view text) {
  while (!text.empty()) {
    const ssize_t written = write(file, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return absl::ErrnoToStatus(errno, "");
    text.remove_prefix(static_cast<size_t>(written));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<CalibrationInfo>> ReadCalibrations(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    if (errno == ENOENT) return std::vector<CalibrationInfo>();
    return Failed(path, "read", errno);
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
  const std::string fresh = path + ".new";
  const int file = open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (file < 0) return Failed(fresh, "write", errno);
  absl::Cleanup close_file = [file] { close(file); };
  if (!WriteAll(file, text).ok() || fsync(file) != 0) {
    const int error = errno;
    unlink(fresh.c_str());
    return Failed(fresh, "write", error);
  }
  if (std::rename(fresh.c_str(), path.c_str()) != 0) {
    const int error = errno;
    unlink(fresh.c_str());
    return Failed(path, "replace", error);
  }
  return absl::OkStatus();
}

}  // namespace rtmixd
