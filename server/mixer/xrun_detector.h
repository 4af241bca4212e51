#ifndef RTMIXD_SERVER_MIXER_XRUN_DETECTOR_H_
#define RTMIXD_SERVER_MIXER_XRUN_DETECTOR_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <limits>
#include <vector>

#include "server/mixer/block_log.h"
#include "server/mixer/time_map.h"

namespace rtmixd {

// One incident: something was lost before a frame.
struct Xrun {
  enum class Side : uint8_t { kUnknown, kInput, kOutput, kBoth };
  static constexpr int64_t kUnknownBound = std::numeric_limits<int64_t>::max();

  int64_t sequence = 0;  // from 0, without gaps
  // The first frame after the loss, and the range in which it lies: one point if it is known.
  int64_t frame = 0;
  int64_t earliest_frame = 0;
  int64_t latest_frame = 0;
  Side side = Side::kUnknown;  // as the flags say
  // Frames lost, within +-bound (0: exact to the frame; kUnknownBound: cannot be told). Negative if
  // the stream had frames that the device's clock did not count, as when a period was repeated.
  int64_t lost_frames = 0;
  int64_t lost_bound_frames = kUnknownBound;
  bool flagged = false;    // the host told of it
  bool from_time = false;  // later callbacks are late for good
  uint32_t host_flags = 0;
};

// The clock was taken up anew, since it moved by less than a loss that would be told as an Xrun, or
// since its rate changed.
struct ClockRelock {
  int64_t sequence = 0;  // from 0, without gaps
  // The first frame after it, and the range in which it lies.
  int64_t frame = 0;
  int64_t earliest_frame = 0;
  int64_t latest_frame = 0;
  // By how many frames callbacks are later from there on (earlier, if negative), within +-bound.
  double moved_frames = 0;
  double bound_frames = std::numeric_limits<double>::infinity();
};

enum class TouchedByXrun : uint8_t { kNo, kYes, kCannotTell };

// Tells where a stream lost something, from the host's flags and from callbacks that come later for
// good than the frames before them allow; one incident is one Xrun, whichever of the two tell of
// it. Lateness and stalls after which callbacks catch up are no xruns.
//
// Exists because several host APIs never set flags, and none says how much was lost.
//
// Example at 48 kHz, 256-frame blocks: blocks at frames 0, 256, 512, 768 are entered at 0, 5.333,
// 12.0, 17.333 ms, and all later ones 64 frames (1.333 ms) late as well: 64 frames were lost before
// frame 512. Had the block at 768 been entered at 16 ms, the block at 512 would have been late
// only.
//
// Threading: none of its own; one thread at a time, never the audio thread (it allocates).
class XrunDetector {
 public:
  static constexpr size_t kDefaultMaxXruns = 4096;

  // Keeps the newest `max_xruns` > 0. `map` must outlive it; nobody else feeds it.
  explicit XrunDetector(TimeMap* map, size_t max_xruns = kDefaultMaxXruns);

  // Every block, in order; the map gets it, too.
  void AddBlock(const BlockRecord& block);
  // After the device was reopened; see TimeMap::StartEpoch.
  void StartEpoch(double nominal_rate_hz, int64_t first_frame);

  // Whether an xrun lies in [begin_frame, end_frame), that is, before one of its frames, its first
  // one included. kCannotTell if that is not judged yet, not known well enough, or forgotten, and
  // where the clock was taken up anew.
  // A "no" excludes losses from ShortestDetectableLossFrames(begin_frame, end_frame) on.
  TouchedByXrun Touched(int64_t begin_frame, int64_t end_frame) const;
  // The retained xruns that do or may touch the interval, in order of their frames.
  std::vector<Xrun> XrunsIn(int64_t begin_frame, int64_t end_frame) const;
  // The shortest loss without a flag that would have been found in the interval; infinity if parts
  // of it are not judged yet.
  double ShortestDetectableLossFrames(int64_t begin_frame, int64_t end_frame) const;

  // No xrun will be added any more that lies before this frame.
  int64_t judged_until_frame() const { return judged_until_frame_; }
  // The xruns from `sequence` on that are retained, oldest first.
  std::vector<Xrun> XrunsFrom(int64_t sequence) const;
  int64_t next_sequence() const { return next_sequence_; }
  // The same of relocks.
  std::vector<ClockRelock> RelocksFrom(int64_t sequence) const;
  int64_t next_relock_sequence() const { return next_relock_sequence_; }

 private:
  // Frames of [begin, end) were judged when losses from `loss_frames` on could be found.
  struct JudgedStretch {
    int64_t begin_frame;
    int64_t end_frame;
    double loss_frames;
  };
  struct Range {
    int64_t begin_frame;
    int64_t end_frame;
  };

  void TakeSteps();
  void Judge();
  void Append(Xrun xrun);
  void AppendRelock(const TimeMap::Step& step);
  void AddUnseen(int64_t begin_frame, int64_t end_frame);

  TimeMap* const map_;
  const size_t max_xruns_;
  int64_t next_frame_;
  int64_t block_frames_ = 0;  // the longest block so far
  std::deque<Xrun> xruns_;
  int64_t next_sequence_ = 0;
  std::deque<ClockRelock> relocks_;
  int64_t next_relock_sequence_ = 0;
  // Everything before is forgotten or was never seen.
  int64_t known_from_frame_;
  int64_t judged_until_frame_;
  std::deque<JudgedStretch> stretches_;
  std::deque<int64_t> pending_flags_;  // frames of flagged blocks that are no Xrun yet
  std::deque<Range> unseen_;           // frames whose blocks never came
};

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_MIXER_XRUN_DETECTOR_H_
