// Prints the table of docs/timing.md: how far the time map is off under simulated disturbances with
// known truth, beside the simpler estimators that it was chosen over. The argument is the first of
// 40 seeds, 1 if there is none: those of the unit test, on which constants were chosen.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "server/mixer/time_map.h"
#include "tests/mixer/block_simulator.h"

namespace rtmixd {
namespace {

constexpr double kRateHz = 48000;
constexpr int kSeeds = 40;
constexpr double kClockErrorsPpm[] = {0, 50, -50, 300, -300};

// Worst cases of one estimator at one moment.
struct Worst {
  double frames = 0;
  double ppm = 0;
  void Add(double error_frames, double error_ppm) {
    frames = std::max(frames, std::abs(error_frames));
    ppm = std::max(ppm, std::abs(error_ppm));
  }
};

// Adriaensen's delay-locked loop of second order (2005): w = 2 pi B / F, b = sqrt(2) w, c = w^2,
// with F the blocks per second; innovations of more than `gate_seconds` are left out.
class DelayLockedLoop {
 public:
  DelayLockedLoop(double bandwidth_hz, double gate_seconds, double block_seconds)
      : gate_seconds_(gate_seconds), period_(block_seconds) {
    const double w = 2 * M_PI * bandwidth_hz * block_seconds;
    b_ = std::sqrt(2.0) * w;
    c_ = w * w;
  }
  void Add(double seconds) {
    if (blocks_++ == 0) {
      next_ = seconds + period_;
      time_ = seconds;
      return;
    }
    double error = seconds - next_;
    if (std::abs(error) > gate_seconds_) error = 0;
    time_ = next_;
    next_ += b_ * error + period_;
    period_ += c_ * error;
  }
  double time() const { return time_; }
  double period() const { return period_; }

 private:
  const double gate_seconds_;
  double b_ = 0;
  double c_ = 0;
  double period_;
  double time_ = 0;
  double next_ = 0;
  int64_t blocks_ = 0;
};

// Least squares through all blocks.
class LeastSquares {
 public:
  void Add(double x, double y) {
    ++n_;
    const double dx = x - mean_x_;
    mean_x_ += dx / n_;
    mean_y_ += (y - mean_y_) / n_;
    xx_ += dx * (x - mean_x_);
    xy_ += dx * (y - mean_y_);
  }
  double slope() const { return xy_ / xx_; }
  double At(double x) const { return mean_y_ + (x - mean_x_) * slope(); }

 private:
  double n_ = 0;
  double mean_x_ = 0;
  double mean_y_ = 0;
  double xx_ = 0;
  double xy_ = 0;
};

// The longest edge of the lower convex hull of all blocks.
class LowerHull {
 public:
  void Add(double x, double y) {
    while (hull_.size() >= 2 && Below(hull_[hull_.size() - 2], {x, y}, hull_.back())) {
      hull_.pop_back();
    }
    hull_.push_back({x, y});
  }
  void Line(double* slope, double* x, double* y) const {
    double longest = 0;
    for (size_t i = 1; i < hull_.size(); ++i) {
      if (hull_[i].x - hull_[i - 1].x <= longest) continue;
      longest = hull_[i].x - hull_[i - 1].x;
      *slope = (hull_[i].y - hull_[i - 1].y) / longest;
      *x = hull_[i].x;
      *y = hull_[i].y;
    }
  }

