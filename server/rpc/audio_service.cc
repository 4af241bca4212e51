#include "server/rpc/audio_service.h"

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "server/base/error_info.h"
#include "server/rpc/audio_call.h"
#include "server/rpc/audio_message.h"
#include "server/rpc/convert_action.h"

namespace rtmixd {
namespace {

absl::Status MessageNotSet() { return BadField("message", "not set", "one of its fields"); }

// Hands a message of Play or Duplex to its play half; absent if it is not for that.
template <typename Request>
std::optional<absl::Status> HandToPlay(const Request& request, PlayHalf& play) {
  switch (request.message_case()) {
    case Request::kAudio:
      return play.Audio(request.audio().position(), request.audio().data());
    case Request::kFlush:
      return play.Flush();
    case Request::kIdle:
      return play.Idle();
    case Request::kEndOfSound:
      return play.EndOfSound();
    default:
      return std::nullopt;
  }
}

// The same for Record or Duplex and the record half.
template <typename Request>
std::optional<absl::Status> HandToRecord(const Request& request, RecordHalf& record) {
  switch (request.message_case()) {
    case Request::kGrant:
      return PrefixField(record.Grant(request.grant()), "grant.");
    case Request::kStop:
      return PrefixField(record.Stop(request.stop()), "stop.");
    default:
      return std::nullopt;
  }
}

template <typename... Functions>
struct Overloaded : Functions... {
  using Functions::operator()...;
};
template <typename... Functions>
Overloaded(Functions...) -> Overloaded<Functions...>;

// Where a response holds what a field of it is called in this call: `&Response::mutable_report`.
template <typename Response, typename Message>
using Field = Message* (Response::*)();

// Puts what a half has to say into a message; false if that is nothing.
template <typename Response>
bool TellPlay(PlayHalf& play, grpc::ByteBuffer* message, Field<Response, v1::PlayProgress> progress,
              Field<Response, v1::ActionReport> report) {
  Response response;
  return std::visit(Overloaded{
                        [](std::monostate) { return false; },
                        [&](v1::PlayProgress&& item) {
                          *(response.*progress)() = std::move(item);
                          *message = Serialize(response);
                          return true;
                        },
                        [&](v1::ActionReport&& item) {
                          *(response.*report)() = std::move(item);
                          *message = Serialize(response);
                          return true;
                        },
                    },
                    play.Next());
}

template <typename Response>
bool TellRecord(RecordHalf& record, grpc::ByteBuffer* message,
                Field<Response, v1::RecordProgress> progress,
                Field<Response, v1::ActionReport> report) {
  Response response;
  return std::visit(Overloaded{
                        [](std::monostate) { return false; },
                        [&](RecordStream::Chunk&& item) {
                          *message = AudioMessage(item.position, std::move(item.bytes));
                          return true;
                        },
                        [&](v1::Gap&& item) {
                          *response.mutable_gap() = std::move(item);
                          *message = Serialize(response);
                          return true;
                        },
                        [&](v1::RecordProgress&& item) {
                          *(response.*progress)() = std::move(item);
                          *message = Serialize(response);
                          return true;
                        },
                        [&](v1::ActionReport&& item) {
                          *(response.*report)() = std::move(item);
                          *message = Serialize(response);
                          return true;
                        },
                    },
                    record.Next());
}

// Of Record and StreamRecording, which call their fields the same.
template <typename Response>
bool TellRecord(RecordHalf& record, grpc::ByteBuffer* message) {
  return TellRecord<Response>(record, message, &Response::mutable_progress,
                              &Response::mutable_report);
}

class PlayCall final : public AudioCall<v1::PlayRequest, v1::PlayResponse> {
 public:
  using AudioCall::AudioCall;

 private:
  bool IsConfig(const v1::PlayRequest& request) const override { return request.has_config(); }

  absl::Status Open(v1::PlayRequest& request) override {
    const absl::StatusOr<PlayStreamSpec> spec = FromProto(request.config(), "config");
    if (!spec.ok()) return spec.status();
    absl::StatusOr<std::unique_ptr<PlayStream>> stream =
        engine().OpenPlay(session_id(), *spec, OnChange());
    if (!stream.ok()) return PrefixField(stream.status(), "config.");
    play_.emplace(*std::move(stream));
    return absl::OkStatus();
  }

