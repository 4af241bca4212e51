#include <memory>
#include <optional>
#include <string>

#include "absl/strings/str_format.h"
#include "client_cpp/rtmixctl/at_options.h"
#include "client_cpp/rtmixctl/commands.h"
#include "client_cpp/rtmixctl/fade_option.h"
#include "client_cpp/rtmixctl/validators.h"

namespace rtmixd::rtmixctl {
namespace {

using client::Stubs;

struct GainOptions {
  // Absent: tell what it is.
  std::optional<float> factor;
  std::optional<FadeOption> fade;
  AtOptions at;
};

// Fills a request to change the gain of a session or of all.
template <typename Request>
absl::Status Fill(Context& context, const GainOptions& options, Request& request) {
  request.mutable_gain()->set_gain(*options.factor);
  if (options.fade.has_value()) {
    const auto fade = ResolveFade(context, *options.fade);
    if (!fade.ok()) return fade.status();
    *request.mutable_gain()->mutable_fade() = *fade;
  }
  const auto frame = options.at.Resolve(context);
  if (frame.ok() && frame->has_value()) request.set_frame(**frame);
  return frame.status();
}

absl::StatusOr<ExitCode> SessionGain(Context& context, const GainOptions& options) {
  auto session = context.OpenSession("session-gain");
  if (!session.ok()) return session.status();
  if (!options.factor.has_value()) {
    const auto kept =
        (*session)->client().Call(&Stubs::sessions, &v1::SessionService::Stub::KeepSession,
                                  v1::KeepSessionRequest(), (*session)->call());
    if (!kept.ok()) return kept.status();
    context.Answer(kept->session(), absl::StrFormat("%g\n", kept->session().gain()));
    return ExitCode::kOk;
  }
  v1::SetSessionGainRequest request;
  absl::Status filled = Fill(context, options, request);
  if (!filled.ok()) return filled;
  const auto response = (*session)->client().Call(
      &Stubs::sessions, &v1::SessionService::Stub::SetSessionGain, request, (*session)->call());
  if (!response.ok()) return response.status();
  context.Answer(*response,
                 response->has_frame()
                     ? absl::StrFormat("%g from frame %d on\n", *options.factor, response->frame())
                     : absl::StrFormat("%g at once: no stream is open\n", *options.factor));
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> MasterGain(Context& context, const GainOptions& options) {
  if (!options.factor.has_value()) {
    const auto stream = context.Stream();
    if (!stream.ok()) return stream.status();
    context.Answer(*stream, absl::StrFormat("%g\n", stream->master_gain()));
    return ExitCode::kOk;
  }
  auto session = context.OpenSession("master-gain");
  if (!session.ok()) return session.status();
  v1::SetMasterGainRequest request;
  absl::Status filled = Fill(context, options, request);
  if (!filled.ok()) return filled;
  const auto response = (*session)->client().Call(
      &Stubs::stream, &v1::StreamService::Stub::SetMasterGain, request, (*session)->call());
  if (!response.ok()) return response.status();
  context.Answer(*response,
                 absl::StrFormat("%g from frame %d on\n", *options.factor, response->frame()));
  return ExitCode::kOk;
}

void AddOptions(CLI::App& command, GainOptions& options) {
  command
      .add_option(
          "FACTOR", options.factor,
          "Linear: 1 changes nothing, 0 is silence; without it the command tells what it is")
      ->type_name("FACTOR")
      ->check(Number(-1e6, 1e6, "factor"));
  AddFade(command, "--fade",
          "Get there in so many frames (480) or so much time (10ms, 1.5s), SHAPE linear or "
          "equal-power; at once without it",
          options.fade);
  options.at.AddTo(command);
}

}  // namespace

void AddGainCommands(Context& context) {
  auto session = std::make_shared<GainOptions>();
  AddOptions(
      *context.AddCommand("session-gain", "The gain that all plays of the session have in common",
                          "  rtmixctl session-gain\n"
                          "  rtmixctl session-gain 0.25 --fade 1s --at 480000\n"
                          "Use this inside `rtmixctl lease`, or with --session-token.\n",
                          [session](Context& c) { return SessionGain(c, *session); }),
      *session);
  auto master = std::make_shared<GainOptions>();
  AddOptions(*context.AddCommand("master-gain", "The gain of everything that sounds",
                                 "  rtmixctl master-gain\n"
                                 "  rtmixctl master-gain 0.5 --fade 200ms:equal-power\n"
                                 "It outlives the session and the stream; one that an exclusive "
                                 "session has changed is put back when that ends.\n",
                                 [master](Context& c) { return MasterGain(c, *master); }),
             *master);
}

}  // namespace rtmixd::rtmixctl
