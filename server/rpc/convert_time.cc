#include "server/rpc/convert_time.h"

#include <algorithm>
#include <cstdint>

#include "absl/strings/str_cat.h"
#include "server/base/error_info.h"

namespace rtmixd {
namespace {

// The range that google.protobuf.Duration documents: 10 000 years.
constexpr int64_t kMaxDurationSeconds = 315'576'000'000;
// 2262-01-01.
constexpr int64_t kMaxTimeSeconds = 9'214'646'400;
constexpr int64_t kNanosPerSecond = 1'000'000'000;

}  // namespace

google::protobuf::Timestamp ToProto(absl::Time time) {
  google::protobuf::Timestamp proto;
  const int64_t seconds = absl::ToUnixSeconds(time);
  proto.set_seconds(seconds);
  proto.set_nanos(
      static_cast<int32_t>(absl::ToInt64Nanoseconds(time - absl::FromUnixSeconds(seconds))));
  return proto;
}

google::protobuf::Duration ToProto(absl::Duration duration) {
  const absl::Duration max = absl::Seconds(kMaxDurationSeconds);
  absl::Duration rest = std::clamp(duration, -max, max);
  google::protobuf::Duration proto;
  proto.set_seconds(absl::IDivDuration(rest, absl::Seconds(1), &rest));
  proto.set_nanos(static_cast<int32_t>(absl::ToInt64Nanoseconds(rest)));
  return proto;
}

absl::StatusOr<absl::Time> FromProto(const google::protobuf::Timestamp& time,
                                     const std::string& field) {
  const bool valid = time.seconds() >= 0 && time.seconds() < kMaxTimeSeconds && time.nanos() >= 0 &&
                     time.nanos() < kNanosPerSecond;
  if (!valid) {
    return BadField(field, absl::StrCat(time.seconds(), " s + ", time.nanos(), " ns"),
                    "from 1970 on, before 2262, and nanos from 0 and below a second");
  }
  return absl::FromUnixSeconds(time.seconds()) + absl::Nanoseconds(time.nanos());
}

absl::StatusOr<absl::Duration> FromProto(const google::protobuf::Duration& duration,
                                         const std::string& field, absl::Duration min,
                                         absl::Duration max) {
  const int64_t seconds = duration.seconds();
  const int64_t nanos = duration.nanos();
  const bool valid = std::abs(seconds) <= kMaxDurationSeconds &&
                     std::abs(nanos) < kNanosPerSecond &&
                     (seconds == 0 || nanos == 0 || (seconds < 0) == (nanos < 0));
  if (!valid) {
    return BadField(field, absl::StrCat(seconds, " s + ", nanos, " ns"),
                    "seconds within 10000 years and nanos below a second, of one sign");
  }
  const absl::Duration value = absl::Seconds(seconds) + absl::Nanoseconds(nanos);
  if (value < min || value > max) {
    return BadField(field, absl::FormatDuration(value),
                    absl::StrCat(absl::FormatDuration(min), " to ", absl::FormatDuration(max)));
  }
  return value;
}

}  // namespace rtmixd
