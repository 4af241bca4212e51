#ifndef RTMIXD_CLIENT_CPP_RECORD_STREAM_H_
#define RTMIXD_CLIENT_CPP_RECORD_STREAM_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client_cpp/audio_stream.h"
#include "client_cpp/session.h"
#include "rtmixd/v1/audio.pb.h"

namespace rtmixd::client {

// Records while it is read. Reattaches by itself when the connection breaks, and then has lost
// nothing as long as the server's history reaches back.
//
// Threading: any thread, but one reader at a time.
class RecordStream {
 public:
  // Encoding and reattaching are decided here, all else by `config`; its granted_position is how
  // many frames may wait to be read, 0 means 65536.
  static absl::StatusOr<std::unique_ptr<RecordStream>> Open(std::shared_ptr<Session> session,
                                                            const v1::RecordConfig& config);

  const std::string& action_id() const { return stream_->opened().record().action_id(); }
  int channels() const { return stream_->opened().record().channels(); }
  double sample_rate_hz() const { return stream_->opened().record().sample_rate_hz(); }
  v1::RecordProgress progress() const { return stream_->record_progress(); }
  // As of PlayStream.
  bool attached() const { return stream_->attached(); }

  // Takes audio out; waits for some up to `timeout`. Empty samples after the timeout; OUT_OF_RANGE
  // as soon as all of the recording was taken, which is before its report comes.
  absl::StatusOr<RecordedAudio> Read(int64_t max_frames, absl::Duration timeout) {
    return stream_->Read(max_frames, timeout);
  }
  // Ends the recording, now or before a frame; what was recorded can still be read.
  void Stop(std::optional<int64_t> frame = std::nullopt) { stream_->StopRecording(frame); }
  // Waits for the report; absent after the timeout. It comes only after all audio was read.
  absl::StatusOr<std::optional<v1::ActionReport>> Wait(absl::Duration timeout) {
    return stream_->WaitRecord(timeout);
  }

 private:
  explicit RecordStream(std::unique_ptr<AudioStream> stream) : stream_(std::move(stream)) {}

  const std::unique_ptr<AudioStream> stream_;
};

}  // namespace rtmixd::client

#endif  // RTMIXD_CLIENT_CPP_RECORD_STREAM_H_
