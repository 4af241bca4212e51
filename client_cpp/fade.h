#ifndef RTMIXD_CLIENT_CPP_FADE_H_
#define RTMIXD_CLIENT_CPP_FADE_H_

#include <cstdint>

#include "rtmixd/v1/common.pb.h"

namespace rtmixd::client {

// Fades over so many frames, for the fields and arguments of that type; v1::Fade() is at once.

// In equal steps.
v1::Fade LinearFade(int64_t frames);
// Along a sine: what fades out and what fades in at the same time keep their common power.
v1::Fade EqualPowerFade(int64_t frames);

}  // namespace rtmixd::client

#endif  // RTMIXD_CLIENT_CPP_FADE_H_
