#ifndef RTMIXD_TESTS_SUPPORT_POLLING_H_
#define RTMIXD_TESTS_SUPPORT_POLLING_H_

#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace rtmixd {

// Asks until `done` says true; false after `timeout`. For the state of other programs and of
// devices that tells nobody when it changes, so that asking is all there is. Everything else is
// waited for itself: by a call of the server, a condition, a descriptor.
template <typename Done>
bool PollUntil(const Done& done, absl::Duration timeout) {
  const absl::Time deadline = absl::Now() + timeout;
  while (!done()) {
    if (absl::Now() >= deadline) return false;
    absl::SleepFor(absl::Milliseconds(5));
  }
  return true;
}

}  // namespace rtmixd

#endif  // RTMIXD_TESTS_SUPPORT_POLLING_H_
