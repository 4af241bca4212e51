#include <signal.h>
#include <unistd.h>

#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "server/device_choice.h"
#include "server/flags.h"
#include "server/process_memory.h"
#include "server/server.h"

int main(int argc, char** argv) {
  rtmixd::BeADeviceProbeIfAsked(argc, argv);
  int exit_code = 0;
  std::optional<rtmixd::Flags> flags = rtmixd::ParseFlags(argc, argv, &exit_code);
  if (!flags.has_value()) return exit_code;
  absl::Status memory = flags->huge_pages ? rtmixd::UseHugePages(argv) : absl::OkStatus();
  if (memory.ok() && flags->lock_memory) memory = rtmixd::LockMemory();
  if (!memory.ok()) {
    std::cerr << "rtmixd: " << memory.message() << "\n";
    return 1;
  }

  // Debian builds its Abseil with the search for deadlocks, for which every lock of gRPC's, of all
  // threads, takes one and the same lock.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);

  // Blocked before any thread is made, so that all inherit it and sigwait gets the signals.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);
  // A file that outgrows the limit of the process is an error of the spool and no more.
  signal(SIGXFSZ, SIG_IGN);

  absl::StatusOr<rtmixd::ChosenDevice> chosen =
      rtmixd::ChooseDevice(flags->device, flags->virtual_device);
  if (!chosen.ok()) {
    std::cerr << "rtmixd: " << chosen.status().message() << "\n";
    return 1;
  }
  flags->server.engine.device_features = chosen->features;
  // Lines come from many threads: each is written at once.
  flags->server.log = [](const std::string& line) { std::cerr << "rtmixd: " + line + "\n"; };
  absl::StatusOr<std::unique_ptr<rtmixd::Server>> server =
      rtmixd::Server::Create(flags->server, std::move(chosen->device));
  if (!server.ok()) {
    std::cerr << "rtmixd: " << server.status().message() << "\n";
    return 1;
  }
  std::cout << "listening on " << (*server)->address() << "\n"
            << chosen->reason << '\n'
            << std::flush;
  if (!(*server)->device_status().ok()) {
    std::cout << "no stream: " << (*server)->device_status().message() << '\n' << std::flush;
  }

  int received = 0;
  sigwait(&signals, &received);
  std::cout << "stopping" << '\n' << std::flush;
  (*server)->Stop(flags->grace, [&signals] {
    const timespec at_once{};
    return sigtimedwait(&signals, nullptr, &at_once) > 0;
  });
  if (rtmixd::SoundLibraryWasLeftBehind()) {
    std::cout.flush();
    std::cerr.flush();
    _exit(0);
  }
  return 0;
}
