#ifndef RTMIXD_SERVER_CONTROL_AUDIO_STREAM_H_
#define RTMIXD_SERVER_CONTROL_AUDIO_STREAM_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/control/types.h"

namespace rtmixd {

// Called when a stream or buffer has something new to look at: from the pump or from a control
// call, with no lock of control held. Must not block. Coalesced: one call may stand for many
// changes.
using ChangeCallback = std::function<void()>;

struct PlayStreamSpec {
  int channels = 0;
  SampleFormat sample_format = SampleFormat::kFloat32;
  StartSpec start;  // kOffset 0 is now
  LatePolicy late_policy = LatePolicy::kPlay;
  UnderrunPolicy underrun_policy = UnderrunPolicy::kSilence;
  XrunPolicy xrun_policy = XrunPolicy::kContinue;
  float gain = 1.0f;
  ChannelMapSpec channel_map;
  int64_t ring_frames = 0;
  int64_t prebuffer_frames = 0;
  bool reattachable = false;
  std::string reattach_action_id;
  Fade fade_in;
  Fade fade_out;
  std::optional<int64_t> max_frames;
};

struct PlayStreamProgress {
  int64_t granted_position = 0;
  int64_t received_position = 0;
  int64_t played_position = 0;
  int64_t next_frame = 0;
  int64_t underruns = 0;
  std::optional<int64_t> start_frame;
  bool done = false;
};

// One call's hold on an action that plays what a client sends. Destroying it without EndOfSound and
// without the action having ended is a broken call: the action goes on detached if it is
// reattachable, and is cancelled otherwise (kDisconnected).
//
// Threading: Push, Flush, Idle, EndOfSound, MayHaveEnded by one thread at a time; the rest by any.
class PlayStream {
 public:
  virtual ~PlayStream() = default;

  virtual const std::string& action_id() const = 0;
  virtual const std::string& stream_id() const = 0;

  // Takes the next audio: whole frames at `position`, interleaved in the agreed format. Everything
  // or nothing. INVALID_ARGUMENT: bytes not whole frames, over the chunk limit, NaN or infinite,
  // position not the next (kBadPosition). RESOURCE_EXHAUSTED (kCreditExceeded): beyond what was
  // granted. FAILED_PRECONDITION (kOutOfOrder): after the end. Once the action has ended
  // (cancelled, underrun) audio is taken and dropped: its report is on its way.
  virtual absl::Status Push(int64_t position, std::string_view bytes) = 0;
  virtual absl::Status Flush() = 0;
  virtual absl::Status Idle() = 0;
  virtual absl::Status EndOfSound() = 0;
  // Nothing comes any more on this call, and it is not known yet whether that is the end of the
  // sound or the call has broken off. EndOfSound or the destructor tells.
  virtual void MayHaveEnded() = 0;

  virtual PlayStreamProgress Progress() const = 0;
  // The final report once the action has ended.
  virtual std::optional<ActionReport> FinalReport() const = 0;
};

struct RecordStreamSpec {
  SampleFormat sample_format = SampleFormat::kFloat32;
  StartSpec start;
  LatePolicy late_policy = LatePolicy::kPlay;
  std::optional<int64_t> frames;
  ChannelMapSpec channel_map;
  RecordSource source = RecordSource::kInput;
  int chunk_frames = 0;
  int64_t granted_position = 0;
  bool grant_all = false;  // StreamRecording
  bool reattachable = false;
  std::string reattach_action_id;
  int64_t resume_position = 0;
};

struct RecordStreamProgress {
  int64_t recorded_position = 0;
  int64_t sent_position = 0;
  int64_t next_frame = 0;
  std::optional<int64_t> start_frame;
  std::optional<int64_t> end_position;
};

// One call's hold on an action that records for a client. The recording is a reader of the stream's
// history: nothing is copied before the client may have it. Destroying: as for PlayStream.
//
// Threading: Read by one thread at a time; the rest by any.
class RecordStream {
 public:
  virtual ~RecordStream() = default;

  virtual const std::string& action_id() const = 0;
  virtual const std::string& stream_id() const = 0;
  virtual int channels() const = 0;
  virtual double sample_rate_hz() const = 0;
  virtual int64_t next_position() const = 0;  // where the next audio begins

  // INVALID_ARGUMENT (kBadPosition) if less than was granted before.
  virtual absl::Status Grant(int64_t granted_position) = 0;
  // Ends the recording before `frame`, at once if absent or past.
  virtual absl::Status Stop(std::optional<int64_t> frame) = 0;

  struct Chunk {
    int64_t position = 0;
    std::string bytes;  // interleaved in the agreed format
  };
  // Nothing: no granted audio now. Ended: the action has ended and all of it was read.
  struct Nothing {};
  struct Ended {
    ActionReport report;
  };
  using Item = std::variant<Nothing, Chunk, GapInfo, Ended>;
  // The next thing to send. Chunks hold chunk_frames, or fewer only at the end of the recording, of
  // the credit, before a gap, or when the oldest frame has waited for half a second.
  virtual Item Read() = 0;

  virtual RecordStreamProgress Progress() const = 0;
};

// Follows the actions of a session.
//
// Threading: Read by one thread at a time.
class ActionWatch {
 public:
  virtual ~ActionWatch() = default;
  // The reports, as they are now, of actions that have started, are done or have ended since they
  // were last read: the next `max_reports`, each action once, in order of their latest changes.
  // UNAUTHENTICATED (kSessionExpired) when the session has ended and nothing is left to be told.
  virtual absl::StatusOr<std::vector<ActionReport>> Read(int max_reports) = 0;
};

// Appends to one buffer; only one writer at a time.
class BufferWriter {
 public:
  virtual ~BufferWriter() = default;
  // As PlayStream::Push; RESOURCE_EXHAUSTED (kLimitExceeded) at the limits of bytes.
  virtual absl::Status Append(int64_t position, SampleFormat format, std::string_view bytes) = 0;
  // Nothing will follow: the buffer is kComplete.
  virtual absl::Status Complete() = 0;
  virtual BufferInfo info() const = 0;
};

// Reads one buffer, also after it was deleted.
class BufferReader {
 public:
  virtual ~BufferReader() = default;
  // Encodes up to `frames` frames from `first_frame` on, as many as are there; 0 if none.
  virtual int64_t Read(int64_t first_frame, int64_t frames, SampleFormat format,
                       std::string* bytes) = 0;
  virtual BufferInfo info() const = 0;
};

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_CONTROL_AUDIO_STREAM_H_
