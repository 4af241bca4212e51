#include "server/rpc/clock_service.h"

#include <atomic>

#include "absl/time/time.h"
#include "server/rpc/call.h"
#include "server/rpc/convert_stream.h"
#include "server/rpc/convert_time.h"
#include "server/rpc/request_check.h"
#include "server/rpc/watch_call.h"

namespace rtmixd {
namespace {

constexpr absl::Duration kDefaultInterval = absl::Seconds(1);
constexpr absl::Duration kMinInterval = absl::Milliseconds(10);
constexpr absl::Duration kMaxInterval = absl::Seconds(10);

class StreamClockCall final : public WatchCall<v1::StreamClockResponse> {
 public:
  using WatchCall::WatchCall;

 private:
  bool Next(v1::StreamClockResponse* response) override {
    if (!due_.exchange(false)) return false;
    *response->mutable_reading() = ToProto(engine().ReadClock());
    return true;
  }
  void OnInterval() override { due_ = true; }

  std::atomic<bool> due_{true};
};

}  // namespace

grpc::ServerUnaryReactor* ClockService::GetClock(grpc::CallbackServerContext* context,
                                                 const v1::GetClockRequest* request,
                                                 v1::GetClockResponse* response) {
  if (absl::Status status = CheckRequest(*request); !status.ok()) return Reply(context, status);
  *response->mutable_reading() = ToProto(engine_.ReadClock());
  return Reply(context, absl::OkStatus());
}

grpc::ServerWriteReactor<v1::StreamClockResponse>* ClockService::StreamClock(
    grpc::CallbackServerContext* /*context*/, const v1::StreamClockRequest* request) {
  absl::Status status = CheckRequest(*request);
  absl::StatusOr<absl::Duration> interval = kDefaultInterval;
  if (status.ok() && request->has_interval()) {
    interval = FromProto(request->interval(), "interval", kMinInterval, kMaxInterval);
    status = interval.status();
  }
  auto* call = new StreamClockCall(engine_);
  call->Begin(status, interval.value_or(kDefaultInterval));
  return call;
}

}  // namespace rtmixd
