#include "server/mixer/xrun_detector.h"

#include <algorithm>
#include <cmath>

namespace rtmixd {
namespace {

// Stretches in which as much can be detected, within this factor, are one.
constexpr double kSameLoss = 1.1;
constexpr size_t kMaxStretches = 1024;
constexpr size_t kMaxUnseen = 64;

Xrun::Side SideOf(uint32_t host_flags) {
  const bool input = (host_flags & (kHostInputUnderflow | kHostInputOverflow)) != 0;
  const bool output = (host_flags & (kHostOutputUnderflow | kHostOutputOverflow)) != 0;
  if (input && output) return Xrun::Side::kBoth;
  if (input) return Xrun::Side::kInput;
  if (output) return Xrun::Side::kOutput;
  return Xrun::Side::kUnknown;
}

Xrun XrunOf(const TimeMap::Step& step) {
  Xrun xrun;
  xrun.frame = step.frame;
  xrun.earliest_frame = step.earliest_frame;
  xrun.latest_frame = step.latest_frame;
  xrun.side = SideOf(step.host_flags);
  xrun.host_flags = step.host_flags;
  xrun.flagged = step.host_flags != 0;
  if (std::isfinite(step.bound_frames) && std::abs(step.lost_frames) < 9e15 &&
      step.bound_frames < 9e15) {
    const double lost = std::round(step.lost_frames);
    // Losses are whole frames: one that is known to less than half a frame is known.
    const double reach = std::abs(step.lost_frames - lost) + step.bound_frames;
    xrun.lost_frames = static_cast<int64_t>(lost);
    xrun.lost_bound_frames = reach < 0.5 ? 0 : static_cast<int64_t>(std::ceil(reach));
    xrun.from_time = std::abs(step.lost_frames) > step.bound_frames;
  }
  return xrun;
}

}  // namespace

XrunDetector::XrunDetector(TimeMap* map, size_t max_xruns)
    : map_(map),
      max_xruns_(std::max<size_t>(1, max_xruns)),
      next_frame_(map->judged_until_frame()),
      known_from_frame_(next_frame_),
      judged_until_frame_(next_frame_) {}

void XrunDetector::AddBlock(const BlockRecord& block) {
  if (block.frames <= 0 || block.first_frame < next_frame_) return;
  if (block.first_frame > next_frame_) {
    AddUnseen(next_frame_, block.first_frame + 1);
  }
  next_frame_ = block.first_frame + block.frames;
  block_frames_ = std::max<int64_t>(block_frames_, block.frames);
  if ((block.host_flags & TimeMap::kXrunFlags) != 0) pending_flags_.push_back(block.first_frame);
  map_->AddBlock(block);
  TakeSteps();
  Judge();
}

void XrunDetector::StartEpoch(double nominal_rate_hz, int64_t first_frame) {
  map_->StartEpoch(nominal_rate_hz, first_frame);
  TakeSteps();
  pending_flags_.clear();
  // What was not judged at the end of the last epoch never will be; nor is there anything between.
  if (judged_until_frame_ < first_frame) AddUnseen(judged_until_frame_, first_frame);
  next_frame_ = first_frame;
  judged_until_frame_ = first_frame;
}

void XrunDetector::TakeSteps() {
  TimeMap::Step step;
  while (map_->TakeStep(&step)) {
    Append(XrunOf(step));
    while (!pending_flags_.empty() && pending_flags_.front() <= step.latest_frame) {
      pending_flags_.pop_front();
    }
  }
  while (map_->TakeRelock(&step)) AppendRelock(step);
}

void XrunDetector::AppendRelock(const TimeMap::Step& step) {
  relocks_.push_back({.sequence = next_relock_sequence_++,
                      .frame = step.frame,
                      .earliest_frame = step.earliest_frame,
                      .latest_frame = step.latest_frame,
                      .moved_frames = step.lost_frames,
                      .bound_frames = step.bound_frames});
  if (relocks_.size() > max_xruns_) {
    known_from_frame_ = std::max(known_from_frame_, relocks_.front().latest_frame + 1);
    relocks_.pop_front();
  }
}

void XrunDetector::AddUnseen(int64_t begin_frame, int64_t end_frame) {
  unseen_.push_back({.begin_frame = begin_frame, .end_frame = end_frame});
  if (unseen_.size() > kMaxUnseen) {
    known_from_frame_ = std::max(known_from_frame_, unseen_.front().end_frame);
    unseen_.pop_front();
  }
}

void XrunDetector::Append(Xrun xrun) {
  xrun.sequence = next_sequence_++;
  xruns_.push_back(xrun);
  if (xruns_.size() > max_xruns_) {
    known_from_frame_ = std::max(known_from_frame_, xruns_.front().latest_frame + 1);
    xruns_.pop_front();
  }
}

void XrunDetector::Judge() {
  const int64_t until = map_->judged_until_frame();
  if (until <= judged_until_frame_) return;
  const double loss = map_->shortest_detectable_loss_frames();
  if (!stretches_.empty() && stretches_.back().end_frame == judged_until_frame_ &&
      loss < stretches_.back().loss_frames * kSameLoss &&
      stretches_.back().loss_frames < loss * kSameLoss) {
    stretches_.back().end_frame = until;
  } else {
    stretches_.push_back(
        {.begin_frame = judged_until_frame_, .end_frame = until, .loss_frames = loss});
    if (stretches_.size() > kMaxStretches) {
      // The oldest two become one, as good as the worse of them.
      JudgedStretch oldest = stretches_.front();
      stretches_.pop_front();
      stretches_.front().begin_frame = oldest.begin_frame;
      stretches_.front().loss_frames = std::max(stretches_.front().loss_frames, oldest.loss_frames);
    }
  }
  judged_until_frame_ = until;
}

TouchedByXrun XrunDetector::Touched(int64_t begin_frame, int64_t end_frame) const {
  if (begin_frame >= end_frame) return TouchedByXrun::kNo;
  bool doubtful = begin_frame < known_from_frame_ || end_frame > judged_until_frame_;
  // A block later or earlier is no more than two stamps that are off.
  const auto may_touch = [&](int64_t earliest_frame, int64_t latest_frame, int64_t margin) {
    return earliest_frame - margin < end_frame && latest_frame + margin >= begin_frame;
  };
  for (const Xrun& xrun : xruns_) {
    if (xrun.earliest_frame >= begin_frame && xrun.latest_frame < end_frame) {
      return TouchedByXrun::kYes;
    }
    doubtful |= may_touch(xrun.earliest_frame, xrun.latest_frame, xrun.flagged ? 0 : block_frames_);
  }
  for (const ClockRelock& relock : relocks_) {
    doubtful |= may_touch(relock.earliest_frame, relock.latest_frame, block_frames_);
  }
  // What a flag tells of may have been before it; the judgement will tell.
  const int64_t reach = map_->FlagReachFrames();
  for (const int64_t frame : pending_flags_) {
    // Before the first frame there was nothing to lose.
    const int64_t earliest_frame = std::min(frame, std::max(frame - reach, known_from_frame_ + 1));
    if (begin_frame <= earliest_frame && frame < end_frame) return TouchedByXrun::kYes;
    doubtful |= may_touch(earliest_frame, frame, 0);
  }
  for (const Range& range : unseen_) {
    if (range.begin_frame < end_frame && range.end_frame > begin_frame) doubtful = true;
  }
  return doubtful ? TouchedByXrun::kCannotTell : TouchedByXrun::kNo;
}

std::vector<Xrun> XrunDetector::XrunsIn(int64_t begin_frame, int64_t end_frame) const {
  std::vector<Xrun> found;
  for (const Xrun& xrun : xruns_) {
    if (xrun.earliest_frame < end_frame && xrun.latest_frame >= begin_frame) found.push_back(xrun);
  }
  return found;
}

double XrunDetector::ShortestDetectableLossFrames(int64_t begin_frame, int64_t end_frame) const {
  if (begin_frame < known_from_frame_ || end_frame > judged_until_frame_) {
    return std::numeric_limits<double>::infinity();
  }
  double worst = 0;
  for (const JudgedStretch& stretch : stretches_) {
    if (stretch.begin_frame < end_frame && stretch.end_frame > begin_frame) {
      worst = std::max(worst, stretch.loss_frames);
    }
  }
  return worst;
}

std::vector<Xrun> XrunDetector::XrunsFrom(int64_t sequence) const {
  std::vector<Xrun> found;
  for (const Xrun& xrun : xruns_) {
    if (xrun.sequence >= sequence) found.push_back(xrun);
  }
  return found;
}

std::vector<ClockRelock> XrunDetector::RelocksFrom(int64_t sequence) const {
  std::vector<ClockRelock> found;
  for (const ClockRelock& relock : relocks_) {
    if (relock.sequence >= sequence) found.push_back(relock);
  }
  return found;
}

}  // namespace rtmixd
