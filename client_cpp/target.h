#ifndef RTMIXD_CLIENT_CPP_TARGET_H_
#define RTMIXD_CLIENT_CPP_TARGET_H_

#include <string>

#include "absl/strings/string_view.h"

namespace rtmixd::client {

// The port of a server that was not told another.
inline constexpr int kDefaultPort = 47110;

// A gRPC target from what people write: "rig7" -> "rig7:47110", "::1" -> "[::1]:47110"; what has
// a port ("rig7:5000") or a scheme ("unix:/run/x", "dns:///rig7:5000") stays. Empty means this
// host.
std::string CompleteTarget(absl::string_view text);

}  // namespace rtmixd::client

#endif  // RTMIXD_CLIENT_CPP_TARGET_H_
