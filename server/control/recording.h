#ifndef RTMIXD_SERVER_CONTROL_RECORDING_H_
#define RTMIXD_SERVER_CONTROL_RECORDING_H_

#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "server/base/mutex.h"
#include "server/control/stored_buffer.h"
#include "server/control/types.h"
#include "server/mixer/audio_history.h"

namespace rtmixd {

// The history that a recording reads.
struct RecordingSource {
  std::shared_ptr<const void> owner;  // keeps `history`
  const AudioHistory* history = nullptr;
  double sample_rate_hz = 0;
};

// One recording: a reader of a stream's history from its start to its stop, into a buffer or for a
// client that takes it piece by piece. It exists because the audio thread knows nothing of
// recordings: what it wrote is copied from its history here, late, early or from the past, and
// what was overwritten before it could be copied is known exactly.
//
// Positions count frames of the recording from 0, frames those of the stream.
//
// Threading: thread-safe; its lock is a leaf but for what BufferRecorder takes. CopyToBuffer and
// Read allocate and copy: not under a lock that others wait for.
class Recording {
 public:
  static constexpr int64_t kNever = std::numeric_limits<int64_t>::max();
  static constexpr int kGapSlots = 8;

  struct Spec {
    RecordingSource source;
    std::vector<int> channels;  // of the source, from 0
    std::optional<int64_t> total_frames;
    LatePolicy late_policy = LatePolicy::kPlay;
  };
  explicit Recording(Spec spec);
  // Into a buffer.
  Recording(Spec spec, std::unique_ptr<BufferRecorder> buffer, bool leave_open);
  ~Recording();
  Recording(const Recording&) = delete;
  Recording& operator=(const Recording&) = delete;

  int channels() const { return static_cast<int>(spec_.channels.size()); }
  double sample_rate_hz() const { return spec_.source.sample_rate_hz; }
  bool to_buffer() const { return to_buffer_; }
  // Of the buffer that it fills: null and empty without one, or when it has ended.
  std::shared_ptr<const AudioStorage> audio() const;
  std::string label() const;

  // --- Control ---
  // It is to start at `frame`, or did: called once that frame has been recorded, or is long past.
  void Begin(int64_t frame);
  // It ends before `frame`, for `reason`; of several stops the earliest holds. Frames that were
  // recorded already cannot be taken back: at the earliest it ends with what is there now.
  void StopBefore(int64_t frame, ActionEnd reason);
  // It ends with what was copied so far.
  void EndNow(ActionEnd reason);
  // It ends with what was recorded so far. What a client has not read of that can still be read.
  void EndUnread(ActionEnd reason);
  // The device was away: the frames from `first_frame` on do not exist.
  void AddHole(int64_t first_frame, int64_t frames);

  // What has become of it so far.
  struct Status {
    std::optional<int64_t> start_frame;
    int64_t recorded_frames = 0;  // as far as the history goes, or to its end; copied or not
    int64_t copied_frames = 0;    // to the buffer, or by Read
    int64_t late_frames = 0;
    std::vector<GapInfo> gaps;
    int64_t gap_count = 0;
    int64_t gap_frames = 0;
    bool stopping = false;  // a stop has come; what is there is still to be copied
    ActionEnd end = ActionEnd::kNone;
    std::optional<int64_t> end_frame;  // when it has ended
    // No frame has this position or a later one; once all before it were recorded.
    std::optional<int64_t> end_position;
  };
  Status status() const;
  bool ended() const;
  // It has ended, and all of it was copied.
  bool drained() const;

  // --- Into a buffer ---
  // Copies what can be copied by now. True if it was something.
  bool CopyToBuffer();

  // --- For a client ---
  struct Piece {
    int64_t position = 0;
    int64_t frames = 0;
    std::optional<GapInfo> gap;  // instead of audio
  };
  // Copies the next piece, of at most `max_frames` frames and not beyond `limit_position`, to
  // `planar` (channel c at planar + c * max_frames). 0 frames if there is nothing to be had.
  Piece Read(int64_t limit_position, int64_t max_frames, float* planar);
  // Frames that Read could give.
  int64_t AvailableBelow(int64_t limit_position) const;
  // What a client that has taken over lacks comes again, as far as the history still has it, also
  // after the end. False if `position` is beyond what was copied.
  bool Rewind(int64_t position);

 private:
  int64_t EndFrame() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  int64_t ReadableEnd() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void AddGap(int64_t frames) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void End(ActionEnd reason) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void EndIfDone() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Whether the next frame lies in a gap; cuts `*frames` to what lies in it, or before the next
  // one.
  bool NextIsGap(int64_t* frames) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Copies frames of the history; returns how many at the front were lost meanwhile.
  int64_t Copy(int64_t first_frame, int64_t frames, float* planar, int64_t stride) const;
  bool CopySome() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Spec spec_;
  const bool to_buffer_;
  const bool leave_open_ = false;

  mutable Mutex mutex_;
  std::unique_ptr<BufferRecorder> buffer_ ABSL_GUARDED_BY(mutex_);
  std::optional<int64_t> start_ ABSL_GUARDED_BY(mutex_);
  int64_t copied_ ABSL_GUARDED_BY(mutex_) = 0;  // position of the next frame to be copied
  int64_t late_frames_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t missing_head_frames_ ABSL_GUARDED_BY(mutex_) = 0;  // kTrim: never to be had
  int64_t stop_frame_ ABSL_GUARDED_BY(mutex_) = kNever;
  ActionEnd stop_reason_ ABSL_GUARDED_BY(mutex_) = ActionEnd::kNone;
  ActionEnd end_ ABSL_GUARDED_BY(mutex_) = ActionEnd::kNone;
  std::optional<int64_t> end_frame_ ABSL_GUARDED_BY(mutex_);
  struct Hole {
    int64_t first_frame;
    int64_t end_frame;
  };
  std::vector<Hole> holes_ ABSL_GUARDED_BY(mutex_);
  std::vector<GapInfo> gaps_ ABSL_GUARDED_BY(mutex_);
  int64_t gap_end_position_ ABSL_GUARDED_BY(mutex_) = -1;
  int64_t gap_count_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t gap_frames_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_CONTROL_RECORDING_H_
