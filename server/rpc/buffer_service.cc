#include "server/rpc/buffer_service.h"

#include <algorithm>
#include <atomic>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/base/error_info.h"
#include "server/rpc/audio_message.h"
#include "server/rpc/call.h"
#include "server/rpc/convert_action.h"
#include "server/rpc/convert_session.h"
#include "server/rpc/page.h"
#include "server/rpc/periodic_alarm.h"
#include "server/rpc/request_check.h"
#include "server/rpc/status_mapping.h"
#include "server/rpc/write_pump.h"

namespace rtmixd {
namespace {

// Audio in one message of a download: large enough that the work per message does not count, small
// enough that a slow client holds little memory.
constexpr int64_t kDownloadChunkBytes = 256 << 10;
constexpr int64_t kMaxBytesPerSample = 4;
// The memory of a longer one takes longer to touch than a block lasts.
constexpr int64_t kShortBufferFrames = 1 << 14;
// How often a download that waits for more looks whether the server stops.
constexpr absl::Duration kStopInterval = absl::Milliseconds(500);

absl::Status Stopping() {
  return MakeError(absl::StatusCode::kUnavailable, {.reason = ErrorReason::kShuttingDown},
                   "the server is stopping");
}

// Deletes itself in OnDone. Reads until the client ends, answers once.
class UploadCall final : public grpc::ServerReadReactor<grpc::ByteBuffer> {
 public:
  UploadCall(Engine& engine, grpc::CallbackServerContext* context, grpc::ByteBuffer* response)
      : engine_(engine), response_(response) {
    absl::StatusOr<std::string> session = RequireSession(engine, *context);
    if (!session.ok()) {
      Finish(ToGrpcStatus(session.status()));
      return;
    }
    session_id_ = *std::move(session);
    StartRead(received_.buffer());
  }

  void OnReadDone(bool ok) override {
    if (!ok)
      return End(writer_ == nullptr ? OutOfOrder("message", "config as the first message")
                                    : absl::OkStatus());
    if (absl::Status status = Handle(); !status.ok()) return End(status);
    StartRead(received_.buffer());
  }
  void OnDone() override { delete this; }

 private:
  absl::Status Append(int64_t position, std::string_view samples) {
    return PrefixField(writer_->Append(position, sample_format_, samples), "audio.");
  }

  absl::Status Handle() {
    if (engine_.stopped()) return Stopping();
    if (writer_ != nullptr && !completed_ && received_.LooksLikeAudio()) {
      return Append(received_.position(), received_.samples());
    }
    absl::Status status = Parse(std::as_const(received_).buffer(), &request_);
    if (status.ok()) status = CheckRequest(request_);
    if (!status.ok()) return status;
    if (completed_) return OutOfOrder("message", "nothing after complete");
    if (request_.has_config() != (writer_ == nullptr)) {
      return writer_ == nullptr ? OutOfOrder("message", "config as the first message")
                                : OutOfOrder("config", "once, as the first message");
    }
    switch (request_.message_case()) {
      case v1::UploadBufferRequest::kConfig: {
        absl::StatusOr<std::unique_ptr<BufferWriter>> writer =
            engine_.OpenUpload(session_id_, request_.config().buffer_id());
        if (!writer.ok()) return PrefixField(writer.status(), "config.");
        writer_ = *std::move(writer);
        sample_format_ = FromProto(request_.config().sample_format());
        return absl::OkStatus();
      }
      case v1::UploadBufferRequest::kAudio:
        return Append(request_.audio().position(), request_.audio().data());
      case v1::UploadBufferRequest::kComplete:
        completed_ = true;
        return writer_->Complete();
      default:
        return BadField("message", "not set", "one of its fields");
    }
  }

  void End(const absl::Status& status) {
    v1::UploadBufferResponse response;
    if (writer_ != nullptr) *response.mutable_buffer() = ToProto(writer_->info());
    *response_ = Serialize(response);
    writer_.reset();  // the buffer can be opened again before the client hears of the end
    Finish(ToGrpcStatus(status));
  }

