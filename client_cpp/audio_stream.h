#ifndef RTMIXD_CLIENT_CPP_AUDIO_STREAM_H_
#define RTMIXD_CLIENT_CPP_AUDIO_STREAM_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "client_cpp/audio_call.h"
#include "client_cpp/play_window.h"
#include "client_cpp/record_window.h"
#include "client_cpp/session.h"
#include "rtmixd/v1/audio.pb.h"

namespace rtmixd::client {

// What PlayStream, RecordStream and DuplexStream are made of: a play, a recording or both, which
// live longer than the call that carries them. When the call breaks off, or the server is silent
// for 3 s, another call takes over where the first one was, for as long as the session lives.
//
// Threading: any thread, but one writer and one reader at a time. A thread of its own watches for
// silence and makes new calls; gRPC's threads deliver messages.
class AudioStream final : private AudioCall::Listener {
 public:
  // Has either or both of play and record. sample_format, reattachable and the fields for
  // reattaching are set here; granted_position is how much may wait to be read, 0 means 65536
  // frames. Returns once the server has admitted it.
  static absl::StatusOr<std::unique_ptr<AudioStream>> Open(std::shared_ptr<Session> session,
                                                           v1::DuplexConfig config);

  AudioStream(const AudioStream&) = delete;
  AudioStream& operator=(const AudioStream&) = delete;
  // Cancels what has not ended. Takes at most a few seconds.
  ~AudioStream() override;

  // What the server said at first.
  const v1::DuplexOpened& opened() const { return opened_; }
  // How far things are; default values before the first progress.
  v1::PlayProgress play_progress() const ABSL_LOCKS_EXCLUDED(mu_);
  v1::RecordProgress record_progress() const ABSL_LOCKS_EXCLUDED(mu_);
  // Whether a call carries it now: false at most 3 s after the server was lost.
  bool attached() const ABSL_LOCKS_EXCLUDED(mu_);
  // How often another call has taken over.
  int reattached() const ABSL_LOCKS_EXCLUDED(mu_);

  // Takes frames to be played; waits for room up to `timeout`. Returns how many were taken, fewer
  // than given only after the timeout. FAILED_PRECONDITION after the end or once the play is done.
  absl::StatusOr<int64_t> Write(absl::Span<const float> interleaved, absl::Duration timeout)
      ABSL_LOCKS_EXCLUDED(mu_);
  void Flush() ABSL_LOCKS_EXCLUDED(mu_);
  void Idle() ABSL_LOCKS_EXCLUDED(mu_);
  void EndOfSound() ABSL_LOCKS_EXCLUDED(mu_);

  // Takes audio out; waits for some up to `timeout`. Empty samples after the timeout; OUT_OF_RANGE
  // as soon as all of the recording was taken, which is before its report comes.
  absl::StatusOr<RecordedAudio> Read(int64_t max_frames, absl::Duration timeout)
      ABSL_LOCKS_EXCLUDED(mu_);
  // Ends the recording, now or before a frame; what was recorded can still be read.
  void StopRecording(std::optional<int64_t> frame) ABSL_LOCKS_EXCLUDED(mu_);

  // Waits until all of the sound has sounded, which is before its report comes. False after the
  // timeout. An error if the stream could not go on.
  absl::StatusOr<bool> WaitPlayDone(absl::Duration timeout) ABSL_LOCKS_EXCLUDED(mu_);
  // Waits for the report. Absent after the timeout. An error if the stream could not go on.
  absl::StatusOr<std::optional<v1::ActionReport>> WaitPlay(absl::Duration timeout)
      ABSL_LOCKS_EXCLUDED(mu_);
  absl::StatusOr<std::optional<v1::ActionReport>> WaitRecord(absl::Duration timeout)
      ABSL_LOCKS_EXCLUDED(mu_);

  // Breaks the connection, as the network may; for tests of what happens then.
  void BreakConnection() ABSL_LOCKS_EXCLUDED(mu_);

 private:
  AudioStream(std::shared_ptr<Session> session, v1::DuplexConfig config);

  void OnMessage(v1::DuplexResponse message) override ABSL_LOCKS_EXCLUDED(mu_);
  void OnSent() override ABSL_LOCKS_EXCLUDED(mu_);
  void OnReadEnd() override ABSL_LOCKS_EXCLUDED(mu_);
  void OnDone(const grpc::Status& status) override ABSL_LOCKS_EXCLUDED(mu_);

  // Makes calls and watches over them, until all is done or nothing helps.
  void Supervise() ABSL_LOCKS_EXCLUDED(mu_);
  // Carries one call from its begin to its end.
  absl::Status RunCall() ABSL_LOCKS_EXCLUDED(mu_);
  // Fetches the reports of what has ended while there was no call.
  void CollectReports() ABSL_LOCKS_EXCLUDED(mu_);

  void TakeOpened(const v1::DuplexOpened& opened) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Sends the next message if there is one and the one before is on its way.
  void SendNext() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  std::optional<v1::DuplexRequest> NextMessage() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Fail(absl::Status status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  bool play_active() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return play_.has_value() && !play_report_.has_value();
  }
  bool record_active() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return record_.has_value() && !record_report_.has_value();
  }
  // All its audio has sounded.
  bool play_done() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return play_report_.has_value() || play_progress_.done();
  }
  // All its audio has come.
  bool record_done() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return record_report_.has_value() ||
           (record_progress_.has_end_position() &&
            record_->received_position() >= record_progress_.end_position());
  }
  bool over() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return !status_.ok() || (!play_active() && !record_active());
  }

  const std::shared_ptr<Session> session_;
  const v1::DuplexConfig config_;
  int64_t max_chunk_frames_ = 1;
  // Set before Open returns, never after.
  v1::DuplexOpened opened_;

  mutable absl::Mutex mu_;
  std::optional<PlayWindow> play_ ABSL_GUARDED_BY(mu_);
  std::optional<RecordWindow> record_ ABSL_GUARDED_BY(mu_);
  std::optional<v1::StopRecording> stop_ ABSL_GUARDED_BY(mu_);
  bool stop_sent_ ABSL_GUARDED_BY(mu_) = false;
  v1::PlayProgress play_progress_ ABSL_GUARDED_BY(mu_);
  v1::RecordProgress record_progress_ ABSL_GUARDED_BY(mu_);
  std::optional<v1::ActionReport> play_report_ ABSL_GUARDED_BY(mu_);
  std::optional<v1::ActionReport> record_report_ ABSL_GUARDED_BY(mu_);
  // Why the stream cannot go on; OK while it can.
  absl::Status status_ ABSL_GUARDED_BY(mu_);

  // The present call.
  std::unique_ptr<AudioCall> call_ ABSL_GUARDED_BY(mu_);
  bool sending_ ABSL_GUARDED_BY(mu_) = false;
  bool attached_ ABSL_GUARDED_BY(mu_) = false;
  bool call_done_ ABSL_GUARDED_BY(mu_) = false;
  absl::Status call_status_ ABSL_GUARDED_BY(mu_);
  absl::Time heard_ ABSL_GUARDED_BY(mu_);

  bool opened_once_ ABSL_GUARDED_BY(mu_) = false;
  int reattached_ ABSL_GUARDED_BY(mu_) = 0;
  bool closing_ ABSL_GUARDED_BY(mu_) = false;

  std::thread supervisor_;
};

}  // namespace rtmixd::client

#endif  // RTMIXD_CLIENT_CPP_AUDIO_STREAM_H_
