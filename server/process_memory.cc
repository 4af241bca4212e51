#include "server/process_memory.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace rtmixd {
namespace {

constexpr char kTunables[] = "GLIBC_TUNABLES";
constexpr char kHugeTunable[] = "glibc.malloc.hugetlb=1";
// Only the first arena grows in steps of huge pages.
constexpr char kOneArena[] = "glibc.malloc.arena_max=1";
constexpr char kKernelSetting[] = "/sys/kernel/mm/transparent_hugepage/enabled";

// With all of its memory locked, whether this process gets more than the limit: whether there is
// none for it, as for one that has the capability to lock.
bool CanGrowBeyond(rlim_t limit_bytes) {
  if (limit_bytes == RLIM_INFINITY) return true;
  const size_t bytes = limit_bytes + sysconf(_SC_PAGESIZE);
  void* const memory = mmap(nullptr, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return false;
  munmap(memory, bytes);
  return true;
}

}  // namespace

absl::Status UseHugePages(char** argv) {
  std::ifstream file(kKernelSetting);
  const std::string setting{std::istreambuf_iterator<char>(file), {}};
  if (!file.good() || absl::StrContains(setting, "[never]")) {
    return absl::FailedPreconditionError(absl::StrCat(
        "--huge-pages: the kernel gives none: ", kKernelSetting, " is to say madvise or always"));
  }
  const char* const before = getenv(kTunables);
  std::string tunables = before == nullptr ? "" : before;
  if (absl::StrContains(tunables, kHugeTunable)) return absl::OkStatus();
  if (!tunables.empty()) tunables += ':';
  absl::StrAppend(&tunables, kHugeTunable, ":", kOneArena);
  setenv(kTunables, tunables.c_str(), /*overwrite=*/1);
  execv("/proc/self/exe", argv);
  return absl::FailedPreconditionError(
      absl::StrCat("--huge-pages: the program does not start again: ", std::strerror(errno)));
}

absl::Status LockMemory() {
  rlimit limit{};
  getrlimit(RLIMIT_MEMLOCK, &limit);
  // What a thread has of its stack and never touched takes no memory.
  if (mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) == 0 && CanGrowBeyond(limit.rlim_cur)) {
    return absl::OkStatus();
  }
  munlockall();
  return absl::FailedPreconditionError(
      absl::StrCat("--lock-memory: this process may lock ", limit.rlim_cur,
                   " bytes; let it lock all: ulimit -l unlimited, or LimitMEMLOCK=infinity in its "
                   "systemd unit"));
}

}  // namespace rtmixd
