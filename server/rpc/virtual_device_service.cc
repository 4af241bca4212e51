#include "server/rpc/virtual_device_service.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/base/error_info.h"
#include "server/rpc/call.h"
#include "server/rpc/convert_stream.h"

namespace rtmixd {
namespace {

constexpr int kMaxFaults = 10000;

}  // namespace

grpc::ServerUnaryReactor* VirtualDeviceService::LoadScript(grpc::CallbackServerContext* context,
                                                           const v1::LoadScriptRequest* request,
                                                           v1::LoadScriptResponse* /*response*/) {
  const absl::StatusOr<std::string> session = BeginCall(engine_, *context, *request);
  if (!session.ok()) return Reply(context, session.status());
  if (request->faults().empty() || request->faults_size() > kMaxFaults) {
    return Reply(context, BadField("faults", absl::StrCat(request->faults_size(), " entries"),
                                   absl::StrCat("1 to ", kMaxFaults)));
  }
  std::vector<ScriptedFault> faults;
  faults.reserve(request->faults_size());
  for (int i = 0; i < request->faults_size(); ++i) {
    absl::StatusOr<ScriptedFault> fault =
        FromProto(request->faults(i), absl::StrCat("faults[", i, "]"));
    if (!fault.ok()) return Reply(context, fault.status());
    faults.push_back(*fault);
  }
  return Reply(context, engine_.LoadScript(*session, faults));
}

}  // namespace rtmixd
