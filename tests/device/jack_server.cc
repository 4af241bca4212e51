#include "tests/device/jack_server.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <vector>

#include "absl/strings/str_cat.h"

namespace rtmixd {
namespace {

pid_t Spawn(std::vector<std::string> arguments) {
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    posix_spawn_file_actions_addopen(&actions, fd, "/dev/null", O_RDWR, 0);
  }
  pid_t pid = -1;
  if (posix_spawnp(&pid, argv[0], &actions, nullptr, argv.data(), environ) != 0) pid = -1;
  posix_spawn_file_actions_destroy(&actions);
  return pid;
}

int Wait(pid_t pid) {
  int status = 0;
  return waitpid(pid, &status, 0) == pid ? status : -1;
}

}  // namespace

JackServer::JackServer(int period_frames)
    : period_frames_(period_frames), name_(absl::StrCat("rtmixd_test_", getpid())) {
  setenv("JACK_DEFAULT_SERVER", name_.c_str(), 1);
  setenv("JACK_NO_START_SERVER", "1", 1);
  setenv("JACK_NO_AUDIO_RESERVATION", "1", 1);
}

JackServer::~JackServer() { Kill(); }

bool JackServer::Start() {
  pid_ = Spawn({"jackd", "-r", "-n", name_, "-L", "2", "-d", "dummy", "-r", "48000", "-p",
                absl::StrCat(period_frames_)});
  if (pid_ < 0) return false;
  const pid_t waiting = Spawn({"jack_wait", "-s", name_, "-w", "-t", "20"});
  return waiting > 0 && Wait(waiting) == 0;
}

void JackServer::Kill() {
  if (pid_ < 0) return;
  kill(pid_, SIGKILL);
  Wait(pid_);
  pid_ = -1;
}

void JackServer::Freeze() { kill(pid_, SIGSTOP); }

void JackServer::Unfreeze() { kill(pid_, SIGCONT); }

}  // namespace rtmixd
