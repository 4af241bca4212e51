#ifndef RTMIXD_SERVER_CONTROL_LIVE_STREAM_H_
#define RTMIXD_SERVER_CONTROL_LIVE_STREAM_H_

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "server/control/input_repeats.h"
#include "server/control/run_stats.h"
#include "server/control/types.h"
#include "server/mixer/mixer.h"
#include "server/mixer/time_map.h"
#include "server/mixer/xrun_detector.h"
#include "server/realtime/wake.h"

namespace rtmixd {

// One opening of the device's stream: its mixer, and all that is known of its blocks, clock and
// xruns. It exists as one thing so that whoever still reads what was recorded keeps all of it alive
// after the stream was closed.
//
// Threading: the constants and what the mixer offers to any thread, by any thread; the rest is
// guarded by the engine's mutex.
class LiveStream {
 public:
  struct Options {
    std::string stream_id;
    StreamSettings settings;
    StreamInfo info;
    absl::Duration history;
    int max_actions = 0;
    std::shared_ptr<EventFdWaker> waker;
  };

  static int64_t HistoryFrames(const StreamInfo& info, absl::Duration history);
  // Errors are those of Mixer::Create.
  static absl::StatusOr<std::shared_ptr<LiveStream>> Create(Options options);
  LiveStream(Options options, std::unique_ptr<Mixer> mixer);
  LiveStream(const LiveStream&) = delete;
  LiveStream& operator=(const LiveStream&) = delete;

  const std::string& id() const { return options_.stream_id; }
  const StreamSettings& settings() const { return options_.settings; }
  const StreamInfo& info() const { return options_.info; }
  double rate_hz() const { return options_.info.sample_rate_hz; }
  Mixer& mixer() const { return *mixer_; }
  const AudioHistory& history(RecordSource source) const {
    return source == RecordSource::kInput ? mixer_->input_history() : mixer_->output_history();
  }
  int channels(RecordSource source) const {
    return source == RecordSource::kInput ? info().input_channels : info().output_channels;
  }

  // --- Guarded by the engine's mutex ---
  // What the blocks tell that were not read yet.
  struct News {
    std::vector<XrunInfo> xruns;
    std::vector<ClockRelockInfo> relocks;
    int64_t clipped_samples = 0;
    int64_t clipped_frame = 0;  // of the first block that was clipped
    int64_t missed_blocks = 0;  // were overwritten before they were read
    // Of the first block whose input was not finite after one whose input was.
    std::optional<int64_t> nonfinite_frame;
    // Where input began to come that had come with the block before.
    std::optional<int64_t> repeated_frame;
  };
  News ReadBlocks();
  // When the last block came; absent before the first.
  std::optional<int64_t> last_block_nanos() const { return last_block_nanos_; }
  // How far the counter has to jump, now that the device was away until `now_nanos`.
  int64_t FramesAway(int64_t now_nanos) const;
  // The mixer has jumped; blocks go on with a new clock.
  void NoteJump(int64_t frames);

  const RunStats& run_stats() const { return run_stats_; }
  // Frames of the block that was read last; 0 before the first.
  int last_block_frames() const { return last_block_frames_; }
  // The blocks that were read reach up to here.
  int64_t counted_until_frame() const { return last_block_end_frame_; }
  const TimeMap& time_map() const { return time_map_; }

  // Fills in what the blocks from `mark` to `end_frame` counted. Soon after `end_frame`: counts are
  // not kept for ever.
  void DescribeBlocks(const RunStats::Mark& mark, int64_t end_frame, ActionReport* report) const;
  // Fills in what is known of xruns between them by now. `of_input`: it is a recording of the
  // inputs.
  void DescribeXruns(const RunStats::Mark& mark, int64_t end_frame, bool of_input,
                     ActionReport* report) const;
  // Nothing more can be learnt of xruns before `frame`.
  bool Judged(int64_t frame) const;

  // Where a session began to count.
  struct Baseline {
    RunStats::Mark mark;
    std::vector<int64_t> clipped_samples;
  };
  Baseline BaselineAt(int64_t frame) const;
  // Counters from `baseline` to `end_frame`; without what the engine knows (load, actions).
  StreamStatsInfo StatsBetween(const Baseline& baseline, int64_t end_frame) const;
  // Clipped samples of each output up to `frame`, as exactly as blocks were looked at in time.
  std::vector<int64_t> ClippedBy(int64_t frame) const;

  struct Hole {
    int64_t first_frame;
    int64_t frames;
  };
  // Those that a recording may still meet.
  const std::vector<Hole>& holes() const { return holes_; }

  // The frame at which the device last started: it counts its own from 0 there.
  int64_t device_base_frame = 0;

 private:
  struct Clips {
    int64_t frame;  // counted up to here
    std::vector<int64_t> samples;
  };
  void NoteClips();

  const Options options_;
  const std::unique_ptr<Mixer> mixer_;
  RunStats run_stats_;
  TimeMap time_map_;
  int64_t log_position_ = 0;
  std::optional<int64_t> last_block_nanos_;
  int64_t last_block_end_frame_ = 0;
  int last_block_frames_ = 0;
  bool last_block_finite_ = true;
  XrunDetector xrun_detector_;
  InputRepeats input_repeats_;
  int64_t next_xrun_sequence_ = 0;  // not told yet
  int64_t next_relock_sequence_ = 0;
  std::deque<Clips> clips_;  // by frame
  std::vector<Hole> holes_;
};

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_CONTROL_LIVE_STREAM_H_
