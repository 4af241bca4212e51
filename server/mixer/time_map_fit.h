#ifndef RTMIXD_SERVER_MIXER_TIME_MAP_FIT_H_
#define RTMIXD_SERVER_MIXER_TIME_MAP_FIT_H_

#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "server/mixer/time_map_cell.h"

namespace rtmixd {

// Which point of a cell stands for it.
enum class CellPoint { kEdge, kCentre };

// A robust straight line through cells: one slope for all, an intercept per group; kept are the
// slope and the line of the newest group.
struct LineFit {
  int64_t origin_frame = 0;  // the newest group's centroid, where the two errors are independent
  int64_t origin_nanos = 0;
  double nanos_per_frame = 0;
  double slope_error = 0;   // standard error of nanos_per_frame
  double origin_error = 0;  // standard error of origin_nanos
  double cell_scatter = 0;  // robust standard deviation of a cell of usual size around the line
  double blocks_per_cell = 0;
  int degrees_of_freedom = 1;  // >= 1
  // The standard errors times this are those that the line is off by. They themselves are what
  // steps are judged by, and err on the safe side.
  double stated_share = 1;

  // Nanos of `cell`'s point after the line.
  double Residual(const TimeMapCell& cell, CellPoint point) const;
  double Residual(int64_t frame, int64_t nanos) const;
  // Standard error of the line at `frame`, in nanos.
  double ErrorAt(int64_t frame) const;
  // What a standard error is to be multiplied by to hold in 99 of 100 cases (Student's t).
  double Coverage() const;
};

// Fits `cells` (at least one; groups ascend), starting from the slope `start_nanos_per_frame`. The
// slope is held to `nominal_nanos_per_frame` like a measurement with a standard error of kPriorPpm.
// `expected_scatter` > 0 (nanos) is what the scatter of the cells is at least, whatever a few of
// them show; `stated_scatter` > 0 the same of what stated_share makes of the errors.
//
// Iteratively reweighted least squares with Tukey's biweight (c = 4.685, 95 % efficient on gaussian
// scatter), scale by the median absolute deviation.
LineFit FitLine(absl::Span<const TimeMapCell> cells, CellPoint point,
                double nominal_nanos_per_frame, double start_nanos_per_frame,
                double expected_scatter, double stated_scatter);

// No sound device that works is further than this from its nominal rate; one that is only takes
// longer to be believed.
inline constexpr double kPriorPpm = 500;

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_MIXER_TIME_MAP_FIT_H_
