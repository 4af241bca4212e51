#ifndef RTMIXD_CLIENT_CPP_RTMIXCTL_CONTEXT_H_
#define RTMIXD_CLIENT_CPP_RTMIXCTL_CONTEXT_H_

#include <google/protobuf/message.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "client_cpp/client.h"
#include "client_cpp/rtmixctl/exit_code.h"
#include "client_cpp/security.h"
#include "client_cpp/session.h"
#include "rtmixd/v1/action.pb.h"
#include "rtmixd/v1/stream.pb.h"

namespace rtmixd::rtmixctl {

// What all commands share: the flags that each of them takes, the way to the server, the ways to
// answer.
//
// Threading: the main thread.
class Context {
 public:
  using Command = std::function<absl::StatusOr<ExitCode>(Context&)>;

  // Declares the common flags.
  explicit Context(CLI::App& app);

  // Adds a command, to be run if the command line names it; one without `command` calls SetCommand
  // in a callback of its own.
  CLI::App* AddCommand(const std::string& name, const std::string& description,
                       const std::string& examples, Command command);
  void SetCommand(Command command) { command_ = std::move(command); }
  // Runs what the command line named.
  absl::StatusOr<ExitCode> Run() { return command_(*this); }

  bool json() const { return json_; }
  const std::string& target() const { return target_; }
  const client::Security& security() const { return security_; }
  // Whether the session is somebody else's, who will end it.
  bool has_token() const { return !token_.empty(); }

  // Connects at the first call.
  absl::StatusOr<std::shared_ptr<client::Client>> Connect();
  // The adopted session if a token was given, else a new one that ends with the command.
  absl::StatusOr<std::shared_ptr<client::Session>> OpenSession(const std::string& purpose);
  // The stream, which must be running; otherwise an error with advice.
  absl::StatusOr<v1::AudioStream> RunningStream();
  // The stream as it is.
  absl::StatusOr<v1::AudioStream> Stream();

  // A label for a session: what for, who, where.
  static std::string Label(const std::string& purpose);

  // Answers on `out` with `message` as JSON if --json was given, otherwise with `words`.
  void Answer(const google::protobuf::Message& message, const std::string& words,
              std::FILE* out = stdout) const;
  // Answers with the reports of what has ended, writes them to `report_path` unless that is empty,
  // and judges them.
  absl::StatusOr<ExitCode> AnswerReports(const v1::WaitActionsResponse& answer,
                                         const std::string& report_path, const Judgement& judgement,
                                         std::FILE* out = stdout) const;

 private:
  CLI::App& app_;
  Command command_;
  std::string target_;
  client::Security security_;
  std::string token_;
  bool json_ = false;
  std::shared_ptr<client::Client> client_;
};

}  // namespace rtmixd::rtmixctl

#endif  // RTMIXD_CLIENT_CPP_RTMIXCTL_CONTEXT_H_
