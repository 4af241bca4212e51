#ifndef RTMIXD_CLIENT_CPP_RECORD_WINDOW_H_
#define RTMIXD_CLIENT_CPP_RECORD_WINDOW_H_

#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "rtmixd/v1/audio.pb.h"

namespace rtmixd::client {

// A stretch of a recording without a hole in it.
struct RecordedAudio {
  // Index of its first frame in the recording.
  int64_t position = 0;
  // Frames lost just before it.
  int64_t lost_frames = 0;
  // Interleaved.
  std::vector<float> samples;
};

// The receiving side of a recording: audio that waits to be read, and the credit that the sender
// gets for the room that is left. What was granted always fits, so a slow reader loses nothing
// here.
//
// Threading: none of its own; one lock guards it.
class RecordWindow {
 public:
  // Room for `capacity_frames`, at least 1.
  explicit RecordWindow(int64_t capacity_frames);

  // The recording has so many channels.
  void SetChannels(int channels) { channels_ = channels; }

  // Takes audio in. Jumps forward are losses; what is there already is ignored.
  // RESOURCE_EXHAUSTED if it goes beyond what was granted.
  absl::Status Receive(int64_t position, absl::string_view float32_bytes);
  // The call that goes on after a break begins here; what lies before and has not come is lost.
  void Resume(int64_t next_position);

  // The next audio, at most `max_frames`; nothing if there is none.
  std::optional<RecordedAudio> Take(int64_t max_frames);

  // The position up to which audio may be sent.
  int64_t granted_position() const { return taken_position_ + capacity_frames_; }
  // A grant worth telling: at least a quarter of the room is new. Counts as told.
  std::optional<int64_t> NextGrant();
  // What was told in the configuration of a call counts as told.
  void Told() { told_position_ = granted_position(); }

  // First frame that has not come.
  int64_t received_position() const { return received_position_; }
  int64_t lost_frames() const { return lost_frames_; }
  bool empty() const { return stretches_.empty(); }

 private:
  const int64_t capacity_frames_;
  int channels_ = 0;
  // Without holes inside each.
  std::deque<RecordedAudio> stretches_;
  int64_t received_position_ = 0;
  int64_t taken_position_ = 0;
  int64_t told_position_ = 0;
  int64_t lost_frames_ = 0;
  // Lost and not yet told to the reader.
  int64_t pending_lost_frames_ = 0;
};

}  // namespace rtmixd::client

#endif  // RTMIXD_CLIENT_CPP_RECORD_WINDOW_H_
