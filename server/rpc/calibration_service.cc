#include "server/rpc/calibration_service.h"

#include <string>
#include <vector>

#include "absl/time/clock.h"
#include "server/rpc/call.h"
#include "server/rpc/convert_calibration.h"
#include "server/rpc/page.h"
#include "server/rpc/request_check.h"

namespace rtmixd {

grpc::ServerUnaryReactor* CalibrationService::SetCalibration(
    grpc::CallbackServerContext* context, const v1::SetCalibrationRequest* request,
    v1::SetCalibrationResponse* response) {
  const absl::StatusOr<std::string> session = BeginCall(engine_, *context, *request);
  if (!session.ok()) return Reply(context, session.status());
  const absl::StatusOr<LatencyMeasurementInfo> measurement =
      FromProto(request->measurement(), "measurement");
  if (!measurement.ok()) return Reply(context, measurement.status());
  const absl::StatusOr<CalibrationInfo> calibration =
      engine_.SetCalibration(*session, *measurement);
  if (!calibration.ok()) return Reply(context, calibration.status());
  *response->mutable_calibration() = ToProto(*calibration, absl::Now());
  return Reply(context, absl::OkStatus());
}

grpc::ServerUnaryReactor* CalibrationService::ListCalibrations(
    grpc::CallbackServerContext* context, const v1::ListCalibrationsRequest* request,
    v1::ListCalibrationsResponse* response) {
  if (absl::Status status = CheckRequest(*request); !status.ok()) return Reply(context, status);
  const std::vector<CalibrationInfo> calibrations = engine_.ListCalibrations();
  const absl::StatusOr<Page> page = MakePage(request->page_size(), request->page_token(),
                                             static_cast<int64_t>(calibrations.size()));
  if (!page.ok()) return Reply(context, page.status());
  const absl::Time now = absl::Now();
  for (int64_t i = page->begin; i < page->end; ++i) {
    *response->add_calibrations() = ToProto(calibrations[i], now);
  }
  response->set_next_page_token(page->next_page_token);
  return Reply(context, absl::OkStatus());
}

grpc::ServerUnaryReactor* CalibrationService::DeleteCalibration(
    grpc::CallbackServerContext* context, const v1::DeleteCalibrationRequest* request,
    v1::DeleteCalibrationResponse* /*response*/) {
  const absl::StatusOr<std::string> session = BeginCall(engine_, *context, *request);
  if (!session.ok()) return Reply(context, session.status());
  return Reply(context, engine_.DeleteCalibration(*session, request->calibration_id()));
}

}  // namespace rtmixd
