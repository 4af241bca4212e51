#ifndef RTMIXD_SERVER_RPC_AUDIO_CALL_H_
#define RTMIXD_SERVER_RPC_AUDIO_CALL_H_

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "server/control/change_signal.h"
#include "server/control/engine.h"
#include "server/rpc/audio_message.h"
#include "server/rpc/call.h"
#include "server/rpc/request_check.h"
#include "server/rpc/status_mapping.h"
#include "server/rpc/stream_halves.h"
#include "server/rpc/write_pump.h"

namespace rtmixd {

// What the bidirectional audio calls have in common: configuration first, messages checked and
// handed on one by one, a WritePump for the answers, ticks for progress, and the end of the
// client's sending told apart from a broken connection. To gRPC 1.51 both look like a failed read;
// a broken call is cancelled as well, at once or very soon after. So the end is believed only when
// the call is still whole at the tick after next.
//
// Threading: gRPC's threads for reads; whoever kicks the pump for writes. Deletes itself in OnDone,
// which gRPC calls after every other reaction, never from inside a call of ours.
template <typename Request, typename Response>
class AudioCall : public grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer> {
 public:
  AudioCall(Engine& engine, grpc::CallbackServerContext* context)
      : engine_(engine),
        context_(context),
        pump_({.next = [this](grpc::ByteBuffer* response,
                              std::optional<absl::Status>* end) { return Next(response, end); },
               .write = [this](const grpc::ByteBuffer* response) { StartWrite(response); },
               .finish = [this](const absl::Status& status) { Finish(ToGrpcStatus(status)); }}) {}

  // Call once the object is whole. `ticks` comes every kProgressCheckInterval.
  void Begin(ChangeSignal& ticks) {
    StartSendInitialMetadata();
    absl::StatusOr<std::string> session = RequireSession(engine_, *context_);
    if (!session.ok()) return pump_.Fail(session.status());
    session_id_ = *std::move(session);
    ticks_ = ticks.Subscribe([this] { Tick(); });
    StartRead(received_.buffer());
  }

  void OnReadDone(bool ok) final {
    if (!ok) {
      if (open_.load(std::memory_order_relaxed)) Closing();
      closed_.store(true, std::memory_order_release);
      if (!open_.load(std::memory_order_relaxed)) {
        pump_.Fail(OutOfOrder("message", "a configuration before the end of sending"));
      }
      return;
    }
    if (absl::Status status = Handle(); !status.ok()) return pump_.Fail(status);
    StartRead(received_.buffer());
  }
  void OnWriteDone(bool ok) final { pump_.Wrote(ok); }
  void OnCancel() final { pump_.Fail(absl::CancelledError("the call was cancelled or broke off")); }
  void OnDone() final {
    ticks_ = nullptr;
    delete this;
  }

 protected:
  // Opens what the first message, a configuration, asks for.
  virtual absl::Status Open(Request& request) = 0;
  // Handles a message after the configuration.
  virtual absl::Status Continue(Request& request) = 0;
  // The same, where it is audio; null for calls to which no audio comes.
  virtual PlayHalf* play() = 0;
  virtual bool IsConfig(const Request& request) const = 0;
  // The client has stopped sending, or is gone.
  virtual void Closing() {}
  // The client has stopped sending.
  virtual void Closed() = 0;
  // Fills in the first answer, which tells what was opened.
  virtual void TellOpened(Response* response) = 0;
  // Puts into `response` what there is to be said; false if that is nothing.
  virtual bool Tell(grpc::ByteBuffer* response) = 0;
  // The last report was put into a response.
  virtual bool reported() const = 0;

  ChangeCallback OnChange() {
    return [this] { pump_.Kick(); };
  }
  Engine& engine() { return engine_; }
  const std::string& session_id() const { return session_id_; }
  // True once Open has succeeded; acquire.
  bool open() const { return open_.load(std::memory_order_acquire); }

 private:
  absl::Status Handle() {
    const bool opened = open_.load(std::memory_order_relaxed);
    if (opened && play() != nullptr && received_.LooksLikeAudio()) {
      return play()->Audio(received_.position(), received_.samples());
    }
    absl::Status status = Parse(std::as_const(received_).buffer(), &request_);
    if (status.ok()) status = CheckRequest(request_);
    if (!status.ok()) return status;
    const bool is_config = IsConfig(request_);
    if (opened) {
      if (is_config) return OutOfOrder("config", "once, as the first message");
      return Continue(request_);
    }
    if (!is_config) return OutOfOrder("message", "config as the first message");
    if (absl::Status status = Open(request_); !status.ok()) return status;
    open_.store(true, std::memory_order_release);
    pump_.Kick();
    return absl::OkStatus();
  }

  bool Next(grpc::ByteBuffer* response, std::optional<absl::Status>* end) {
    if (!open()) return false;
    if (!told_open_) {
      told_open_ = true;
      Response opened;
      TellOpened(&opened);
      *response = Serialize(opened);
      return true;
    }
    if (reported()) {
      *end = absl::OkStatus();
      return false;
    }
    return Tell(response);
  }

  void Tick() {
    if (open() && closed_.load(std::memory_order_acquire) && !context_->IsCancelled() &&
        ++ticks_since_closed_ == 2) {
      Closed();
    }
    pump_.Kick();
  }

  Engine& engine_;
  grpc::CallbackServerContext* const context_;
  std::string session_id_;
  ReceivedMessage received_;
  Request request_;
  std::atomic<bool> open_{false};
  std::atomic<bool> closed_{false};
  int ticks_since_closed_ = 0;  // of the ticks only
  bool told_open_ = false;      // of the pump only
  std::unique_ptr<ChangeSignal::Subscription> ticks_;
  WritePump<grpc::ByteBuffer> pump_;
};

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_RPC_AUDIO_CALL_H_
