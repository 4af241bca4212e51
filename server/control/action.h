#ifndef RTMIXD_SERVER_CONTROL_ACTION_H_
#define RTMIXD_SERVER_CONTROL_ACTION_H_

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/time/time.h"
#include "server/control/audio_storage.h"
#include "server/control/change_signal.h"
#include "server/control/gain_timeline.h"
#include "server/control/instance_ids.h"
#include "server/control/live_stream.h"
#include "server/control/recording.h"
#include "server/control/run_stats.h"
#include "server/control/types.h"
#include "server/mixer/fade.h"
#include "server/mixer/play_feed.h"
#include "server/mixer/voice.h"
#include "server/mixer/voice_change.h"

namespace rtmixd {

struct Submission;
struct Action;

// A change of a gain that many have in common, the master gain or a session's: one in the mixer, or
// one for each voice. The mixer may take it up later than it was to be kept.
//
// Threading: guarded by the engine's mutex.
struct CommonGainChange {
  std::string session_id;  // empty: the master gain
  GainTimeline::Change wanted;
  int64_t left = 0;        // that the mixer has not given back
  int64_t kept_frame = 0;  // the latest on which one took effect
};

// A change of a voice, from its admission until the mixer gives it back.
//
// Threading: guarded by the engine's mutex, but for what `change` says is the audio thread's.
struct PendingChange {
  VoiceChange change;
  std::shared_ptr<Action> target;  // null: the master gain
  std::shared_ptr<Action> by;      // the action that asked for it; null if that was a call
  std::shared_ptr<CommonGainChange> common;  // of which it is one; null if it is none
};

// A play stream's own: the ring, and when it is handed to the mixer.
struct PlayFeedState {
  std::shared_ptr<PlayFeed> feed;  // null once it has ended: its memory is its session's
  int channels = 0;
  int64_t ring_frames = 0;  // what may be sent ahead; the ring may hold more
  bool handed_over = false;
  bool ended = false;            // by its sender
  int64_t flushed_position = 0;  // what was sent before does not count as there
  int64_t told_position = 0;     // how far its call was told of
  int64_t noted_underruns = 0;   // of which the event log knows
  // Of the feed when it was given up.
  int64_t last_write_position = 0;
  int64_t last_read_position = 0;

  int64_t write_position() const {
    return feed != nullptr ? feed->write_position() : last_write_position;
  }
  int64_t read_position() const {
    return feed != nullptr ? feed->read_position() : last_read_position;
  }
};

// What a play will sound by, until the mixer has its voice.
struct PlaySetup {
  Voice::Spec spec;                     // without what is known only when the voice is made
  int64_t cut_frame = Voice::kNoFrame;  // asked for meanwhile
};

// A recording's own.
struct RecordState {
  std::shared_ptr<LiveStream> stream;    // that it is of; null once that was closed
  std::shared_ptr<Recording> recording;  // after the end only if another call may come for it
  int64_t noted_gap_frames = 0;          // of which the event log knows
  bool spooled = false;                  // the spool knows it
  int64_t seen_frames = 0;               // recorded when the pump last looked
  int64_t seen_since_nanos = 0;  // since when audio has been there that the call did not take
};

// What a cancel or a change asks for.
struct ActionRequest {
  std::shared_ptr<Action> target;  // until it has ended
  int64_t target_number = 0;
  Fade cancel_fade;  // of a play
  VoiceChange change;
};

// How those who have the call of a stream are reached.
struct StreamCall {
  ChangeSignal signal;
  // Of a recording: position up to which there has to be audio before the call is told.
  std::atomic<int64_t> wake_position{0};
};

// What is to be looked at when the stream's next frame is beyond the key.
using DueActions = std::multimap<int64_t, std::shared_ptr<Action>>;

// Who else has to do with an action: nobody, with most.
struct ActionLinks {
  std::vector<DueActions::iterator> due;          // its own, none once its audio is over
  int64_t after_number = 0;                       // which it follows; 0: none
  std::shared_ptr<Action> after;                  // while its end is not known
  std::vector<std::weak_ptr<Action>> successors;  // whose `after` this is
  // The same of batches that wait: they are linked when these are released.
  std::vector<std::weak_ptr<Action>> waiting_successors;
  std::vector<std::weak_ptr<Action>> cancels;  // and changes, whose target this is
  std::vector<int64_t> waits;                  // that wait for its end
  std::shared_ptr<StreamCall> call;            // of a stream
};

// What has become of an action, from when there is something to tell.
struct ActionOutcome {
  RunStats::Mark mark;  // valid once it has started
  // Valid once it is over. Its report waits, unless it is final, until it is known what the device
  // lost.
  ActionEnd end_reason = ActionEnd::kNone;
  int64_t end_frame = 0;
  // Without what Action has itself; what can be told at any moment is filled in when somebody asks.
  ActionReport report;
};

// What actions that came with one call have in common.
struct ActionCommon {
  InstanceIds ids;
  std::string session_id;
  std::string session_label;
  std::string stream_id;
  std::string batch_id;                   // empty: streams are no batch
  std::optional<absl::Time> wall_origin;  // that they count from
  // Of the members of a batch, from number `first_number` on; empty if none has one.
  std::vector<std::string> keys;
  int64_t first_number = 0;
  Submission* submission = nullptr;  // that they came with; null when that is over
};

// The converter whose clock a start given in time is on.
enum class ConverterClock : uint8_t { kNone, kInput, kOutput };

// One action, from admission until its report is forgotten. There may be a hundred thousand that
// wait: what not all of them need, or not yet, is kept apart.
//
// Threading: guarded by the engine's mutex, but for what its recording and its feed let others do.
struct Action {
  int64_t number = 0;  // counts all actions: the order of admission
  std::shared_ptr<ActionCommon> common;
  int64_t start_frames = 0;   // kOffset: from the origin; kFrame, kStreamTime: the frame
  int64_t buffer_number = 0;  // 0: none
  ActionKind kind = ActionKind::kPlay;
  ActionState state = ActionState::kPending;
  StartSpec::Kind start_kind = StartSpec::Kind::kOffset;
  LatePolicy late_policy = LatePolicy::kPlay;
  XrunPolicy xrun_policy = XrunPolicy::kContinue;
  RecordSource source = RecordSource::kInput;
  // Of the target of a cancel or a change, which outlives it: an origin may be known later.
  ConverterClock target_clock = ConverterClock::kNone;
  // Why control ends it; the mixer only knows that it was cancelled.
  ActionEnd doom = ActionEnd::kNone;
  std::atomic<bool> over{false};  // its audio is; may be read without the lock
  bool calibrated = false;        // its start is aligned by a measured latency
  bool lent = false;              // the mixer has its voice, or had it
  bool with_origin = false;     // its voice goes to the mixer with an origin that is not known yet
  bool handed_on = false;       // a cancel or change, to its target: it cannot be taken back
  bool reset_baseline = false;  // stats
  bool attached = false;        // a stream has its call
  bool reattachable = false;
  int pending_changes = 0;  // of its voice: with `setup`, or with the mixer

