#include "server/mixer/time_map_fit.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace rtmixd {
namespace {

constexpr int kIterations = 4;
constexpr double kBiweight = 4.685;
constexpr double kMadToSigma = 1.4826;
// Four standard errors of a median absolute deviation of n gaussian values, times
// sqrt(n).
constexpr double kScatterSlack = 5;

int64_t PointFrame(const TimeMapCell& cell, CellPoint point) {
  return point == CellPoint::kEdge ? cell.edge_frame : cell.centre_frame;
}
int64_t PointNanos(const TimeMapCell& cell, CellPoint point) {
  return point == CellPoint::kEdge ? cell.edge_nanos : cell.centre_nanos;
}

double Median(std::vector<double>* values) {
  const auto middle = values->begin() + static_cast<ptrdiff_t>(values->size() / 2);
  std::nth_element(values->begin(), middle, values->end());
  return *middle;
}

struct Point {
  double x;       // frames from the origin
  double y;       // nanos from the origin, less x times the start slope
  double weight;  // 0 to 1: by number of blocks, then by the biweight
  double size;    // the first of the two
};

// The points [begin, end) of one group and the sums of its weighted least squares.
struct Group {
  size_t begin;
  size_t end;
  double weight = 0;
  double mean_x = 0;
  double mean_y = 0;
};

}  // namespace

double LineFit::Residual(int64_t frame, int64_t nanos) const {
  return NanosBetween(origin_nanos, nanos) -
         static_cast<double>(frame - origin_frame) * nanos_per_frame;
}

double LineFit::Residual(const TimeMapCell& cell, CellPoint point) const {
  return Residual(PointFrame(cell, point), PointNanos(cell, point));
}

double LineFit::ErrorAt(int64_t frame) const {
  return std::hypot(origin_error, static_cast<double>(frame - origin_frame) * slope_error);
}

double LineFit::Coverage() const {
  // Student's t at 99 %, two-sided, and 8 % for what the scale itself is wrong by.
  const double inverse = 1.0 / degrees_of_freedom;
  return 2.8 + inverse * (4.7 + inverse * 11);
}

LineFit FitLine(absl::Span<const TimeMapCell> cells, CellPoint point,
                double nominal_nanos_per_frame, double start_nanos_per_frame,
                double expected_scatter, double stated_scatter) {
  const int64_t origin_frame = PointFrame(cells.back(), point);
  const int64_t origin_nanos = PointNanos(cells.back(), point);

  std::vector<double> scratch;
  scratch.reserve(cells.size());
  for (const TimeMapCell& cell : cells) scratch.push_back(cell.blocks);
  const double usual_blocks = Median(&scratch);

  std::vector<Point> points;
  std::vector<Group> groups;
  points.reserve(cells.size());
  for (size_t i = 0; i < cells.size(); ++i) {
    const TimeMapCell& cell = cells[i];
    if (i == 0 || cell.group != cells[i - 1].group) groups.push_back({.begin = i, .end = i});
    groups.back().end = i + 1;
    const double x = static_cast<double>(PointFrame(cell, point) - origin_frame);
    const double y =
        NanosBetween(origin_nanos, PointNanos(cell, point)) - x * start_nanos_per_frame;
    const double size = std::min(1.0, cell.blocks / usual_blocks);
    points.push_back({.x = x, .y = y, .weight = size, .size = size});
  }

  // Starts from the given slope and the median of each group, which half of the cells cannot upset.
  std::vector<double> intercepts(groups.size());
  for (size_t g = 0; g < groups.size(); ++g) {
    scratch.clear();
    for (size_t i = groups[g].begin; i < groups[g].end; ++i) scratch.push_back(points[i].y);
    intercepts[g] = Median(&scratch);
  }
  double slope = 0;  // what is to be added to start_nanos_per_frame
  double scatter = expected_scatter;
  double stated = stated_scatter;
  const double prior_slope = nominal_nanos_per_frame - start_nanos_per_frame;
  const double prior_error = nominal_nanos_per_frame * kPriorPpm * 1e-6;
  double curvature = 0;
  const int freedom = std::max<int>(1, static_cast<int>(cells.size() - groups.size()) - 1);

  for (int iteration = 0; iteration < kIterations; ++iteration) {
    scratch.clear();
    for (size_t g = 0; g < groups.size(); ++g) {
      for (size_t i = groups[g].begin; i < groups[g].end; ++i) {
        scratch.push_back(std::abs(points[i].y - intercepts[g] - slope * points[i].x));
      }
    }
    // Deviations from what was fitted to them are too small by the parameters fitted.
    const double shown =
        kMadToSigma * Median(&scratch) * std::sqrt(static_cast<double>(cells.size()) / freedom);
    const double slack = point == CellPoint::kCentre ? kScatterSlack / std::sqrt(freedom) : 0;
    scatter = shown < expected_scatter * (1 + slack) ? expected_scatter : shown;
    stated = shown < stated_scatter * (1 + slack) ? stated_scatter : shown;

    for (size_t g = 0; g < groups.size(); ++g) {
      Group& group = groups[g];
      double sum = 0;
      double sum_x = 0;
      double sum_y = 0;
      for (size_t i = group.begin; i < group.end; ++i) {
        Point& p = points[i];
        const double u = (p.y - intercepts[g] - slope * p.x) / (kBiweight * scatter);
        const double v = std::abs(u) < 1 ? 1 - u * u : 0;
        p.weight = p.size * v * v;
        sum += p.weight;
        sum_x += p.weight * p.x;
        sum_y += p.weight * p.y;
      }
      group.weight = sum;
      if (sum > 0) {
        group.mean_x = sum_x / sum;
        group.mean_y = sum_y / sum;
      }
    }
    double sum_xx = 0;
    double sum_xy = 0;
    for (const Group& group : groups) {
      for (size_t i = group.begin; i < group.end; ++i) {
        const double dx = points[i].x - group.mean_x;
        sum_xx += points[i].weight * dx * dx;
        sum_xy += points[i].weight * dx * (points[i].y - group.mean_y);
      }
    }
    const double prior_weight = scatter * scatter / (prior_error * prior_error);
    curvature = sum_xx + prior_weight;
    slope = (sum_xy + prior_weight * prior_slope) / curvature;
    for (size_t g = 0; g < groups.size(); ++g) {
      if (groups[g].weight > 0) intercepts[g] = groups[g].mean_y - slope * groups[g].mean_x;
    }
  }

  const Group& newest = groups.back();
  LineFit fit;
  fit.nanos_per_frame = start_nanos_per_frame + slope;
  fit.cell_scatter = scatter;
  fit.blocks_per_cell = usual_blocks;
  fit.slope_error = scatter / std::sqrt(curvature);
  fit.origin_error = scatter / std::sqrt(std::max(newest.weight, 0.25));
  const double centroid = newest.weight > 0 ? std::round(newest.mean_x) : 0;
  fit.origin_frame = origin_frame + static_cast<int64_t>(centroid);
  fit.origin_nanos =
      origin_nanos + std::llround(intercepts.back() + centroid * fit.nanos_per_frame);
  fit.degrees_of_freedom = freedom;
  fit.stated_share = stated / scatter;
  return fit;
}

}  // namespace rtmixd
