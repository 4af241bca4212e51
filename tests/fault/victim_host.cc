#include "tests/fault/victim_host.h"

#include <signal.h>

#include <utility>

#include "absl/strings/str_cat.h"

namespace rtmixd {
namespace {

constexpr char kVictimProgram[] = "tests/fault/victim";
constexpr absl::Duration kLongEnough = absl::Seconds(60);

std::string Address(int number, int end) { return absl::StrCat("10.80.", number, ".", end); }

}  // namespace

const char* NameOf(Fault fault) {
  switch (fault) {
    case Fault::kKill:
      return "kill";
    case Fault::kStop:
      return "stop";
    case Fault::kCut:
      return "cut";
    case Fault::kHalfOpen:
      return "half-open";
  }
  return "";
}

absl::StatusOr<std::unique_ptr<VictimHost>> VictimHost::Create(
    int number, const NetworkNamespace& server_host) {
  auto host = NetworkNamespace::Create();
  if (!host.ok()) return host.status();
  auto cable =
      VethPair::Create(**host, Address(number, 2) + "/24", server_host, Address(number, 1) + "/24");
  if (!cable.ok()) return cable.status();
  return std::unique_ptr<VictimHost>(new VictimHost(number, *std::move(host), *std::move(cable)));
}

absl::Status VictimHost::Start(const std::string& port, const std::vector<std::string>& arguments) {
  std::vector<std::string> argv = {kVictimProgram, Address(number_, 1) + port};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  const ScopedNetworkNamespace inside(*host_);
  auto client = ChildProcess::Start(argv);
  if (!client.ok()) return client.status();
  client_ = *std::move(client);
  return absl::OkStatus();
}

absl::Status VictimHost::Strike(Fault fault) {
  if (fault == Fault::kCut || fault == Fault::kHalfOpen) {
    // At this end, so that all that the server sees is silence.
    const absl::Status status =
        Nft("table ip cut { chain in { type filter hook input priority 0; policy drop; }; "
            "chain out { type filter hook output priority 0; policy drop; }; }");
    if (!status.ok()) return status;
    cut_ = true;
  }
  if (fault == Fault::kKill || fault == Fault::kHalfOpen) client_->Signal(SIGKILL);
  if (fault == Fault::kStop) client_->Signal(SIGSTOP);
  return absl::OkStatus();
}

absl::Status VictimHost::Mend() {
  client_->Signal(SIGCONT);
  if (!cut_) return absl::OkStatus();
  cut_ = false;
  return Nft("delete table ip cut");
}

absl::Status VictimHost::End() {
  client_->Signal(SIGKILL);
  const absl::Status status = client_->Wait(kLongEnough).status();
  client_ = nullptr;
  return status;
}

absl::Status VictimHost::Nft(const std::string& command) {
  const ScopedNetworkNamespace inside(*host_);
  return RunCommand({"nft", command}).status();
}

}  // namespace rtmixd
