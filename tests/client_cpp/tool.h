#ifndef RTMIXD_TESTS_CLIENT_CPP_TOOL_H_
#define RTMIXD_TESTS_CLIENT_CPP_TOOL_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "tests/support/child_process.h"

namespace rtmixd {

// A real server on its virtual device, whose outputs come back at its inputs, and the command line
// tool, run against it as a person or a script does.
//
// Threading: as ChildProcess.
class Tool {
 public:
  // What a run of rtmixctl left.
  struct Outcome {
    int exit_code = -1;  // minus the signal that ended it
    std::string out;
    std::string err;
  };
  struct Input {
    std::string stdin_path;
    std::vector<std::string> environment;
  };

  // Starts a server with `flags` besides those that every test needs.
  static absl::StatusOr<std::unique_ptr<Tool>> Start(const std::vector<std::string>& flags);

  // HOST:PORT of the server.
  const std::string& target() const { return target_; }
  ChildProcess& server() { return *server_; }

  // Runs rtmixctl to its end.
  Outcome Run(const std::vector<std::string>& arguments, const Input& input);
  Outcome Run(const std::vector<std::string>& arguments) { return Run(arguments, Input()); }
  // Starts rtmixctl; Finish waits for its end.
  std::unique_ptr<ChildProcess> Begin(const std::vector<std::string>& arguments,
                                      const Input& input);
  std::unique_ptr<ChildProcess> Begin(const std::vector<std::string>& arguments) {
    return Begin(arguments, Input());
  }
  Outcome Finish(ChildProcess& process);

 private:
  Tool(std::unique_ptr<ChildProcess> server, std::string target);

  const std::unique_ptr<ChildProcess> server_;
  const std::string target_;
};

// A path in the test's own folder.
std::string TestPath(const std::string& name);
// The path of rtmixctl.
std::string ToolPath();

}  // namespace rtmixd

#endif  // RTMIXD_TESTS_CLIENT_CPP_TOOL_H_
