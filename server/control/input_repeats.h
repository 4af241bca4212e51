#ifndef RTMIXD_SERVER_CONTROL_INPUT_REPEATS_H_
#define RTMIXD_SERVER_CONTROL_INPUT_REPEATS_H_

#include <cstdint>
#include <deque>
#include <vector>

#include "server/mixer/audio_history.h"

namespace rtmixd {

// Finds where the input of a block came again with the next one, sample by sample on all channels:
// a host that loses a period may hand out the one before once more, and neither its time nor its
// flags need show it. Audio that is sent through a loopback may repeat itself as well, so it is a
// doubt and no more. Blocks that hold one value on each channel are not looked at: silence is like
// itself.
//
// Threading: thread-compatible.
class InputRepeats {
 public:
  explicit InputRepeats(const AudioHistory* history) : history_(history) {}

  // A block whose input the history has. True if it is the first of a row of repeats.
  bool AddBlock(int64_t first_frame, int frames);
  // Whether one of the frames [begin_frame, end_frame) is in a repeat.
  bool Any(int64_t begin_frame, int64_t end_frame) const;

 private:
  struct Range {
    int64_t begin_frame;
    int64_t end_frame;
  };
  // Reads channel `channel` of a block; false if it was overwritten meanwhile.
  bool Read(int channel, int64_t first_frame, std::vector<float>* samples) const;
  bool RepeatsTheOneBefore(int64_t first_frame, int frames);

  const AudioHistory* const history_;
  int64_t next_frame_ = -1;
  int last_frames_ = 0;
  std::vector<float> before_;
  std::vector<float> block_;
  std::deque<Range> ranges_;  // rows of repeats, by frame; the newest kMaxRanges
};

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_CONTROL_INPUT_REPEATS_H_
