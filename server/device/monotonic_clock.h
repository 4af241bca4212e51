#ifndef RTMIXD_SERVER_DEVICE_MONOTONIC_CLOCK_H_
#define RTMIXD_SERVER_DEVICE_MONOTONIC_CLOCK_H_

#include <cstdint>
#include <ctime>

namespace rtmixd {

inline constexpr int64_t kNanosPerSecond = 1'000'000'000;

// CLOCK_MONOTONIC. No system call where the kernel maps its clock into the process.
inline int64_t MonotonicNanos() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * kNanosPerSecond + now.tv_nsec;
}

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_DEVICE_MONOTONIC_CLOCK_H_
