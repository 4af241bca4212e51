#include "server/rpc/device_service.h"

#include <utility>
#include <vector>

#include "server/base/error_info.h"
#include "server/rpc/call.h"
#include "server/rpc/convert_stream.h"
#include "server/rpc/page.h"
#include "server/rpc/request_check.h"

namespace rtmixd {

grpc::ServerUnaryReactor* DeviceService::ListHostApis(grpc::CallbackServerContext* context,
                                                      const v1::ListHostApisRequest* request,
                                                      v1::ListHostApisResponse* response) {
  if (absl::Status status = CheckRequest(*request); !status.ok()) return Reply(context, status);
  return ReplyLater(context, engine_, [&](const FinishCallback& finish) {
    engine_.ListHostApis(
        [response, finish](const absl::StatusOr<std::vector<HostApiInfo>>& host_apis) {
          if (host_apis.ok()) {
            for (const HostApiInfo& host_api : *host_apis)
              *response->add_host_apis() = ToProto(host_api);
          }
          finish(host_apis.status());
        });
    return kNoWait;
  });
}

grpc::ServerUnaryReactor* DeviceService::ListDevices(grpc::CallbackServerContext* context,
                                                     const v1::ListDevicesRequest* request,
                                                     v1::ListDevicesResponse* response) {
  if (absl::Status status = CheckRequest(*request); !status.ok()) return Reply(context, status);
  return ReplyLater(context, engine_, [&](const FinishCallback& finish) {
    engine_.ListDevices(
        [request, response, finish](const absl::StatusOr<std::vector<DeviceInfo>>& devices) {
          if (!devices.ok()) return finish(devices.status());
          const absl::StatusOr<Page> page = MakePage(request->page_size(), request->page_token(),
                                                     static_cast<int64_t>(devices->size()));
          if (!page.ok()) return finish(page.status());
          for (int64_t i = page->begin; i < page->end; ++i)
            *response->add_devices() = ToProto((*devices)[i]);
          response->set_next_page_token(page->next_page_token);
          finish(absl::OkStatus());
        });
    return kNoWait;
  });
}

grpc::ServerUnaryReactor* DeviceService::CheckSettings(grpc::CallbackServerContext* context,
                                                       const v1::CheckSettingsRequest* request,
                                                       v1::CheckSettingsResponse* /*response*/) {
  if (absl::Status status = CheckRequest(*request); !status.ok()) return Reply(context, status);
  const absl::StatusOr<StreamSettings> settings = FromProto(request->settings(), "settings");
  if (!settings.ok()) return Reply(context, settings.status());
  return ReplyLater(context, engine_, [&](FinishCallback finish) {
    engine_.CheckSettings(*settings, [finish = std::move(finish)](const absl::Status& status) {
      finish(PrefixField(status, "settings."));
    });
    return kNoWait;
  });
}

}  // namespace rtmixd
