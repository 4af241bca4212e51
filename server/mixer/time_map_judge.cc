// The half of TimeMap that finds where the line moved.

#include <algorithm>
#include <cmath>
#include <limits>
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
// Shape of the scatter (lower half / upper half) below which blocks are late.
constexpr double kSymmetric = 0.6;
// A gaussian: its 5 % quantile.
constexpr double kQuantileSigmas = 1.645;
// Full cells between two flags from which on each is judged by itself.
constexpr size_t kLeastCellsBetweenFlags = 2;
constexpr size_t kMostFlags = 256;
// Standard errors within which two cells agree.
constexpr double kSettledSigmas = 7;
// Cells after which a step is judged though those after it do not agree.
constexpr size_t kMostUnsettledCells = 16;
// Scatters of a cell that bound where the line was between two steps.
constexpr double kPartBoundSigmas = 6;

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
  const Flags flags{.frame = block.first_frame, .host_flags = block.host_flags & kXrunFlags};
  const double rate_hz = 1e9 / nominal_nanos_per_frame_;
  const size_t index = blocks_.size();
  if (candidate_.has_value()) {
    // What is lost before this flag may be so long before.
    const auto of_flag = std::partition_point(
        blocks_.begin(), blocks_.end(),
        [&](const BlockTime& b) { return b.frame < block.first_frame - FlagReachFrames(); });
    const auto end = static_cast<size_t>(of_flag - blocks_.begin());
    const size_t cells = PendingWithin(end);
    const size_t before = std::min(PendingBefore(candidate_->post), cells);
    const bool long_ago = !candidate_->flags.empty() &&
                          static_cast<double>(block.first_frame - candidate_->flags[0].frame) >
                              kLongestIncidentSeconds * rate_hz;
    if (cells - before < kLeastCellsBetweenFlags && !long_ago) {
      if (candidate_->flags.size() < kMostFlags) candidate_->flags.push_back(flags);
      candidate_->flags.back().host_flags |= flags.host_flags;
      const size_t first_post = std::exchange(candidate_->post, index);
      // What lies between the flags is on neither line.
      while (!pending_.empty() && pending_.back().end > first_post) PopPending();
      open_begin_ = index;
      return;
    }
    if (cells - before >= kLeastCellsBetweenFlags) {
      FinishCandidate(end);
    } else {
      CloseOpenCell();
      FinishCandidate(blocks_.size());
    }
  }
  if (blocks_.size() - open_begin_ >= kLeastBlocksOfCutCell) CloseOpenCell();
  if (!line_.has_value() && pending_.empty()) {
    AddFlagged({flags}, 0, std::numeric_limits<double>::infinity());
    // Nothing will ever be known of what is before it.
    if (!blocks_.empty()) {
      steps_.back().earliest_frame = std::min(steps_.back().earliest_frame, blocks_[0].frame + 1);
    }
    blocks_.clear();
    open_begin_ = 0;
    judged_until_frame_ = block.first_frame;
    return;
  }
  if (!bootstrapped_) {
    Promote(pending_.size());
    bootstrapped_ = true;
  }
  candidate_ = Candidate{.post = blocks_.size(), .flags = {flags}};
  open_begin_ = blocks_.size();
}

