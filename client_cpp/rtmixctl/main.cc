// rtmixctl: an rtmixd server from the command line.

#include <CLI/CLI.hpp>
#include <cstdio>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client_cpp/error.h"
#include "client_cpp/rtmixctl/commands.h"
#include "client_cpp/rtmixctl/context.h"
#include "client_cpp/rtmixctl/exit_code.h"
#include "client_cpp/rtmixctl/interrupt.h"

namespace {

using rtmixd::rtmixctl::ExitCode;

void PrintError(const absl::Status& status) {
  std::string text = absl::StrCat("rtmixctl: ", status.message(), "\n");
  const auto detail = rtmixd::client::ErrorDetailOf(status);
  if (detail.has_value() && !detail->holder_label().empty()) {
    absl::StrAppend(&text, "  held by: ", detail->holder_label(), "\n");
  }
  if (detail.has_value() && detail->reason() == rtmixd::v1::ERROR_REASON_NO_STREAM) {
    absl::StrAppend(&text, "  open one: rtmixctl open --start\n");
  }
  std::fputs(text.c_str(), stderr);
}

}  // namespace

int main(int argc, char** argv) {
  using namespace rtmixd::rtmixctl;  // NOLINT(google-build-using-namespace): wiring only.
  Interrupt::Install();
  CLI::App app(
      "Plays and records on the sound device of another host, to the exact frame, and tells what "
      "happened.");
  app.name("rtmixctl");
  app.footer(absl::StrCat(
      kExitCodeHelp,
      "\nExamples:\n"
      "  rtmixctl --target rig7 status\n"
      "  rtmixctl --target rig7 playrec stimulus.wav response.wav --inputs 1,2 --tail 0.5\n"
      "  rtmixctl --target rig7 lease --wait 60 -- ./run_audio_tests\n"
      "`rtmixctl COMMAND --help` tells more of each.\n"));
  Context context(app);
  AddInfoCommands(context);
  AddDeviceCommands(context);
  AddPlayCommand(context);
  AddRecordCommand(context);
  AddPlayRecCommand(context);
  AddLatencyCommands(context);
  AddStreamCommand(context);
  AddScheduleCommand(context);
  AddActionCommands(context);
  AddChangeCommands(context);
  AddGainCommands(context);
  AddBufferCommands(context);
  AddSpoolCommand(context);
  AddLeaseCommand(context);
  AddWatchCommand(context);
  AddScriptCommand(context);

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    // The library would only say that there is no command.
    const std::vector<std::string> unknown = app.remaining();
    if (error.get_exit_code() != 0 && app.get_subcommands().empty() && !unknown.empty()) {
      std::fprintf(stderr, "'%s' is no command\nRun with --help for more information.\n",
                   unknown.front().c_str());
      return static_cast<int>(ExitCode::kUsage);
    }
    // 0 for --help.
    return app.exit(error) == 0 ? 0 : static_cast<int>(ExitCode::kUsage);
  }
  const absl::StatusOr<ExitCode> code = context.Run();
  if (code.ok()) return static_cast<int>(*code);
  PrintError(code.status());
  return static_cast<int>(Interrupt::Seen() ? ExitCode::kInterrupted : ExitCodeOf(code.status()));
}