 private:
  struct Point {
    double x;
    double y;
  };
  // Whether the line from a to b passes below c.
  static bool Below(Point a, Point b, Point c) {
    return (b.y - a.y) * (c.x - a.x) <= (c.y - a.y) * (b.x - a.x);
  }
  std::vector<Point> hull_;
};

void Measure(int first_seed, const char* name, BlockSimulator::Options options) {
  constexpr int64_t kMoments[] = {2, 5, 20, 60};
  Worst map_worst[4];
  double uncertainty[4] = {};
  int too_wide = 0;  // uncertainty of 3 frames or more at 20 s
  int rate_off = 0;  // rate off by 1 ppm or more at 60 s
  int outside = 0;
  int asked = 0;
  Worst slow_loop;
  Worst fast_loop;
  Worst squares;
  Worst hull_worst;
  for (const double ppm : kClockErrorsPpm) {
    for (int seed = first_seed; seed < first_seed + kSeeds; ++seed) {
      options.clock_error_ppm = ppm;
      options.seed = static_cast<uint32_t>(seed * 1000 + ppm + 500);
      BlockSimulator simulator(options);
      TimeMap map(kRateHz, 0);
      const double block_seconds = options.block_frames / kRateHz;
      DelayLockedLoop slow(0.02, 2e-3, block_seconds);
      DelayLockedLoop fast(0.1, 2e-3, block_seconds);
      LeastSquares least;
      LowerHull hull;
      BlockRecord record{};
      for (int i = 0; i < 4; ++i) {
        while (simulator.next_frame() <= kMoments[i] * static_cast<int64_t>(kRateHz)) {
          record = simulator.Next();
          const double seconds =
              static_cast<double>(record.callback_nanos - options.start_nanos) * 1e-9;
          const double nominal = static_cast<double>(record.first_frame) / kRateHz;
          map.AddBlock(record);
          slow.Add(seconds);
          fast.Add(seconds);
          least.Add(nominal, seconds);
          hull.Add(nominal, seconds);
        }
        const TimeMap::Estimate& e = map.estimate();
        const double frames =
            simulator.ErrorFrames(record.first_frame, e.NanosAt(record.first_frame));
        map_worst[i].Add(frames, (e.rate_hz / simulator.rate_hz() - 1) * 1e6);
        uncertainty[i] = std::max(uncertainty[i], e.uncertainty_frames);
        if (kMoments[i] == 20 && e.uncertainty_frames >= 3) ++too_wide;
        if (kMoments[i] == 60 && std::abs(e.rate_hz / simulator.rate_hz() - 1) >= 1e-6) ++rate_off;
        ++asked;
        if (std::abs(frames) > e.UncertaintyFramesAt(record.first_frame)) ++outside;
      }
      const double truth = simulator.DueNanos(record.first_frame) * 1e-9;
      const double period = 1 / (1 + ppm * 1e-6);
      const double x = static_cast<double>(record.first_frame) / kRateHz;
      slow_loop.Add((slow.time() - truth) * kRateHz,
                    (slow.period() / block_seconds / period - 1) * 1e6);
      fast_loop.Add((fast.time() - truth) * kRateHz,
                    (fast.period() / block_seconds / period - 1) * 1e6);
      squares.Add((least.At(x) - truth) * kRateHz, (least.slope() / period - 1) * 1e6);
      double slope = 1;
      double hull_x = 0;
      double hull_y = 0;
      hull.Line(&slope, &hull_x, &hull_y);
      hull_worst.Add((hull_y + (x - hull_x) * slope - truth) * kRateHz, (slope / period - 1) * 1e6);
    }
  }
  std::printf("%s, %d-frame blocks\n", name, options.block_frames);
  for (int i = 0; i < 4; ++i) {
    std::printf("  time map, %2d s: off %7.3f frames, says %7.3f, rate off %8.3f ppm\n",
                static_cast<int>(kMoments[i]), map_worst[i].frames, uncertainty[i],
                map_worst[i].ppm);
  }
  std::printf(
      "  outside of the stated uncertainty: %d of %d; says 3 frames or more at 20 s: %d of %d; "
      "rate "
      "off by 1 ppm or more at 60 s: %d of %d\n",
      outside, asked, too_wide, asked / 4, rate_off, asked / 4);
  const auto print = [](const char* what, const Worst& worst) {
    std::printf("  %-15s 60 s: off %8.3f frames, rate off %8.3f ppm\n", what, worst.frames,
                worst.ppm);
  };
  print("loop 0.02 Hz,", slow_loop);
  print("loop 0.1 Hz,", fast_loop);
  print("least squares,", squares);
  print("lower hull,", hull_worst);
}

}  // namespace
}  // namespace rtmixd

int main(int argc, char** argv) {
  const int first_seed = argc > 1 ? static_cast<int>(std::strtol(argv[1], nullptr, 10)) : 1;
  const auto measure = [&](const char* name, rtmixd::BlockSimulator::Options options) {
    rtmixd::Measure(first_seed, name, options);
  };
  measure("exact stamps", {});
  measure("uniform jitter +-200 us", {.uniform_jitter_nanos = 200e3});
  measure("gaussian jitter 500 us", {.gaussian_jitter_nanos = 500e3});
  measure("one-sided lateness", {.median_lateness_nanos = 100e3});
  measure("one-sided lateness", {.block_frames = 64, .median_lateness_nanos = 100e3});
  measure("one-sided lateness", {.block_frames = 1024, .median_lateness_nanos = 100e3});
  measure("lateness and gaussian jitter 20 us",
          {.gaussian_jitter_nanos = 20e3, .median_lateness_nanos = 100e3});
  measure("lateness and gaussian jitter 500 us",
          {.gaussian_jitter_nanos = 500e3, .median_lateness_nanos = 100e3});
}
