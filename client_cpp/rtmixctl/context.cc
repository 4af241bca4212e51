#include "client_cpp/rtmixctl/context.h"

#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client_cpp/rtmixctl/json.h"
#include "client_cpp/rtmixctl/report_text.h"

namespace rtmixd::rtmixctl {

Context::Context(CLI::App& app) : app_(app) {
  app.fallthrough();
  app.require_subcommand(1);
  app.add_option("--target", target_, "The server, HOST or HOST:PORT; port 47110 if none is given")
      ->envname("RTMIXD_TARGET")
      ->group("Options of every command");
  app.add_option("--session-token", token_,
                 "Work in this session instead of one of its own; `lease` sets the variable")
      ->envname("RTMIXD_SESSION_TOKEN")
      ->group("Options of every command");
  app.add_option("--ca", security_.ca,
                 "Speak TLS with servers whose certificate is of one of these CAs, in PEM")
      ->envname("RTMIXD_CA")
      ->type_name("FILE")
      ->group("Options of every command");
  app.add_option("--cert", security_.cert, "Our own certificate in PEM, for servers that want one")
      ->envname("RTMIXD_CERT")
      ->type_name("FILE")
      ->group("Options of every command");
  app.add_option("--key", security_.key, "The key of the certificate, in PEM")
      ->envname("RTMIXD_KEY")
      ->type_name("FILE")
      ->group("Options of every command");
  app.add_option("--token-file", security_.token_file,
                 "The first line is the token that tells the server who we are")
      ->envname("RTMIXD_TOKEN_FILE")
      ->type_name("FILE")
      ->group("Options of every command");
  app.add_flag("--json", json_,
               "Answer in JSON (one document; a line per message where it is a stream)")
      ->group("Options of every command");
}

CLI::App* Context::AddCommand(const std::string& name, const std::string& description,
                              const std::string& examples, Command command) {
  CLI::App* const added = app_.add_subcommand(name, description);
  added->footer(absl::StrCat("Examples:\n", examples,
                             "\nOptions of every command: --target, --ca, --cert, --key, "
                             "--token-file, --session-token, --json;\n"
                             "see `rtmixctl --help`.\n"));
  if (command != nullptr) {
    added->callback([this, command = std::move(command)] { command_ = command; });
  }
  return added;
}

absl::StatusOr<std::shared_ptr<client::Client>> Context::Connect() {
  if (client_ == nullptr) {
    auto client = client::Client::Connect(target_, security_);
    if (!client.ok()) return client.status();
    client_ = *std::move(client);
  }
  return client_;
}

absl::StatusOr<std::shared_ptr<client::Session>> Context::OpenSession(const std::string& purpose) {
  auto client = Connect();
  if (!client.ok()) return client.status();
  if (has_token()) return client::Session::Adopt(*std::move(client), token_);
  return client::Session::Create(*std::move(client), {.label = Label(purpose)});
}

absl::StatusOr<v1::AudioStream> Context::Stream() {
  auto client = Connect();
  if (!client.ok()) return client.status();
  auto response = (*client)->Call(&client::Stubs::stream, &v1::StreamService::Stub::GetStream,
                                  v1::GetStreamRequest(), {.retry = true});
  if (!response.ok()) return response.status();
  return std::move(*response->mutable_stream());
}

absl::StatusOr<v1::AudioStream> Context::RunningStream() {
  auto stream = Stream();
  if (!stream.ok()) return stream;
  switch (stream->state()) {
    case v1::STREAM_STATE_RUNNING:
      return stream;
    case v1::STREAM_STATE_STOPPED:
      return absl::FailedPreconditionError("the stream is stopped; start it: rtmixctl start");
    case v1::STREAM_STATE_LOST: {
      absl::Status lost = absl::FailedPreconditionError(
          "the device of the stream is gone; the server tries to get it back");
      v1::ErrorDetail detail;
      detail.set_reason(v1::ERROR_REASON_DEVICE_ERROR);
      client::SetErrorDetail(detail, lost);
      return lost;
    }
    default:
      return absl::FailedPreconditionError("no stream is open; open one: rtmixctl open --start");
  }
}

std::string Context::Label(const std::string& purpose) {
  std::array<char, 65> host = {};
  if (gethostname(host.data(), host.size() - 1) != 0) host[0] = '\0';
  const char* const user = std::getenv("USER");
  return absl::StrCat("rtmixctl ", purpose, " (", user == nullptr ? "" : user, "@", host.data(),
                      ")")
      .substr(0, 200);
}

void Context::Answer(const google::protobuf::Message& message, const std::string& words,
                     std::FILE* out) const {
  const std::string text = json_ ? ToJson(message) : words;
  std::fputs(text.c_str(), out);
}

absl::StatusOr<ExitCode> Context::AnswerReports(const v1::WaitActionsResponse& answer,
                                                const std::string& report_path,
                                                const Judgement& judgement, std::FILE* out) const {
  std::string words;
  ExitCode code = ExitCode::kOk;
  for (const v1::ActionReport& report : answer.ended()) {
    absl::StrAppend(&words, DescribeReport(report));
    code = Worse(code, ExitCodeOf(report, judgement));
  }
  for (const std::string& action_id : answer.still_running()) {
    absl::StrAppend(&words, action_id, ": still running\n");
    code = Worse(code, ExitCode::kTimeout);
  }
  Answer(answer, words, out);
  if (!report_path.empty()) {
    absl::Status written = WriteTextFile(report_path, ToJson(answer));
    if (!written.ok()) return written;
  }
  return code;
}

}  // namespace rtmixd::rtmixctl
