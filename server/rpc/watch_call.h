#ifndef RTMIXD_SERVER_RPC_WATCH_CALL_H_
#define RTMIXD_SERVER_RPC_WATCH_CALL_H_

#include <grpcpp/support/server_callback.h>

#include <memory>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/base/error_info.h"
#include "server/control/engine.h"
#include "server/rpc/periodic_alarm.h"
#include "server/rpc/status_mapping.h"
#include "server/rpc/write_pump.h"

namespace rtmixd {

// A call that tells the client something again and again: clock, meters, events, actions. It counts
// against max_watch_streams, wakes when there is something new and at an interval, and sends what
// `Next` says.
//
// Threading: as WritePump. Deletes itself in OnDone.
template <typename Response>
class WatchCall : public grpc::ServerWriteReactor<Response> {
 public:
  explicit WatchCall(Engine& engine)
      : engine_(engine),
        pump_(
            {.next = [this](Response* response,
                            std::optional<absl::Status>* end) { return NextOrEnd(response, end); },
             .write = [this](const Response* response) { this->StartWrite(response); },
             .finish =
                 [this](const absl::Status& status) { this->Finish(ToGrpcStatus(status)); }}) {}

  // Call once the object is whole. `status`: what was found wrong with the request, if anything.
  void Begin(const absl::Status& status, absl::Duration interval) {
    this->StartSendInitialMetadata();
    if (!status.ok()) return pump_.Fail(status);
    const absl::Status subscribed = Subscribe([this] { pump_.Kick(); });
    if (!subscribed.ok()) return pump_.Fail(subscribed);
    alarm_ = PeriodicAlarm::Start(interval, [this] {
      OnInterval();
      pump_.Kick();
    });
    pump_.Kick();
  }

  void OnWriteDone(bool ok) final { pump_.Wrote(ok); }
  void OnCancel() final { pump_.Fail(absl::CancelledError("the call was cancelled or broke off")); }
  void OnDone() final {
    if (alarm_ != nullptr) alarm_->Stop();
    if (watch_.has_value()) engine_.Unwatch(*watch_);
    delete this;
  }

 protected:
  Engine& engine() { return engine_; }

 private:
  // Fills the next message; false if there is nothing to say now.
  virtual bool Next(Response* response) = 0;
  // The interval has passed; Next is called after it.
  virtual void OnInterval() = 0;
  // Has the call woken when there may be something new: when events were added, unless overridden.
  virtual absl::Status Subscribe(ChangeCallback on_change) {
    absl::StatusOr<Engine::WatchId> watch = engine_.Watch(std::move(on_change));
    if (watch.ok()) watch_ = *watch;
    return watch.status();
  }
  // After a Next that had nothing to say: why it never will; OK if it may.
  virtual absl::Status Over() { return absl::OkStatus(); }

  bool NextOrEnd(Response* response, std::optional<absl::Status>* end) {
    if (Next(response)) return true;
    if (absl::Status over = Over(); !over.ok()) {
      *end = std::move(over);
    } else if (engine_.stopped()) {
      *end = MakeError(absl::StatusCode::kUnavailable, {.reason = ErrorReason::kShuttingDown},
                       "the server is stopping");
    }
    return false;
  }

  Engine& engine_;
  std::optional<Engine::WatchId> watch_;
  std::shared_ptr<PeriodicAlarm> alarm_;
  WritePump<Response> pump_;
};

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_RPC_WATCH_CALL_H_
