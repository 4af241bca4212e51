#ifndef RTMIXD_SERVER_MIXER_STEP_SEARCH_H_
#define RTMIXD_SERVER_MIXER_STEP_SEARCH_H_

#include <cstddef>
#include <vector>

#include "absl/types/span.h"

namespace rtmixd {

// Where callbacks became later for good, as indices of blocks: the first block after it, which is
// not before `earliest` nor after `latest`.
struct StepPlace {
  size_t best = 0;
  size_t earliest = 0;
  size_t latest = 0;
  double rise_nanos = 0;  // at this place alone
};

// What is known of a row of blocks of which the first are on a line and the last are not.
struct StepSearch {
  // Nanos of each block after the line, in order. Not empty.
  absl::Span<const double> residuals = {};
  double level_nanos = 0;     // of the last blocks; not 0
  double shortest_nanos = 0;  // rises below this are of no interest; > 0
  // Standard deviation of a block around the line but for lateness.
  double scatter_nanos = 0;
  double least_frame_nanos = 0;  // of one frame, the shortest rise there is
  // Blocks are late by more than the scatter.
  bool late = false;
  // Lateness is of one side, and the line is its edge.
  bool one_sided = false;
  // Blocks seen earlier, and how late the latest one of each group of them was.
  double earlier_blocks = 0;
  absl::Span<const double> earlier_lateness = {};

  // All places where the line rises (or falls), in order; at least one. Several only where the
  // blocks between them make a line of their own beyond doubt; otherwise the range of one holds
  // them all.
  //
  // What is certain: a block that is earlier than a line allows is before it, for none is early by
  // more than the scatter. What is not: a late block looks like one after the step. So a range
  // begins after the last block on the old line, and ends where so many have been late enough that
  // chance does not do that. Where the scatter hides single blocks, means of many stand for them.
  std::vector<StepPlace> Find() const;

 private:
  std::vector<StepPlace> FindSharp(double tolerance_nanos) const;
  std::vector<StepPlace> FindBlurred(double tolerance_nanos) const;
  // How many blocks in a row chance does not make late by `nanos`, going by those up to the last
  // one on the line at `base_nanos` and by the earlier ones.
  size_t BlocksBeyondChance(absl::Span<const double> on_line, double base_nanos,
                            double nanos) const;
};

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_MIXER_STEP_SEARCH_H_
