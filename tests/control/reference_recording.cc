#include "tests/control/reference_recording.h"

#include <algorithm>

namespace rtmixd {

void ReferenceRecording::CutAt(int64_t frame) {
  if (over()) return;
  if (!begun_ && frame <= asked_frame_) {
    never_begins_ = true;
    return;
  }
  stop_frame_ = std::min(stop_frame_, begun_ ? std::max(frame, copied_until_frame_) : frame);
}

void ReferenceRecording::Cancel(std::optional<int64_t> frame, int64_t next_frame) {
  if (over()) return;
  if (!begun_ && (frame.value_or(next_frame) <= std::max(next_frame, asked_frame_))) {
    never_begins_ = true;
    return;
  }
  stop_frame_ = std::min(stop_frame_, std::max(frame.value_or(next_frame), next_frame));
}

void ReferenceRecording::Looked(int64_t next_frame) {
  if (over()) return;
  BeginIfDue(next_frame);
  if (begun_) copied_until_frame_ = std::min(next_frame, end_frame());
}

void ReferenceRecording::BeginIfDue(int64_t next_frame) {
  // Nothing has to be there to record nothing.
  const int64_t needed_frame = total_frames_ == 0 ? asked_frame_ - 1 : asked_frame_;
  if (begun_ || never_begins_ || needed_frame >= next_frame) return;
  begun_ = true;
  copied_until_frame_ = asked_frame_;
}

int64_t ReferenceRecording::end_frame() const {
  return std::max(asked_frame_, std::min(stop_frame_, whole_end_frame()));
}

}  // namespace rtmixd
