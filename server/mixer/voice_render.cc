// The part of Voice that runs for every sounding voice in every block.

#include <algorithm>
#include <array>

#include "server/mixer/voice.h"

namespace rtmixd {

bool Voice::RenderRt(int64_t block_first_frame, int frames, MixBus* bus) noexcept {
  const int64_t start = start_frame_.load(std::memory_order_relaxed);
  const int begin = start > block_first_frame ? static_cast<int>(start - block_first_frame) : 0;
  const bool cut = cut_frame_ <= block_first_frame + frames;
  const int stop =
      cut ? static_cast<int>(std::max<int64_t>(cut_frame_ - block_first_frame, begin)) : frames;
  const bool goes_on = spec_.feed == nullptr ? RenderViewRt(block_first_frame, begin, stop, bus)
                                             : RenderFeedRt(block_first_frame, begin, stop, bus);
  if (goes_on && cut) {
    EndRt(EndReason::kCancelled, cut_frame_);
    return false;
  }
  return goes_on;
}

bool Voice::RenderViewRt(int64_t block_first_frame, int begin, int stop, MixBus* bus) noexcept {
  const AudioView& view = spec_.view;
  const int64_t left = view.frames - position_;
  const int end = begin + static_cast<int>(std::min<int64_t>(stop - begin, left));
  const int* const map = spec_.channel_map.data();
  for (int at = begin; at < end;) {
    const int64_t offset = position_ % AudioView::kSegmentFrames;
    const float* samples = view.segments[position_ / AudioView::kSegmentFrames] + offset;
    const int run =
        static_cast<int>(std::min<int64_t>(end - at, AudioView::kSegmentFrames - offset));
    for (int c = 0; c < view.channels; ++c, samples += view.channel_stride_frames) {
      bus->AddRt(map[c], {samples, spec_.gain, at, run});
    }
    at += run;
    position_ += run;
  }
  AddDoneRt(end - begin);
  if (position_ < view.frames) return true;
  EndRt(EndReason::kCompleted, block_first_frame + end);
  return false;
}

bool Voice::RenderFeedRt(int64_t block_first_frame, int begin, int stop, MixBus* bus) noexcept {
  PlayFeed& feed = *spec_.feed;
  const PlayFeed::Look look = feed.LookRt();
  int64_t read = look.read;

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
    for (int c = 0; c < feed.channels(); ++c) {
      bus->AddRt(spec_.channel_map[c], {stretch.channel(c), spec_.gain, at, run});
    }
    at += run;
  }
  uncommitted_frames_ = played;
  read += played;
  AddDoneRt(played);

  if (idling_ || read < look.write) return true;
  if (look.end != PlayFeed::kNone) {
    EndRt(EndReason::kCompleted, block_first_frame + at);
    return false;
  }
  if (look.idle == read) {
    idling_ = true;
    trim_debt_frames_ = 0;
    timeline_debt_frames_ = 0;
    return true;
  }
  if (at == stop) return true;
  if (spec_.underrun_policy == UnderrunPolicy::kEnd) {
    EndRt(EndReason::kUnderrun, block_first_frame + at);
    return false;
  }
  AddGapRt(block_first_frame + at, stop - at);
  if (spec_.underrun_policy == UnderrunPolicy::kKeepTimeline) timeline_debt_frames_ += stop - at;
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
