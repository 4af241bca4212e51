#include <memory>
#include <string>

#include "absl/strings/str_format.h"
#include "client_cpp/rtmixctl/commands.h"
#include "client_cpp/rtmixctl/json.h"

namespace rtmixd::rtmixctl {
namespace {

absl::StatusOr<ExitCode> Script(Context& context, const std::string& path, bool from_now) {
  auto text = ReadTextFile(path);
  if (!text.ok()) return text.status();
  v1::LoadScriptRequest request;
  absl::Status parsed = FromJson(*text, path, request);
  if (!parsed.ok()) return parsed;
  auto session = context.OpenSession("script");
  if (!session.ok()) return session.status();
  if (from_now) {
    auto stream = context.Stream();
    if (!stream.ok()) return stream.status();
    for (v1::Fault& fault : *request.mutable_faults()) {
      fault.set_frame(fault.frame() + stream->next_frame());
    }
  }
  auto response = (*session)->client().Call(&client::Stubs::virtual_device,
                                            &v1::VirtualDeviceService::Stub::LoadScript, request,
                                            (*session)->call());
  if (!response.ok()) return response.status();
  context.Answer(*response, absl::StrFormat("%d faults will happen\n", request.faults_size()));
  return ExitCode::kOk;
}

}  // namespace

void AddScriptCommand(Context& context) {
  auto path = std::make_shared<std::string>();
  auto from_now = std::make_shared<bool>(false);
  CLI::App* const script =
      context.AddCommand("script", "Make the virtual device misbehave: a LoadScriptRequest in JSON",
                         "  echo '{\"faults\": [{\"kind\": \"FAULT_KIND_LOSE_OUTPUT\", \"frame\": "
                         "48000, \"frames\": 64}]}' |\n"
                         "    rtmixctl script - --from-now\n",
                         [path, from_now](Context& c) { return Script(c, *path, *from_now); });
  script->add_option("FILE", *path, "The script; - is stdin")->required();
  script->add_flag("--from-now", *from_now, "Frames count from now instead of from the stream's 0");
}

}  // namespace rtmixd::rtmixctl
