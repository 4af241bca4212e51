#ifndef RTMIXD_SERVER_PROCESS_MEMORY_H_
#define RTMIXD_SERVER_PROCESS_MEMORY_H_

#include "absl/status/status.h"

namespace rtmixd {

// Puts all that this process allocates on huge pages where the kernel has some, of several threads
// alike. The C library reads what its allocator is to do when a program starts: call it first of
// all in main, where it starts the program again unless that was done already. FAILED_PRECONDITION
// if the kernel is set to give none.
absl::Status UseHugePages(char** argv);

// Keeps all memory that this process has, and will have, from being swapped out.
// FAILED_PRECONDITION, with nothing locked, if it may not lock whatever it will have: with a limit,
// memory that comes later would be refused.
absl::Status LockMemory();

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_PROCESS_MEMORY_H_
