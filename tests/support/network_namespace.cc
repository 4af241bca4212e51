#include "tests/support/network_namespace.h"

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/support/child_process.h"

namespace rtmixd {
namespace {

constexpr char kOwnNamespace[] = "/proc/thread-self/ns/net";
constexpr char kEndA[] = "veth_a";

int OpenOwn() { return open(kOwnNamespace, O_RDONLY | O_CLOEXEC); }

// Our own bug, or a kernel out of memory: a test that went on in another network proves nothing.
void EnterOrDie(int fd) {
  if (setns(fd, CLONE_NEWNET) == 0) return;
  std::perror("setns");
  std::abort();
}

absl::Status Ip(const NetworkNamespace& network, std::vector<std::string> arguments) {
  const ScopedNetworkNamespace inside(network);
  arguments.insert(arguments.begin(), "ip");
  return RunCommand(arguments).status();
}

absl::Status SetUpDevice(const NetworkNamespace& network, const std::string& name,
                         const std::string& address) {
  if (absl::Status status = Ip(network, {"addr", "add", address, "dev", name}); !status.ok()) {
    return status;
  }
  return Ip(network, {"link", "set", name, "up"});
}

}  // namespace

absl::StatusOr<std::unique_ptr<NetworkNamespace>> NetworkNamespace::Create() {
  const int before = OpenOwn();
  if (before < 0) return absl::ErrnoToStatus(errno, kOwnNamespace);
  if (unshare(CLONE_NEWNET) != 0) {
    absl::Status status = absl::ErrnoToStatus(errno, "no network namespace (needs root)");
    close(before);
    return status;
  }
  std::unique_ptr<NetworkNamespace> made(new NetworkNamespace(OpenOwn()));
  EnterOrDie(before);
  close(before);
  if (absl::Status status = Ip(*made, {"link", "set", "lo", "up"}); !status.ok()) return status;
  return made;
}

NetworkNamespace::~NetworkNamespace() { close(fd_); }

absl::Status NetworkNamespace::Enter() const {
  if (setns(fd_, CLONE_NEWNET) != 0) return absl::ErrnoToStatus(errno, "setns");
  return absl::OkStatus();
}

std::string NetworkNamespace::path() const { return absl::StrCat("/proc/", getpid(), "/fd/", fd_); }

ScopedNetworkNamespace::ScopedNetworkNamespace(const NetworkNamespace& network)
    : before_(OpenOwn()) {
  if (!network.Enter().ok()) std::abort();
}

ScopedNetworkNamespace::~ScopedNetworkNamespace() {
  EnterOrDie(before_);
  close(before_);
}

absl::StatusOr<std::unique_ptr<VethPair>> VethPair::Create(const NetworkNamespace& a,
                                                           const std::string& address_a,
                                                           const NetworkNamespace& b,
                                                           const std::string& address_b) {
  // A host may have several cables at its end b.
  static std::atomic<int> cables = 0;
  const std::string end_b = absl::StrCat("veth_b", cables++);
  absl::Status status = Ip(a, {"link", "add", kEndA, "type", "veth", "peer", "name", end_b});
  if (!status.ok()) return status;
  std::unique_ptr<VethPair> made(new VethPair(a));
  status = Ip(a, {"link", "set", end_b, "netns", b.path()});
  if (status.ok()) status = SetUpDevice(a, kEndA, address_a);
  if (status.ok()) status = SetUpDevice(b, end_b, address_b);
  if (!status.ok()) return status;
  return made;
}

// The other end goes with it.
VethPair::~VethPair() { Ip(a_, {"link", "delete", kEndA}).IgnoreError(); }

}  // namespace rtmixd
