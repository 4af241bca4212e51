#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdlib>
#include <mutex>

#include "tests/support/rt_guard.h"

namespace rtmixd {
namespace {

void* volatile g_memory;

TEST(RtGuardDeathTest, AllocationAborts) {
  EXPECT_DEATH(
      {
        const ScopedRtGuard guard;
        g_memory = malloc(1);
      },
      "malloc called on the audio thread");
}

TEST(RtGuardDeathTest, LockAborts) {
  EXPECT_DEATH(
      {
        std::mutex mutex;
        const ScopedRtGuard guard;
        mutex.lock();
      },
      "pthread_mutex_lock called on the audio thread");
}

TEST(RtGuardDeathTest, SystemCallAbortsAndTellsFromWhere) {
  EXPECT_DEATH(
      {
        const ScopedRtGuard guard;
        syscall(SYS_getppid);
      },
      // The frames: the handler's own, the restorer, and the function that made the call.
      "system call 110 made on the audio thread(.|\n)*rtmixd_guard_restorer(.|\n)*syscall");
}

}  // namespace
}  // namespace rtmixd
