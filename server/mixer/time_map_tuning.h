#ifndef RTMIXD_SERVER_MIXER_TIME_MAP_TUNING_H_
#define RTMIXD_SERVER_MIXER_TIME_MAP_TUNING_H_

#include <cstddef>

// The constants that both halves of TimeMap use. docs/timing.md says how they were chosen.
namespace rtmixd::time_map {

// A cell is a quarter of a second, but never less than 8 blocks, nor more than 1024.
inline constexpr double kCellSeconds = 0.25;
inline constexpr int kLeastBlocksPerCell = 8;
inline constexpr size_t kMostBlocksPerCell = 1024;
// A cell cut short by a step counts from this many blocks on.
inline constexpr size_t kLeastBlocksOfCutCell = 4;

// A step is found when the middle of this many cells has moved, that is within a second.
inline constexpr size_t kJudgeCells = 4;
// Standard errors of a gaussian in which 99 of 100 lie, and a little more.
inline constexpr double kCoverage = 2.8;
// Standard errors beyond which a line has moved: once in 10^9 cells under gaussian scatter.
inline constexpr double kStepSigmas = 6;
// Smaller moves than this are taken for wander of the clocks and followed by the fit. Frames are
// lost whole.
inline constexpr double kLeastStepFrames = 0.75;
// Standard error of the middle mean of a few cells, against that of the mean of as many.
inline constexpr double kFewCellsFactor = 1.1;

}  // namespace rtmixd::time_map

#endif  // RTMIXD_SERVER_MIXER_TIME_MAP_TUNING_H_