  Engine& engine_;
  grpc::ByteBuffer* const response_;
  std::string session_id_;
  ReceivedMessage received_;
  v1::UploadBufferRequest request_;
  std::unique_ptr<BufferWriter> writer_;
  SampleFormat sample_format_ = SampleFormat::kFloat32;
  bool completed_ = false;
};

// Deletes itself in OnDone.
class DownloadCall final : public grpc::ServerWriteReactor<grpc::ByteBuffer> {
 public:
  DownloadCall(Engine& engine, grpc::CallbackServerContext* context,
               const grpc::ByteBuffer& request)
      : pump_({.next = [this](grpc::ByteBuffer* response,
                              std::optional<absl::Status>* end) { return Next(response, end); },
               .write = [this](const grpc::ByteBuffer* response) { StartWrite(response); },
               .finish = [this](const absl::Status& status) { Finish(ToGrpcStatus(status)); }}),
        engine_(engine) {
    if (absl::Status status = Open(engine, *context, request); !status.ok()) {
      pump_.Fail(status);
      return;
    }
    if (follow_) alarm_ = PeriodicAlarm::Start(kStopInterval, [this] { pump_.Kick(); });
    open_.store(true, std::memory_order_release);
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
                    const grpc::ByteBuffer& message) {
    v1::DownloadBufferRequest request;
    if (absl::Status status = Parse(message, &request); !status.ok()) return status;
    sample_format_ = FromProto(request.sample_format());
    follow_ = request.follow();
    next_frame_ = request.first_frame();
    const absl::StatusOr<std::string> session = BeginCall(engine, context, request);
    if (!session.ok()) return session.status();
    absl::StatusOr<std::unique_ptr<BufferReader>> reader =
        engine.OpenDownload(*session, request.buffer_id(), [this] { pump_.Kick(); });
    if (!reader.ok()) return reader.status();
    const BufferInfo info = (*reader)->info();
    if (request.first_frame() < 0 || request.first_frame() > info.frames) {
      return BadField("first_frame", absl::StrCat(request.first_frame()),
                      absl::StrCat("0 to ", info.frames));
    }
    if (request.has_frames() && request.frames() < 0) {
      return BadField("frames", absl::StrCat(request.frames()), "at least 0");
    }
    if (request.has_frames() && request.frames() < end_frame_ - request.first_frame()) {
      end_frame_ = request.first_frame() + request.frames();
    }
    if (!follow_) end_frame_ = std::min(end_frame_, info.frames);
    chunk_frames_ =
        std::max<int64_t>(1, kDownloadChunkBytes / (kMaxBytesPerSample * info.channels));
    reader_ = *std::move(reader);
    return absl::OkStatus();
  }

  bool Next(grpc::ByteBuffer* message, std::optional<absl::Status>* end) {
    if (!open_.load(std::memory_order_acquire)) return false;
    const BufferInfo info =
        reader_->info();  // before Read, so that "complete" means that Read sees all
    if (!told_open_) {
      told_open_ = true;
      v1::DownloadBufferResponse response;
      *response.mutable_buffer() = ToProto(info);
      *message = Serialize(response);
      return true;
    }
    const int64_t wanted = std::min(chunk_frames_, end_frame_ - next_frame_);
    std::string samples;
    const int64_t got =
        wanted > 0 ? reader_->Read(next_frame_, wanted, sample_format_, &samples) : 0;
    if (got > 0) {
      *message = AudioMessage(next_frame_, std::move(samples));
      next_frame_ += got;
      return true;
    }
    if (wanted <= 0 || !follow_ || info.state == BufferState::kComplete) {
      *end = absl::OkStatus();
    } else if (engine_.stopped()) {
      *end = Stopping();
    }
    return false;
  }

