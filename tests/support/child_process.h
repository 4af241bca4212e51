#ifndef RTMIXD_TESTS_SUPPORT_CHILD_PROCESS_H_
#define RTMIXD_TESTS_SUPPORT_CHILD_PROCESS_H_

#include <sys/types.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace rtmixd {

// A program that a test runs. Exists so that no test leaves a process behind, whatever becomes of
// the test: the child leads a process group of its own, which the destructor kills, and the kernel
// kills the child when the thread that started it dies.
//
// It runs in the network namespace of the thread that starts it. Its stderr is the test's.
//
// Threading: one thread, which lives as long as the child.
class ChildProcess {
 public:
  struct Options {
    // The child reads this file; empty: there is nothing to read.
    std::string stdin_path;
    // "NAME=VALUE", besides the environment of the test.
    std::vector<std::string> environment;
    // What it writes goes nowhere.
    bool quiet = false;
  };

  // Starts `argv`; argv[0] is looked for in PATH unless it has a slash.
  static absl::StatusOr<std::unique_ptr<ChildProcess>> Start(const std::vector<std::string>& argv,
                                                             const Options& options);
  static absl::StatusOr<std::unique_ptr<ChildProcess>> Start(const std::vector<std::string>& argv) {
    return Start(argv, Options());
  }

  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;
  ~ChildProcess();

  pid_t pid() const { return pid_; }
  // Sends a signal to the child alone.
  void Signal(int signal) const;
  // The next line of its stdout, without the newline. DEADLINE_EXCEEDED, OUT_OF_RANGE at the end.
  absl::StatusOr<std::string> ReadLine(absl::Duration timeout);
  // Reads its stdout to the end and waits until it has exited. Its exit code, or minus the signal
  // that ended it; DEADLINE_EXCEEDED if it runs on.
  absl::StatusOr<int> Wait(absl::Duration timeout);
  // What it has written to stdout and ReadLine has not taken.
  const std::string& output() const { return output_; }
  // Whether a process of its group runs. After Wait: one that the child started and left.
  bool GroupIsAlive() const;
  // Processes whose parent it is.
  std::vector<pid_t> Children() const;

 private:
  ChildProcess(pid_t pid, int exit_fd, int stdout_fd)
      : pid_(pid), exit_fd_(exit_fd), stdout_fd_(stdout_fd) {}

  // Reads what there is; waits for some until `deadline`. False: there is none until then.
  bool Read(absl::Time deadline);

  const pid_t pid_;
  const int exit_fd_;  // readable once it has exited
  int stdout_fd_;      // -1: it has come to its end
  std::string output_;
  std::optional<int> exit_code_;
};

// Runs a program to its end. Its stdout; INTERNAL, with that, unless it exits with 0.
absl::StatusOr<std::string> RunCommand(const std::vector<std::string>& argv,
                                       absl::Duration timeout = absl::Seconds(20));

}  // namespace rtmixd

#endif  // RTMIXD_TESTS_SUPPORT_CHILD_PROCESS_H_
