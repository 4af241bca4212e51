#include "server/mixer/voice.h"

#include <algorithm>
#include <utility>

namespace rtmixd {

Voice::Voice(Spec spec)
    : position_(spec.view_offset_frames),
      view_frames_(spec.view.frames),
      segments_(spec.view.segments),
      channel_map_(spec.channel_map.data()),  // moving the vector keeps where its numbers are
      gain_(spec.gain),
      channels_(static_cast<int16_t>(spec.channel_map.size())),
      channel_stride_frames_(static_cast<int16_t>(spec.view.channel_stride_frames)),
      from_feed_(spec.feed != nullptr),
      spec_(std::move(spec)) {}

bool Voice::StartRt(int64_t requested_frame, int64_t block_first_frame) noexcept {
  if (spec_.cut_offset_frames != kNoFrame) {
    CutRt(requested_frame - spec_.offset_frames + spec_.cut_offset_frames);
  }
  const int64_t start = std::max(requested_frame, block_first_frame);
  if (cut_frame_ <= start) {
    EndRt(EndReason::kCancelled, requested_frame);
    return false;
  }
  late_frames_ = start - requested_frame;
  if (late_frames_ > 0 && spec_.late_policy == LatePolicy::kSkip) {
    EndRt(EndReason::kSkipped, requested_frame);
    return false;
  }
  start_frame_.store(start, std::memory_order_relaxed);
  begin_ = static_cast<int>(start - block_first_frame);
  state_.store(State::kPlaying, std::memory_order_relaxed);
  if (late_frames_ > 0 && spec_.late_policy == LatePolicy::kTrim) SkipRt(late_frames_);
  return true;
}

void Voice::SkipRt(int64_t frames) noexcept {
  if (state() != State::kPlaying) return;
  if (!from_feed_) {
    const int64_t skipped = std::min(frames, view_frames_ - position_);
    position_ += skipped;
    trimmed_frames_ += skipped;
  } else if (!idling_) {
    trim_debt_frames_ += frames;
  }
}

void Voice::EndRt(EndReason reason, int64_t frame) noexcept {
  end_reason_ = reason;
  end_frame_ = frame;
  state_.store(State::kEnded, std::memory_order_relaxed);
}

void Voice::AddGapRt(int64_t first_frame, int64_t frames) noexcept {
  // Only this thread writes the totals: no need for atomic additions.
  gap_total_frames_.store(gap_total_frames() + frames, std::memory_order_relaxed);
  int64_t count = gap_count();
  if (first_frame != gap_end_frame_) {
    if (count < kGapSlots) gaps_[count] = {first_frame, 0, done_frames()};
    gap_count_.store(++count, std::memory_order_relaxed);
  }
  gap_end_frame_ = first_frame + frames;
  gaps_[std::min<int64_t>(count, kGapSlots) - 1].frames += frames;
}

void Voice::AddDoneRt(int64_t frames) noexcept {
  // Only this thread writes it: no need for an atomic addition.
  done_frames_.store(done_frames_.load(std::memory_order_relaxed) + frames,
                     std::memory_order_relaxed);
}

}  // namespace rtmixd
