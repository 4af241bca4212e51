#ifndef RTMIXD_SERVER_MIXER_TIME_MAP_H_
#define RTMIXD_SERVER_MIXER_TIME_MAP_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <limits>
#include <optional>
#include <vector>

#include "absl/types/span.h"
#include "server/mixer/block_log.h"
#include "server/mixer/step_search.h"
#include "server/mixer/time_map_cell.h"
#include "server/mixer/time_map_fit.h"
#include "server/realtime/audio_block.h"

namespace rtmixd {

// Relates the frames of a stream to CLOCK_MONOTONIC, from when callbacks were entered.
//
// The time of frame f is the moment at which the callback of a block that starts at f would be
// entered if nothing made it late. Callbacks come late by up to 80 ms and never early, so the map
// is the lower edge of what is seen; where the scatter is symmetric (jittered stamps) it is the
// centre. What the map cannot know, it says: every answer has an uncertainty that holds in 99 of
// 100 cases.
//
// Frames that the device lost make every later callback late for good. The map finds such steps of
// its line, starts a new line after each (keeping the rate), and hands them out; XrunDetector makes
// events of them. Host times are not used. docs/timing.md has the method, its sources and figures.
//
// Memory is bounded (about 0.5 MiB at most, 60 KiB at 256-frame blocks); a block costs O(log n) in
// the blocks of its quarter of a second, amortized, besides one fit of at most 320 cells a second.
//
// Threading: none of its own; one thread at a time, never the audio thread (it allocates).
class TimeMap {
 public:
  // One line: frames to nanos.
  struct Estimate {
    int64_t reference_frame = 0;
    int64_t reference_nanos = 0;
    double rate_hz = 0;  // frames per second of CLOCK_MONOTONIC; 0 before the first block
    double rate_uncertainty_ppm = std::numeric_limits<double>::infinity();
    double uncertainty_frames = std::numeric_limits<double>::infinity();  // at reference_frame
    bool locked = false;  // 2 s of blocks or more agree on it
    int64_t blocks = 0;   // of this epoch so far

    // The line where it is known best, and the part of the uncertainty that is the same everywhere.
    int64_t centroid_frame = 0;
    double centroid_uncertainty_frames = std::numeric_limits<double>::infinity();
    double systematic_frames = 0;

    // The results saturate at the limits of int64. 0 before the first block.
    int64_t NanosAt(int64_t frame) const;
    int64_t FrameAt(int64_t nanos) const;  // the nearest
    double UncertaintyFramesAt(int64_t frame) const;
  };

  // A place where the line moved for good, or where the host said that something was lost.
  struct Step {
    // The first frame after it, as far as can be told, and the range that holds all of it (one
    // point if it is known).
    int64_t frame = 0;
    int64_t earliest_frame = 0;
    int64_t latest_frame = 0;
    // Frames that the device's clock counted and the stream did not; negative if the stream had
    // more. Within bound_frames in 999 of 1000 cases; a bound of infinity says nothing is known.
    double lost_frames = 0;
    double bound_frames = std::numeric_limits<double>::infinity();
    uint32_t host_flags = 0;  // the xrun flags that came with it; 0 if it is found from time alone
  };

  // Host flags that tell of an xrun (priming does not).
  static constexpr uint32_t kXrunFlags =
      kHostInputUnderflow | kHostInputOverflow | kHostOutputUnderflow | kHostOutputOverflow;

  // Steps shorter than this are no losses unless the host says so: machines wake up later for good
  // by as much when their power states change.
  static constexpr double kShortestLossSeconds = 250e-6;

  // By how much a host's flag may come after what it tells of: JACK's is set by a thread of its
  // own.
  static constexpr double kLatestFlagSeconds = 0.2;

  // `nominal_rate_hz` > 0 and finite; `first_frame` is what the next block starts at.
  TimeMap(double nominal_rate_hz, int64_t first_frame);

  // After the device was reopened: forgets all but what answers about earlier frames. Blocks before
  // `first_frame` (>= all so far) are not expected any more.
  void StartEpoch(double nominal_rate_hz, int64_t first_frame);

  // Every block, in order. Blocks that go back in frames, or have none, are ignored; callback times
  // that make no sense cost accuracy only.
  void AddBlock(const BlockRecord& block);

  // The line in force for the newest block.
  const Estimate& estimate() const { return estimate_; }

  // As Estimate's, but aware of the steps: each frame is answered by the line that was in force for
  // it, as far as the last kMaxSegments lines reach. A moment inside a loss belongs to the first
  // frame after it.
  int64_t NanosAt(int64_t frame) const;
  int64_t FrameAt(int64_t nanos) const;
  double UncertaintyFramesAt(int64_t frame) const;

  // Moves the oldest step that was not taken yet into `step`; false if there is none.
  bool TakeStep(Step* step);
  // The same for moves that are too short for a loss, or of the rate.
  bool TakeRelock(Step* step);