  Voice* voice = nullptr;            // while the mixer has it
  std::unique_ptr<PlaySetup> setup;  // of a play that was not lent
  // What only its kind has; of a play the audio, until the mixer has given back its voice.
  std::variant<std::shared_ptr<const AudioStorage>, std::unique_ptr<PlayFeedState>,
               std::unique_ptr<RecordState>, std::unique_ptr<ActionRequest>>
      of_kind;
  std::unique_ptr<ActionLinks> links;
  std::unique_ptr<ActionOutcome> outcome;

  ActionLinks& MutableLinks() {
    if (links == nullptr) links = std::make_unique<ActionLinks>();
    return *links;
  }
  ActionOutcome& MutableOutcome() {
    if (outcome == nullptr) outcome = std::make_unique<ActionOutcome>();
    return *outcome;
  }

  // Null with other kinds.
  const AudioStorage* audio() const {
    const auto* const audio = std::get_if<std::shared_ptr<const AudioStorage>>(&of_kind);
    return audio != nullptr ? audio->get() : nullptr;
  }
  PlayFeedState* play_feed() const { return OfKind<PlayFeedState>(); }
  RecordState* record() const { return OfKind<RecordState>(); }
  ActionRequest* request() const { return OfKind<ActionRequest>(); }

  std::optional<int64_t> requested_start_frame() const { return IfKnown(requested_start_frame_); }
  void set_requested_start_frame(std::optional<int64_t> frame) {
    requested_start_frame_ = frame.value_or(Voice::kNoFrame);
  }
  std::optional<int64_t> total_frames() const { return IfKnown(total_frames_); }
  void set_total_frames(std::optional<int64_t> frames) {
    total_frames_ = frames.value_or(Voice::kNoFrame);
  }

  std::string id() const { return common->ids.Make('a', number); }
  std::string key() const {
    return common->keys.empty() ? "" : common->keys[number - common->first_number];
  }
  // As far as it is known without looking at what runs.
  ActionReport Report() const;
  std::optional<int64_t> start_frame() const {
    return outcome != nullptr ? outcome->report.start_frame : std::nullopt;
  }
  Action* after() const { return links != nullptr ? links->after.get() : nullptr; }
  Action* target() const { return request() != nullptr ? request()->target.get() : nullptr; }
  Recording* recording() const { return record() != nullptr ? record()->recording.get() : nullptr; }

  bool is_play() const { return kind == ActionKind::kPlay || kind == ActionKind::kPlayStream; }
  bool is_record() const {
    return kind == ActionKind::kRecord || kind == ActionKind::kRecordStream;
  }
  bool is_record_of_input() const { return is_record() && source == RecordSource::kInput; }
  bool is_stream() const {
    return kind == ActionKind::kPlayStream || kind == ActionKind::kRecordStream;
  }
  bool has_audio() const { return is_play() || is_record(); }
  // Its voice is yet to be lent to the mixer.
  bool waits_for_voice() const { return is_play() && !lent && !over; }
  ConverterClock clock() const {
    if (!has_audio()) return target_clock;
    return is_record_of_input() ? ConverterClock::kInput : ConverterClock::kOutput;
  }
  // Starts an offset after an origin that may not be known yet.
  bool floats() const { return is_play() && start_kind == StartSpec::Kind::kOffset; }
  bool ended() const { return state == ActionState::kEnded; }
  // It does not count as active any more.
  bool done() const { return ended() || state == ActionState::kDone; }

 private:
  template <typename Own>
  Own* OfKind() const {
    const auto* const own = std::get_if<std::unique_ptr<Own>>(&of_kind);
    return own != nullptr ? own->get() : nullptr;
  }
  static std::optional<int64_t> IfKnown(int64_t frames) {
    return frames != Voice::kNoFrame ? std::optional(frames) : std::nullopt;
  }

  // Voice::kNoFrame: not known. An std::optional would take twice as much.
  int64_t requested_start_frame_ = Voice::kNoFrame;
  int64_t total_frames_ = Voice::kNoFrame;
};

// A hundred thousand may wait: with what a shared_ptr and malloc keep beside it, 160 bytes each.
static_assert(sizeof(Action) <= 136);

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_CONTROL_ACTION_H_
