#include "server/process_memory.h"

#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <iostream>

#include "absl/status/status.h"
#include "gtest/gtest.h"

namespace rtmixd {
namespace {

constexpr uid_t kNobody = 65534;

// Privileges lift the limit: without them, then. Where users are a sandbox's own, nobody has them,
// nor is there anybody else to be.
void LockWithLimit(rlim_t bytes) {
  const rlimit limit = {.rlim_cur = bytes, .rlim_max = bytes};
  if (setrlimit(RLIMIT_MEMLOCK, &limit) != 0 || (setuid(kNobody) != 0 && errno != EINVAL)) {
    std::cerr << "the test cannot set its limit";
    std::exit(2);
  }
  const absl::Status status = LockMemory();
  std::cerr << status.message();
  std::exit(status.ok() ? 0 : 1);
}

TEST(ProcessMemoryTest, WhatMayNotBeLockedIsToldWithItsLimit) {
  EXPECT_EXIT(LockWithLimit(123 << 10), testing::ExitedWithCode(1),
              "--lock-memory: this process may lock 125952 bytes.*ulimit -l unlimited");
}

TEST(ProcessMemoryTest, HugePagesAreAskedForOnce) {
  setenv("GLIBC_TUNABLES", "glibc.malloc.hugetlb=1", /*overwrite=*/1);
  // Would start this test again, and again, if it were not seen that it has been done.
  const absl::Status status = UseHugePages(nullptr);
  EXPECT_TRUE(status.ok() || status.code() == absl::StatusCode::kFailedPrecondition) << status;
}

}  // namespace
}  // namespace rtmixd
