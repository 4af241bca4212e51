#ifndef RTMIXD_SERVER_CONTROL_WALL_TIME_H_
#define RTMIXD_SERVER_CONTROL_WALL_TIME_H_

#include <cstdint>

#include "absl/functional/function_ref.h"
#include "absl/time/time.h"
#include "server/mixer/time_map.h"

// Moments of the wall clock as frames of a stream, and back: what the time map knows, which is on
// CLOCK_MONOTONIC, and how the two clocks of the host stand to each other. docs/timing.md has the
// formulas.
//
// Both clocks of a host are steered alike, so their difference changes only when the wall clock is
// set; it is read anew for every use.
//
// Threading: functions without state.
namespace rtmixd {

// The two clocks of the host at one moment.
struct ClockPair {
  int64_t monotonic_nanos = 0;
  absl::Time wall;
  int64_t error_nanos = 0;  // they belong together to within so much

  int64_t MonotonicAt(absl::Time moment) const;
  absl::Time WallAt(int64_t nanos) const {
    return wall + absl::Nanoseconds(nanos - monotonic_nanos);
  }
};

// Reads the wall clock between two looks at the monotonic one, a few times, and keeps the reading
// whose looks were the closest: a thread that is held up in between does no harm.
ClockPair ReadClockPair(absl::FunctionRef<int64_t()> monotonic_nanos,
                        absl::FunctionRef<absl::Time()> wall_time);

// A frame for a moment.
struct WallTimeFrame {
  int64_t frame = 0;
  // Between the moment asked for and that of the frame: at most so much in 99 of 100 cases. Holds
  // the rounding to a whole frame.
  double uncertainty_frames = 0;
};

// The frame whose sound is at the output converter at `moment`. Needs a map that has seen blocks.
// Of a moment in a pause of the stream, or in a loss, it is a frame that lies as far before the
// first one after it as the moment does.
WallTimeFrame FrameAtWallTime(const TimeMap& map, const ClockPair& now, absl::Time moment,
                              int64_t output_latency_frames);

// When a frame is due, and how far that may be off.
struct FrameWallTime {
  absl::Time moment;
  double uncertainty_frames = 0;
};

// When `frame` is at a converter `latency_frames` after its callback (negative: before it).
FrameWallTime WallTimeAtFrame(const TimeMap& map, const ClockPair& now, int64_t frame,
                              int64_t latency_frames);

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_CONTROL_WALL_TIME_H_
