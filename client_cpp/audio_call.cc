#include "client_cpp/audio_call.h"

#include <grpcpp/support/client_callback.h>

#include <utility>

namespace rtmixd::client {
namespace {

struct PlayWire {
  using Request = v1::PlayRequest;
  using Response = v1::PlayResponse;

  static void Start(v1::AudioService::Stub& stub, grpc::ClientContext* context,
                    grpc::ClientBidiReactor<Request, Response>* reactor) {
    stub.async()->Play(context, reactor);
  }
  static void Encode(v1::DuplexRequest message, Request& request) {
    switch (message.message_case()) {
      case v1::DuplexRequest::kConfig:
        request.mutable_config()->Swap(message.mutable_config()->mutable_play());
        break;
      case v1::DuplexRequest::kAudio:
        request.mutable_audio()->Swap(message.mutable_audio());
        break;
      case v1::DuplexRequest::kFlush:
        request.mutable_flush();
        break;
      case v1::DuplexRequest::kIdle:
        request.mutable_idle();
        break;
      default:
        request.mutable_end_of_sound();
        break;
    }
  }
  static void Decode(Response& response, v1::DuplexResponse& message) {
    switch (response.message_case()) {
      case Response::kOpened:
        message.mutable_opened()->mutable_play()->Swap(response.mutable_opened());
        break;
      case Response::kProgress:
        message.mutable_play_progress()->Swap(response.mutable_progress());
        break;
      case Response::kReport:
        message.mutable_play_report()->Swap(response.mutable_report());
        break;
      case Response::MESSAGE_NOT_SET:
        break;
    }
  }
};

struct RecordWire {
  using Request = v1::RecordRequest;
  using Response = v1::RecordResponse;

  static void Start(v1::AudioService::Stub& stub, grpc::ClientContext* context,
                    grpc::ClientBidiReactor<Request, Response>* reactor) {
    stub.async()->Record(context, reactor);
  }
  static void Encode(v1::DuplexRequest message, Request& request) {
    switch (message.message_case()) {
      case v1::DuplexRequest::kConfig:
        request.mutable_config()->Swap(message.mutable_config()->mutable_record());
        break;
      case v1::DuplexRequest::kGrant:
        request.mutable_grant()->Swap(message.mutable_grant());
        break;
      default:
        request.mutable_stop()->Swap(message.mutable_stop());
        break;
    }
  }
  static void Decode(Response& response, v1::DuplexResponse& message) {
    switch (response.message_case()) {
      case Response::kOpened:
        message.mutable_opened()->mutable_record()->Swap(response.mutable_opened());
        break;
      case Response::kAudio:
        message.mutable_audio()->Swap(response.mutable_audio());
        break;
      case Response::kGap:
        message.mutable_gap()->Swap(response.mutable_gap());
        break;
      case Response::kProgress:
        message.mutable_record_progress()->Swap(response.mutable_progress());
        break;
      case Response::kReport:
        message.mutable_record_report()->Swap(response.mutable_report());
        break;
      case Response::MESSAGE_NOT_SET:
        break;
    }
  }
};

struct DuplexWire {
  using Request = v1::DuplexRequest;
  using Response = v1::DuplexResponse;

  static void Start(v1::AudioService::Stub& stub, grpc::ClientContext* context,
                    grpc::ClientBidiReactor<Request, Response>* reactor) {
    stub.async()->Duplex(context, reactor);
  }
  static void Encode(v1::DuplexRequest message, Request& request) { request.Swap(&message); }
  static void Decode(Response& response, v1::DuplexResponse& message) { message.Swap(&response); }
};

template <typename Wire>
class ReactorCall final
    : public AudioCall,
      public grpc::ClientBidiReactor<typename Wire::Request, typename Wire::Response> {
 public:
  ReactorCall(std::shared_ptr<const Stubs> stubs, const std::string& token, Listener* listener)
      : stubs_(std::move(stubs)), listener_(listener) {
    // The listener watches for silence, which a deadline for the whole call cannot.
    Client::Prepare(token, absl::InfiniteDuration(), context_);
  }

  void Begin(v1::DuplexConfig config) {
    Wire::Start(*stubs_->audio, &context_, this);
    // Sends may come from outside of reactions until reading has ended.
    this->AddHold();
    this->StartCall();
    this->StartRead(&response_);
    v1::DuplexRequest first;
    first.mutable_config()->Swap(&config);
    Send(std::move(first));
  }

  void Send(v1::DuplexRequest message) override {
    request_.Clear();
    Wire::Encode(std::move(message), request_);
    this->StartWrite(&request_);
  }

  void Cancel() override { context_.TryCancel(); }

  void OnReadDone(bool ok) override {
    if (!ok) {
      listener_->OnReadEnd();
      this->RemoveHold();
      return;
    }
    v1::DuplexResponse message;
    Wire::Decode(response_, message);
    response_.Clear();
    listener_->OnMessage(std::move(message));
    this->StartRead(&response_);
  }

  void OnWriteDone(bool ok) override {
    // A failed write is followed by the end of reading.
    if (ok) listener_->OnSent();
  }

  void OnDone(const grpc::Status& status) override { listener_->OnDone(status); }

 private:
  const std::shared_ptr<const Stubs> stubs_;
  Listener* const listener_;
  grpc::ClientContext context_;
  Wire::Request request_;
  Wire::Response response_;
};

template <typename Wire>
std::unique_ptr<AudioCall> StartCall(std::shared_ptr<const Stubs> stubs, const std::string& token,
                                     v1::DuplexConfig config, AudioCall::Listener* listener) {
  auto call = std::make_unique<ReactorCall<Wire>>(std::move(stubs), token, listener);
  call->Begin(std::move(config));
  return call;
}

}  // namespace

std::unique_ptr<AudioCall> AudioCall::Start(Kind kind, std::shared_ptr<const Stubs> stubs,
                                            const std::string& token, v1::DuplexConfig config,
                                            Listener* listener) {
  switch (kind) {
    case Kind::kPlay:
      return StartCall<PlayWire>(std::move(stubs), token, std::move(config), listener);
    case Kind::kRecord:
      return StartCall<RecordWire>(std::move(stubs), token, std::move(config), listener);
    case Kind::kDuplex:
      return StartCall<DuplexWire>(std::move(stubs), token, std::move(config), listener);
  }
  return nullptr;
}

}  // namespace rtmixd::client