  absl::Status Continue(v1::PlayRequest& request) override {
    return HandToPlay(request, *play_).value_or(MessageNotSet());
  }
  void Closing() override { play_->MayHaveEnded(); }
  void Closed() override { (void)play_->EndOfSound(); }

  void TellOpened(v1::PlayResponse* response) override {
    *response->mutable_opened() = play_->Opened();
  }
  PlayHalf* play() override { return &*play_; }
  bool Tell(grpc::ByteBuffer* message) override {
    return TellPlay<v1::PlayResponse>(*play_, message, &v1::PlayResponse::mutable_progress,
                                      &v1::PlayResponse::mutable_report);
  }
  bool reported() const override { return play_->reported(); }

  std::optional<PlayHalf> play_;
};

class RecordCall final : public AudioCall<v1::RecordRequest, v1::RecordResponse> {
 public:
  using AudioCall::AudioCall;

 private:
  bool IsConfig(const v1::RecordRequest& request) const override { return request.has_config(); }

  absl::Status Open(v1::RecordRequest& request) override {
    const absl::StatusOr<RecordStreamSpec> spec = FromProto(request.config(), "config");
    if (!spec.ok()) return spec.status();
    absl::StatusOr<std::unique_ptr<RecordStream>> stream =
        engine().OpenRecord(session_id(), *spec, OnChange());
    if (!stream.ok()) return PrefixField(stream.status(), "config.");
    record_.emplace(*std::move(stream));
    return absl::OkStatus();
  }

  absl::Status Continue(v1::RecordRequest& request) override {
    return HandToRecord(request, *record_).value_or(MessageNotSet());
  }
  void Closed() override { (void)record_->StopNow(); }

  void TellOpened(v1::RecordResponse* response) override {
    *response->mutable_opened() = record_->Opened();
  }
  PlayHalf* play() override { return nullptr; }
  bool Tell(grpc::ByteBuffer* message) override {
    return TellRecord<v1::RecordResponse>(*record_, message);
  }
  bool reported() const override { return record_->reported(); }

  std::optional<RecordHalf> record_;
};

class DuplexCall final : public AudioCall<v1::DuplexRequest, v1::DuplexResponse> {
 public:
  using AudioCall::AudioCall;

 private:
  bool IsConfig(const v1::DuplexRequest& request) const override { return request.has_config(); }

  absl::Status Open(v1::DuplexRequest& request) override {
    const v1::DuplexConfig& config = request.config();
    const absl::StatusOr<PlayStreamSpec> play = FromProto(config.play(), "config.play");
    if (!play.ok()) return play.status();
    const absl::StatusOr<RecordStreamSpec> record = FromProto(config.record(), "config.record");
    if (!record.ok()) return record.status();
    absl::StatusOr<Engine::DuplexStream> streams =
        engine().OpenDuplex(session_id(), *play, *record, config.align_at_converters(), OnChange());
    if (!streams.ok()) return PrefixField(streams.status(), "config.");
    record_has_length_ = record->frames.has_value();
    play_.emplace(std::move(streams->play));
    record_.emplace(std::move(streams->record));
    return absl::OkStatus();
  }

  absl::Status Continue(v1::DuplexRequest& request) override {
    if (const auto status = HandToPlay(request, *play_)) return *status;
    return HandToRecord(request, *record_).value_or(MessageNotSet());
  }
  void Closing() override { play_->MayHaveEnded(); }
  void Closed() override {
    (void)play_->EndOfSound();
    if (!record_has_length_) (void)record_->StopNow();
  }

  void TellOpened(v1::DuplexResponse* response) override {
    *response->mutable_opened()->mutable_play() = play_->Opened();
    *response->mutable_opened()->mutable_record() = record_->Opened();
  }
  PlayHalf* play() override { return &*play_; }
  bool Tell(grpc::ByteBuffer* message) override {
    using Response = v1::DuplexResponse;
    return TellPlay<Response>(*play_, message, &Response::mutable_play_progress,
                              &Response::mutable_play_report) ||
           TellRecord<Response>(*record_, message, &Response::mutable_record_progress,
                                &Response::mutable_record_report);
  }
  bool reported() const override { return play_->reported() && record_->reported(); }