  WritePump<grpc::ByteBuffer> pump_;
  Engine& engine_;
  SampleFormat sample_format_ = SampleFormat::kFloat32;
  bool follow_ = false;
  int64_t next_frame_ = 0;
  int64_t end_frame_ = std::numeric_limits<int64_t>::max();
  int64_t chunk_frames_ = 1;
  std::atomic<bool> open_{false};
  bool told_open_ = false;
  std::shared_ptr<PeriodicAlarm> alarm_;
  std::unique_ptr<BufferReader>
      reader_;  // last: destroyed first, after which nothing kicks the pump
};

}  // namespace

grpc::ServerUnaryReactor* BufferService::CreateBuffer(grpc::CallbackServerContext* context,
                                                      const v1::CreateBufferRequest* request,
                                                      v1::CreateBufferResponse* response) {
  const absl::StatusOr<std::string> session = BeginCall(engine_, *context, *request);
  if (!session.ok()) return Reply(context, session.status());
  const auto create = [this, session = *session, request, response] {
    const absl::StatusOr<BufferInfo> buffer = engine_.CreateBuffer(session, FromProto(*request));
    if (buffer.ok()) *response->mutable_buffer() = ToProto(*buffer);
    return buffer.status();
  };
  if (request->expected_frames() <= kShortBufferFrames) return Reply(context, create());
  return ReplyLater(context, engine_, [&](const FinishCallback& finish) {
    worker_.Run([create, finish] { finish(create()); });
    return kNoWait;
  });
}

grpc::ServerReadReactor<grpc::ByteBuffer>* BufferService::UploadBuffer(
    grpc::CallbackServerContext* context, grpc::ByteBuffer* response) {
  return new UploadCall(engine_, context, response);
}

grpc::ServerWriteReactor<grpc::ByteBuffer>* BufferService::DownloadBuffer(
    grpc::CallbackServerContext* context, const grpc::ByteBuffer* request) {
  return new DownloadCall(engine_, context, *request);
}

grpc::ServerUnaryReactor* BufferService::GetBuffer(grpc::CallbackServerContext* context,
                                                   const v1::GetBufferRequest* request,
                                                   v1::GetBufferResponse* response) {
  const absl::StatusOr<std::string> session = BeginCall(engine_, *context, *request);
  if (!session.ok()) return Reply(context, session.status());
  const absl::StatusOr<BufferInfo> buffer = engine_.GetBuffer(*session, request->buffer_id());
  if (!buffer.ok()) return Reply(context, buffer.status());
  *response->mutable_buffer() = ToProto(*buffer);
  return Reply(context, absl::OkStatus());
}

grpc::ServerUnaryReactor* BufferService::ListBuffers(grpc::CallbackServerContext* context,
                                                     const v1::ListBuffersRequest* request,
                                                     v1::ListBuffersResponse* response) {
  const absl::StatusOr<std::string> session = BeginCall(engine_, *context, *request);
  if (!session.ok()) return Reply(context, session.status());
  const absl::StatusOr<std::vector<BufferInfo>> buffers = engine_.ListBuffers(*session);
  if (!buffers.ok()) return Reply(context, buffers.status());
  const absl::StatusOr<Page> page =
      MakePage(request->page_size(), request->page_token(), static_cast<int64_t>(buffers->size()));
  if (!page.ok()) return Reply(context, page.status());
  for (int64_t i = page->begin; i < page->end; ++i)
    *response->add_buffers() = ToProto((*buffers)[i]);
  response->set_next_page_token(page->next_page_token);
  return Reply(context, absl::OkStatus());
}

grpc::ServerUnaryReactor* BufferService::DeleteBuffer(grpc::CallbackServerContext* context,
                                                      const v1::DeleteBufferRequest* request,
                                                      v1::DeleteBufferResponse* /*response*/) {
  const absl::StatusOr<std::string> session = BeginCall(engine_, *context, *request);
  if (!session.ok()) return Reply(context, session.status());
  return Reply(context, engine_.DeleteBuffer(*session, request->buffer_id()));
}

}  // namespace rtmixd
