#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client_cpp/action.h"
#include "client_cpp/rtmixctl/at_options.h"
#include "client_cpp/rtmixctl/commands.h"
#include "client_cpp/rtmixctl/fade_option.h"
#include "client_cpp/rtmixctl/report_text.h"
#include "client_cpp/rtmixctl/validators.h"

namespace rtmixd::rtmixctl {
namespace {

// What changes of actions have in common, whatever they change.
struct ChangeOptions {
  std::vector<std::string> action_ids;
  bool all = false;
  AtOptions at;
  float gain = 0;
  std::optional<FadeOption> fade;
  bool at_once = false;
};
// Fills in what is to change.
using Fill = std::function<absl::Status(Context&, const ChangeOptions&, v1::ChangeActionsRequest&)>;

absl::StatusOr<ExitCode> Change(Context& context, const ChangeOptions& options,
                                const std::string& name, const Fill& fill) {
  auto session = context.OpenSession(name);
  if (!session.ok()) return session.status();
  v1::ChangeActionsRequest request;
  request.mutable_action_ids()->Add(options.action_ids.begin(), options.action_ids.end());
  request.set_all(options.all);
  absl::Status filled = fill(context, options, request);
  if (!filled.ok()) return filled;
  // Last of all, so that it counts from now.
  const auto frame = options.at.Resolve(context);
  if (!frame.ok()) return frame.status();
  if (frame->has_value()) request.set_frame(**frame);
  const auto response = client::ChangeActions(**session, request);
  if (!response.ok()) return response.status();
  std::string words = response->reports().empty()
                          ? "nothing plays\n"
                          : absl::StrFormat("from frame %d on:\n", response->frame());
  for (const v1::ActionReport& report : response->reports()) words += DescribeReport(report);
  context.Answer(*response, words);
  return ExitCode::kOk;
}

// A command whose options are still to be added, but for those that all have.
CLI::App* AddChange(Context& context, const std::string& name, const std::string& description,
                    const std::string& examples, const std::shared_ptr<ChangeOptions>& options,
                    Fill fill) {
  CLI::App* const command = context.AddCommand(
      name, description,
      absl::StrCat(examples,
                   "Actions belong to a session: use this inside `rtmixctl lease`, or with "
                   "--session-token.\n"),
      nullptr);
  command->callback([&context, options, name, fill = std::move(fill)] {
    if (options->action_ids.empty() && !options->all) throw CLI::RequiredError("ACTION or --all");
    context.SetCommand(
        [options, name, fill](Context& c) { return Change(c, *options, name, fill); });
  });
  return command;
}

void AddTargets(CLI::App& command, ChangeOptions& options) {
  auto* const ids = command.add_option("ACTION", options.action_ids, "Ids of plays");
  command.add_flag("--all", options.all, "All plays of the session that are not over")
      ->excludes(ids);
  options.at.AddTo(command);
}

}  // namespace

void AddChangeCommands(Context& context) {
  auto gain = std::make_shared<ChangeOptions>();
  CLI::App* const gain_command =
      AddChange(context, "gain", "Change the gain of plays, now or at a frame",
                "  rtmixctl gain 0.5 a17 --fade 200ms\n"
                "  rtmixctl gain 0 --all --at 480000 --fade 4800:equal-power\n",
                gain,
                [](Context& c, const ChangeOptions& options,
                   v1::ChangeActionsRequest& request) -> absl::Status {
                  request.mutable_gain()->set_gain(options.gain);
                  if (!options.fade.has_value()) return absl::OkStatus();
                  const auto fade = ResolveFade(c, *options.fade);
                  if (fade.ok()) *request.mutable_gain()->mutable_fade() = *fade;
                  return fade.status();
                });
  gain_command->add_option("FACTOR", gain->gain, "Linear: 1 changes nothing, 0 is silence")
      ->required()
      ->type_name("FACTOR")
      ->check(Number(-1e6, 1e6, "factor"));
  AddTargets(*gain_command, *gain);
  AddFade(*gain_command, "--fade",
          "Get there in so many frames (480) or so much time (10ms, 1.5s), SHAPE linear or "
          "equal-power; at once without it",
          gain->fade);

  auto pause = std::make_shared<ChangeOptions>();
  CLI::App* const pause_command = AddChange(
      context, "pause", "Let plays stand still, now or at a frame",
      "  rtmixctl pause a17 a18 --at 480000\n  rtmixctl pause --all\n", pause,
      [](Context& /*c*/, const ChangeOptions& /*options*/, v1::ChangeActionsRequest& request) {
        request.mutable_pause();
        return absl::OkStatus();
      });
  AddTargets(*pause_command, *pause);

  auto resume = std::make_shared<ChangeOptions>();
  CLI::App* const resume_command = AddChange(
      context, "resume", "Let plays that stand still go on where they were",
      "  rtmixctl resume a17 a18 --at 528000\n  rtmixctl resume --all\n", resume,
      [](Context& /*c*/, const ChangeOptions& /*options*/, v1::ChangeActionsRequest& request) {
        request.mutable_resume();
        return absl::OkStatus();
      });
  AddTargets(*resume_command, *resume);

  auto leave = std::make_shared<ChangeOptions>();
  CLI::App* const leave_command = AddChange(
      context, "leave-loop", "Let plays go on behind their loop, after the pass that sounds",
      "  rtmixctl leave-loop a17\n  rtmixctl leave-loop a17 --at-once --at 480000\n", leave,
      [](Context& /*c*/, const ChangeOptions& options, v1::ChangeActionsRequest& request) {
        request.mutable_leave_loop()->set_at_once(options.at_once);
        return absl::OkStatus();
      });
  AddTargets(*leave_command, *leave);
  leave_command->add_flag("--at-once", leave->at_once, "Do not wait for the end of the pass");
}

}  // namespace rtmixd::rtmixctl
