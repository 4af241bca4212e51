// What can be wrong with a voice.

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "server/mixer/check_range.h"
#include "server/mixer/voice.h"

namespace rtmixd {
namespace {

absl::Status CheckGain(const char* field, float gain) {
  if (std::isfinite(gain)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(field, " is ", gain, ", must be finite"));
}

absl::Status CheckFade(const char* field, int64_t frames) {
  return CheckRange(field, frames, 0, Voice::kMaxFrame);
}

absl::Status CheckChange(const VoiceChange& change) {
  absl::Status status = CheckGain("gain", change.gain);
  status.Update(CheckFade("fade.frames", change.fade.frames));
  status.Update(CheckRange("frame", change.frame, -Voice::kMaxFrame, Voice::kMaxFrame));
  return status;
}

}  // namespace

absl::Status Voice::Check(int output_channels) const {
  if (channels_ != source_channels_) {
    return absl::InvalidArgumentError(absl::StrCat("channel_map names ", channels_,
                                                   " channels, the source has ", source_channels_));
  }
  for (const int channel : channel_map_) {
    if (channel < 0 || channel >= output_channels) {
      return absl::InvalidArgumentError(absl::StrCat("channel_map names output channel ", channel,
                                                     " (from 0) of ", output_channels));
    }
  }
  const Extras none = {};
  const Extras* const own = LoadExtras();
  const Extras& extras = own != nullptr ? *own : none;
  absl::Status status = CheckGain("gain", ramp_.target());
  status.Update(CheckGain("session_gain", extras.session_ramp.target()));
  status.Update(CheckFade("fade_in.frames", ramp_.fade().frames));
  status.Update(CheckFade("fade_out.frames", extras.fade_out_frames));
  status.Update(CheckLoop());
  status.Update(CheckRange("changes", extras.change_count, 0, kMaxChanges));
  for (const VoiceChange* change = extras.relative_changes; change != nullptr;
       change = change->next) {
    status.Update(CheckChange(*change));
  }
  status.Update(CheckRange("max_frames", extras.max_frames, 1, kNoFrame));
  if (!from_feed_) {
    status.Update(CheckRange("view_offset_frames", position_frames(), 0, view_frames_));
  }
  if (!status.ok()) return status;
  if (from_feed_ && extras.fade_out_frames > 0 && extras.max_frames == kNoFrame) {
    return absl::InvalidArgumentError("a feed without max_frames has no end to fade out before");
  }
  const Voice* const after = extras.predecessor;
  if ((after != nullptr) != (offset_frames_ == kFollows)) {
    return absl::InvalidArgumentError("offset_frames must be kFollows with after, and only then");
  }
  if (after == nullptr) return CheckRange("offset_frames", offset_frames_, -kMaxFrame, kMaxFrame);
  if (after->sequence_ < sequence_) return absl::OkStatus();
  return absl::InvalidArgumentError("a voice must follow one of a lower sequence");
}

absl::Status Voice::CheckLoop() const {
  const int64_t passes = jumps_left_ + 1;
  if (passes == 1) return absl::OkStatus();
  if (from_feed_) return absl::InvalidArgumentError("a feed has no loop");
  absl::Status status = CheckRange("loop.passes", passes, 0, kMaxFrame);
  status.Update(CheckRange("loop.begin_frame", loop_begin_frame_, 0, view_frames_ - 1));
  if (!status.ok()) return status;
  return CheckRange("loop.end_frame", loop_end_frame_,
                    std::max(loop_begin_frame_, position_frames()) + 1, view_frames_);
}

}  // namespace rtmixd
