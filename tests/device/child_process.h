#ifndef RTMIXD_TESTS_DEVICE_CHILD_PROCESS_H_
#define RTMIXD_TESTS_DEVICE_CHILD_PROCESS_H_

#include <sys/types.h>

#include <string>
#include <vector>

namespace rtmixd {

// Starts a program, found by PATH, with this process's environment. `quiet`: what it writes goes
// nowhere. -1 if it cannot be started.
pid_t StartChild(std::vector<std::string> arguments, bool quiet);

// Waits for a child's end: its exit status, or -1 if a signal ended it.
int AwaitChild(pid_t pid);

// SIGKILL, and waits.
void KillChild(pid_t pid);

}  // namespace rtmixd

#endif  // RTMIXD_TESTS_DEVICE_CHILD_PROCESS_H_
