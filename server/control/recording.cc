#include "server/control/recording.h"

#include <algorithm>
#include <utility>

namespace rtmixd {
namespace {

// Frames copied with the lock held once.
constexpr int64_t kCopyFrames = 8192;

// Who starts at the very edge of a history finds it overwritten: it starts so much further on.
int64_t Margin(const AudioHistory& history) { return history.capacity_frames() / 100; }

}  // namespace

Recording::Recording(Spec spec) : spec_(std::move(spec)), to_buffer_(false) {}

Recording::Recording(Spec spec, std::unique_ptr<BufferRecorder> buffer, bool leave_open)
    : spec_(std::move(spec)),
      to_buffer_(true),
      leave_open_(leave_open),
      buffer_(std::move(buffer)) {}

Recording::~Recording() = default;

std::shared_ptr<const AudioStorage> Recording::audio() const {
  MutexLock lock(&mutex_);
  return buffer_ == nullptr ? nullptr : buffer_->audio();
}

std::string Recording::label() const {
  MutexLock lock(&mutex_);
  return buffer_ == nullptr ? "" : buffer_->info().label;
}

void Recording::Begin(int64_t frame) {
  MutexLock lock(&mutex_);
  if (start_.has_value() || end_ != ActionEnd::kNone) return;
  if (stop_frame_ <= frame) {
    end_frame_ = frame;
    End(stop_reason_);
    return;
  }
  start_ = frame;
  const AudioHistory& history = *spec_.source.history;
  const int64_t oldest = history.tail_frame();
  if (frame < oldest) {
    const int64_t reachable = std::min(oldest + Margin(history), history.head_frame());
    late_frames_ = reachable - frame;
    switch (spec_.late_policy) {
      case LatePolicy::kPlay:
        start_ = reachable;
        break;
      case LatePolicy::kSkip:
        start_.reset();
        end_frame_ = frame;
        End(ActionEnd::kSkipped);
        return;
      case LatePolicy::kTrim:
        missing_head_frames_ = late_frames_;
        break;
    }
  }
  EndIfDone();
}

void Recording::StopBefore(int64_t frame, ActionEnd reason) {
  MutexLock lock(&mutex_);
  if (end_ != ActionEnd::kNone) return;
  if (start_.has_value()) frame = std::max(frame, *start_ + copied_);
  if (frame >= stop_frame_) return;
  stop_frame_ = frame;
  stop_reason_ = reason;
  EndIfDone();
}

void Recording::EndNow(ActionEnd reason) {
  MutexLock lock(&mutex_);
  if (end_ == ActionEnd::kNone) End(reason);
}

void Recording::EndUnread(ActionEnd reason) {
  MutexLock lock(&mutex_);
  if (end_ != ActionEnd::kNone) return;
  if (start_.has_value()) end_frame_ = ReadableEnd();
  const bool whole = start_.has_value() && spec_.total_frames.has_value() &&
                     *end_frame_ == *start_ + *spec_.total_frames;
  End(whole ? ActionEnd::kCompleted : reason);
}

void Recording::AddHole(int64_t first_frame, int64_t frames) {
  MutexLock lock(&mutex_);
  holes_.push_back({first_frame, first_frame + frames});
}

Recording::Status Recording::status() const {
  MutexLock lock(&mutex_);
  Status status;
  status.start_frame = start_;
  status.copied_frames = copied_;
  if (start_.has_value()) {
    status.recorded_frames = ReadableEnd() - *start_;
  }
  status.late_frames = late_frames_;
  status.gaps = gaps_;
  status.gap_count = gap_count_;
  status.gap_frames = gap_frames_;
  status.stopping = stop_frame_ <= spec_.source.history->head_frame();
  status.end = end_;
  status.end_frame = end_frame_;
  if (end_ != ActionEnd::kNone) {
    status.end_position = status.recorded_frames;
  } else if (start_.has_value() && EndFrame() <= *start_ + status.recorded_frames) {
    status.end_position = EndFrame() - *start_;
  }
  return status;
}

bool Recording::ended() const {
  MutexLock lock(&mutex_);
  return end_ != ActionEnd::kNone;
}

bool Recording::drained() const {
  MutexLock lock(&mutex_);
  return end_ != ActionEnd::kNone && (!start_.has_value() || *start_ + copied_ >= *end_frame_);
}

int64_t Recording::EndFrame() const {
  return spec_.total_frames.has_value() ? std::min(stop_frame_, *start_ + *spec_.total_frames)
                                        : stop_frame_;
}

int64_t Recording::ReadableEnd() const {
  if (end_ != ActionEnd::kNone) return *end_frame_;
  return std::max(std::min(spec_.source.history->head_frame(), EndFrame()), *start_ + copied_);
}

void Recording::End(ActionEnd reason) {
  end_ = reason;
  if (!end_frame_.has_value() && start_.has_value()) end_frame_ = *start_ + copied_;
  if (buffer_ != nullptr) {
    buffer_->Finish(leave_open_);
    buffer_.reset();
  }
}

void Recording::EndIfDone() {
  if (end_ != ActionEnd::kNone || !start_.has_value() || *start_ + copied_ < EndFrame()) return;
  const bool whole = spec_.total_frames.has_value() && copied_ >= *spec_.total_frames;
  End(whole ? ActionEnd::kCompleted : stop_reason_);
}

void Recording::AddGap(int64_t frames) {
  gap_frames_ += frames;
  if (copied_ == gap_end_position_) {
    gaps_.back().frames += frames;
  } else {
    ++gap_count_;
    if (static_cast<int>(gaps_.size()) < kGapSlots) {
      gaps_.push_back({.position = copied_, .frame = *start_ + copied_, .frames = frames});
    } else {
      gaps_.back().frames += frames;
    }
  }
  copied_ += frames;
  gap_end_position_ = copied_;
}

bool Recording::NextIsGap(int64_t* frames) const {
  if (copied_ < missing_head_frames_) {
    *frames = std::min(*frames, missing_head_frames_ - copied_);
    return true;
  }
  const int64_t next = *start_ + copied_;
  const AudioHistory& history = *spec_.source.history;
  const int64_t oldest = history.tail_frame();
  if (next < oldest) {
    const int64_t reachable = std::min(oldest + Margin(history), history.head_frame());
    *frames = std::min(*frames, reachable - next);
    return true;
  }
  for (const Hole& hole : holes_) {
    if (next >= hole.first_frame && next < hole.end_frame) {
      *frames = std::min(*frames, hole.end_frame - next);
      return true;
    }
    if (hole.first_frame > next) *frames = std::min(*frames, hole.first_frame - next);
  }
  return false;
}

int64_t Recording::Copy(int64_t first_frame, int64_t frames, float* planar, int64_t stride) const {
  int64_t lost = 0;
  for (size_t c = 0; c < spec_.channels.size(); ++c) {
    lost = std::max(lost, spec_.source.history->Read(spec_.channels[c], first_frame, frames,
                                                     planar + static_cast<int64_t>(c) * stride, 1));
  }
  for (size_t c = 0; c < spec_.channels.size(); ++c) {
    float* const samples = planar + static_cast<int64_t>(c) * stride;
    std::fill(samples, samples + lost, 0.0f);
  }
  return lost;
}

bool Recording::CopyToBuffer() {
  bool copied = false;
  while (true) {
    MutexLock lock(&mutex_);
    if (!CopySome()) return copied;
    copied = true;
  }
}

bool Recording::CopySome() {
  if (end_ != ActionEnd::kNone || !start_.has_value()) return false;
  int64_t frames = std::min(ReadableEnd() - (*start_ + copied_), kCopyFrames);
  if (frames <= 0) {
    EndIfDone();
    return false;
  }
  const bool gap = NextIsGap(&frames);
  if (absl::Status status = buffer_->Grow(frames); !status.ok()) {
    End(ActionEnd::kLimitExceeded);
    return false;
  }
  // A stretch at a time: between two of them the history may lose what follows the first.
  const AudioStorage::Stretch<float> room = buffer_->Room(0, frames);
  frames = room.frames;
  int64_t lost = frames;
  if (gap) {
    for (int c = 0; c < channels(); ++c) {
      float* const samples = room.samples + c * room.channel_stride_frames;
      std::fill(samples, samples + frames, 0.0f);
    }
  } else {
    lost = Copy(*start_ + copied_, frames, room.samples, room.channel_stride_frames);
  }
  buffer_->Publish(frames);
  const int64_t begin = copied_;
  if (lost > 0) AddGap(lost);
  copied_ = begin + frames;
  EndIfDone();
  return true;
}

Recording::Piece Recording::Read(int64_t limit_position, int64_t max_frames, float* planar) {
  MutexLock lock(&mutex_);
  Piece piece;
  if (!start_.has_value()) return piece;
  const int64_t end = std::min(ReadableEnd() - *start_, limit_position);
  int64_t frames = end - copied_;
  if (frames <= 0) {
    EndIfDone();
    return piece;
  }
  piece.position = copied_;
  int64_t lost = frames;
  if (!NextIsGap(&lost)) {
    frames = std::min(lost, max_frames);
    lost = Copy(*start_ + copied_, frames, planar, max_frames);
    if (lost == 0) {
      piece.frames = frames;
      copied_ += frames;
      EndIfDone();
      return piece;
    }
  }
  // Reading goes on after it.
  piece.frames = lost;
  piece.gap = GapInfo{.position = copied_, .frame = *start_ + copied_, .frames = lost};
  AddGap(lost);
  EndIfDone();
  return piece;
}

int64_t Recording::AvailableBelow(int64_t limit_position) const {
  MutexLock lock(&mutex_);
  if (!start_.has_value()) return 0;
  return std::max<int64_t>(std::min(ReadableEnd() - *start_, limit_position) - copied_, 0);
}

bool Recording::Rewind(int64_t position) {
  MutexLock lock(&mutex_);
  if (position < 0 || position > copied_) return false;
  copied_ = position;
  gap_end_position_ = -1;
  while (!gaps_.empty() && gaps_.back().position >= position) {
    gap_frames_ -= gaps_.back().frames;
    gaps_.pop_back();
    gap_count_ = static_cast<int64_t>(gaps_.size());
  }
  // Of a gap that it goes back into, what comes again is counted again. Where the last slot stands
  // for several gaps, nobody knows how much of them that is.
  if (!gaps_.empty() && gap_count_ == static_cast<int64_t>(gaps_.size())) {
    GapInfo& gap = gaps_.back();
    const int64_t again = std::max<int64_t>(gap.position + gap.frames - position, 0);
    gap.frames -= again;
    gap_frames_ -= again;
    gap_end_position_ = gap.position + gap.frames;
  }
  return true;
}

}  // namespace rtmixd
