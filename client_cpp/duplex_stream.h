#ifndef RTMIXD_CLIENT_CPP_DUPLEX_STREAM_H_
#define RTMIXD_CLIENT_CPP_DUPLEX_STREAM_H_

#include <cstdint>
#include <memory>
#include <optional>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "client_cpp/audio_stream.h"
#include "client_cpp/session.h"
#include "rtmixd/v1/audio.pb.h"

namespace rtmixd::client {

// Plays and records at once, with a common start. Reattaches by itself when the connection breaks.
//
// Threading: any thread, but one writer and one reader at a time.
class DuplexStream {
 public:
  // As PlayStream::Open and RecordStream::Open; `config` has both.
  static absl::StatusOr<std::unique_ptr<DuplexStream>> Open(std::shared_ptr<Session> session,
                                                            v1::DuplexConfig config);

  const v1::DuplexOpened& opened() const { return stream_->opened(); }
  v1::PlayProgress play_progress() const { return stream_->play_progress(); }
  v1::RecordProgress record_progress() const { return stream_->record_progress(); }
  // As of PlayStream.
  bool attached() const { return stream_->attached(); }

  // The play: as in PlayStream.
  absl::StatusOr<int64_t> Write(absl::Span<const float> interleaved, absl::Duration timeout) {
    return stream_->Write(interleaved, timeout);
  }
  void Flush() { stream_->Flush(); }
  void Idle() { stream_->Idle(); }
  void Finish() { stream_->EndOfSound(); }
  absl::StatusOr<bool> WaitPlayDone(absl::Duration timeout) {
    return stream_->WaitPlayDone(timeout);
  }
  absl::StatusOr<std::optional<v1::ActionReport>> WaitPlay(absl::Duration timeout) {
    return stream_->WaitPlay(timeout);
  }

  // The recording: as in RecordStream.
  absl::StatusOr<RecordedAudio> Read(int64_t max_frames, absl::Duration timeout) {
    return stream_->Read(max_frames, timeout);
  }
  void StopRecording(std::optional<int64_t> frame = std::nullopt) { stream_->StopRecording(frame); }
  absl::StatusOr<std::optional<v1::ActionReport>> WaitRecord(absl::Duration timeout) {
    return stream_->WaitRecord(timeout);
  }

 private:
  explicit DuplexStream(std::unique_ptr<AudioStream> stream) : stream_(std::move(stream)) {}

  const std::unique_ptr<AudioStream> stream_;
};

}  // namespace rtmixd::client

#endif  // RTMIXD_CLIENT_CPP_DUPLEX_STREAM_H_
