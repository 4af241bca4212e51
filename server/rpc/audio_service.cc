#include "server/rpc/audio_service.h"

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "server/base/error_info.h"
#include "server/rpc/audio_call.h"
#include "server/rpc/convert_action.h"

namespace rtmixd {
namespace {

absl::Status MessageNotSet() { return BadField("message", "not set", "one of its fields"); }

// Hands a message of Play or Duplex to its play half; absent if it is not for that.
template <typename Request>
std::optional<absl::Status> HandToPlay(const Request& request, PlayHalf& play) {
  switch (request.message_case()) {
    case Request::kAudio:
      return play.Audio(request.audio());
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

// Puts what a half has to say into a response; false if that is nothing.
template <typename Response>
bool TellPlay(PlayHalf& play, Response* response, Field<Response, v1::PlayProgress> progress,
              Field<Response, v1::ActionReport> report) {
  return std::visit(Overloaded{
                        [](std::monostate) { return false; },
                        [&](v1::PlayProgress&& message) {
                          *(response->*progress)() = std::move(message);
                          return true;
                        },
                        [&](v1::ActionReport&& message) {
                          *(response->*report)() = std::move(message);
                          return true;
                        },
                    },
                    play.Next());
}

template <typename Response>
bool TellRecord(RecordHalf& record, Response* response,
                Field<Response, v1::RecordProgress> progress,
                Field<Response, v1::ActionReport> report) {
  return std::visit(Overloaded{
                        [](std::monostate) { return false; },
                        [&](v1::AudioChunk&& message) {
                          *response->mutable_audio() = std::move(message);
                          return true;
                        },
                        [&](v1::Gap&& message) {
                          *response->mutable_gap() = std::move(message);
                          return true;
                        },
                        [&](v1::RecordProgress&& message) {
                          *(response->*progress)() = std::move(message);
                          return true;
                        },
                        [&](v1::ActionReport&& message) {
                          *(response->*report)() = std::move(message);
                          return true;
                        },
                    },
                    record.Next());
}

// Of Record and StreamRecording, which call their fields the same.
template <typename Response>
bool TellRecord(RecordHalf& record, Response* response) {
  return TellRecord(record, response, &Response::mutable_progress, &Response::mutable_report);
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
  bool Tell(v1::PlayResponse* response) override {
    return TellPlay(*play_, response, &v1::PlayResponse::mutable_progress,
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
  bool Tell(v1::RecordResponse* response) override { return TellRecord(*record_, response); }
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
  bool Tell(v1::DuplexResponse* response) override {
    return TellPlay(*play_, response, &v1::DuplexResponse::mutable_play_progress,
                    &v1::DuplexResponse::mutable_play_report) ||
           TellRecord(*record_, response, &v1::DuplexResponse::mutable_record_progress,
                      &v1::DuplexResponse::mutable_record_report);
  }
  bool reported() const override { return play_->reported() && record_->reported(); }

  std::optional<PlayHalf> play_;
  std::optional<RecordHalf> record_;
  bool record_has_length_ = false;
};

// Record without a sending half.
class StreamRecordingCall final : public grpc::ServerWriteReactor<v1::StreamRecordingResponse> {
 public:
  StreamRecordingCall(Engine& engine, grpc::CallbackServerContext* context,
                      const v1::StreamRecordingRequest& request)
      : pump_(
            {.next = [this](v1::StreamRecordingResponse* response,
                            std::optional<absl::Status>* end) { return Next(response, end); },
             .write = [this](const v1::StreamRecordingResponse* response) { StartWrite(response); },
             .finish = [this](const absl::Status& status) { Finish(ToGrpcStatus(status)); }}) {
    StartSendInitialMetadata();
    if (absl::Status status = Open(engine, *context, request); !status.ok()) {
      pump_.Fail(status);
      return;
    }
    open_.store(true, std::memory_order_release);
    alarm_ = PeriodicAlarm::Start(kProgressCheckInterval, [this] { pump_.Kick(); });
    pump_.Kick();
  }

  void OnWriteDone(bool ok) override { pump_.Wrote(ok); }
  void OnCancel() override {
    pump_.Fail(absl::CancelledError("the call was cancelled or broke off"));
  }
  void OnDone() override {
    if (alarm_ != nullptr) alarm_->Stop();
    delete this;
  }

 private:
  absl::Status Open(Engine& engine, const grpc::CallbackServerContext& context,
                    const v1::StreamRecordingRequest& request) {
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

  bool Next(v1::StreamRecordingResponse* response, std::optional<absl::Status>* end) {
    if (!open_.load(std::memory_order_acquire)) return false;
    if (!told_open_) {
      told_open_ = true;
      *response->mutable_opened() = record_->Opened();
      return true;
    }
    if (record_->reported()) {
      *end = absl::OkStatus();
      return false;
    }
    return TellRecord(*record_, response);
  }

  WritePump<v1::StreamRecordingResponse> pump_;
  std::atomic<bool> open_{false};
  std::shared_ptr<PeriodicAlarm> alarm_;
  std::optional<RecordHalf> record_;
  bool told_open_ = false;
};

template <typename Call>
Call* BeginAudioCall(Engine& engine, grpc::CallbackServerContext* context) {
  auto* call = new Call(engine, context);
  call->Begin();
  return call;
}

}  // namespace

grpc::ServerBidiReactor<v1::PlayRequest, v1::PlayResponse>* AudioService::Play(
    grpc::CallbackServerContext* context) {
  return BeginAudioCall<PlayCall>(engine_, context);
}

grpc::ServerBidiReactor<v1::RecordRequest, v1::RecordResponse>* AudioService::Record(
    grpc::CallbackServerContext* context) {
  return BeginAudioCall<RecordCall>(engine_, context);
}

grpc::ServerBidiReactor<v1::DuplexRequest, v1::DuplexResponse>* AudioService::Duplex(
    grpc::CallbackServerContext* context) {
  return BeginAudioCall<DuplexCall>(engine_, context);
}

grpc::ServerWriteReactor<v1::StreamRecordingResponse>* AudioService::StreamRecording(
    grpc::CallbackServerContext* context, const v1::StreamRecordingRequest* request) {
  return new StreamRecordingCall(engine_, context, *request);
}

}  // namespace rtmixd
