#ifndef RTMIXD_TESTS_INTEGRATION_WAITING_H_
#define RTMIXD_TESTS_INTEGRATION_WAITING_H_

#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace rtmixd {

// Asks until `done` says true; false after `timeout`. For what another process does and only asking
// tells.
template <typename Done>
bool WaitUntil(const Done& done, absl::Duration timeout) {
  const absl::Time deadline = absl::Now() + timeout;
  while (!done()) {
    if (absl::Now() >= deadline) return false;
    absl::SleepFor(absl::Milliseconds(20));
  }
  return true;
}

}  // namespace rtmixd

#endif  // RTMIXD_TESTS_INTEGRATION_WAITING_H_
