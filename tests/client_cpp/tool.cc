#include "tests/client_cpp/tool.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/time.h"

namespace rtmixd {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(60);

std::string ErrorPath(const ChildProcess& process) {
  return TestPath(absl::StrCat("stderr.", process.pid()));
}

}  // namespace

std::string TestPath(const std::string& name) {
  return absl::StrCat(testing::TempDir(), "/", name);
}

std::string ToolPath() { return "client_cpp/rtmixctl/rtmixctl"; }

absl::StatusOr<std::unique_ptr<Tool>> Tool::Start(const std::vector<std::string>& flags) {
  std::vector<std::string> argv = {"server/rtmixd", "--listen", "127.0.0.1:0",
                                   "--device",      "virtual",  "--enable-device-scripts"};
  argv.insert(argv.end(), flags.begin(), flags.end());
  auto server = ChildProcess::Start(argv);
  if (!server.ok()) return server.status();
  auto line = (*server)->ReadLine(kPatience);
  if (!line.ok()) return line.status();
  absl::string_view target = *line;
  if (!absl::ConsumePrefix(&target, "listening on ")) {
    return absl::InternalError(absl::StrCat("the server said: ", *line));
  }
  return std::unique_ptr<Tool>(new Tool(*std::move(server), std::string(target)));
}

Tool::Tool(std::unique_ptr<ChildProcess> server, std::string target)
    : server_(std::move(server)), target_(std::move(target)) {}

std::unique_ptr<ChildProcess> Tool::Begin(const std::vector<std::string>& arguments,
                                          const Input& input) {
  // The shell becomes rtmixctl, so its process id names the file of its errors.
  std::vector<std::string> argv = {"sh", "-c", "exec \"$@\" 2>\"$ERRORS.$$\"", "sh", ToolPath()};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  ChildProcess::Options options{.stdin_path = input.stdin_path, .environment = input.environment};
  options.environment.push_back(absl::StrCat("RTMIXD_TARGET=", target_));
  options.environment.push_back(absl::StrCat("ERRORS=", TestPath("stderr")));
  auto process = ChildProcess::Start(argv, options);
  EXPECT_TRUE(process.ok()) << process.status();
  return process.ok() ? *std::move(process) : nullptr;
}

Tool::Outcome Tool::Finish(ChildProcess& process) {
  Outcome outcome;
  const auto code = process.Wait(kPatience);
  EXPECT_TRUE(code.ok()) << code.status();
  if (code.ok()) outcome.exit_code = *code;
  outcome.out = process.output();
  std::ifstream errors(ErrorPath(process));
  outcome.err = std::string(std::istreambuf_iterator<char>(errors), {});
  return outcome;
}

Tool::Outcome Tool::Run(const std::vector<std::string>& arguments, const Input& input) {
  const auto process = Begin(arguments, input);
  return process == nullptr ? Outcome() : Finish(*process);
}

}  // namespace rtmixd
