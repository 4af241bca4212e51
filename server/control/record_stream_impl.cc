#include "server/control/record_stream_impl.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/base/error_info.h"
#include "server/control/wire_audio.h"

namespace rtmixd {
namespace {

// A chunk is sent before it is whole when its first frame has waited for so long.
constexpr int64_t kLongestWaitNanos = 400'000'000;

}  // namespace

RecordStreamImpl::RecordStreamImpl(EngineImpl* engine, std::shared_ptr<Action> action,
                                   const Options& options,
                                   std::unique_ptr<ChangeSignal::Subscription> subscription,
                                   std::shared_ptr<void> slot)
    : engine_(engine),
      action_(std::move(action)),
      stream_(action_->record()->stream),
      recording_(action_->record()->recording),
      call_(action_->links->call),
      action_id_(action_->id()),
      stream_id_(action_->common->stream_id),
      options_(options),
      slot_(std::move(slot)),
      subscription_(std::move(subscription)),
      granted_position_(options.granted_position),
      planar_(static_cast<size_t>(options.chunk_frames) * recording_->channels()) {}

RecordStreamImpl::~RecordStreamImpl() {
  subscription_ = nullptr;
  engine_->EndCall(action_, /*complete=*/false);
}

int64_t RecordStreamImpl::next_position() const { return recording_->status().copied_frames; }

absl::Status RecordStreamImpl::Grant(int64_t granted_position) {
  const int64_t granted = granted_position_.load(std::memory_order_relaxed);
  if (granted_position < granted) {
    return MakeError(absl::StatusCode::kInvalidArgument,
                     {.reason = ErrorReason::kBadPosition,
                      .field = "granted_position",
                      .value = absl::StrCat(granted_position),
                      .limit = absl::StrCat(granted)},
                     absl::StrCat("granted_position is ", granted_position, "; ", granted,
                                  " was granted before"));
  }
  granted_position_.store(granted_position, std::memory_order_relaxed);
  call_->wake_position = 0;  // the pump tells of what is there already
  // But not of what has ended.
  if (recording_->ended()) call_->signal.Notify();
  return absl::OkStatus();
}

absl::Status RecordStreamImpl::Stop(std::optional<int64_t> frame) {
  return engine_->StopRecordStream(action_, frame);
}

RecordStream::Item RecordStreamImpl::Read() {
  const int64_t granted = granted_position_.load(std::memory_order_relaxed);
  const Recording::Status status = recording_->status();
  const int64_t there = recording_->AvailableBelow(granted);
  const int64_t now_nanos = engine_->NowNanos();
  // The last part of the recording, or of what was granted, is not waited for to be a whole chunk.
  const bool last =
      status.stopping || status.end_position.has_value() || status.copied_frames + there == granted;
  if (there == 0) {
    waiting_since_nanos_ = 0;
  } else if (waiting_since_nanos_ == 0) {
    waiting_since_nanos_ = now_nanos;
  }
  const bool waited =
      waiting_since_nanos_ != 0 && now_nanos - waiting_since_nanos_ >= kLongestWaitNanos;
  if (there >= options_.chunk_frames || (there > 0 && (last || waited))) {
    const Recording::Piece piece = recording_->Read(granted, options_.chunk_frames, planar_.data());
    waiting_since_nanos_ = 0;
    if (piece.gap.has_value()) return *piece.gap;
    if (piece.frames > 0) {
      Chunk chunk;
      chunk.position = piece.position;
      const int64_t frame_bytes = int64_t{channels()} * BytesPerSample(options_.format);
      chunk.bytes.resize(piece.frames * frame_bytes);
      EncodeWireAudio(planar_.data(), options_.chunk_frames, channels(), piece.frames,
                      options_.format, chunk.bytes.data());
      return chunk;
    }
  }
  // Told again when there is a chunk, or all that was granted.
  call_->wake_position = granted <= status.copied_frames
                             ? Recording::kNever
                             : std::min(status.copied_frames + options_.chunk_frames, granted);
  if (there == 0 && (status.stopping || recording_->ended())) {
    engine_->FinishRecordStream(action_);
  }
  if (!recording_->drained()) return Nothing{};
  if (std::optional<ActionReport> report = engine_->FinalReportOf(action_)) {
    return Ended{*std::move(report)};
  }
  return Nothing{};
}

RecordStreamProgress RecordStreamImpl::Progress() const {
  const Recording::Status status = recording_->status();
  RecordStreamProgress progress;
  progress.recorded_position = status.recorded_frames;
  progress.sent_position = status.copied_frames;
  progress.next_frame = stream_->mixer().next_frame();
  progress.start_frame = status.start_frame;
  progress.end_position = status.end_position;
  return progress;
}

}  // namespace rtmixd