void TimeMap::Judge() {
  if (!bootstrapped_) {
    JudgeBootstrap();
    return;
  }
  double error = 0;
  if (candidate_.has_value()) {
    JudgeCandidate();
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

void TimeMap::JudgeCandidate() {
  double error = 0;
  ++candidate_->cells;
  if (candidate_->flags.empty()) {
    // The line may come back: a long stall without a loss.
    const double level = NewestLevel();
    if (std::abs(level) <= StepThreshold(&error) / 2) {
      candidate_.reset();
      return;
    }
    PlaceCandidate(level);
  }
  const size_t first_post = PendingBefore(candidate_->post);
  const size_t post = pending_.size() - first_post;
  const bool old = candidate_->cells >= kMostUnsettledCells;
  const double newest = std::abs(line_->Residual(pending_.back().cell, point()));
  const size_t settled = post == 0 ? 0 : SettledFrom(first_post, pending_.size());
  if (post >= kJudgeCells && pending_.size() - settled >= kJudgeCells) {
    const double lost = LevelOf(settled, pending_.size(), &error) / line_->nanos_per_frame;
    const double bound = kBoundSigmas * error / line_->nanos_per_frame;
    if (post >= kMostPostCells || std::abs(lost - std::round(lost)) + bound < 0.5) {
      FinishCandidate(blocks_.size());
    }
  } else if (post > kJudgeCells && settled + 1 == pending_.size() &&
             settled - SettledFrom(first_post, settled) >= kJudgeCells) {
    // Perhaps the next one: this one is judged by what came before that.
    FinishCandidate(pending_[pending_.size() - 2].begin);
  } else if (old || (candidate_->flags.empty() && candidate_->cells >= kJudgeCells &&
                     newest < kShortestLossSeconds * 1e9 && pending_.size() >= kJudgeCells &&
                     std::abs(LevelOf(pending_.size() - kJudgeCells, pending_.size(), &error)) >
                         StepThreshold(&error))) {
    // Another rate, perhaps.
    FinishCandidate(blocks_.size());
  }
}

int64_t TimeMap::FlagReachFrames() const {
  return block_frames_ + static_cast<int64_t>(kLatestFlagSeconds * 1e9 / nominal_nanos_per_frame_);
}

size_t TimeMap::SettledFrom(size_t first, size_t end) const {
  double error = 0;
  (void)LevelOf(end - 1, end, &error);
  const double newest = line_->Residual(pending_[end - 1].cell, point());
  size_t settled = end - 1;
  for (size_t i = end - 1; i-- > first;) {
    // A short one may be late by chance.
    if (pending_[i].cell.blocks < line_->blocks_per_cell / 2) continue;
    if (std::abs(line_->Residual(pending_[i].cell, point()) - newest) > kSettledSigmas * error) {
      break;
    }
    settled = i;
  }
  return settled;
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
    const LineFit after =
        FitLine(fit_cells_, point(), nominal_nanos_per_frame_, nominal_nanos_per_frame_,
                expected_scatter_nanos_, expected_scatter_nanos_);
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
  candidate_->post = FindPlaces(level_nanos, blocks_.size()).back().best;
  Recut(candidate_->post);
}

std::vector<StepPlace> TimeMap::FindPlaces(double level_nanos, size_t end) const {
  std::vector<double> residuals;
  residuals.reserve(end);
  for (size_t i = 0; i < end; ++i) {
    residuals.push_back(line_->Residual(blocks_[i].frame, blocks_[i].nanos));
  }
  std::vector<double> lateness;
  lateness.reserve(cells_.size());
  double earlier_blocks = 0;
  for (const TimeMapCell& cell : cells_) {
    earlier_blocks += cell.blocks;
    lateness.push_back(cell.late_nanos);
  }
  const double shortest = std::max(kShortestLossSeconds * 1e9,
                                   shortest_detectable_loss_frames_ * line_->nanos_per_frame);
  return StepSearch{
      .residuals = residuals,
      .level_nanos = level_nanos,
      .shortest_nanos = std::isfinite(shortest) ? shortest : kShortestLossSeconds * 1e9,
      .scatter_nanos = edge_ ? line_->cell_scatter
                             : std::max(line_->cell_scatter, lower_nanos_ / kQuantileSigmas),
      .least_frame_nanos = line_->nanos_per_frame,
      .late = lower_nanos_ < kSymmetric * upper_nanos_,
      .one_sided = edge_,
      .earlier_blocks = earlier_blocks,
      .earlier_lateness = lateness}
      .Find();
}

void TimeMap::AddFlagged(absl::Span<const Flags> flags, double lost_frames, double bound_frames) {
  const double rate_hz = 1e9 / nominal_nanos_per_frame_;
  const int64_t reach = FlagReachFrames();
  for (size_t i = 0; i < flags.size();) {
    Step step{.frame = flags[i].frame,
              // Before the first frame there was nothing to lose.
              .earliest_frame =
                  std::min(flags[i].frame, std::max(epoch_frame_ + 1, flags[i].frame - reach)),
              .lost_frames = lost_frames,
              .bound_frames = bound_frames};
    do {
      step.latest_frame = flags[i].frame;
      step.host_flags |= flags[i].host_flags;
      ++i;
    } while (i < flags.size() &&
             static_cast<double>(flags[i].frame - step.latest_frame) < kMergeSeconds * rate_hz);
    steps_.push_back(step);
  }
}

std::vector<TimeMap::Flags> TimeMap::AssignFlags(const std::vector<Flags>& flags,
                                                 std::vector<Step>* steps) const {
  const int64_t reach = FlagReachFrames();
  std::vector<Flags> alone;
  std::vector<std::vector<int64_t>> flagged(steps->size());
  for (const Flags& flag : flags) {
    size_t i = steps->size();
    while (i > 0 && ((*steps)[i - 1].earliest_frame - block_frames_ > flag.frame ||
                     (*steps)[i - 1].latest_frame + reach < flag.frame)) {
      --i;
    }
    if (i == 0) {
      alone.push_back(flag);
      continue;
    }
    (*steps)[i - 1].host_flags |= flag.host_flags;
    flagged[i - 1].push_back(flag.frame);
  }
  for (size_t i = 0; i < steps->size(); ++i) {
    if (flagged[i].empty()) continue;
    Step& step = (*steps)[i];
    const int64_t first = flagged[i].front();
    const int64_t last = flagged[i].back();
    if (step.earliest_frame <= first && first <= step.latest_frame) {
      step.frame = first;
      // As short as this it is all that is looked for, so that the flag bounds it from both sides.
      if (std::abs(step.lost_frames) < shortest_detectable_loss_frames_) {
        step.earliest_frame = std::max(step.earliest_frame, first - reach);
        step.latest_frame = last;
      }
    }
    step.earliest_frame = std::min(step.earliest_frame, first);
    step.latest_frame = std::max(step.latest_frame, last);
  }
  return alone;
}

void TimeMap::Unfit(size_t first) {
  for (size_t i = pending_.size(); i-- > first;) {
    if (pending_[i].fitted) cells_.pop_back();
    pending_[i].fitted = false;
  }
}

void TimeMap::FinishCandidate(size_t end_block) {
  const Candidate candidate = *std::move(candidate_);
  candidate_.reset();
  size_t before = PendingBefore(candidate.post);
  size_t end = PendingWithin(end_block);
  if (!line_.has_value() || before >= end) {
    // Nothing that could tell how long it was.
    AddFlagged(candidate.flags, 0, std::numeric_limits<double>::infinity());
    return;
  }
  const size_t settled = SettledFrom(before, end);
  const bool known = end - settled >= std::min(kJudgeCells, end - before);
  double error = 0;
  const double level = LevelOf(settled, end, &error);
  const double npf = line_->nanos_per_frame;
  const double bound = known ? kBoundSigmas * error / npf : std::numeric_limits<double>::infinity();
  const bool flagged = !candidate.flags.empty();
  const bool moved = std::abs(level) > kStepSigmas / 2 * error;
  const bool loss = flagged || std::abs(level) >= kShortestLossSeconds * 1e9;

  std::vector<StepPlace> places;
  if (moved || !flagged) places = FindPlaces(level, end_block);
  // What is between the place and the cells that agree is on no line that is known.
  const bool other_line =
      settled > before && pending_[settled - 1].cell.blocks >= line_->blocks_per_cell / 2;
  if (!places.empty() && (!known || other_line)) {
    places.back().latest = std::max(places.back().latest, pending_[settled].begin);
  }
  std::vector<Step> steps;
  for (const StepPlace& place : places) {
    Step step{.frame = blocks_[place.best].frame,
              .earliest_frame = blocks_[place.earliest].frame,
              .latest_frame = blocks_[place.latest].frame,
              .lost_frames = place.rise_nanos / npf,
              .bound_frames = bound};
    if (places.size() > 1) step.bound_frames += kPartBoundSigmas * line_->cell_scatter / npf;
    steps.push_back(step);
  }
  std::vector<Flags> alone = AssignFlags(candidate.flags, &steps);
  if (steps.size() == 1 && !alone.empty() && alone.size() == candidate.flags.size() &&
      std::abs(steps[0].lost_frames) < shortest_detectable_loss_frames_) {
    // Too short to be placed for sure, and a flag tells of something elsewhere: one xrun, at either
    // place or between.
    Step& step = steps[0];
    for (const Flags& flag : alone) {
      step.earliest_frame =
          std::min(step.earliest_frame, std::max(epoch_frame_ + 1, flag.frame - FlagReachFrames()));
      step.latest_frame = std::max(step.latest_frame, flag.frame);
      step.host_flags |= flag.host_flags;
    }
    step.frame = alone.front().frame;
    alone.clear();
  }
  if (steps.empty()) {
    AddFlagged(alone, level / npf, bound);
  } else {
    AddFlagged(alone, 0, shortest_detectable_loss_frames_);
  }
  for (const Step& step : steps) (loss ? steps_ : relock_steps_).push_back(step);
  std::sort(steps_.begin(), steps_.end(),
            [](const Step& a, const Step& b) { return a.frame < b.frame; });

  if (!steps.empty()) {
    segments_.push_back({.end_frame = steps.back().frame, .estimate = LineEstimate()});
    if (segments_.size() > kMaxSegments) segments_.pop_front();
    // What may be on neither line is not for the fit, and what is surely after is on the new one.
    const size_t post = std::min(places.back().latest, pending_[settled].begin);
    Recut(post);
    before = PendingBefore(post);
    end = std::max(before, PendingWithin(end_block));
    size_t first = 0;
    while (first < before && pending_[first].end <= places.front().earliest) ++first;
    Unfit(first);
    for (size_t i = first; i < before; ++i) pending_[i].cell.blocks = 0;
  }
  Promote(before);
  if (!steps.empty()) ++group_;
  if (!loss) {
    ++relocks_;
    if (last_relock_frame_ != INT64_MIN &&
        static_cast<double>(steps.back().frame - last_relock_frame_) * npf <
            kRateChangeSeconds * 1e9) {
      cells_.clear();
    }
    last_relock_frame_ = steps.back().frame;
  }
  FitPending(end - before);
  if (end - before >= kJudgeCells) Promote(end - before - (kJudgeCells - 1));
  Refit();
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
