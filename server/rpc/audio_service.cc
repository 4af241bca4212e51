#include "server/rpc/audio_service.h"

#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>

#include "server/base/error_info.h"
#include "server/rpc/audio_call.h"
#include "server/rpc/convert_action.h"

namespace rtmixd {
namespace {

absl::Status MessageNotSet() { return BadField("message", "not set", "one of its fields"); }

// Puts what a half has to say into a response; false if that is nothing. `setters` has an overload
// for each kind of message.
template <typename Item, typename Setters>
bool Put(Item item, const Setters& setters) {
  return std::visit(
      [&setters](auto&& message) {
        if constexpr (std::is_same_v<std::decay_t<decltype(message)>, std::monostate>) {
          return false;
        } else {
          setters(std::forward<decltype(message)>(message));
          return true;
        }
      },
      std::move(item));
}

template <typename... Functions>
struct Overloaded : Functions... {
  using Functions::operator()...;
};
template <typename... Functions>
Overloaded(Functions...) -> Overloaded<Functions...>;

// For Record and StreamRecording, whose responses have the same fields.
template <typename Response>
bool PutRecord(RecordHalf& half, Response* response) {
  return Put(
      half.Next(),
      Overloaded{
          [&](v1::AudioChunk&& audio) { *response->mutable_audio() = std::move(audio); },
          [&](v1::Gap&& gap) { *response->mutable_gap() = std::move(gap); },
          [&](v1::RecordProgress&& progress) { *response->mutable_progress() = progress; },
          [&](v1::ActionReport&& report) { *response->mutable_report() = std::move(report); },
      });
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
    switch (request.message_case()) {
      case v1::PlayRequest::kAudio:
        return play_->Audio(request.audio());
      case v1::PlayRequest::kFlush:
        return play_->Flush();
      case v1::PlayRequest::kIdle:
        return play_->Idle();
      case v1::PlayRequest::kEndOfSound:
        return play_->EndOfSound();
      default:
        return MessageNotSet();
    }
  }

  void Closing() override { play_->MayHaveEnded(); }
  void Closed() override { (void)play_->EndOfSound(); }

  bool Next(v1::PlayResponse* response, std::optional<absl::Status>* end) override {
    if (!open()) return false;
    if (!told_open_) {
      told_open_ = true;
      *response->mutable_opened() = play_->Opened();
      return true;
    }
    if (play_->reported()) {
      *end = absl::OkStatus();
      return false;
    }
    return Put(
        play_->Next(),
        Overloaded{
            [&](v1::PlayProgress&& progress) { *response->mutable_progress() = progress; },
            [&](v1::ActionReport&& report) { *response->mutable_report() = std::move(report); },
        });
  }

  std::optional<PlayHalf> play_;
  bool told_open_ = false;
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
    switch (request.message_case()) {
      case v1::RecordRequest::kGrant:
        return PrefixField(record_->Grant(request.grant()), "grant.");
      case v1::RecordRequest::kStop:
        return PrefixField(record_->Stop(request.stop()), "stop.");
      default:
        return MessageNotSet();
    }
  }

  void Closed() override { (void)record_->StopNow(); }

  bool Next(v1::RecordResponse* response, std::optional<absl::Status>* end) override {
    if (!open()) return false;
    if (!told_open_) {
      told_open_ = true;
      *response->mutable_opened() = record_->Opened();
      return true;
    }
    if (record_->reported()) {
      *end = absl::OkStatus();
      return false;
    }
    return PutRecord(*record_, response);
  }

  std::optional<RecordHalf> record_;
  bool told_open_ = false;
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
    switch (request.message_case()) {
      case v1::DuplexRequest::kAudio:
        return play_->Audio(request.audio());
      case v1::DuplexRequest::kFlush:
        return play_->Flush();
      case v1::DuplexRequest::kIdle:
        return play_->Idle();
      case v1::DuplexRequest::kEndOfSound:
        return play_->EndOfSound();
      case v1::DuplexRequest::kGrant:
        return PrefixField(record_->Grant(request.grant()), "grant.");
      case v1::DuplexRequest::kStop:
        return PrefixField(record_->Stop(request.stop()), "stop.");
      default:
        return MessageNotSet();
    }
  }

  void Closing() override { play_->MayHaveEnded(); }
  void Closed() override {
    (void)play_->EndOfSound();
    if (!record_has_length_) (void)record_->StopNow();
  }

  bool Next(v1::DuplexResponse* response, std::optional<absl::Status>* end) override {
    if (!open()) return false;
    if (!told_open_) {
      told_open_ = true;
      *response->mutable_opened()->mutable_play() = play_->Opened();
      *response->mutable_opened()->mutable_record() = record_->Opened();
      return true;
    }
    if (play_->reported() && record_->reported()) {
      *end = absl::OkStatus();
      return false;
    }
    return Put(play_->Next(), Overloaded{
                                  [&](v1::PlayProgress&& progress) {
                                    *response->mutable_play_progress() = progress;
                                  },
                                  [&](v1::ActionReport&& report) {
                                    *response->mutable_play_report() = std::move(report);
                                  },
                              }) ||
           Put(record_->Next(),
               Overloaded{
                   [&](v1::AudioChunk&& audio) { *response->mutable_audio() = std::move(audio); },
                   [&](v1::Gap&& gap) { *response->mutable_gap() = std::move(gap); },
                   [&](v1::RecordProgress&& progress) {
                     *response->mutable_record_progress() = progress;
                   },
                   [&](v1::ActionReport&& report) {
                     *response->mutable_record_report() = std::move(report);
                   },
               });
  }

  std::optional<PlayHalf> play_;
  std::optional<RecordHalf> record_;
  bool record_has_length_ = false;
  bool told_open_ = false;
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
    return PutRecord(*record_, response);
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
