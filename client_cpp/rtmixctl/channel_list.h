#ifndef RTMIXD_CLIENT_CPP_RTMIXCTL_CHANNEL_LIST_H_
#define RTMIXD_CLIENT_CPP_RTMIXCTL_CHANNEL_LIST_H_

#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace rtmixd::rtmixctl {

// Device channels as people write them, numbered from 1: "2", "1,2", "1-4,7", "4-1" (reversed).
// INVALID_ARGUMENT for anything else, and for more than 1024 channels.
absl::StatusOr<std::vector<int>> ParseChannelList(absl::string_view text);

}  // namespace rtmixd::rtmixctl

#endif  // RTMIXD_CLIENT_CPP_RTMIXCTL_CHANNEL_LIST_H_
