#ifndef RTMIXD_SERVER_CONTROL_RUN_STATS_H_
#define RTMIXD_SERVER_CONTROL_RUN_STATS_H_

#include <cstdint>
#include <deque>
#include <map>
#include <optional>

#include "server/control/types.h"
#include "server/mixer/block_log.h"

namespace rtmixd {

// Counts over the blocks of a stream, so that the counts of any stretch of frames can be told
// cheaply: it exists because every report tells of the blocks in which its action ran, and there
// may be ten thousand of those at once.
//
// Counts up to any frame of the last `window_frames` are kept; who needs a stretch that began
// earlier takes a Mark when it begins.
//
// Threading: thread-compatible (guarded by the engine's mutex).
class RunStats {
 public:
  // Sums over blocks.
  struct Sums {
    int64_t blocks = 0;
    int64_t input_underflows = 0;
    int64_t input_overflows = 0;
    int64_t output_underflows = 0;
    int64_t output_overflows = 0;
    int64_t clipped_samples = 0;
    int64_t nonfinite_input_samples = 0;
  };
  // The beginning of a stretch.
  struct Mark {
    int64_t frame = 0;
    Sums before;  // of the blocks that had ended by then
  };
  // The counts of a stretch.
  struct Counts {
    BlockStatsInfo blocks;
    int64_t clipped_samples = 0;
    int64_t nonfinite_input_samples = 0;
  };

  explicit RunStats(int64_t window_frames) : window_frames_(window_frames) {}

  int64_t window_frames() const { return window_frames_; }

  // The next block; frames only grow.
  void Add(const BlockRecord& block);

  // A frame before the window is taken for the beginning of the window, but for the sizes of
  // blocks.
  Mark MarkAt(int64_t frame) const;
  // Of all blocks that share a frame with [mark.frame, end_frame) and are known by now.
  Counts Between(const Mark& mark, int64_t end_frame) const;
  // The frame after the block that holds `frame`; absent if that is not known (yet, or any more).
  std::optional<int64_t> EndOfBlockAt(int64_t frame) const;

 private:
  struct Block {
    int64_t first_frame = 0;
    int64_t end_frame = 0;
    Sums before;
  };
  // Blocks of one size in a row.
  struct Run {
    int64_t first_frame = 0;
    int64_t end_frame = 0;
    int frames = 0;
  };

  const int64_t window_frames_;
  Sums total_;
  std::deque<Block> blocks_;
  std::deque<Run> runs_;
  std::map<int, int64_t> old_sizes_;  // size to the end of its last run that left the window
};

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_CONTROL_RUN_STATS_H_