  std::optional<PlayHalf> play_;
  std::optional<RecordHalf> record_;
  bool record_has_length_ = false;
};

// Record without a sending half.
class StreamRecordingCall final : public grpc::ServerWriteReactor<grpc::ByteBuffer> {
 public:
  StreamRecordingCall(Engine& engine, grpc::CallbackServerContext* context,
                      const grpc::ByteBuffer& request, ChangeSignal& ticks)
      : pump_({.next = [this](grpc::ByteBuffer* response,
                              std::optional<absl::Status>* end) { return Next(response, end); },
               .write = [this](const grpc::ByteBuffer* response) { StartWrite(response); },
               .finish = [this](const absl::Status& status) { Finish(ToGrpcStatus(status)); }}) {
    StartSendInitialMetadata();
    if (absl::Status status = Open(engine, *context, request); !status.ok()) {
      pump_.Fail(status);
      return;
    }
    open_.store(true, std::memory_order_release);
    ticks_ = ticks.Subscribe([this] { pump_.Kick(); });
    pump_.Kick();
  }

  void OnWriteDone(bool ok) override { pump_.Wrote(ok); }
  void OnCancel() override {
    pump_.Fail(absl::CancelledError("the call was cancelled or broke off"));
  }
  void OnDone() override {
    ticks_ = nullptr;
    delete this;
  }

 private:
  absl::Status Open(Engine& engine, const grpc::CallbackServerContext& context,
                    const grpc::ByteBuffer& message) {
    v1::StreamRecordingRequest request;
    if (absl::Status status = Parse(message, &request); !status.ok()) return status;
    const absl::StatusOr<std::string> session = BeginCall(engine, context, request);
    if (!session.ok()) return session.status();
    absl::StatusOr<RecordStreamSpec> spec = FromProto(request.config(), "config");
    if (!spec.ok()) return spec.status();
    spec->grant_all = true;
    absl::StatusOr<std::unique_ptr<RecordStream>> stream =
        engine.OpenRecord(*session, *spec, [this] { pump_.Kick(); });
    if (!stream.ok()) return PrefixField(stream.status(), "config.");
    record_.emplace(*std::move(stream));
    return absl::OkStatus();
  }

  bool Next(grpc::ByteBuffer* message, std::optional<absl::Status>* end) {
    if (!open_.load(std::memory_order_acquire)) return false;
    if (!told_open_) {
      told_open_ = true;
      v1::StreamRecordingResponse response;
      *response.mutable_opened() = record_->Opened();
      *message = Serialize(response);
      return true;
    }
    if (record_->reported()) {
      *end = absl::OkStatus();
      return false;
    }
    return TellRecord<v1::StreamRecordingResponse>(*record_, message);
  }

  WritePump<grpc::ByteBuffer> pump_;
  std::atomic<bool> open_{false};
  std::unique_ptr<ChangeSignal::Subscription> ticks_;
  std::optional<RecordHalf> record_;
  bool told_open_ = false;
};

template <typename Call>
Call* BeginAudioCall(Engine& engine, grpc::CallbackServerContext* context, ChangeSignal& ticks) {
  auto* call = new Call(engine, context);
  call->Begin(ticks);
  return call;
}

}  // namespace

AudioService::AudioService(Engine& engine)
    : engine_(engine),
      alarm_(PeriodicAlarm::Start(kProgressCheckInterval, [this] { ticks_.Notify(); })) {}

AudioService::~AudioService() { alarm_->Stop(); }

AudioService::BidiReactor* AudioService::Play(grpc::CallbackServerContext* context) {
  return BeginAudioCall<PlayCall>(engine_, context, ticks_);
}

AudioService::BidiReactor* AudioService::Record(grpc::CallbackServerContext* context) {
  return BeginAudioCall<RecordCall>(engine_, context, ticks_);
}

AudioService::BidiReactor* AudioService::Duplex(grpc::CallbackServerContext* context) {
  return BeginAudioCall<DuplexCall>(engine_, context, ticks_);
}

grpc::ServerWriteReactor<grpc::ByteBuffer>* AudioService::StreamRecording(
    grpc::CallbackServerContext* context, const grpc::ByteBuffer* request) {
  return new StreamRecordingCall(engine_, context, *request, ticks_);
}

}  // namespace rtmixd
