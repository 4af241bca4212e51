#ifndef RTMIXD_TESTS_SUPPORT_AS_AUDIO_THREAD_H_
#define RTMIXD_TESTS_SUPPORT_AS_AUDIO_THREAD_H_

// AS_AUDIO_THREAD(call): the value of `call`, made as on the audio thread: in programs built with
// RTMIXD_RT_GUARD, which link rt_guard, under its guard. The arguments are computed under it, too.
#ifdef RTMIXD_RT_GUARD
#include "tests/support/rt_guard.h"
#define AS_AUDIO_THREAD(...)             \
  ([&]() -> decltype(auto) {             \
    const ::rtmixd::ScopedRtGuard guard; \
    return __VA_ARGS__;                  \
  }())
#else
#define AS_AUDIO_THREAD(...) (__VA_ARGS__)
#endif

#endif  // RTMIXD_TESTS_SUPPORT_AS_AUDIO_THREAD_H_
