#include "server/rpc/server_info_service.h"

#include <unistd.h>

#include <array>
#include <string>

#include "server/rpc/call.h"
#include "server/rpc/convert_session.h"
#include "server/rpc/convert_time.h"
#include "server/rpc/request_check.h"
#include "server/rpc/version.h"

namespace rtmixd {
namespace {

std::string HostName() {
  std::array<char, 256> name{};
  if (gethostname(name.data(), name.size() - 1) != 0) return "";
  return name.data();
}

}  // namespace

grpc::ServerUnaryReactor* ServerInfoService::GetServerInfo(grpc::CallbackServerContext* context,
                                                           const v1::GetServerInfoRequest* request,
                                                           v1::GetServerInfoResponse* response) {
  if (absl::Status status = CheckRequest(*request); !status.ok()) return Reply(context, status);
  response->set_instance_id(engine_.instance_id());
  response->set_server_version(kServerVersion);
  response->set_api_version("v1");
  response->set_host_name(HostName());
  *response->mutable_start_time() = ToProto(engine_.start_time());
  for (const std::string& feature : engine_.features()) response->add_features(feature);
  *response->mutable_limits() = ToProto(engine_.limits());
  if (spool_ != nullptr) *response->mutable_spool() = spool_->status();
  return Reply(context, absl::OkStatus());
}

}  // namespace rtmixd
