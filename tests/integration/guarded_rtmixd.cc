// The server program on its virtual device, with every block under the guard of the audio thread:
// an allocation, a lock or a system call in the wrong place aborts it.

#include <signal.h>

#include <iostream>
#include <memory>
#include <optional>
#include <utility>

#include "server/device/virtual_device.h"
#include "server/flags.h"
#include "server/server.h"
#include "tests/soak/guarded_device.h"

int main(int argc, char** argv) {
  int exit_code = 0;
  const std::optional<rtmixd::Flags> flags = rtmixd::ParseFlags(argc, argv, &exit_code);
  if (!flags.has_value()) return exit_code;
  // As the program itself does.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);

  auto device = rtmixd::VirtualDevice::Create(flags->virtual_device);
  if (!device.ok()) {
    std::cerr << device.status() << '\n';
    return 1;
  }
  const auto server =
      rtmixd::Server::Create(flags->server, rtmixd::GuardDevice(*std::move(device)));
  if (!server.ok() || !(*server)->device_status().ok()) {
    std::cerr << (server.ok() ? (*server)->device_status() : server.status()) << '\n';
    return 1;
  }
  std::cout << "listening on " << (*server)->address() << '\n' << std::flush;
  int received = 0;
  sigwait(&signals, &received);
  (*server)->Stop(flags->grace, [] { return false; });
  return 0;
}
