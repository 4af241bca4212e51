#include "server/mixer/step_search.h"

#include <algorithm>
#include <cmath>

namespace rtmixd {
namespace {

// Standard deviations by which a block is off its line never.
constexpr double kSharpSigmas = 6;
// The same of the mean of a window, which is asked for less often.
constexpr double kWindowSigmas = 4;
constexpr size_t kLeastWindow = 24;
// Part of a rise by which a block may be off either line.
constexpr double kLevelPart = 0.25;
// A line between two steps: so many blocks on it, over so many.
constexpr size_t kLeastOnLine = 6;
constexpr size_t kLeastLine = 8;
// More blocks in a row than this without one close to the line have left it.
constexpr size_t kMostOffLine = 32;
// What chance is taken not to do.
constexpr double kChance = 1e-5;
constexpr double kMostBlocksByChance = 100;

}  // namespace

std::vector<StepPlace> StepSearch::Find() const {
  const double rise = std::abs(level_nanos);
  const double noise = kSharpSigmas * scatter_nanos;
  // As narrow as the scatter allows where nothing is late, so that short losses beside long ones
  // are seen, too. Where blocks are late, a narrow one would find few on the line.
  double tolerance = one_sided ? std::max(noise, shortest_nanos / 2) : noise;
  tolerance = std::min(tolerance, std::max(noise, rise * kLevelPart));
  if (noise > shortest_nanos / 2 || noise > rise / 3) return FindBlurred(shortest_nanos / 2);
  if (level_nanos > 0) return FindSharp(tolerance);

  // A fall is a rise if it is gone through backward.
  const size_t size = residuals.size();
  std::vector<double> mirrored(size);
  for (size_t i = 0; i < size; ++i) mirrored[size - 1 - i] = residuals[i] + rise;
  StepSearch mirror = *this;
  mirror.residuals = mirrored;
  mirror.level_nanos = rise;
  std::vector<StepPlace> places = mirror.FindSharp(tolerance);
  std::reverse(places.begin(), places.end());
  for (StepPlace& place : places) {
    const auto index = [&](size_t i) { return i >= size ? 0 : std::min(size - i, size - 1); };
    place = {.best = index(place.best),
             .earliest = index(place.latest),
             .latest = index(place.earliest),
             .rise_nanos = -place.rise_nanos};
  }
  return places;
}

size_t StepSearch::BlocksBeyondChance(absl::Span<const double> on_line, double base_nanos,
                                      double nanos) const {
  double late = 0;
  for (const double r : on_line) late += r - base_nanos >= nanos ? 1 : 0;
  double share = on_line.empty() ? 0 : late / static_cast<double>(on_line.size());
  late = 0;
  for (const double lateness : earlier_lateness) late += lateness >= nanos ? 1 : 0;
  if (earlier_blocks > 0) share = std::max(share, late / earlier_blocks);
  if (share <= 0) return 1;
  if (share >= 1) return static_cast<size_t>(kMostBlocksByChance);
  return static_cast<size_t>(
      std::clamp(std::ceil(std::log(kChance) / std::log(share)), 2.0, kMostBlocksByChance));
}

std::vector<StepPlace> StepSearch::FindSharp(double tolerance_nanos) const {
  const absl::Span<const double> r = residuals;
  const size_t size = r.size();
  std::vector<StepPlace> places;
  double base = 0;
  size_t begin = 0;  // of the line at `base`
  while (true) {
    size_t after = begin;  // the last block on that line
    for (size_t i = begin; i < size; ++i) {
      if (r[i] < base + tolerance_nanos) after = i + 1;
    }
    // The next line that is one. What is between is late blocks, or lines too short to tell.
    double next = level_nanos;
    size_t end = size;
    for (size_t from = after; from < size;) {
      const double least = *std::min_element(r.begin() + static_cast<ptrdiff_t>(from), r.end());
      if (least >= level_nanos - tolerance_nanos) break;
      size_t on_line = 0;
      size_t first = size;
      size_t last = from;
      double sum = 0;
      for (size_t i = from; i < size; ++i) {
        if (r[i] >= least + tolerance_nanos) continue;
        first = std::min(first, i);
        last = i;
        sum += r[i];
        ++on_line;
      }
      const bool line = on_line >= kLeastOnLine && last - first + 1 >= kLeastLine;
      // Shorter steps than those looked for stay within the range of a longer one.
      if (line && least - base >= shortest_nanos && level_nanos - least >= shortest_nanos) {
        next = one_sided ? least : sum / static_cast<double>(on_line);
        end = last + 1;
        break;
      }
      from = last + 1;
    }
    // From its last block that is too early for the next line on.
    size_t best = after;
    for (size_t i = after; i < end; ++i) {
      if (r[i] < next - tolerance_nanos) best = i + 1;
    }
    size_t wanted =
        BlocksBeyondChance(r.subspan(begin, after - begin), base, next - base - tolerance_nanos);
    size_t latest = best;
    for (size_t i = best; i < end && wanted > 0; ++i) {
      if (r[i] >= next + tolerance_nanos) continue;
      latest = i;
      --wanted;
    }
    if (wanted > 0) latest = end - 1;
    // A shorter step before shows in blocks that keep away from the line for long.
    const double least_off = base + std::min(tolerance_nanos, least_frame_nanos / 2);
    size_t close = begin;
    for (size_t i = begin; i < after; ++i) {
      if (r[i] < least_off) close = i + 1;
    }
    const size_t earliest = after - close > kMostOffLine ? close : after;
    places.push_back({.best = std::min(best, size - 1),
                      .earliest = std::min(earliest, size - 1),
                      .latest = std::min(std::max(latest, best), size - 1),
                      .rise_nanos = next - base});
    if (end == size) break;
    base = next;
    begin = after;
  }
  // A fall on the way, as when a period was repeated, is before its first block on a lower line.
  for (size_t i = 0; i < size; ++i) {
    if (r[i] > -tolerance_nanos) continue;
    places.front().earliest = std::min(places.front().earliest,
                                       i - std::min(i, static_cast<size_t>(kMostBlocksByChance)));
    break;
  }
  return places;
}

std::vector<StepPlace> StepSearch::FindBlurred(double tolerance_nanos) const {
  const absl::Span<const double> r = residuals;
  const size_t size = r.size();
  const double sign = level_nanos < 0 ? -1 : 1;
  const double rise = std::abs(level_nanos);

  // The most likely place: the least sum of what each block says, below zero that it is before,
  // above that it is after.
  std::vector<double> sums(size + 1, 0.0);
  size_t best = 0;
  for (size_t i = 0; i < size; ++i) {
    sums[i + 1] = sums[i] + std::clamp(sign * r[i] / rise, 0.0, 1.0) - 0.5;
    if (sums[i + 1] < sums[best]) best = i + 1;
  }
  best = std::min(best, size - 1);

  // Means of windows, of residuals without what is far out.
  const double reach = 3 * scatter_nanos;
  const double ratio = kWindowSigmas * scatter_nanos / std::min(tolerance_nanos, rise / 2);
  const size_t window = std::min(
      size, std::max(kLeastWindow, static_cast<size_t>(std::ceil(std::min(ratio * ratio, 1e6)))));
  const auto mean_below = [&](double level, double limit, size_t first) {
    double sum = 0;
    for (size_t i = first; i < first + window; ++i) {
      sum += std::clamp(sign * r[i] - level, -reach, reach);
    }
    return sum / static_cast<double>(window) < limit;
  };
  const double margin = std::min(tolerance_nanos, rise / 2);
  // Lateness lasts longer than jitter.
  const size_t reserve = late ? window : 0;
  size_t earliest = 0;
  size_t latest = size - 1;
  for (size_t first = 0; first + window <= size; ++first) {
    if (mean_below(0, margin, first)) earliest = first + 1;
  }
  for (size_t first = size - window + 1; first-- > 0;) {
    if (mean_below(rise, -margin, first)) {
      latest = first + window;
      break;
    }
    if (first == 0) latest = window;
  }
  return {{.best = best,
           .earliest = std::min(earliest - std::min(earliest, reserve), best),
           .latest = std::min(std::max(latest + reserve, best), size - 1),
           .rise_nanos = level_nanos}};
}

}  // namespace rtmixd
