#ifndef RTMIXD_SERVER_REALTIME_CACHE_LINE_H_
#define RTMIXD_SERVER_REALTIME_CACHE_LINE_H_

#include <cstddef>

namespace rtmixd {

// What two threads write is kept this far apart, so that they do not slow each other down. A
// constant of ours, because std::hardware_destructive_interference_size changes with compiler
// flags.
inline constexpr std::size_t kCacheLineBytes = 64;

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_REALTIME_CACHE_LINE_H_
