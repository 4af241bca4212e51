#include "server/mixer/time_map_cell.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace rtmixd {
namespace {

constexpr double kTrim = 0.125;     // on either side of the centre
constexpr double kCentreReach = 3;  // 4.9 sigma of a gaussian

// Quantile of sorted values, linear between neighbours.
double Quantile(const std::vector<double>& sorted, double p) {
  const double position = p * static_cast<double>(sorted.size() - 1);
  const size_t below = static_cast<size_t>(position);
  const size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (position - static_cast<double>(below)) * (sorted[above] - sorted[below]);
}

// Standard error of the trimmed mean of sorted values, by their winsorized variance (Tukey and
// McLaughlin 1963): right whatever the shape of their scatter is, if that is symmetric.
double TrimmedMeanError(const std::vector<double>& sorted) {
  const auto n = static_cast<double>(sorted.size());
  if (n < 2) return 0;
  const double median = Quantile(sorted, 0.5);
  const double least = Quantile(sorted, kTrim);
  const double most = Quantile(sorted, 1 - kTrim);
  double sum = 0;
  double squares = 0;
  for (const double value : sorted) {
    const double winsorized = std::clamp(value, least, most) - median;
    sum += winsorized;
    squares += winsorized * winsorized;
  }
  return std::sqrt(std::max(0.0, (squares - sum * sum / n) / (n * (n - 1)))) / (1 - 2 * kTrim);
}

}  // namespace

TimeMapCell SummarizeBlocks(absl::Span<const BlockTime> blocks, double nanos_per_frame,
                            std::vector<double>* scratch) {
  const BlockTime origin = blocks.front();
  const auto residual = [&](const BlockTime& block) {
    return NanosBetween(origin.nanos, block.nanos) -
           static_cast<double>(block.frame - origin.frame) * nanos_per_frame;
  };

  std::vector<double>& sorted = *scratch;
  sorted.clear();
  const BlockTime* edge = &blocks.front();
  double edge_residual = residual(*edge);
  for (const BlockTime& block : blocks) {
    const double r = residual(block);
    sorted.push_back(r);
    if (r < edge_residual) {
      edge_residual = r;
      edge = &block;
    }
  }
  std::sort(sorted.begin(), sorted.end());

  TimeMapCell cell;
  cell.first_frame = origin.frame;
  cell.blocks = static_cast<int>(blocks.size());
  cell.edge_frame = edge->frame;
  cell.edge_nanos = edge->nanos;
  const double median = Quantile(sorted, 0.5);
  const double low = Quantile(sorted, 0.05);
  const double quarter = Quantile(sorted, 0.25);
  cell.lower_nanos = median - low;
  cell.upper_nanos = Quantile(sorted, 0.95) - median;
  cell.tail_nanos = quarter - low;
  cell.late_nanos = sorted.back() - median;
  cell.centre_error_nanos = TrimmedMeanError(sorted);

  // The mean of the middle three quarters less what is far out, at the mean of its own frames:
  // exact whatever the slope is. Far out is measured by the lower half, where nothing is late.
  const double least = std::max(Quantile(sorted, kTrim), median - kCentreReach * cell.lower_nanos);
  const double most =
      std::min(Quantile(sorted, 1 - kTrim), median + kCentreReach * cell.lower_nanos);
  double sum_frames = 0;
  double sum_residuals = 0;
  int count = 0;
  for (const BlockTime& block : blocks) {
    const double r = residual(block);
    if (r < least || r > most) continue;
    sum_frames += static_cast<double>(block.frame - origin.frame);
    sum_residuals += r;
    ++count;
  }
  if (count == 0) {  // two halves far apart, with nothing between them
    sum_residuals = median;
    count = 1;
  }
  const double mean_frame = std::round(sum_frames / count);
  cell.centre_frame = origin.frame + static_cast<int64_t>(mean_frame);
  const double centre =
      std::clamp(sum_residuals / count + mean_frame * nanos_per_frame, -9e18, 9e18);
  cell.centre_nanos = static_cast<int64_t>(std::clamp<__int128>(
      static_cast<__int128>(origin.nanos) + std::llround(centre), INT64_MIN, INT64_MAX));
  return cell;
}

}  // namespace rtmixd
