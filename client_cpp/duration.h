#ifndef RTMIXD_CLIENT_CPP_DURATION_H_
#define RTMIXD_CLIENT_CPP_DURATION_H_

#include <google/protobuf/duration.pb.h>
#include <google/protobuf/timestamp.pb.h>

#include "absl/time/time.h"

namespace rtmixd::client {

// The same length of time as a message, to the nanosecond; `duration` is finite.
google::protobuf::Duration ToProto(absl::Duration duration);

// The same moment as a message, to the nanosecond; `time` is finite.
google::protobuf::Timestamp ToProto(absl::Time time);

// And back.
absl::Duration FromProto(const google::protobuf::Duration& duration);
absl::Time FromProto(const google::protobuf::Timestamp& timestamp);

}  // namespace rtmixd::client

#endif  // RTMIXD_CLIENT_CPP_DURATION_H_
