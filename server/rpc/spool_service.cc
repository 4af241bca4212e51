#include "server/rpc/spool_service.h"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/base/error_info.h"
#include "server/rpc/call.h"
#include "server/rpc/convert_action.h"
#include "server/rpc/page.h"
#include "server/rpc/status_mapping.h"
#include "server/rpc/write_pump.h"

namespace rtmixd {
namespace {

// As a download of a buffer.
constexpr int64_t kChunkBytes = 256 << 10;
constexpr int64_t kMaxBytesPerSample = 4;

absl::Status CheckEnabled(const std::shared_ptr<Spool>& spool) {
  if (spool != nullptr) return absl::OkStatus();
  return MakeError(absl::StatusCode::kFailedPrecondition,
                   {.reason = ErrorReason::kNotEnabled, .field = "--spool"},
                   "this server has no spool; it was started without --spool");
}

// Whether a session may see it: its own, or one whose session has ended.
bool MaySee(Engine& engine, const std::string& session_id, const v1::SpooledRecording& recording) {
  if (recording.instance_id() != engine.instance_id()) return true;
  return recording.session_id() == session_id || !engine.GetSession(recording.session_id()).ok();
}

absl::StatusOr<v1::SpooledRecording> Find(Engine& engine, const Spool& spool,
                                          const std::string& session_id,
                                          const std::string& recording_id) {
  absl::StatusOr<v1::SpooledRecording> recording = spool.Get(recording_id);
  if (recording.ok() && !MaySee(engine, session_id, *recording)) {
    return MakeError(
        absl::StatusCode::kPermissionDenied,
        {.reason = ErrorReason::kForeignSession, .field = "recording_id", .value = recording_id},
        "the session that recorded it lives");
  }
  return recording;
}

// Deletes itself in OnDone.
class DownloadCall final : public grpc::ServerWriteReactor<v1::DownloadSpooledRecordingResponse> {
 public:
  DownloadCall(Engine& engine, const std::shared_ptr<Spool>& spool,
               grpc::CallbackServerContext* context,
               const v1::DownloadSpooledRecordingRequest& request)
      : pump_({.next = [this](v1::DownloadSpooledRecordingResponse* response,
                              std::optional<absl::Status>* end) { return Next(response, end); },
               .write =
                   [this](const v1::DownloadSpooledRecordingResponse* response) {
                     StartWrite(response);
                   },
               .finish = [this](const absl::Status& status) { Finish(ToGrpcStatus(status)); }}),
        spool_(spool),
        format_(FromProto(request.sample_format())),
        next_frame_(request.first_frame()) {
    if (absl::Status status = Open(engine, *context, request); !status.ok()) {
      pump_.Fail(status);
      return;
    }
    open_.store(true, std::memory_order_release);
    pump_.Kick();
  }

  void OnWriteDone(bool ok) override { pump_.Wrote(ok); }
  void OnCancel() override {
    pump_.Fail(absl::CancelledError("the call was cancelled or broke off"));
  }
  void OnDone() override { delete this; }

 private:
  absl::Status Open(Engine& engine, const grpc::CallbackServerContext& context,
                    const v1::DownloadSpooledRecordingRequest& request) {
    const absl::StatusOr<std::string> session = BeginCall(engine, context, request);
    if (!session.ok()) return session.status();
    if (absl::Status status = CheckEnabled(spool_); !status.ok()) return status;
    absl::StatusOr<v1::SpooledRecording> found =
        Find(engine, *spool_, *session, request.recording_id());
    if (!found.ok()) return found.status();
    recording_ = *std::move(found);
    if (request.first_frame() < 0 || request.first_frame() > recording_.frames()) {
      return BadField("first_frame", absl::StrCat(request.first_frame()),
                      absl::StrCat("0 to ", recording_.frames()));
    }
    if (request.has_frames() && request.frames() < 0) {
      return BadField("frames", absl::StrCat(request.frames()), "at least 0");
    }
    end_frame_ = recording_.frames();
    if (request.has_frames() && request.frames() < end_frame_ - next_frame_) {
      end_frame_ = next_frame_ + request.frames();
    }
    chunk_frames_ =
        std::max<int64_t>(1, kChunkBytes / (kMaxBytesPerSample * recording_.channels()));
    reader_ = spool_->OpenReader(recording_.recording_id(), [this] { pump_.Kick(); });
    return absl::OkStatus();
  }

