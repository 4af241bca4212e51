#include "server/control/wall_clock.h"

#include <sys/timex.h>

namespace rtmixd {

WallClockState ReadWallClockState() {
  timex answer{};  // no modes: only asks
  const int returned = adjtimex(&answer);
  return ToWallClockState(answer, returned);
}

WallClockState ToWallClockState(const timex& answer, int returned) {
  WallClockState state;
  state.synchronized = returned >= 0 && returned != TIME_ERROR && (answer.status & STA_UNSYNC) == 0;
  if (!state.synchronized) return state;
  state.max_error_seconds = static_cast<double>(answer.maxerror) * 1e-6;
  state.estimated_error_seconds = static_cast<double>(answer.esterror) * 1e-6;
  return state;
}

}  // namespace rtmixd
