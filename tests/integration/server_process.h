#ifndef RTMIXD_TESTS_INTEGRATION_SERVER_PROCESS_H_
#define RTMIXD_TESTS_INTEGRATION_SERVER_PROCESS_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client_cpp/client.h"
#include "rtmixd/v1/event.pb.h"
#include "tests/support/child_process.h"

namespace rtmixd {

// Where Bazel puts the programs that a test lists in its data.
inline constexpr char kServerProgram[] = "server/rtmixd";
inline constexpr char kToolProgram[] = "client_cpp/rtmixctl/rtmixctl";

// The real server, as its own process, in the network namespace of the thread that starts it.
//
// Threading: as ChildProcess.
class ServerProcess {
 public:
  // Starts it on `port` of `host`, 0 for a free one, without TLS wherever that is, and waits until
  // it listens. `flags` come on top. `program` is one that takes the same flags.
  static absl::StatusOr<std::unique_ptr<ServerProcess>> Start(
      const std::vector<std::string>& flags, const std::string& host = "127.0.0.1", int port = 0,
      const std::string& program = kServerProgram);

  // HOST:PORT.
  const std::string& target() const { return target_; }
  ChildProcess& process() { return *process_; }

 private:
  ServerProcess(std::unique_ptr<ChildProcess> process, std::string target)
      : process_(std::move(process)), target_(std::move(target)) {}

  const std::unique_ptr<ChildProcess> process_;
  const std::string target_;
};

// Everything in the server's event log.
absl::StatusOr<std::vector<v1::LogEntry>> ReadEvents(client::Client& client);

// The events of a kind that concern an action; an empty id means any.
std::vector<v1::LogEntry> EventsOf(const std::vector<v1::LogEntry>& events, v1::EventKind kind,
                                   const std::string& action_id);

// The stream of the device.
absl::StatusOr<v1::AudioStream> GetStream(client::Client& client);

}  // namespace rtmixd

#endif  // RTMIXD_TESTS_INTEGRATION_SERVER_PROCESS_H_
