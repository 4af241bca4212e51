#ifndef RTMIXD_SERVER_MIXER_STREAM_TIME_H_
#define RTMIXD_SERVER_MIXER_STREAM_TIME_H_

#include <cstdint>

#include "absl/status/statusor.h"

namespace rtmixd {

// Frames beyond this cannot be told apart by clients whose numbers are doubles.
inline constexpr int64_t kMaxStreamFrame = int64_t{1} << 53;

// Stream time is frame / nominal rate, in seconds, exactly: frame 0 is at 0 s. It is how clients
// name frames in seconds; it says nothing about real clocks (see TimeMap).

// The frame nearest to `seconds`: seconds * nominal_rate_hz as the exact product of the two
// doubles, rounded once, halves to even. Two times that differ by k frames as doubles can still be
// one frame off k where the doubles themselves are coarser than a frame (beyond 2^53 / rate
// seconds, which is refused) or lie on a half. INVALID_ARGUMENT for seconds that are not finite and
// for a rate that is not finite and positive; OUT_OF_RANGE if the frame would be beyond
// +-kMaxStreamFrame. Messages name field, value and limit.
absl::StatusOr<int64_t> FrameAtStreamTime(double seconds, double nominal_rate_hz);

// The double nearest to frame / nominal_rate_hz. FrameAtStreamTime gives `frame` back for it, for
// every frame within +-2^51. `nominal_rate_hz` is finite and > 0.
double StreamTimeAtFrame(int64_t frame, double nominal_rate_hz);

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_MIXER_STREAM_TIME_H_
