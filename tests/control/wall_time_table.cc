// Prints the table of docs/timing.md on starts by the wall clock. The argument is a seed.

#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "tests/control/wall_time_simulation.h"

namespace {

struct Row {
  const char* name;
  rtmixd::WallTimeSimulation::Options options;
};

}  // namespace

int main(int argc, char** argv) {
  const auto seed = static_cast<uint32_t>(argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 1);
  const Row rows[] = {
      {"exact stamps", {}},
      {"gaussian jitter 50 us", {.gaussian_jitter_nanos = 50e3}},
      {"gaussian jitter 500 us", {.gaussian_jitter_nanos = 500e3}},
      {"one-sided lateness", {.median_lateness_nanos = 100e3}},
      {"one-sided lateness, 1024 frames", {.median_lateness_nanos = 100e3, .block_frames = 1024}},
      {"lateness and gaussian jitter 20 us",
       {.gaussian_jitter_nanos = 20e3, .median_lateness_nanos = 100e3}},
  };
  std::printf(
      "| disturbance | starts | off, median | off, 99 %% | off, most | spread of the four, 99 %% | "
      "stated, median | stated, most | outside of what was stated |\n"
      "|---|---|---|---|---|---|---|---|---|\n");
  for (Row row : rows) {
    row.options.seed = seed;
    const auto result = rtmixd::WallTimeSimulation::Run(row.options);
    const auto at = rtmixd::WallTimeSimulation::Quantile;
    std::printf("| %s | %zu | %.2f | %.2f | %.2f | %.2f | %.2f | %.2f | %lld |\n", row.name,
                result.errors_frames.size(), at(result.errors_frames, 0.5),
                at(result.errors_frames, 0.99), at(result.errors_frames, 1),
                at(result.spreads_frames, 0.99), at(result.stated_frames, 0.5),
                at(result.stated_frames, 1), static_cast<long long>(result.outside));
    std::fflush(stdout);
  }
  return 0;
}
