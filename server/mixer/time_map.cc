#include "server/mixer/time_map.h"

#include <algorithm>
#include <cmath>

#include "absl/types/span.h"
#include "server/mixer/time_map_tuning.h"

namespace rtmixd {
namespace {

using time_map::kCellSeconds;
using time_map::kCoverage;
using time_map::kFewCellsFactor;
using time_map::kJudgeCells;
using time_map::kLeastBlocksOfCutCell;
using time_map::kLeastBlocksPerCell;
using time_map::kLeastStepFrames;
using time_map::kMostBlocksPerCell;
using time_map::kStepSigmas;

constexpr size_t kWindowCells = 320;  // 80 s
// Fewer cells than this are fitted anew with each, more with every fourth.
constexpr size_t kFewCells = 64;
constexpr int kCellsPerFit = 4;
// What callbacks are late by at most, to begin with.
constexpr double kFirstUncertaintySeconds = 0.1;
constexpr double kLeastRateUncertaintyPpm = 0.02;
// A loss must exceed the threshold by this many standard errors so as to be found all but surely.
constexpr double kMissSigmas = 3.5;
// Scatters of a cell by which the newest one must be off to be doubted before it is judged.
constexpr double kDoubtSigmas = 4;
// Shape of the scatter (lower half / upper half) up to which it is one-sided, and from which it is
// symmetric.
constexpr double kOneSided = 0.20;
constexpr double kOneSidedHysteresis = 1.2;
constexpr double kSymmetric = 0.75;
// Where nothing is late, in scatters of the edge: between 2 before it (edges are late themselves)
// and 5 after it (edges of jittered stamps are early).
constexpr double kEdgeOffset = 1.5;
constexpr double kEdgeDoubt = 3.5;
// The same if the scatter is neither one-sided nor symmetric, from its centre, in (upper half -
// lower half).
constexpr double kMixedOffset = 0.2;
constexpr double kMixedDoubt = 1.0 / 3;
// A gaussian: quantiles at 5 % and 95 %, and the mean of its middle three quarters with a margin.
constexpr double kQuantileSigmas = 1.645;
constexpr double kCentreFactor = 1.17;
// By how much the scatter inside a cell shows too small a standard error of its centre, times the
// number of its blocks.
constexpr double kFewBlocks = 0.6;
// Clocks are read in steps, and nothing that we see is better than this.
constexpr double kLeastScatterNanos = 300;
// Stamps as far off as this are believed only when so many of them come in a row.
constexpr double kWildNanos = 1e9;
constexpr size_t kMostWildBlocks = 8;
// Stamps beyond this are none.
constexpr int64_t kMostNanos = int64_t{1} << 61;

int64_t SaturatingRound(long double value) {
  if (value >= 9.2233720368547758e18L) return INT64_MAX;
  if (value <= -9.2233720368547758e18L) return INT64_MIN;
  return std::llround(value);
}

}  // namespace

int64_t TimeMap::Estimate::NanosAt(int64_t frame) const {
  if (rate_hz <= 0) return 0;
  return SaturatingRound(reference_nanos +
                         (static_cast<long double>(frame) - reference_frame) * 1e9L / rate_hz);
}

int64_t TimeMap::Estimate::FrameAt(int64_t nanos) const {
  if (rate_hz <= 0) return 0;
  return SaturatingRound(reference_frame +
                         (static_cast<long double>(nanos) - reference_nanos) * rate_hz / 1e9L);
}

double TimeMap::Estimate::UncertaintyFramesAt(int64_t frame) const {
  const double distance =
      std::abs(static_cast<double>(frame) - static_cast<double>(centroid_frame));
  return systematic_frames +
         std::hypot(centroid_uncertainty_frames, distance * rate_uncertainty_ppm * 1e-6);
}

TimeMap::TimeMap(double nominal_rate_hz, int64_t first_frame) {
  StartEpoch(nominal_rate_hz, first_frame);
}

void TimeMap::StartEpoch(double nominal_rate_hz, int64_t first_frame) {
  if (candidate_.has_value()) FinishCandidate(blocks_.size());
  if (estimate_.rate_hz > 0) {
    segments_.push_back({.end_frame = first_frame, .estimate = estimate_});
    if (segments_.size() > kMaxSegments) segments_.pop_front();
  }
  nominal_nanos_per_frame_ = 1e9 / nominal_rate_hz;
  cell_frames_ = std::max<int64_t>(1, std::llround(kCellSeconds * nominal_rate_hz));
  next_frame_ = first_frame;
  epoch_frame_ = first_frame;
  judged_until_frame_ = first_frame;
  shortest_detectable_loss_frames_ = std::numeric_limits<double>::infinity();
  block_count_ = 0;
  blocks_.clear();
  wild_.clear();
  pending_.clear();
  open_begin_ = 0;
  bootstrapped_ = false;
  cells_.clear();
  line_.reset();
  edge_ = false;
  last_relock_frame_ = INT64_MIN;
  estimate_ = Estimate{};
}

void TimeMap::AddBlock(const BlockRecord& block) {
  if (block.frames <= 0 || block.first_frame < next_frame_) return;
  next_frame_ = block.first_frame + block.frames;
  ++block_count_;
  block_frames_ = std::max<int64_t>(block_frames_, block.frames);
  estimate_.blocks = block_count_;
  if ((block.host_flags & kXrunFlags) != 0) OnFlags(block);
  if (block.callback_nanos <= 0 || block.callback_nanos > kMostNanos) return;
  const BlockTime time{.frame = block.first_frame, .nanos = block.callback_nanos};
  if (line_.has_value() && std::abs(line_->Residual(time.frame, time.nanos)) > kWildNanos) {
    wild_.push_back(time);
    if (wild_.size() < kMostWildBlocks) return;
    for (const BlockTime& wild : wild_) AddTime(wild);
  } else {
    AddTime(time);
  }
  wild_.clear();
}

void TimeMap::AddTime(const BlockTime& block) {
  if (blocks_.size() > open_begin_) {
    const size_t open = blocks_.size() - open_begin_;
    const bool long_enough = block.frame - blocks_[open_begin_].frame >= cell_frames_;
    if ((long_enough && open >= kLeastBlocksPerCell) || open >= kMostBlocksPerCell) {
      CloseOpenCell();
      Judge();
    }
  }
  blocks_.push_back(block);
  if (!line_.has_value()) Publish();
}

void TimeMap::CloseOpenCell() {
  const size_t size = blocks_.size() - open_begin_;
  if (size == 0) return;
  const double slope = line_.has_value() ? line_->nanos_per_frame : nominal_nanos_per_frame_;
  pending_.push_back({.cell = SummarizeBlocks(absl::MakeSpan(blocks_).subspan(open_begin_, size),
                                              slope, &scratch_),
                      .begin = open_begin_,
                      .end = blocks_.size()});
  open_begin_ = blocks_.size();
}

void TimeMap::PopPending() {
  if (pending_.back().fitted) cells_.pop_back();
  pending_.pop_back();
}

void TimeMap::FitPending(size_t count) {
  for (size_t i = 0; i < count; ++i) {
    PendingCell& pending = pending_[i];
    if (pending.fitted || static_cast<size_t>(pending.cell.blocks) < kLeastBlocksOfCutCell)
      continue;
    pending.cell.group = group_;
    cells_.push_back(pending.cell);
    pending.fitted = true;
    ++cells_since_fit_;
  }
  while (cells_.size() > kWindowCells) cells_.pop_front();
}

void TimeMap::Promote(size_t count) {
  if (count == 0) return;
  FitPending(count);
  pending_.erase(pending_.begin(), pending_.begin() + static_cast<ptrdiff_t>(count));
  const size_t drop = pending_.empty() ? open_begin_ : pending_.front().begin;
  if (drop > 0) {
    blocks_.erase(blocks_.begin(), blocks_.begin() + static_cast<ptrdiff_t>(drop));
    open_begin_ -= drop;
    for (PendingCell& pending : pending_) {
      pending.begin -= drop;
      pending.end -= drop;
    }
    if (candidate_.has_value()) candidate_->post -= drop;
  }
  if (!line_.has_value() || cells_.size() < kFewCells || cells_since_fit_ >= kCellsPerFit) Refit();
}

void TimeMap::Refit() {
  if (cells_.empty()) return;
  cells_since_fit_ = 0;
  fit_cells_.assign(cells_.begin(), cells_.end());
  line_ = Fit();
  Publish();
}

LineFit TimeMap::Fit() {
  const auto median = [&](auto TimeMapCell::*field) {
    scratch_.clear();
    for (const TimeMapCell& cell : fit_cells_) scratch_.push_back(cell.*field);
    const auto middle = scratch_.begin() + static_cast<ptrdiff_t>(scratch_.size() / 2);
    std::nth_element(scratch_.begin(), middle, scratch_.end());
    return *middle;
  };
  lower_nanos_ = median(&TimeMapCell::lower_nanos);
  upper_nanos_ = median(&TimeMapCell::upper_nanos);
  const double blocks = median(&TimeMapCell::blocks);
  const double shape = upper_nanos_ > 1000 ? lower_nanos_ / upper_nanos_ : 1;
  // With hysteresis, so that chance does not switch it to and fro.
  edge_ = shape < (edge_ ? kOneSided * kOneSidedHysteresis : kOneSided);

  // The scatter that one cell's inside lets expect of many: of a mean, by the quantiles of a
  // gaussian (1.645 sigma); of an edge, by the 1/n-quantile of a density as at the 5 % to 25 %
  // quantiles.
  const double expected = edge_ ? median(&TimeMapCell::tail_nanos) / (0.2 * blocks)
                                : kCentreFactor * (lower_nanos_ + upper_nanos_) /
                                      (2 * kQuantileSigmas) / std::sqrt(blocks);
  expected_scatter_nanos_ = std::max(kLeastScatterNanos, expected);
  const double stated =
      edge_ ? expected : (1 + kFewBlocks / blocks) * median(&TimeMapCell::centre_error_nanos);

  const double start = line_.has_value() ? line_->nanos_per_frame : nominal_nanos_per_frame_;
  return FitLine(fit_cells_, point(), nominal_nanos_per_frame_, start, expected_scatter_nanos_,
                 std::max(kLeastScatterNanos, stated));
}

void TimeMap::Publish() {
  Estimate e;
  e.blocks = block_count_;
  if (!line_.has_value()) {
    // The earliest block so far, at the nominal rate.
    BlockTime best = blocks_.front();
    for (const BlockTime& block : blocks_) {
      if (NanosBetween(best.nanos, block.nanos) <
          static_cast<double>(block.frame - best.frame) * nominal_nanos_per_frame_) {
        best = block;
      }
    }
    e.reference_frame = best.frame;
    e.reference_nanos = best.nanos;
    e.rate_hz = 1e9 / nominal_nanos_per_frame_;
    e.rate_uncertainty_ppm = kCoverage * kPriorPpm;
    e.centroid_frame = best.frame;
    e.uncertainty_frames = kFirstUncertaintySeconds * e.rate_hz;
    e.centroid_uncertainty_frames = e.uncertainty_frames;
    estimate_ = e;
    return;
  }

  const double npf = line_->nanos_per_frame;
  Estimate now = LineEstimate();
  now.locked = bootstrapped_ && !candidate_.has_value();
  double doubt = 0;  // nanos
  const size_t first = candidate_.has_value() ? PendingBefore(candidate_->post) : 0;
  if (candidate_.has_value() && first == pending_.size()) {
    doubt = kFirstUncertaintySeconds * 1e9;
  } else if (candidate_.has_value()) {
    double error = 0;
    now.reference_nanos += std::llround(LevelOf(first, pending_.size(), &error));
    now.centroid_uncertainty_frames = kCoverage * error / npf;
  } else if (bootstrapped_ && !pending_.empty()) {
    // Cells that do not fit are believed to be wrong, but not for sure yet.
    const double newest = std::abs(line_->Residual(pending_.back().cell, point()));
    if (newest > kDoubtSigmas * line_->cell_scatter) doubt = newest;
  }
  now.systematic_frames += doubt / npf;
  now.uncertainty_frames = now.UncertaintyFramesAt(now.reference_frame);
  estimate_ = now;
  if (!bootstrapped_) return;

  const double error = line_->Coverage() / kCoverage *
                       std::hypot(kFewCellsFactor * line_->cell_scatter /
                                      std::sqrt(static_cast<double>(kJudgeCells)),
                                  line_->ErrorAt(now.reference_frame));
  const double threshold =
      std::max({kStepSigmas * error, kShortestLossSeconds * 1e9, kLeastStepFrames * npf});
  shortest_detectable_loss_frames_ = (threshold + kMissSigmas * error) / npf;
  if (!blocks_.empty()) {
    judged_until_frame_ = std::max(judged_until_frame_, blocks_.front().frame);
  }
}

TimeMap::Estimate TimeMap::LineEstimate() const {
  // From the points that the line goes through to where nothing is late; see docs/timing.md.
  double offset = 0;
  double systematic = 0;
  if (edge_) {
    offset = kEdgeOffset * line_->cell_scatter;
    systematic = kEdgeDoubt * line_->cell_scatter;
  } else if (lower_nanos_ < kSymmetric * upper_nanos_) {
    offset = -kMixedOffset * (upper_nanos_ - lower_nanos_);
    systematic = kMixedDoubt * (upper_nanos_ - lower_nanos_);
  }
  const double npf = line_->nanos_per_frame;
  const double coverage = line_->Coverage() * line_->stated_share;
  Estimate e;
  e.blocks = block_count_;
  e.rate_hz = 1e9 / npf;
  e.rate_uncertainty_ppm = coverage * line_->slope_error / npf * 1e6 + kLeastRateUncertaintyPpm;
  e.reference_frame = blocks_.empty() ? line_->origin_frame : blocks_.back().frame;
  e.reference_nanos =
      SaturatingRound(static_cast<long double>(line_->origin_nanos) + offset +
                      (static_cast<long double>(e.reference_frame) - line_->origin_frame) * npf);
  e.centroid_frame = line_->origin_frame;
  e.centroid_uncertainty_frames = coverage * line_->origin_error / npf;
  e.systematic_frames = systematic / npf;
  e.uncertainty_frames = e.UncertaintyFramesAt(e.reference_frame);
  e.locked = bootstrapped_;
  return e;
}

int64_t TimeMap::NanosAt(int64_t frame) const {
  for (const Segment& segment : segments_) {
    if (frame < segment.end_frame) return segment.estimate.NanosAt(frame);
  }
  return estimate_.NanosAt(frame);
}

int64_t TimeMap::FrameAt(int64_t nanos) const {
  int64_t begin_frame = INT64_MIN;
  for (const Segment& segment : segments_) {
    const int64_t frame = std::max(begin_frame, segment.estimate.FrameAt(nanos));
    if (frame < segment.end_frame) return frame;
    begin_frame = segment.end_frame;
  }
  return std::max(begin_frame, estimate_.FrameAt(nanos));
}

double TimeMap::UncertaintyFramesAt(int64_t frame) const {
  for (const Segment& segment : segments_) {
    if (frame < segment.end_frame) return segment.estimate.UncertaintyFramesAt(frame);
  }
  return estimate_.UncertaintyFramesAt(frame);
}

bool TimeMap::TakeStep(Step* step) {
  if (steps_.empty()) return false;
  *step = steps_.front();
  steps_.pop_front();
  return true;
}

bool TimeMap::TakeRelock(Step* step) {
  if (relock_steps_.empty()) return false;
  *step = relock_steps_.front();
  relock_steps_.pop_front();
  return true;
}

}  // namespace rtmixd
