#include "server/control/wall_time.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace rtmixd {
namespace {

// Clock readings take some 50 ns each: looks that are as close as this cannot be bettered.
constexpr int64_t kCloseNanos = 500;
constexpr int kTries = 8;
constexpr double kHalfAFrame = 0.5;
// Moments further away than 73 years are no moments of a sound, and their differences would not
// hold.
constexpr int64_t kMostNanos = int64_t{1} << 61;

}  // namespace

int64_t ClockPair::MonotonicAt(absl::Time moment) const {
  const int64_t ahead = absl::ToInt64Nanoseconds(moment - wall);  // saturates
  int64_t nanos = 0;
  if (__builtin_add_overflow(monotonic_nanos, ahead, &nanos)) {
    return ahead < 0 ? std::numeric_limits<int64_t>::min() : std::numeric_limits<int64_t>::max();
  }
  return nanos;
}

ClockPair ReadClockPair(absl::FunctionRef<int64_t()> monotonic_nanos,
                        absl::FunctionRef<absl::Time()> wall_time) {
  ClockPair best;
  best.error_nanos = std::numeric_limits<int64_t>::max();
  for (int i = 0; i < kTries && best.error_nanos > kCloseNanos; ++i) {
    const int64_t before = monotonic_nanos();
    const absl::Time wall = wall_time();
    const int64_t after = monotonic_nanos();
    const int64_t half = (after - before) / 2;
    if (half < best.error_nanos) best = {before + half, wall, half};
  }
  return best;
}

WallTimeFrame FrameAtWallTime(const TimeMap& map, const ClockPair& now, absl::Time moment,
                              int64_t output_latency_frames) {
  const int64_t nanos = now.MonotonicAt(moment);
  int64_t due_frame = map.FrameAt(nanos);
  // In a pause or a loss the map answers with the first frame after it, which is later.
  const double later_frames =
      (static_cast<double>(map.NanosAt(due_frame)) - static_cast<double>(nanos)) * 1e-9 *
      map.estimate().rate_hz;
  if (later_frames > 1) due_frame -= std::llround(later_frames);
  WallTimeFrame result;
  result.frame = due_frame - output_latency_frames;
  result.uncertainty_frames = map.UncertaintyFramesAt(due_frame) + kHalfAFrame +
                              static_cast<double>(now.error_nanos) * 1e-9 * map.estimate().rate_hz;
  return result;
}

FrameWallTime WallTimeAtFrame(const TimeMap& map, const ClockPair& now, int64_t frame,
                              int64_t latency_frames) {
  const int64_t due_frame = frame + latency_frames;
  FrameWallTime result;
  result.moment = now.WallAt(std::clamp(map.NanosAt(due_frame), -kMostNanos, kMostNanos));
  result.uncertainty_frames = map.UncertaintyFramesAt(due_frame) +
                              static_cast<double>(now.error_nanos) * 1e-9 * map.estimate().rate_hz;
  return result;
}

}  // namespace rtmixd
