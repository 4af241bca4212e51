#include "tests/support/child_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"

namespace rtmixd {
namespace {

std::vector<char*> Pointers(std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  for (std::string& text : strings) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

int PollMillis(absl::Time deadline) {
  const int64_t millis = absl::ToInt64Milliseconds(deadline - absl::Now()) + 1;
  return static_cast<int>(std::clamp<int64_t>(millis, 0, 1000));
}

}  // namespace

absl::StatusOr<std::unique_ptr<ChildProcess>> ChildProcess::Start(
    const std::vector<std::string>& argv, const Options& options) {
  std::vector<std::string> arguments = {"setpriv", "--pdeathsig", "KILL", "--"};
  arguments.insert(arguments.end(), argv.begin(), argv.end());
  std::vector<std::string> environment = options.environment;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    environment.emplace_back(*variable);
  }

  std::array<int, 2> out = {-1, -1};
  if (pipe2(out.data(), O_CLOEXEC) != 0) return absl::ErrnoToStatus(errno, "pipe2");
  const std::string in = options.stdin_path.empty() ? "/dev/null" : options.stdin_path;
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, in.c_str(), O_RDONLY, 0);
  if (options.quiet) {
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  } else {
    posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
  }
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
  pid_t pid = -1;
  const int error = posix_spawnp(&pid, arguments[0].c_str(), &actions, &attributes,
                                 Pointers(arguments).data(), Pointers(environment).data());
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  close(out[1]);
  if (error != 0) {
    close(out[0]);
    return absl::ErrnoToStatus(error, absl::StrCat("cannot start ", absl::StrJoin(argv, " ")));
  }
  const int exit_fd = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
  if (exit_fd < 0) {
    absl::Status status = absl::ErrnoToStatus(errno, "pidfd_open");
    kill(pid, SIGKILL);
    waitpid(pid, nullptr, 0);
    close(out[0]);
    return status;
  }
  return std::unique_ptr<ChildProcess>(new ChildProcess(pid, exit_fd, out[0]));
}

ChildProcess::~ChildProcess() {
  kill(-pid_, SIGKILL);
  if (!exit_code_.has_value()) waitpid(pid_, nullptr, 0);
  close(exit_fd_);
  if (stdout_fd_ >= 0) close(stdout_fd_);
}

void ChildProcess::Signal(int signal) const {
  // Once it was waited for, its number may be another's.
  if (!exit_code_.has_value()) kill(pid_, signal);
}

bool ChildProcess::Read(absl::Time deadline) {
  pollfd ready = {.fd = stdout_fd_, .events = POLLIN, .revents = 0};
  if (poll(&ready, 1, PollMillis(deadline)) <= 0) return absl::Now() < deadline;
  std::array<char, 4096> bytes = {};
  const ssize_t count = read(stdout_fd_, bytes.data(), bytes.size());
  if (count > 0) {
    output_.append(bytes.data(), static_cast<size_t>(count));
  } else {
    close(stdout_fd_);
    stdout_fd_ = -1;
  }
  return true;
}

absl::StatusOr<std::string> ChildProcess::ReadLine(absl::Duration timeout) {
  const absl::Time deadline = absl::Now() + timeout;
  while (true) {
    if (const size_t end = output_.find('\n'); end != std::string::npos) {
      std::string line = output_.substr(0, end);
      output_.erase(0, end + 1);
      return line;
    }
    if (stdout_fd_ < 0) return absl::OutOfRangeError("the child has closed its stdout");
    if (!Read(deadline)) return absl::DeadlineExceededError("the child wrote no line in time");
  }
}

absl::StatusOr<int> ChildProcess::Wait(absl::Duration timeout) {
  const absl::Time deadline = absl::Now() + timeout;
  while (stdout_fd_ >= 0) {
    if (!Read(deadline)) return absl::DeadlineExceededError("the child runs on");
  }
  while (!exit_code_.has_value()) {
    pollfd exited = {.fd = exit_fd_, .events = POLLIN, .revents = 0};
    if (poll(&exited, 1, PollMillis(deadline)) > 0) {
      int status = 0;
      waitpid(pid_, &status, 0);
      exit_code_ = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
    } else if (absl::Now() >= deadline) {
      return absl::DeadlineExceededError("the child runs on");
    }
  }
  return *exit_code_;
}

bool ChildProcess::GroupIsAlive() const {
  // Not kill(-pid, 0): that counts the dead whom nobody has reaped yet.
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    std::ifstream file(entry.path() / "stat");
    std::string stat;
    if (!std::getline(file, stat)) continue;
    // Its name, in parentheses, may hold anything.
    std::istringstream rest(stat.substr(stat.rfind(')') + 1));
    char state = 0;
    pid_t parent = 0;
    pid_t group = 0;
    if (rest >> state >> parent >> group && group == pid_ && state != 'Z') return true;
  }
  return false;
}

std::vector<pid_t> ChildProcess::Children() const {
  std::vector<pid_t> children;
  std::ifstream list(absl::StrCat("/proc/", pid_, "/task/", pid_, "/children"));
  for (pid_t child = 0; list >> child;) children.push_back(child);
  return children;
}

absl::StatusOr<std::string> RunCommand(const std::vector<std::string>& argv,
                                       absl::Duration timeout) {
  auto child = ChildProcess::Start(argv);
  if (!child.ok()) return child.status();
  const auto code = (*child)->Wait(timeout);
  if (!code.ok() || *code != 0) {
    return absl::InternalError(
        absl::StrCat(absl::StrJoin(argv, " "), ": ",
                     code.ok() ? absl::StrCat("exit code ", *code) : code.status().ToString(), "\n",
                     (*child)->output()));
  }
  return (*child)->output();
}

}  // namespace rtmixd
