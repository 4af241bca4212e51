#ifndef RTMIXD_SERVER_MIXER_TIME_MAP_CELL_H_
#define RTMIXD_SERVER_MIXER_TIME_MAP_CELL_H_

#include <cstdint>
#include <vector>

#include "absl/types/span.h"

namespace rtmixd {

// When the callback of the block that starts at `frame` was entered.
struct BlockTime {
  int64_t frame;
  int64_t nanos;  // CLOCK_MONOTONIC
};

// What the time map keeps of a quarter of a second of blocks: two points of the line from frames to
// nanos, and the shape of the scatter around it, which tells which of the two to believe.
struct TimeMapCell {
  int64_t first_frame = 0;
  int blocks = 0;
  int group = 0;  // cells of one group lie on one line; lines of all groups are parallel

  // The block that came earliest against the line: the one with the least lateness.
  int64_t edge_frame = 0;
  int64_t edge_nanos = 0;
  // The mean of the blocks that are not outliers.
  int64_t centre_frame = 0;
  int64_t centre_nanos = 0;

  double lower_nanos = 0;  // median - 5 % quantile
  double upper_nanos = 0;  // 95 % quantile - median
  double tail_nanos = 0;   // 25 % quantile - 5 % quantile
  double late_nanos = 0;   // the latest block - median
  // Standard error of the centre, by the scatter inside.
  double centre_error_nanos = 0;
};

// `a - b` without overflow, whatever a faulty clock said.
inline double NanosBetween(int64_t b, int64_t a) {
  return static_cast<double>(static_cast<__int128>(a) - b);
}

// Summarizes at least one block. `nanos_per_frame` is the slope to measure against; an error of e
// in it moves the edge by at most e times the length of the cell and the centre not at all.
// `scratch` is working memory, kept by the caller so that nothing is allocated per cell.
TimeMapCell SummarizeBlocks(absl::Span<const BlockTime> blocks, double nanos_per_frame,
                            std::vector<double>* scratch);

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_MIXER_TIME_MAP_CELL_H_
