#include "server/mixer/stream_time.h"

#include <cmath>

#include "absl/status/status.h"
#include "absl/strings/str_format.h"

namespace rtmixd {

absl::StatusOr<int64_t> FrameAtStreamTime(double seconds, double nominal_rate_hz) {
  if (!std::isfinite(seconds)) {
    return absl::InvalidArgumentError(
        absl::StrFormat("seconds is %g; it must be a finite number", seconds));
  }
  if (!std::isfinite(nominal_rate_hz) || nominal_rate_hz <= 0) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "nominal_rate_hz is %g; it must be a finite number greater than 0", nominal_rate_hz));
  }
  // product + error is the exact product (an underflowing error cannot matter to the rounding:
  // it is smaller than any distance of a normal product from a half).
  const double product = seconds * nominal_rate_hz;
  const double error = std::fma(seconds, nominal_rate_hz, -product);
  const double limit = static_cast<double>(kMaxStreamFrame);
  if (!(std::abs(product) <= limit) || (std::abs(product) == limit && product * error > 0)) {
    return absl::OutOfRangeError(absl::StrFormat(
        "seconds is %.17g, which at %.17g Hz is frame %.17g; the limit is +-%d (2^53)", seconds,
        nominal_rate_hz, product, kMaxStreamFrame));
  }
  const double below = std::floor(product);
  const double fraction = product - below;  // exact: both lie within 2^53
  int64_t frame = static_cast<int64_t>(below);
  const bool half = fraction == 0.5;
  if (fraction > 0.5 || (half && (error > 0 || (error == 0 && frame % 2 != 0)))) ++frame;
  return frame;
}

double StreamTimeAtFrame(int64_t frame, double nominal_rate_hz) {
  return static_cast<double>(frame) / nominal_rate_hz;
}

}  // namespace rtmixd
