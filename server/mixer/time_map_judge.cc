// The half of TimeMap that finds where the line moved.

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/types/span.h"
#include "server/mixer/time_map.h"
#include "server/mixer/time_map_tuning.h"

namespace rtmixd {
namespace {

using time_map::kCoverage;
using time_map::kFewCellsFactor;
using time_map::kJudgeCells;
using time_map::kLeastBlocksOfCutCell;
using time_map::kLeastBlocksPerCell;
using time_map::kLeastStepFrames;
using time_map::kMostBlocksPerCell;
using time_map::kStepSigmas;

// Cells after a step that are waited for at most to know its length to the frame.
constexpr size_t kMostPostCells = 8;
constexpr size_t kBootstrapCells = 8;
// Standard errors that bound the length of a loss in 999 of 1000 cases.
constexpr double kBoundSigmas = 3.5;
// Flags closer than this belong to one incident.
constexpr double kMergeSeconds = 0.05;
constexpr double kLongestIncidentSeconds = 1.0;
// Two small steps within this time mean that the rate has changed.
constexpr double kRateChangeSeconds = 10;
// A block below this part of a step is on the line before it, if lateness is one-sided, and
// outweighs this many that look late enough to be after it.
constexpr double kOnOldLine = 0.75;
constexpr double kOldLineWeight = 20;
// A block that is later than the line after a step by this part of the step or more may be a late
// one from before it; see Locate.
constexpr double kPlaceTolerance = 1.0 / 16;
constexpr double kMostPlaceToleranceNanos = 0.5e6;
constexpr size_t kCatchUpBlocks = 2;

// The mean of the middle half.
double MiddleMean(std::vector<double>* values) {
  std::sort(values->begin(), values->end());
  const size_t cut = values->size() / 4;
  double sum = 0;
  for (size_t i = cut; i < values->size() - cut; ++i) sum += (*values)[i];
  return sum / static_cast<double>(values->size() - 2 * cut);
}

}  // namespace

// Cuts at the flagged block, so that what is before it and what is after it can be compared.
void TimeMap::OnFlags(const BlockRecord& block) {
  const uint32_t flags = block.host_flags & kXrunFlags;
  const double rate_hz = 1e9 / nominal_nanos_per_frame_;
  const size_t index = blocks_.size();
  if (candidate_.has_value()) {
    const double since_last = static_cast<double>(block.first_frame - candidate_->last_frame);
    const double since_first = static_cast<double>(block.first_frame - candidate_->first_frame);
    const bool enough_between = index - candidate_->post >= kLeastBlocksOfCutCell;
    if (!enough_between || (candidate_->host_flags != 0 && since_last < kMergeSeconds * rate_hz &&
                            since_first < kLongestIncidentSeconds * rate_hz)) {
      candidate_->host_flags |= flags;
      candidate_->last_frame = block.first_frame;
      const size_t first_post = std::exchange(candidate_->post, index);
      // What lies between the flags is on neither line.
      while (!pending_.empty() && pending_.back().end > first_post) PopPending();
      open_begin_ = index;
      return;
    }
    CloseOpenCell();
    FinishCandidate(blocks_.size());
  } else if (index - open_begin_ >= kLeastBlocksOfCutCell) {
    CloseOpenCell();
  }
  if (!line_.has_value() && pending_.empty()) {
    steps_.push_back({.frame = block.first_frame,
                      .earliest_frame = block.first_frame,
                      .latest_frame = block.first_frame,
                      .host_flags = flags});
    blocks_.clear();
    open_begin_ = 0;
    judged_until_frame_ = block.first_frame;
    return;
  }
  if (!bootstrapped_) {
    Promote(pending_.size());
    bootstrapped_ = true;
  }
  candidate_ = Candidate{.post = blocks_.size(),
                         .first_frame = block.first_frame,
                         .last_frame = block.first_frame,
                         .host_flags = flags};
  open_begin_ = blocks_.size();
}

void TimeMap::Judge() {
  if (!bootstrapped_) {
    JudgeBootstrap();
    return;
  }
  double error = 0;
  bool settled = true;
  if (candidate_.has_value() && candidate_->host_flags == 0) {
    // The line may come back: a long stall without a loss.
    const double level = NewestLevel();
    const double threshold = StepThreshold(&error);
    settled = std::abs(line_->Residual(pending_[pending_.size() - 2].cell, point()) -
                       line_->Residual(pending_.back().cell, point())) < threshold;
    if (std::abs(level) > threshold / 2) {
      PlaceCandidate(level);
    } else {
      candidate_.reset();
    }
  }
  if (candidate_.has_value()) {
    const size_t first_post = PendingBefore(candidate_->post);
    const size_t post = pending_.size() - first_post;
    if (post > kJudgeCells &&
        std::abs(line_->Residual(pending_.back().cell, point()) -
                 LevelOf(first_post, pending_.size() - 1, &error)) > StepThreshold(&error)) {
      // Perhaps the next one: this one is judged by what came before that.
      FinishCandidate(pending_[pending_.size() - 2].begin);
    } else if (post >= kJudgeCells) {
      const double lost = LevelOf(first_post, pending_.size(), &error) / line_->nanos_per_frame;
      const double bound = kBoundSigmas * error / line_->nanos_per_frame;
      if (post >= kMostPostCells || (settled && std::abs(lost - std::round(lost)) + bound < 0.5)) {
        FinishCandidate(blocks_.size());
      }
    }
  } else if (pending_.size() >= kJudgeCells) {
    const double threshold = StepThreshold(&error);
    const double level = LevelOf(pending_.size() - kJudgeCells, pending_.size(), &error);
    if (std::abs(level) > threshold && std::abs(NewestLevel()) > threshold / 2) {
      candidate_ = Candidate{};
      PlaceCandidate(NewestLevel());
    } else {
      Promote(pending_.size() - kJudgeCells + 1);
    }
  }
  Publish();
}

// The first two seconds have no line to be compared with: they are split at every cell in turn, to
// see whether two parallel lines fit better than one.
void TimeMap::JudgeBootstrap() {
  const size_t count = pending_.size();
  fit_cells_.clear();
  for (PendingCell& pending : pending_) {
    pending.cell.group = group_;
    fit_cells_.push_back(pending.cell);
  }
  line_ = Fit();
  Publish();
  if (count < kBootstrapCells) return;

  bootstrapped_ = true;
  double most_errors = kStepSigmas;
  double best_level = 0;
  std::optional<LineFit> before;
  for (size_t split = 1; split < count; ++split) {
    for (size_t i = 0; i < count; ++i) fit_cells_[i].group = i < split ? 0 : 1;
    const LineFit after = FitLine(fit_cells_, point(), nominal_nanos_per_frame_,
                                  nominal_nanos_per_frame_, expected_scatter_nanos_);
    scratch_.clear();
    for (size_t i = 0; i < split; ++i) scratch_.push_back(-after.Residual(fit_cells_[i], point()));
    const double level = MiddleMean(&scratch_);
    double squares = 0;
    for (const double l : scratch_) squares += (l - level) * (l - level);
    const double split_cells = static_cast<double>(split);
    const double scatter = std::hypot(after.cell_scatter, std::sqrt(squares / split_cells));
    const double error =
        after.Coverage() / kCoverage * scatter *
        std::sqrt(1 / split_cells + 1 / (static_cast<double>(count) - split_cells));
    if (std::abs(level) > most_errors * error && std::abs(level) > kShortestLossSeconds * 1e9) {
      most_errors = std::abs(level) / error;
      best_level = level;
      before = after;
      before->origin_nanos -= std::llround(level);
    }
  }
  if (before.has_value()) {
    line_ = before;
    candidate_ = Candidate{};
    PlaceCandidate(best_level);
    FinishCandidate(blocks_.size());
  } else {
    FitPending(count);
    Promote(count - (kJudgeCells - 1));
    Refit();
  }
}

// What the newest two cells agree on at least.
double TimeMap::NewestLevel() const {
  const double last = line_->Residual(pending_[pending_.size() - 1].cell, point());
  if (pending_.size() == 1) return last;
  const double other = line_->Residual(pending_[pending_.size() - 2].cell, point());
  return std::abs(last) < std::abs(other) ? last : other;
}

void TimeMap::PlaceCandidate(double level_nanos) {
  size_t earliest = 0;
  size_t latest = 0;
  const size_t index = Locate(level_nanos, blocks_.size(), &earliest, &latest);
  candidate_->post = index;
  candidate_->first_frame = blocks_[index].frame;
  candidate_->last_frame = blocks_[index].frame;
  Recut(index);
}

void TimeMap::FinishCandidate(size_t end_block) {
  double error = 0;
  if (candidate_->host_flags == 0) {
    PlaceCandidate(LevelOf(PendingBefore(candidate_->post), PendingWithin(end_block), &error));
  }
  const Candidate candidate = *candidate_;
  candidate_.reset();
  Step step{.frame = candidate.first_frame,
            .earliest_frame = candidate.first_frame,
            .latest_frame = candidate.last_frame,
            .host_flags = candidate.host_flags};
  const size_t before = PendingBefore(candidate.post);
  const size_t end = PendingWithin(end_block);
  if (!line_.has_value() || before >= end) {
    // Nothing that could tell how long it was.
    if (candidate.host_flags != 0) steps_.push_back(step);
    return;
  }
  const double level = LevelOf(before, end, &error);
  const double nanos_per_frame = line_->nanos_per_frame;
  step.lost_frames = level / nanos_per_frame;
  step.bound_frames = kBoundSigmas * error / nanos_per_frame;

  const bool moved = std::abs(level) > kStepSigmas / 2 * error;
  if (moved) {
    size_t earliest = 0;
    size_t latest = 0;
    (void)Locate(level, end_block, &earliest, &latest);
    const int64_t earliest_frame = blocks_[earliest].frame;
    const int64_t latest_frame = blocks_[latest].frame;
    if (candidate.host_flags == 0) {
      step.earliest_frame = earliest_frame;
      step.latest_frame = latest_frame;
      SplitCandidate(candidate, &step);
    } else if (candidate.first_frame < earliest_frame || candidate.last_frame > latest_frame) {
      // The host told of it at another block than the clock did.
      step.earliest_frame = std::min(candidate.first_frame, earliest_frame);
      step.latest_frame = std::max(candidate.last_frame, latest_frame);
    }
  }
  const bool loss = candidate.host_flags != 0 || std::abs(level) >= kShortestLossSeconds * 1e9;
  if (loss) steps_.push_back(step);

  const bool new_line = moved || candidate.host_flags == 0;
  if (new_line) {
    segments_.push_back({.end_frame = step.frame, .estimate = LineEstimate()});
    if (segments_.size() > kMaxSegments) segments_.pop_front();
  }
  Promote(before);
  if (new_line) ++group_;
  if (!loss) {
    ++relocks_;
    if (last_relock_frame_ != INT64_MIN &&
        static_cast<double>(step.frame - last_relock_frame_) * nanos_per_frame <
            kRateChangeSeconds * 1e9) {
      cells_.clear();
    }
    last_relock_frame_ = step.frame;
  }
  FitPending(end - before);
  if (end - before >= kJudgeCells) Promote(end - before - (kJudgeCells - 1));
  Refit();
}

// Cells just before a step that are off the old line, too, are between two steps.
void TimeMap::SplitCandidate(const Candidate& candidate, Step* step) {
  size_t end = PendingBefore(candidate.post);
  const size_t all = end;
  // A short one may be late by chance.
  if (end > 0 && pending_[end - 1].cell.blocks < line_->blocks_per_cell / 2) --end;
  double error = 0;
  // Twice the threshold of the mean of four, as these are single ones.
  const double threshold = std::max(2 * StepThreshold(&error), kShortestLossSeconds * 1e9);
  size_t begin = end;
  while (begin > 0 && std::abs(line_->Residual(pending_[begin - 1].cell, point())) > threshold) {
    --begin;
  }
  if (begin == end) return;
  const double level = LevelOf(begin, end, &error);
  size_t earliest = 0;
  size_t latest = 0;
  const size_t index = Locate(level, candidate.post, &earliest, &latest);
  const double nanos_per_frame = line_->nanos_per_frame;
  steps_.push_back({.frame = blocks_[index].frame,
                    .earliest_frame = blocks_[earliest].frame,
                    .latest_frame = blocks_[latest].frame,
                    .lost_frames = level / nanos_per_frame,
                    .bound_frames = kBoundSigmas * error / nanos_per_frame});
  step->lost_frames -= level / nanos_per_frame;
  step->bound_frames += kBoundSigmas * error / nanos_per_frame;
  // On neither line: not for the fit.
  for (size_t i = begin; i < all; ++i) pending_[i].cell.blocks = 0;
}

size_t TimeMap::PendingBefore(size_t block_index) const {
  size_t count = 0;
  while (count < pending_.size() && pending_[count].begin < block_index) ++count;
  return count;
}

size_t TimeMap::PendingWithin(size_t end_block) const {
  size_t count = 0;
  while (count < pending_.size() && pending_[count].end <= end_block) ++count;
  return count;
}

void TimeMap::Recut(size_t begin) {
  // Cells wholly before `begin` stay; the blocks between the last of them and `begin` make one
  // more.
  while (!pending_.empty() && pending_.back().end > begin) PopPending();
  open_begin_ = pending_.empty() ? 0 : pending_.back().end;
  const std::vector<BlockTime> rest(blocks_.begin() + static_cast<ptrdiff_t>(begin), blocks_.end());
  blocks_.resize(begin);
  if (blocks_.size() - open_begin_ >= kLeastBlocksOfCutCell) CloseOpenCell();
  open_begin_ = begin;
  for (const BlockTime& block : rest) {
    const size_t open = blocks_.size() - open_begin_;
    if (open >= kMostBlocksPerCell ||
        (open >= kLeastBlocksPerCell && block.frame - blocks_[open_begin_].frame >= cell_frames_)) {
      CloseOpenCell();
    }
    blocks_.push_back(block);
  }
}

size_t TimeMap::Locate(double level_nanos, size_t end, size_t* earliest, size_t* latest) const {
  // The minimum of the sum of what each block says: below zero that it is before the step, above
  // that it is after. Where lateness is one-sided a block on the old line settles it, while one
  // near the new line may be a late one; where scatter is symmetric both say as much as they are
  // near to.
  const double magnitude = std::abs(level_nanos);
  const double sign = level_nanos < 0 ? -1 : 1;
  const bool one_sided = edge_ && sign > 0;
  const auto off_line = [&](size_t i) {
    return sign * line_->Residual(blocks_[i].frame, blocks_[i].nanos);
  };
  std::vector<double> sums(end + 1, 0.0);
  size_t best = 0;
  for (size_t i = 0; i < end; ++i) {
    const double y = std::clamp(off_line(i) / magnitude, 0.0, 1.0);
    sums[i + 1] = sums[i] + (!one_sided ? y - 0.5 : (y < kOnOldLine ? -kOldLineWeight : 1.0));
    if (sums[i + 1] < sums[best]) best = i + 1;
  }
  best = std::min(best, end - 1);
  *earliest = best;
  *latest = best;
  if (!one_sided) {
    // Places nearly as likely, under gaussian scatter of this width: within a factor of 200.
    const double sigma = lower_nanos_ / 1.645 / magnitude;
    for (size_t i = 0; i < end; ++i) {
      if (sums[i] - sums[best] > 5.3 * sigma * sigma) continue;
      *earliest = std::min(*earliest, i);
      *latest = std::max(*latest, i);
    }
  }
  // Blocks so late that they may be late ones from before the step as well as from after it.
  const double tolerance = std::min(kPlaceTolerance * magnitude, kMostPlaceToleranceNanos);
  bool late = false;
  for (; *latest + 1 < end && off_line(*latest) - magnitude > tolerance; ++*latest) late = true;
  // Callbacks that catch up come nearer to the line by and by: the last of them look like on it.
  if (late) *latest = std::min(*latest + kCatchUpBlocks, end - 1);
  return best;
}

double TimeMap::LevelOf(size_t first, size_t end, double* error_nanos) const {
  std::vector<double> residuals;
  double weight = 0;
  double blocks = 0;
  for (size_t i = first; i < end; ++i) {
    const TimeMapCell& cell = pending_[i].cell;
    residuals.push_back(line_->Residual(cell, point()));
    weight += std::min(1.0, cell.blocks / line_->blocks_per_cell);
    blocks += cell.blocks;
  }
  // A short cell's earliest block
  // is later than a full one's, on average.
  const double bias = edge_ ? std::max(0.0, line_->blocks_per_cell / blocks - 1) : 0;
  const double middle = line_->ErrorAt(pending_[end - 1].cell.first_frame);
  *error_nanos = line_->Coverage() / kCoverage *
                 (std::hypot(kFewCellsFactor * line_->cell_scatter / std::sqrt(weight), middle) +
                  bias * line_->cell_scatter);
  return MiddleMean(&residuals);
}

double TimeMap::StepThreshold(double* error_nanos) const {
  (void)LevelOf(pending_.size() - std::min(pending_.size(), kJudgeCells), pending_.size(),
                error_nanos);
  return std::max(kStepSigmas * *error_nanos, kLeastStepFrames * line_->nanos_per_frame);
}

}  // namespace rtmixd
