#include "tests/device/jack_server.h"

#include <signal.h>
#include <unistd.h>

#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "tests/device/child_process.h"

namespace rtmixd {
JackServer::JackServer(int period_frames)
    : period_frames_(period_frames), name_(absl::StrCat("rtmixd_test_", getpid())) {
  setenv("JACK_DEFAULT_SERVER", name_.c_str(), 1);
  setenv("JACK_NO_START_SERVER", "1", 1);
  setenv("JACK_NO_AUDIO_RESERVATION", "1", 1);
}

JackServer::~JackServer() {
  if (left_traces_) Start();
  if (pid_ < 0) return;
  kill(pid_, SIGCONT);
  kill(pid_, SIGTERM);
  AwaitChild(pid_);
}

bool JackServer::Start() {
  pid_ = StartChild({"jackd", "-r", "-n", name_, "-L", "2", "-d", "dummy", "-r", "48000", "-p",
                     absl::StrCat(period_frames_)},
                    /*quiet=*/true);
  if (pid_ < 0) return false;
  left_traces_ = false;
  const pid_t waiting = StartChild({"jack_wait", "-s", name_, "-w", "-t", "20"}, /*quiet=*/true);
  return waiting > 0 && AwaitChild(waiting) == 0;
}

void JackServer::Kill() {
  if (pid_ < 0) return;
  KillChild(pid_);
  pid_ = -1;
  left_traces_ = true;
}

void JackServer::Freeze() { kill(pid_, SIGSTOP); }

void JackServer::Unfreeze() { kill(pid_, SIGCONT); }

}  // namespace rtmixd
