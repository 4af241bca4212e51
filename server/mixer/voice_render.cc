// The part of Voice that runs for every sounding voice in every block.

#include <algorithm>
#include <array>
#include <utility>

#include "server/mixer/voice.h"

namespace rtmixd {

bool Voice::RenderRt(int64_t block_first_frame, int frames, MixBus* bus) noexcept {
  const int begin = std::exchange(begin_, 0);
  const bool cut = cut_frame_ <= block_first_frame + frames;
  const int stop =
      cut ? static_cast<int>(std::max<int64_t>(cut_frame_ - block_first_frame, begin)) : frames;
  const bool goes_on = from_feed_ ? RenderFeedRt(block_first_frame, begin, stop, bus)
                                  : RenderViewRt(block_first_frame, begin, stop, bus);
  if (goes_on && cut) {
    EndRt(EndReason::kCancelled, cut_frame_);
    return false;
  }
  return goes_on;
}

bool Voice::RenderViewRt(int64_t block_first_frame, int begin, int stop, MixBus* bus) noexcept {
  const int end =
      begin + static_cast<int>(std::min<int64_t>(stop - begin, view_frames_ - position_));
  for (int at = begin; at < end;) {
    const uint64_t position = position_;  // not negative: division is then a shift
    const int64_t offset = position % AudioView::kSegmentFrames;
    const float* samples = segments_[position / AudioView::kSegmentFrames] + offset;
    const int run =
        static_cast<int>(std::min<int64_t>(end - at, AudioView::kSegmentFrames - offset));
    for (int c = 0; c < channels_; ++c, samples += channel_stride_frames_) {
      bus->AddRt(channel_map_[c], {samples, gain_, at, run});
    }
    at += run;
    position_ += run;
  }
  AddDoneRt(end - begin);
  if (position_ < view_frames_) return true;
  EndRt(EndReason::kCompleted, block_first_frame + end);
  return false;
}

bool Voice::RenderFeedRt(int64_t block_first_frame, int begin, int stop, MixBus* bus) noexcept {
  PlayFeed& feed = *spec_.feed;
  const PlayFeed::Look look = feed.LookRt();
  int64_t read = look.read;

  if (doubt_frames_ > 0 && look.doubt != read) {
    if (!RunDryRt(doubt_first_frame_, doubt_frames_)) return false;
    doubt_frames_ = 0;
  }
  if (look.flush > read) {
    read = look.flush;
    trim_debt_frames_ = 0;
    timeline_debt_frames_ = 0;
  }
  trimmed_frames_ += PayRt(&trim_debt_frames_, &read, look.write);
  PayRt(&timeline_debt_frames_, &read, look.write);
  if (read > look.read) feed.AdvanceRt(read - look.read);

  if (idling_ && (look.write - read >= feed.prebuffer_frames() || look.idle > read ||
                  look.end != PlayFeed::kNone)) {
    idling_ = false;
  }
  const int played =
      idling_ ? 0 : static_cast<int>(std::min<int64_t>(stop - begin, look.write - read));
  int at = begin;
  for (const SpscFrameRing::Stretch& stretch : feed.PeekRt(played)) {
    if (stretch.frames == 0) break;
    const int run = static_cast<int>(stretch.frames);
    for (int c = 0; c < channels_; ++c) {
      bus->AddRt(channel_map_[c], {stretch.channel(c), gain_, at, run});
    }
    at += run;
  }
  uncommitted_frames_ = played;
  read += played;
  AddDoneRt(played);

  if (idling_ || read < look.write) return true;
  if (look.end != PlayFeed::kNone) {
    EndRt(EndReason::kCompleted, doubt_frames_ > 0 ? doubt_first_frame_ : block_first_frame + at);
    return false;
  }
  if (look.idle == read) {
    idling_ = true;
    trim_debt_frames_ = 0;
    timeline_debt_frames_ = 0;
    return true;
  }
  if (at == stop) return true;
  if (look.doubt == read) {
    if (doubt_frames_ == 0) doubt_first_frame_ = block_first_frame + at;
    doubt_frames_ += stop - at;
    return true;
  }
  return RunDryRt(block_first_frame + at, stop - at);
}

bool Voice::RunDryRt(int64_t first_frame, int64_t frames) noexcept {
  if (spec_.underrun_policy == UnderrunPolicy::kEnd) {
    EndRt(EndReason::kUnderrun, first_frame);
    return false;
  }
  AddGapRt(first_frame, frames);
  if (spec_.underrun_policy == UnderrunPolicy::kKeepTimeline) timeline_debt_frames_ += frames;
  return true;
}

int64_t Voice::PayRt(int64_t* debt_frames, int64_t* read, int64_t write) noexcept {
  const int64_t paid = std::min(*debt_frames, write - *read);
  *debt_frames -= paid;
  *read += paid;
  return paid;
}

void Voice::CommitRt() noexcept {
  spec_.feed->AdvanceRt(uncommitted_frames_);
  uncommitted_frames_ = 0;
}

}  // namespace rtmixd
