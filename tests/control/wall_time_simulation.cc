#include "tests/control/wall_time_simulation.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <memory>

#include "absl/time/time.h"
#include "server/control/wall_time.h"
#include "server/mixer/time_map.h"
#include "tests/mixer/block_simulator.h"

namespace rtmixd {
namespace {

constexpr double kRateHz = 48000;
constexpr int64_t kOutputLatencyFrames = 1024;
constexpr std::array<double, 4> kClockErrorsPpm = {100, -100, 37, -61};
// The time map is locked by then.
constexpr double kFirstMomentSeconds = 10;

struct Server {
  std::unique_ptr<BlockSimulator> device;
  TimeMap map{kRateHz, 0};
  int64_t start_nanos = 0;  // of its CLOCK_MONOTONIC, at second 0 of the simulation
};

}  // namespace

WallTimeSimulation::Result WallTimeSimulation::Run(const Options& options) {
  std::array<Server, kClockErrorsPpm.size()> servers;
  for (size_t i = 0; i < servers.size(); ++i) {
    servers[i].start_nanos = static_cast<int64_t>(i + 1) * 123'456'789'000;
    servers[i].device = std::make_unique<BlockSimulator>(
        BlockSimulator::Options{.clock_error_ppm = kClockErrorsPpm[i],
                                .block_frames = options.block_frames,
                                .gaussian_jitter_nanos = options.gaussian_jitter_nanos,
                                .median_lateness_nanos = options.median_lateness_nanos,
                                .start_nanos = servers[i].start_nanos,
                                .seed = options.seed * 100 + static_cast<uint32_t>(i)});
  }
  const absl::Time epoch = absl::FromUnixSeconds(1'800'000'000);
  Result result;
  const auto starts = static_cast<int64_t>(
      std::ceil((options.hours * 3600 - kFirstMomentSeconds) / options.start_every_seconds));
  for (int64_t start = 0; start < starts; ++start) {
    const double moment_seconds =
        kFirstMomentSeconds + static_cast<double>(start) * options.start_every_seconds;
    double first = 0;
    double last = 0;
    for (size_t i = 0; i < servers.size(); ++i) {
      Server& server = servers[i];
      const double now_nanos = (moment_seconds - options.fix_ahead_seconds) * 1e9;
      while (server.device->DueNanos(server.device->next_frame()) <= now_nanos) {
        server.map.AddBlock(server.device->Next());
      }
      const auto since = static_cast<int64_t>(now_nanos);
      const ClockPair now{server.start_nanos + since, epoch + absl::Nanoseconds(since), 0};
      const WallTimeFrame fixed = FrameAtWallTime(
          server.map, now, epoch + absl::Nanoseconds(std::llround(moment_seconds * 1e9)),
          kOutputLatencyFrames);
      // When it really sounds, by the device's true clock.
      const double sounds_nanos = server.device->DueNanos(fixed.frame + kOutputLatencyFrames);
      const double error = (sounds_nanos * 1e-9 - moment_seconds) * kRateHz;
      result.errors_frames.push_back(error);
      result.stated_frames.push_back(fixed.uncertainty_frames);
      if (std::abs(error) > fixed.uncertainty_frames) ++result.outside;
      first = i == 0 ? error : std::min(first, error);
      last = i == 0 ? error : std::max(last, error);
    }
    result.spreads_frames.push_back(last - first);
  }
  return result;
}

double WallTimeSimulation::Quantile(std::vector<double> values, double share) {
  for (double& value : values) value = std::abs(value);
  const auto rank = static_cast<size_t>(std::ceil(share * static_cast<double>(values.size())));
  const auto nth = values.begin() + static_cast<std::ptrdiff_t>(std::max<size_t>(rank, 1) - 1);
  std::nth_element(values.begin(), nth, values.end());
  return *nth;
}

}  // namespace rtmixd
