#include "server/control/play_stream_impl.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/base/error_info.h"
#include "server/control/wire_audio.h"

namespace rtmixd {

PlayStreamImpl::PlayStreamImpl(EngineImpl* engine, std::shared_ptr<Action> action,
                               SampleFormat format, int max_chunk_bytes,
                               std::unique_ptr<ChangeSignal::Subscription> subscription,
                               std::shared_ptr<void> slot)
    : engine_(engine),
      action_(std::move(action)),
      feed_(action_->play_feed()->feed),
      channels_(action_->play_feed()->channels),
      action_id_(action_->id()),
      stream_id_(action_->common->stream_id),
      format_(format),
      max_chunk_bytes_(max_chunk_bytes),
      ring_frames_(action_->play_feed()->ring_frames),
      slot_(std::move(slot)),
      subscription_(std::move(subscription)),
      next_position_(action_->play_feed()->write_position()),
      ended_(action_->play_feed()->ended),
      handed_over_(action_->play_feed()->handed_over),
      flushed_position_(action_->play_feed()->flushed_position) {}

PlayStreamImpl::~PlayStreamImpl() {
  subscription_ = nullptr;
  const std::shared_ptr<PlayFeed> feed = feed_.lock();
  if (!ended_ && feed != nullptr) feed->ClearDoubt();
  engine_->EndCall(action_, /*complete=*/ended_);
}

absl::Status PlayStreamImpl::CheckNotEnded() const {
  if (!ended_) return absl::OkStatus();
  return MakeError(absl::StatusCode::kFailedPrecondition, {.reason = ErrorReason::kOutOfOrder},
                   "the sound has ended");
}

absl::Status PlayStreamImpl::Push(int64_t position, std::string_view bytes) {
  if (absl::Status status = CheckNotEnded(); !status.ok()) return status;
  if (static_cast<int64_t>(bytes.size()) > max_chunk_bytes_) {
    return LimitExceeded("max_chunk_bytes", absl::StrCat(bytes.size()),
                         absl::StrCat(max_chunk_bytes_));
  }
  const absl::StatusOr<int64_t> frames = CheckWireAudio(bytes, format_, channels_);
  if (!frames.ok()) return frames.status();
  if (position != next_position_) {
    return MakeError(absl::StatusCode::kInvalidArgument, {.reason = ErrorReason::kBadPosition,
                                                          .field = "position",
                                                          .value = absl::StrCat(position),
                                                          .limit = absl::StrCat(next_position_)});
  }
  const std::shared_ptr<PlayFeed> feed = feed_.lock();
  if (action_->over || feed == nullptr) {
    next_position_ += *frames;
    return absl::OkStatus();
  }
  const int64_t granted = feed->read_position() + ring_frames_;
  if (position + *frames > granted) {
    return MakeError(absl::StatusCode::kResourceExhausted,
                     {.reason = ErrorReason::kCreditExceeded,
                      .field = "position",
                      .value = absl::StrCat(position + *frames),
                      .limit = absl::StrCat(granted)});
  }
  planar_.resize(static_cast<size_t>(*frames) * channels_);
  DecodeWireAudio(bytes.data(), format_, channels_, *frames, planar_.data(), *frames);
  std::vector<const float*> pointers(channels_);
  for (int c = 0; c < channels_; ++c) pointers[c] = planar_.data() + c * *frames;
  next_position_ += feed->Write(pointers.data(), *frames);
  if (handed_over_) return absl::OkStatus();
  const bool enough =
      next_position_ - flushed_position_ >= feed->prebuffer_frames() || next_position_ == granted;
  handed_over_ = engine_->FeedChanged(action_, flushed_position_, enough);
  return absl::OkStatus();
}

absl::Status PlayStreamImpl::Flush() {
  if (absl::Status status = CheckNotEnded(); !status.ok()) return status;
  if (const auto feed = feed_.lock()) feed->Flush();
  flushed_position_ = next_position_;
  if (!handed_over_) {
    handed_over_ = engine_->FeedChanged(action_, flushed_position_, /*enough=*/false);
  }
  return absl::OkStatus();
}

absl::Status PlayStreamImpl::Idle() {
  if (absl::Status status = CheckNotEnded(); !status.ok()) return status;
  if (const auto feed = feed_.lock()) feed->SetIdle();
  PlayWhatIsThere();
  return absl::OkStatus();
}

void PlayStreamImpl::MayHaveEnded() {
  if (ended_) return;
  if (const auto feed = feed_.lock()) feed->SetDoubt();
  PlayWhatIsThere();
}

void PlayStreamImpl::PlayWhatIsThere() {
  if (handed_over_) return;
  handed_over_ =
      engine_->FeedChanged(action_, flushed_position_, next_position_ > flushed_position_);
}

absl::Status PlayStreamImpl::EndOfSound() {
  if (ended_) return absl::OkStatus();
  ended_ = true;
  if (const auto feed = feed_.lock()) feed->SetEnd();
  engine_->FeedChanged(action_, flushed_position_, /*enough=*/true);
  return absl::OkStatus();
}

PlayStreamProgress PlayStreamImpl::Progress() const { return engine_->ProgressOf(action_); }

std::optional<ActionReport> PlayStreamImpl::FinalReport() const {
  return engine_->FinalReportOf(action_);
}

}  // namespace rtmixd
