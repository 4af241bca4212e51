#include "server/control/input_repeats.h"

#include <algorithm>
#include <cstddef>

namespace rtmixd {
namespace {

constexpr size_t kMaxRanges = 65536;
// Most blocks differ from the one before in their first samples, and no more is read of them.
constexpr int64_t kFirstLook = 8;

}  // namespace

bool InputRepeats::AddBlock(int64_t first_frame, int frames) {
  const bool can_repeat = first_frame == next_frame_ && frames == last_frames_ &&
                          history_->channels() > 0 && frames > 1;
  next_frame_ = first_frame + frames;
  last_frames_ = frames;
  if (!can_repeat || !RepeatsTheOneBefore(first_frame, frames)) return false;
  if (!ranges_.empty() && ranges_.back().end_frame == first_frame) {
    ranges_.back().end_frame = next_frame_;
    return false;
  }
  ranges_.push_back({.begin_frame = first_frame, .end_frame = next_frame_});
  if (ranges_.size() > kMaxRanges) ranges_.pop_front();
  return true;
}

bool InputRepeats::RepeatsTheOneBefore(int64_t first_frame, int frames) {
  const int64_t first_look = std::min<int64_t>(frames, kFirstLook);
  bool moves = false;
  for (const int64_t length : {first_look, int64_t{frames}}) {
    for (int c = 0; c < history_->channels(); ++c) {
      before_.resize(length);
      block_.resize(length);
      if (!Read(c, first_frame - frames, &before_) || !Read(c, first_frame, &block_) ||
          before_ != block_) {
        return false;
      }
      moves = moves || std::any_of(block_.begin(), block_.end(),
                                   [&](float sample) { return sample != block_.front(); });
    }
  }
  return moves;
}

bool InputRepeats::Read(int channel, int64_t first_frame, std::vector<float>* samples) const {
  const auto frames = static_cast<int64_t>(samples->size());
  return history_->Read(channel, first_frame, frames, samples->data(), 1) == 0;
}

bool InputRepeats::Any(int64_t begin_frame, int64_t end_frame) const {
  const auto range = std::partition_point(
      ranges_.begin(), ranges_.end(), [&](const Range& r) { return r.end_frame <= begin_frame; });
  return range != ranges_.end() && range->begin_frame < end_frame;
}

}  // namespace rtmixd