  bool Next(v1::DownloadSpooledRecordingResponse* response, std::optional<absl::Status>* end) {
    if (!open_.load(std::memory_order_acquire)) return false;
    if (!told_) {
      told_ = true;
      *response->mutable_recording() = recording_;
      return true;
    }
    const int64_t wanted = std::min(chunk_frames_, end_frame_ - next_frame_);
    if (wanted <= 0) {
      *end = absl::OkStatus();
      return false;
    }
    auto piece = reader_->Read(next_frame_, wanted, format_);
    if (!piece.has_value()) return false;
    if (!piece->ok()) {
      *end = piece->status();
      return false;
    }
    if ((*piece)->frames == 0) {
      *end = MakeError(absl::StatusCode::kDataLoss, {.reason = ErrorReason::kInternal},
                       "the file of the recording is shorter than it was");
      return false;
    }
    response->mutable_audio()->set_position(next_frame_);
    response->mutable_audio()->set_data((*std::move(*piece)).bytes);
    next_frame_ += (*piece)->frames;
    return true;
  }

  WritePump<v1::DownloadSpooledRecordingResponse> pump_;
  const std::shared_ptr<Spool> spool_;
  const SampleFormat format_;
  v1::SpooledRecording recording_;
  int64_t next_frame_;
  int64_t end_frame_ = 0;
  int64_t chunk_frames_ = 1;
  std::atomic<bool> open_{false};
  bool told_ = false;
  std::unique_ptr<SpoolReader>
      reader_;  // last: destroyed first, after which nothing kicks the pump
};

}  // namespace

grpc::ServerUnaryReactor* SpoolService::ListSpooledRecordings(
    grpc::CallbackServerContext* context, const v1::ListSpooledRecordingsRequest* request,
    v1::ListSpooledRecordingsResponse* response) {
  const absl::StatusOr<std::string> session = BeginCall(engine_, *context, *request);
  if (!session.ok()) return Reply(context, session.status());
  if (absl::Status status = CheckEnabled(spool_); !status.ok()) return Reply(context, status);
  std::vector<v1::SpooledRecording> visible;
  for (v1::SpooledRecording& recording : spool_->List()) {
    if (MaySee(engine_, *session, recording)) visible.push_back(std::move(recording));
  }
  const absl::StatusOr<Page> page =
      MakePage(request->page_size(), request->page_token(), static_cast<int64_t>(visible.size()));
  if (!page.ok()) return Reply(context, page.status());
  for (int64_t i = page->begin; i < page->end; ++i) {
    *response->add_recordings() = std::move(visible[static_cast<size_t>(i)]);
  }
  response->set_next_page_token(page->next_page_token);
  return Reply(context, absl::OkStatus());
}

grpc::ServerWriteReactor<v1::DownloadSpooledRecordingResponse>*
SpoolService::DownloadSpooledRecording(grpc::CallbackServerContext* context,
                                       const v1::DownloadSpooledRecordingRequest* request) {
  return new DownloadCall(engine_, spool_, context, *request);
}

grpc::ServerUnaryReactor* SpoolService::DeleteSpooledRecording(
    grpc::CallbackServerContext* context, const v1::DeleteSpooledRecordingRequest* request,
    v1::DeleteSpooledRecordingResponse* /*response*/) {
  const absl::StatusOr<std::string> session = BeginCall(engine_, *context, *request);
  if (!session.ok()) return Reply(context, session.status());
  if (absl::Status status = CheckEnabled(spool_); !status.ok()) return Reply(context, status);
  const auto found = Find(engine_, *spool_, *session, request->recording_id());
  if (!found.ok()) return Reply(context, found.status());
  return Reply(context, spool_->Delete(request->recording_id()));
}

}  // namespace rtmixd
