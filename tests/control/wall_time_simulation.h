#ifndef RTMIXD_TESTS_CONTROL_WALL_TIME_SIMULATION_H_
#define RTMIXD_TESTS_CONTROL_WALL_TIME_SIMULATION_H_

#include <cstdint>
#include <vector>

namespace rtmixd {

// Four servers that start sounds at the same moments of the wall clock, on simulated device clocks
// of +100, -100, +37 and -61 ppm, with the server's own time map and resolving code. The wall
// clocks of the hosts are right: what NTP or PTP leaves of error comes on top and is not theirs to
// know.
//
// Threading: none of its own.
class WallTimeSimulation {
 public:
  struct Options {
    double gaussian_jitter_nanos = 0;
    double median_lateness_nanos = 0;  // one-sided, see BlockSimulator
    int block_frames = 256;
    double hours = 24;
    double start_every_seconds = 5.03;
    // As the engine fixes an origin.
    double fix_ahead_seconds = 2;
    uint32_t seed = 1;
  };

  struct Result {
    std::vector<double> errors_frames;   // of each start of each server against the moment, signed
    std::vector<double> spreads_frames;  // of each moment: from the first server to the last
    std::vector<double> stated_frames;   // of each start
    int64_t outside = 0;                 // starts that were further off than was stated
  };

  static Result Run(const Options& options);
  // The value that `share` of them do not exceed, by magnitude.
  static double Quantile(std::vector<double> values, double share);
};

}  // namespace rtmixd

#endif  // RTMIXD_TESTS_CONTROL_WALL_TIME_SIMULATION_H_
