#ifndef RTMIXD_SERVER_MIXER_CHECK_RANGE_H_
#define RTMIXD_SERVER_MIXER_CHECK_RANGE_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace rtmixd {

// INVALID_ARGUMENT, naming the field, unless `value` lies in [low, high].
inline absl::Status CheckRange(const char* field, int64_t value, int64_t low, int64_t high) {
  if (value >= low && value <= high) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(field, " is ", value, ", must lie in [", low, ", ", high, "]"));
}

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_MIXER_CHECK_RANGE_H_
