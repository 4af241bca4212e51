#include "server/control/gain_timeline.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "server/base/error_info.h"

namespace rtmixd {

absl::Status GainTimeline::Add(const Change& change, const char* what) {
  if (changes_.size() >= kMaxChanges) {
    return LimitExceeded(what, absl::StrCat(changes_.size() + 1), absl::StrCat(kMaxChanges));
  }
  const auto after =
      std::upper_bound(changes_.begin(), changes_.end(), change.frame,
                       [](int64_t frame, const Change& other) { return frame < other.frame; });
  changes_.insert(after, change);
  return absl::OkStatus();
}

void GainTimeline::Settle(int64_t frame) {
  // One that another interrupts does not reach its gain: how far it came is needed for the other.
  for (size_t i = changes_.size(); i-- > 0;) {
    const int64_t end_frame = changes_[i].frame + changes_[i].fade.frames;
    if (end_frame > frame) continue;
    if (i + 1 < changes_.size() && changes_[i + 1].frame < end_frame) continue;
    base_ = changes_[i].gain;
    changes_.erase(changes_.begin(), changes_.begin() + static_cast<std::ptrdiff_t>(i) + 1);
    return;
  }
}

void GainTimeline::Finish() { Set(target()); }

void GainTimeline::Set(float gain) {
  base_ = gain;
  changes_.clear();
}

}  // namespace rtmixd
