#ifndef RTMIXD_SERVER_RPC_STREAM_HALVES_H_
#define RTMIXD_SERVER_RPC_STREAM_HALVES_H_

#include <memory>
#include <optional>
#include <string_view>
#include <variant>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "rtmixd/v1/audio.pb.h"
#include "server/control/audio_stream.h"

// What the audio calls say, apart from the messages they say it in: Play has a PlayHalf, Record and
// StreamRecording a RecordHalf, Duplex both.
namespace rtmixd {

// Progress is sent at least so often.
inline constexpr absl::Duration kProgressInterval = absl::Seconds(1);
// So often a stream looks whether it has to be sent.
inline constexpr absl::Duration kProgressCheckInterval = absl::Milliseconds(250);

// Threading: Next by one thread at a time; Audio, Flush, Idle and EndOfSound by another.
class PlayHalf {
 public:
  explicit PlayHalf(std::unique_ptr<PlayStream> stream);

  v1::PlayOpened Opened() const;
  absl::Status Audio(int64_t position, std::string_view samples);
  absl::Status Flush();
  absl::Status Idle();
  absl::Status EndOfSound();
  // The client has stopped sending, or is gone.
  void MayHaveEnded();

  // Progress when much was granted since the last, when it has started, run dry or is done, or when
  // a second has passed; the report once, when the action has ended; else nothing.
  using Item = std::variant<std::monostate, v1::PlayProgress, v1::ActionReport>;
  Item Next();
  bool reported() const { return reported_; }

 private:
  const std::unique_ptr<PlayStream> stream_;
  const int64_t granted_step_frames_;
  PlayStreamProgress told_;
  absl::Time told_time_;
  bool reported_ = false;
  bool ended_ = false;  // of the thread of Audio
};

// Threading: Next by one thread at a time; Grant and Stop by another.
class RecordHalf {
 public:
  explicit RecordHalf(std::unique_ptr<RecordStream> stream);

  v1::RecordOpened Opened() const;
  absl::Status Grant(const v1::Grant& grant);
  absl::Status Stop(const v1::StopRecording& stop);
  // The client closed its sending half.
  absl::Status StopNow();

  // Progress when a second has passed since the last, once when it has started and once when the
  // end is known; else audio, a gap, or the report, as they come.
  using Item = std::variant<std::monostate, RecordStream::Chunk, v1::Gap, v1::RecordProgress,
                            v1::ActionReport>;
  Item Next();
  bool reported() const { return reported_; }

 private:
  const std::unique_ptr<RecordStream> stream_;
  absl::Time told_time_;
  bool told_start_ = false;
  bool told_end_ = false;
  bool reported_ = false;
};

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_RPC_STREAM_HALVES_H_
