#ifndef RTMIXD_SERVER_RPC_CONVERT_TIME_H_
#define RTMIXD_SERVER_RPC_CONVERT_TIME_H_

#include <google/protobuf/duration.pb.h>
#include <google/protobuf/timestamp.pb.h>

#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace rtmixd {

google::protobuf::Timestamp ToProto(absl::Time time);
// Durations beyond what the message can hold become its limits.
google::protobuf::Duration ToProto(absl::Duration duration);

// INVALID_ARGUMENT naming `field` if it is no moment from 1970 on that nanoseconds in 64 bits
// reach.
absl::StatusOr<absl::Time> FromProto(const google::protobuf::Timestamp& time,
                                     const std::string& field);
// INVALID_ARGUMENT naming `field` if seconds and nanos are out of range, of unlike signs, or the
// duration is not within [min, max].
absl::StatusOr<absl::Duration> FromProto(const google::protobuf::Duration& duration,
                                         const std::string& field, absl::Duration min,
                                         absl::Duration max);

// How long a call that waits may wait: the request's `timeout`, 0 to an hour, or 30 s.
template <typename Request>
absl::StatusOr<absl::Duration> WaitTimeout(const Request& request) {
  if (!request.has_timeout()) return absl::Seconds(30);
  return FromProto(request.timeout(), "timeout", absl::ZeroDuration(), absl::Hours(1));
}

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_RPC_CONVERT_TIME_H_
