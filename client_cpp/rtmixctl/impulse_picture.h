#ifndef RTMIXD_CLIENT_CPP_RTMIXCTL_IMPULSE_PICTURE_H_
#define RTMIXD_CLIENT_CPP_RTMIXCTL_IMPULSE_PICTURE_H_

#include <string>

#include "absl/types/span.h"

namespace rtmixd::rtmixctl {

// A picture of an impulse response, as SVG: the 64 frames to each side of its highest sample, a
// stem for each, and `delay_frames` as a line. `response` is one period of a circle, of at least
// 256 frames.
std::string ImpulsePicture(absl::Span<const double> response, double delay_frames,
                           const std::string& title);

}  // namespace rtmixd::rtmixctl

#endif  // RTMIXD_CLIENT_CPP_RTMIXCTL_IMPULSE_PICTURE_H_
