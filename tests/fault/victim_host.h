#ifndef RTMIXD_TESTS_FAULT_VICTIM_HOST_H_
#define RTMIXD_TESTS_FAULT_VICTIM_HOST_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "tests/support/child_process.h"
#include "tests/support/network_namespace.h"

namespace rtmixd {

// What happens to a client.
enum class Fault {
  kKill,      // SIGKILL: its host says goodbye for it
  kStop,      // SIGSTOP: its host still answers TCP
  kCut,       // its cable drops every packet; the client lives on
  kHalfOpen,  // cut off, and then killed: nobody says goodbye
};
// For people.
const char* NameOf(Fault fault);

// A host with a cable of its own to the server's, and one client on it: the program victim, to
// which something happens.
//
// Threading: one thread, as ChildProcess.
class VictimHost {
 public:
  // The host 10.80.NUMBER.2, which reaches the server as 10.80.NUMBER.1; 1 to 254. The server's
  // host outlives it.
  static absl::StatusOr<std::unique_ptr<VictimHost>> Create(int number,
                                                            const NetworkNamespace& server_host);
  VictimHost(const VictimHost&) = delete;
  VictimHost& operator=(const VictimHost&) = delete;

  // Starts the client. `port` is the server's, like ":47110"; see victim.cc for the rest.
  absl::Status Start(const std::string& port, const std::vector<std::string>& arguments);
  // Its next line. DEADLINE_EXCEEDED; OUT_OF_RANGE if it is dead.
  absl::StatusOr<std::string> ReadLine(absl::Duration timeout) {
    return client_->ReadLine(timeout);
  }
  absl::Status Strike(Fault fault);
  // The cable is whole again, and a client that was stopped goes on.
  absl::Status Mend();
  // The client is gone for good.
  absl::Status End();

 private:
  VictimHost(int number, std::unique_ptr<NetworkNamespace> host, std::unique_ptr<VethPair> cable)
      : number_(number), host_(std::move(host)), cable_(std::move(cable)) {}

  absl::Status Nft(const std::string& command);

  const int number_;
  const std::unique_ptr<NetworkNamespace> host_;
  const std::unique_ptr<VethPair> cable_;
  std::unique_ptr<ChildProcess> client_;
  bool cut_ = false;
};

}  // namespace rtmixd

#endif  // RTMIXD_TESTS_FAULT_VICTIM_HOST_H_
