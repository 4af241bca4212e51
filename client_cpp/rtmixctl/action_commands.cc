#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "client_cpp/action.h"
#include "client_cpp/rtmixctl/at_options.h"
#include "client_cpp/rtmixctl/commands.h"
#include "client_cpp/rtmixctl/fade_option.h"
#include "client_cpp/rtmixctl/interrupt.h"
#include "client_cpp/rtmixctl/options.h"
#include "client_cpp/rtmixctl/report_text.h"
#include "client_cpp/rtmixctl/validators.h"

namespace rtmixd::rtmixctl {
namespace {

using client::Stubs;

struct CancelOptions {
  std::vector<std::string> action_ids;
  bool all = false;
  std::optional<int64_t> frame;
  std::optional<FadeOption> fade;
};

absl::StatusOr<ExitCode> Actions(Context& context, bool active_only) {
  auto session = context.OpenSession("actions");
  if (!session.ok()) return session.status();
  v1::ListActionsResponse all;
  v1::ListActionsRequest request;
  request.set_active_only(active_only);
  do {
    auto page = (*session)->client().Call(&Stubs::actions, &v1::ActionService::Stub::ListActions,
                                          request, (*session)->call(client::kSilenceLimit, true));
    if (!page.ok()) return page.status();
    all.mutable_reports()->MergeFrom(page->reports());
    request.set_page_token(page->next_page_token());
  } while (!request.page_token().empty());
  std::string words = all.reports().empty() ? "no actions\n" : "";
  for (const v1::ActionReport& report : all.reports()) words += DescribeReport(report);
  context.Answer(all, words);
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> Wait(Context& context, const std::vector<std::string>& action_ids,
                              bool until_done, const OutcomeOptions& outcome) {
  auto session = context.OpenSession("wait");
  if (!session.ok()) return session.status();
  auto answer = client::WaitActions(
      **session, action_ids, outcome.timeout(), [] { return !Interrupt::Seen(); },
      until_done ? client::WaitFor::kDone : client::WaitFor::kEnded);
  if (!answer.ok()) return answer.status();
  auto code = context.AnswerReports(*answer, outcome.report_path,
                                    {.cancel_is_ok = true, .strict = outcome.strict});
  if (Interrupt::Seen()) return ExitCode::kInterrupted;
  return code;
}

absl::StatusOr<ExitCode> Batch(Context& context, const std::string& batch_id) {
  auto session = context.OpenSession("batch");
  if (!session.ok()) return session.status();
  const auto report = client::GetBatch(**session, batch_id);
  if (!report.ok()) return report.status();
  context.Answer(*report, DescribeBatch(*report));
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> Cancel(Context& context, const CancelOptions& options) {
  auto session = context.OpenSession("cancel");
  if (!session.ok()) return session.status();
  v1::CancelActionsRequest request;
  request.mutable_action_ids()->Add(options.action_ids.begin(), options.action_ids.end());
  request.set_all(options.all);
  if (options.frame.has_value()) request.set_frame(*options.frame);
  if (options.fade.has_value()) {
    const auto fade = ResolveFade(context, *options.fade);
    if (!fade.ok()) return fade.status();
    *request.mutable_fade() = *fade;
  }
  const auto response = client::CancelActions(**session, request);
  if (!response.ok()) return response.status();
  std::string words = response->reports().empty() ? "nothing to cancel\n" : "";
  for (const v1::ActionReport& report : response->reports()) words += DescribeReport(report);
  context.Answer(*response, words);
  return ExitCode::kOk;
}

}  // namespace

void AddActionCommands(Context& context) {
  const std::string session_note =
      "Actions belong to a session: use these inside `rtmixctl lease`, or with --session-token.\n";
  auto active_only = std::make_shared<bool>(false);
  context
      .AddCommand("actions", "What the session has scheduled, and what became of it",
                  "  rtmixctl actions --active\n" + session_note,
                  [active_only](Context& c) { return Actions(c, *active_only); })
      ->add_flag("--active", *active_only, "Leave finished ones out");

  auto batch_id = std::make_shared<std::string>();
  context
      .AddCommand(
          "batch", "What became of a batch as a whole",
          "  rtmixctl batch t-3\n  rtmixctl wait && rtmixctl batch t-3 --json\n" + session_note,
          [batch_id](Context& c) { return Batch(c, *batch_id); })
      ->add_option("BATCH", *batch_id, "Its id")
      ->required();

  auto wait_ids = std::make_shared<std::vector<std::string>>();
  auto until_done = std::make_shared<bool>(false);
  auto outcome = std::make_shared<OutcomeOptions>();
  CLI::App* const wait =
      context.AddCommand("wait", "Wait until actions have ended; all of the session without ids",
                         "  rtmixctl wait --timeout 10\n  rtmixctl wait a17 a18 --strict\n  "
                         "rtmixctl wait a17 --done\n" +
                             session_note,
                         [wait_ids, until_done, outcome](Context& c) {
                           return Wait(c, *wait_ids, *until_done, *outcome);
                         });
  wait->add_option("ACTION", *wait_ids, "Ids of actions");
  wait->add_flag("--done", *until_done,
                 "Only until their audio is over: what xruns did to them is known up to 4 s later");
  outcome->AddTo(*wait);

  auto options = std::make_shared<CancelOptions>();
  CLI::App* const cancel = context.AddCommand(
      "cancel", "End actions, now or at a frame",
      "  rtmixctl cancel a17 --frame 480000\n  rtmixctl cancel --all --fade 200ms\n" + session_note,
      nullptr);
  cancel->callback([&context, options] {
    if (options->action_ids.empty() && !options->all) throw CLI::RequiredError("ACTION or --all");
    context.SetCommand([options](Context& c) { return Cancel(c, *options); });
  });
  auto* const ids = cancel->add_option("ACTION", options->action_ids, "Ids of actions");
  cancel->add_flag("--all", options->all, "All of the session that have not ended")->excludes(ids);
  cancel->add_option("--frame,--at", options->frame, "Before this frame of the stream")
      ->type_name("FRAME")
      ->check(Frames());
  AddFade(*cancel, "--fade",
          "Plays fade to silence from there on, and end then; in so many frames (480) or so much "
          "time (10ms, 1.5s), SHAPE linear or equal-power",
          options->fade);
}

}  // namespace rtmixd::rtmixctl
