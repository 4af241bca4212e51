#ifndef RTMIXD_SERVER_CONTROL_WALL_CLOCK_H_
#define RTMIXD_SERVER_CONTROL_WALL_CLOCK_H_

#include "server/control/types.h"

struct timex;

namespace rtmixd {

// What the kernel was told of the wall clock by whoever keeps it (NTP, PTP), by adjtimex(2), which
// needs no privileges to ask. The errors are that program's own statement, which the kernel widens
// by 500 ppm as long as it hears nothing more.
//
// Threading: any thread.
WallClockState ReadWallClockState();

// The same of an answer of adjtimex(2) and what it returned.
WallClockState ToWallClockState(const timex& answer, int returned);

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_CONTROL_WALL_CLOCK_H_
