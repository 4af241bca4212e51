#ifndef RTMIXD_CLIENT_CPP_PLAYED_FRAMES_H_
#define RTMIXD_CLIENT_CPP_PLAYED_FRAMES_H_

#include <cstdint>
#include <optional>

#include "rtmixd/v1/action.pb.h"

namespace rtmixd::client {

// How long a play of a sound of `sound_frames` takes, with its offset, its loop and its limit, if
// nobody changes or ends it. Absent if it has no end, or none below 2^53 frames.
//
// A sound of 1000 frames from frame 100 on, whose frames 400 to 600 sound three times:
// 900 + 2 * 200 = 1300.
std::optional<int64_t> PlayedFrames(const v1::PlaySpec& play, int64_t sound_frames);

}  // namespace rtmixd::client

#endif  // RTMIXD_CLIENT_CPP_PLAYED_FRAMES_H_