  // No step will be handed out any more that lies before this frame.
  int64_t judged_until_frame() const { return judged_until_frame_; }
  // Unflagged losses from this length on are found, as things stand now; infinity until 2 s after
  // the start of an epoch.
  double shortest_detectable_loss_frames() const { return shortest_detectable_loss_frames_; }
  // What a flag tells of is so many frames before its block at most.
  int64_t FlagReachFrames() const;
  // How often the line moved by less than a loss (or the rate changed) and was taken up anew.
  int64_t relocks() const { return relocks_; }

  static constexpr size_t kMaxSegments = 64;

 private:
  // The xrun flags of one block.
  struct Flags {
    int64_t frame = 0;
    uint32_t host_flags = 0;
  };
  // A place under suspicion. `post` is the index in blocks_ of the first block that is taken for
  // one after it, for now.
  struct Candidate {
    size_t post = 0;
    size_t cells = 0;          // that came since it is under suspicion
    std::vector<Flags> flags;  // none: found from time
  };
  // A cell that is not judged yet, and the blocks it was made from.
  struct PendingCell {
    TimeMapCell cell;
    size_t begin = 0;
    size_t end = 0;
    bool fitted = false;  // it is, but a step in it can still be found
  };
  struct Segment {
    int64_t end_frame = 0;
    Estimate estimate;
  };

  void OnFlags(const BlockRecord& block);
  void AddTime(const BlockTime& block);
  void CloseOpenCell();
  void Judge();
  void JudgeBootstrap();
  void JudgeCandidate();
  void PlaceCandidate(double level_nanos);
  // Makes steps of it, by the cells up to block `end_block`.
  void FinishCandidate(size_t end_block);
  // The steps that flags alone tell of. `bound_frames` is what they may have lost unseen.
  void AddFlagged(absl::Span<const Flags> flags, double lost_frames, double bound_frames);
  // Gives each flag to the newest of the steps, which are in order, that it can tell of; returns
  // those that tell of none.
  std::vector<Flags> AssignFlags(const std::vector<Flags>& flags, std::vector<Step>* steps) const;
  // The places at which the first `end` of blocks_ leave the line.
  std::vector<StepPlace> FindPlaces(double level_nanos, size_t end) const;
  // The first of the pending cells up to `end` that agree with the last of them.
  size_t SettledFrom(size_t first, size_t end) const;
  // Adds the `count` oldest pending cells to the fit.
  void FitPending(size_t count);
  // The same, and nothing in them can be found any more.
  void Promote(size_t count);
  // Takes the newest pending cell back, out of the fit, too.
  void PopPending();
  // Takes the pending cells from `first` on out of the fit.
  void Unfit(size_t first);
  void Refit();
  // Fits fit_cells_, after a look at the shape of their scatter.
  LineFit Fit();
  void Publish();
  // The line as it is, whatever is suspected.
  Estimate LineEstimate() const;
  // Cuts the blocks from `begin` on into cells anew.
  void Recut(size_t begin);
  // How many pending cells begin before a block, and end before it.
  size_t PendingBefore(size_t block_index) const;
  size_t PendingWithin(size_t end_block) const;
  // How far the pending cells [first, end) are off the line, and the standard error of that.
  double LevelOf(size_t first, size_t end, double* error_nanos) const;
  double NewestLevel() const;
  double StepThreshold(double* error_nanos) const;
  CellPoint point() const { return edge_ ? CellPoint::kEdge : CellPoint::kCentre; }

  double nominal_nanos_per_frame_ = 0;
  int64_t cell_frames_ = 0;
  int64_t next_frame_ = 0;
  int64_t epoch_frame_ = 0;
  int64_t block_count_ = 0;
  int64_t block_frames_ = 0;  // the longest block so far

  std::vector<BlockTime> blocks_;  // those of the pending cells and of the open one
  std::vector<BlockTime> wild_;    // the newest ones, if they are too far off to be believed
  std::deque<PendingCell> pending_;
  size_t open_begin_ = 0;  // index in blocks_ of the open cell
  std::optional<Candidate> candidate_;
  bool bootstrapped_ = false;

  std::deque<TimeMapCell> cells_;       // those in the fit
  std::vector<TimeMapCell> fit_cells_;  // scratch
  std::vector<double> scratch_;
  int group_ = 0;
  int cells_since_fit_ = 0;
  int64_t last_relock_frame_ = INT64_MIN;
  std::optional<LineFit> line_;

  // The shape of the scatter.
  bool edge_ = false;       // the edge of each cell stands for it, else the centre
  double lower_nanos_ = 0;  // medians over the cells of TimeMapCell's
  double upper_nanos_ = 0;
  double expected_scatter_nanos_ = 0;

  Estimate estimate_;
  std::deque<Segment> segments_;
  std::deque<Step> steps_;
  std::deque<Step> relock_steps_;
  int64_t judged_until_frame_ = 0;
  double shortest_detectable_loss_frames_ = std::numeric_limits<double>::infinity();
  int64_t relocks_ = 0;
};

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_MIXER_TIME_MAP_H_
