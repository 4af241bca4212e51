#ifndef RTMIXD_CLIENT_CPP_PLAY_STREAM_H_
#define RTMIXD_CLIENT_CPP_PLAY_STREAM_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "client_cpp/action.h"
#include "client_cpp/audio_stream.h"
#include "client_cpp/session.h"
#include "rtmixd/v1/audio.pb.h"

namespace rtmixd::client {

// Plays audio as it comes. Reattaches by itself when the connection breaks.
//
// Threading: any thread, but one writer at a time.
class PlayStream {
 public:
  // Encoding and reattaching are decided here, all else by `config`.
  static absl::StatusOr<std::unique_ptr<PlayStream>> Open(std::shared_ptr<Session> session,
                                                          const v1::PlayConfig& config);

  const std::string& action_id() const { return stream_->opened().play().action_id(); }
  v1::PlayProgress progress() const { return stream_->play_progress(); }
  // Whether a call carries it now: false at most 3 s after the server was lost. Until the session
  // has expired it looks for the server again; then, or when that does not know it any more, every
  // method fails.
  bool attached() const { return stream_->attached(); }
  // To pause it, change its gain and so on.
  Action action() const { return Action(session_, action_id()); }

  // Takes frames to be played; waits for room up to `timeout`. Returns how many were taken, fewer
  // than given only after the timeout. FAILED_PRECONDITION after Finish or once the play is done.
  absl::StatusOr<int64_t> Write(absl::Span<const float> interleaved, absl::Duration timeout) {
    return stream_->Write(interleaved, timeout);
  }
  // Drops everything that has not sounded yet, at once.
  void Flush() { stream_->Flush(); }
  // Nothing will come for a while: running dry after what was written is no underrun.
  void Idle() { stream_->Idle(); }
  // Nothing will come any more: it plays out.
  void Finish() { stream_->EndOfSound(); }
  // Waits until all of it has sounded, which is before its report comes; false after the timeout.
  absl::StatusOr<bool> WaitDone(absl::Duration timeout) { return stream_->WaitPlayDone(timeout); }
  // Waits for the report; absent after the timeout.
  absl::StatusOr<std::optional<v1::ActionReport>> Wait(absl::Duration timeout) {
    return stream_->WaitPlay(timeout);
  }

 private:
  PlayStream(std::shared_ptr<Session> session, std::unique_ptr<AudioStream> stream)
      : session_(std::move(session)), stream_(std::move(stream)) {}

  const std::shared_ptr<Session> session_;
  const std::unique_ptr<AudioStream> stream_;
};

}  // namespace rtmixd::client

#endif  // RTMIXD_CLIENT_CPP_PLAY_STREAM_H_
