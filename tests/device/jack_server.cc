#include "tests/device/jack_server.h"

#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cstdlib>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"

namespace rtmixd {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(30);

// Gives this thread, and what it will start, a /dev/shm of its own, where JACK keeps the places of
// a machine's servers: tests that were killed have taken none of these. Without root it stays
// common.
bool UnshareSharedMemory() {
  return unshare(CLONE_NEWNS) == 0 &&
         mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
         mount("tmpfs", "/dev/shm", "tmpfs", 0, nullptr) == 0;
}

}  // namespace

JackServer::JackServer(int period_frames, const std::string& name)
    : period_frames_(period_frames), name_(absl::StrCat("rtmixd_test_", getpid(), "_", name)) {
  [[maybe_unused]] static const bool own_memory = UnshareSharedMemory();
  setenv("JACK_DEFAULT_SERVER", name_.c_str(), 1);
  setenv("JACK_NO_START_SERVER", "1", 1);
  setenv("JACK_NO_AUDIO_RESERVATION", "1", 1);
}

JackServer::~JackServer() {
  if (process_ == nullptr && was_started_) Start();
  if (process_ == nullptr) return;
  process_->Signal(SIGCONT);
  process_->Signal(SIGTERM);
  process_->Wait(kPatience).IgnoreError();
}

bool JackServer::Start() {
  const ChildProcess::Options options = {.stdin_path = "", .environment = {}, .quiet = true};
  auto jackd = ChildProcess::Start({"jackd", "-r", "-n", name_, "-L", "2", "-d", "dummy", "-r",
                                    "48000", "-p", absl::StrCat(period_frames_)},
                                   options);
  if (!jackd.ok()) return false;
  process_ = *std::move(jackd);
  was_started_ = true;
  auto waiting = ChildProcess::Start({"jack_wait", "-s", name_, "-w", "-t", "20"}, options);
  return waiting.ok() && (*waiting)->Wait(kPatience).value_or(-1) == 0;
}

}  // namespace rtmixd
