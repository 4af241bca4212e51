#ifndef RTMIXD_CLIENT_CPP_PLAY_WINDOW_H_
#define RTMIXD_CLIENT_CPP_PLAY_WINDOW_H_

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "rtmixd/v1/audio.pb.h"

namespace rtmixd::client {

// The sending side of a play: audio that waits for credit, and audio that was sent but has not been
// confirmed and must be sent again if the connection breaks. Worked example, two frames per chunk:
//
//   Append 5 frames           unsent 0..5
//   Grant(4)                  Next -> 0..2, Next -> 2..4, Next -> nothing (no credit)
//   Confirm(2)                0..2 is forgotten
//   Rewind(2), Grant(6)       after a break: Next -> 2..4 again, then 4..5
//
// Marks (idle, flush, end of the sound) keep their place among the audio.
//
// Threading: none of its own; one lock guards it.
class PlayWindow {
 public:
  explicit PlayWindow(int channels);

  // Adds audio at the end; whole frames.
  void Append(absl::Span<const float> interleaved);
  // Adds a mark behind all audio so far.
  void AppendIdle();
  void AppendEnd();
  // Forgets what was not sent yet, and asks the server to drop the rest.
  void Flush();

  // Audio may be sent up to here. Never takes back what was granted.
  void Grant(int64_t granted_position);
  // The server has everything up to here.
  void Confirm(int64_t received_position);
  // Another call begins at `next_position`, with credit of its own. False if that audio was
  // confirmed before, and so is lost: the server forgot it.
  bool Rewind(int64_t next_position, int64_t granted_position);

  // The next message to be sent, with at most `max_frames` of audio; nothing if there is none or no
  // credit for it.
  std::optional<v1::DuplexRequest> Next(int64_t max_frames);

  // Frames that wait to be sent.
  int64_t unsent_frames() const { return end_position() - sent_position_; }
  int64_t sent_position() const { return sent_position_; }
  int64_t granted_position() const { return granted_position_; }
  bool ended() const { return ended_; }

 private:
  enum class MarkKind { kFlush, kIdle, kEnd };
  struct Mark {
    int64_t position;
    MarkKind kind;
    bool sent;
  };

  int64_t end_position() const {
    return first_position_ + static_cast<int64_t>(samples_.size()) / channels_;
  }

  const int channels_;
  // Audio from first_position_ on: confirmed audio is gone, what lies before sent_position_ was
  // sent.
  std::deque<float> samples_;
  int64_t first_position_ = 0;
  int64_t sent_position_ = 0;
  int64_t granted_position_ = 0;
  // In order of position.
  std::deque<Mark> marks_;
  bool ended_ = false;
};

}  // namespace rtmixd::client

#endif  // RTMIXD_CLIENT_CPP_PLAY_WINDOW_H_
