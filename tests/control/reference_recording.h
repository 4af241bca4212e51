#ifndef RTMIXD_TESTS_CONTROL_REFERENCE_RECORDING_H_
#define RTMIXD_TESTS_CONTROL_REFERENCE_RECORDING_H_

#include <cstdint>
#include <limits>
#include <optional>

namespace rtmixd {

// Which frames a recording has to hold, followed from what was asked for, by the contract of the
// engine alone: a recording that is in time holds the frames from its start to its length or its
// first cut; a cut at or before the start leaves nothing; and what was copied is not taken back.
//
// It knows nothing of recordings that reach beyond the history.
//
// Threading: one thread.
class ReferenceRecording {
 public:
  ReferenceRecording(int64_t asked_frame, std::optional<int64_t> total_frames)
      : asked_frame_(asked_frame), total_frames_(total_frames) {}

  // --- What happened, in its order ---

  // A cancel that is an action and means `frame` has come to it.
  void CutAt(int64_t frame);
  // It was cancelled by a call, at once or before `frame`; the next block is to begin with
  // `next_frame`.
  void Cancel(std::optional<int64_t> frame, int64_t next_frame);
  // It was admitted, or the engine has looked, and the next block is to begin with `next_frame`.
  void Admitted(int64_t next_frame) { BeginIfDue(next_frame); }
  void Looked(int64_t next_frame);

  // --- What has to become of it ---
  bool begins() const { return !never_begins_; }
  bool over() const { return never_begins_ || (begun_ && copied_until_frame_ >= end_frame()); }
  int64_t end_frame() const;
  // All that was asked for.
  bool complete() const { return total_frames_.has_value() && end_frame() == whole_end_frame(); }

 private:
  static constexpr int64_t kNever = std::numeric_limits<int64_t>::max();

  void BeginIfDue(int64_t next_frame);
  int64_t whole_end_frame() const {
    return total_frames_.has_value() ? asked_frame_ + *total_frames_ : kNever;
  }

  int64_t asked_frame_;
  std::optional<int64_t> total_frames_;
  int64_t stop_frame_ = kNever;
  bool never_begins_ = false;
  bool begun_ = false;
  int64_t copied_until_frame_ = 0;
};

}  // namespace rtmixd

#endif  // RTMIXD_TESTS_CONTROL_REFERENCE_RECORDING_H_
