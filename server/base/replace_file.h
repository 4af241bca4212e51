#ifndef RTMIXD_SERVER_BASE_REPLACE_FILE_H_
#define RTMIXD_SERVER_BASE_REPLACE_FILE_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace rtmixd {

// Makes `text` what the file holds: all of it or nothing, also if the host loses its power
// meanwhile. It may wait for the disk. Errors are the system's and name the path.
absl::Status ReplaceFile(const std::string& path, absl::string_view text);

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_BASE_REPLACE_FILE_H_
