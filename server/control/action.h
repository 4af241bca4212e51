#ifndef RTMIXD_SERVER_CONTROL_ACTION_H_
#define RTMIXD_SERVER_CONTROL_ACTION_H_

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "server/control/audio_storage.h"
#include "server/control/change_signal.h"
#include "server/control/gain_timeline.h"
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
  int64_t ring_frames = 0;         // what may be sent ahead; the ring may hold more
  bool handed_over = false;
  bool ended = false;            // by its sender
  int64_t flushed_position = 0;  // what was sent before does not count as there
  int64_t told_position = 0;     // how far its call was told of
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

// What the call of a record stream waits for, told to the pump.
struct RecordCallState {
  // Position up to which there has to be audio before the call is told.
  std::atomic<int64_t> wake_position{0};
};

// The converter whose clock a start given in time is on.
enum class ConverterClock { kNone, kInput, kOutput };

// What is to be looked at when the stream's next frame is beyond the key.
using DueActions = std::multimap<int64_t, std::shared_ptr<Action>>;

// One action, from admission until its report is forgotten. What only plays, recordings, cancels or
// stats have is empty for the others.
//
// Threading: guarded by the engine's mutex, but for what `recording` and `feed` let others do.
struct Action : std::enable_shared_from_this<Action> {
  int64_t number = 0;  // counts all actions: the order of admission
  std::string session_id;
  std::string session_label;
  std::shared_ptr<LiveStream> stream;  // null once that was closed
  Submission* submission = nullptr;    // that it came with; null when that is over
  StartSpec start;
  LatePolicy late_policy = LatePolicy::kPlay;
  XrunPolicy xrun_policy = XrunPolicy::kContinue;

  // What has become of it; what can be told at any moment is filled in when somebody asks.
  ActionReport report;
  RunStats::Mark mark;  // valid once it has started
  // Why control ends it; the mixer only knows that it was cancelled.
  ActionEnd doom = ActionEnd::kNone;
  // Its audio is over. Its report waits, unless it is final, until it is known what the device
  // lost.
  struct Ending {
    ActionEnd reason = ActionEnd::kNone;
    int64_t end_frame = 0;
  };
  std::optional<Ending> ending;
  std::vector<DueActions::iterator> due;  // its own, none once its audio is over
  std::atomic<bool> over{false};          // the same, for those without the lock

  // --- Plays ---
  Voice* voice = nullptr;  // while the mixer has it
  std::shared_ptr<const AudioStorage> audio;
  std::unique_ptr<PlayFeedState> play_feed;
  float gain = 1;
  std::vector<int> channel_map;
  UnderrunPolicy underrun_policy = UnderrunPolicy::kSilence;
  int64_t cut_frame = Voice::kNoFrame;          // asked for before the mixer has it
  int64_t cut_offset_frames = Voice::kNoFrame;  // the same, from the origin
  bool lent = false;                            // the mixer has its voice, or had it
  bool with_origin = false;  // its voice goes to the mixer with an origin that is not known yet
  Fade fade_in;
  Fade fade_out;
  int64_t offset_frames = 0;
  int64_t max_frames = Voice::kNoFrame;
  Loop loop;
  std::vector<VoiceChange*> waiting_changes;  // that go to the mixer with its voice
  int pending_changes = 0;                    // these, and those that the mixer has

  // --- What follows another action ---
  std::shared_ptr<Action> after;                  // while its end is not known
  std::vector<std::weak_ptr<Action>> successors;  // whose `after` this is
  // The same of batches that wait: they are linked when these are released.
  std::vector<std::weak_ptr<Action>> waiting_successors;

  // --- Recordings ---
  std::shared_ptr<Recording> recording;  // after the end only if another call may come for it
  int64_t noted_gap_frames = 0;          // of which the event log knows
  bool spooled = false;                  // the spool knows it
  RecordSource source = RecordSource::kInput;
  std::shared_ptr<RecordCallState> call;
  int64_t seen_frames = 0;       // recorded when the pump last looked
  int64_t seen_since_nanos = 0;  // since when audio has been there that the call did not take

  // --- Cancels and changes ---
  std::shared_ptr<Action> target;  // until it has ended
  // The target's, which outlives it: an origin may be known later.
  ConverterClock target_clock = ConverterClock::kNone;
  bool handed_on = false;                      // to the target, which cannot be taken back
  std::vector<std::weak_ptr<Action>> cancels;  // whose target this is
  Fade cancel_fade;                            // of a play
  VoiceChange change;                          // what it asks for

  // --- Stats ---
  bool reset_baseline = false;

  // --- Streams ---
  std::shared_ptr<ChangeSignal> signal;  // of whoever has its call
  bool attached = false;
  bool reattachable = false;
  int64_t noted_underruns = 0;  // of which the event log knows

  std::vector<int64_t> waits;  // that wait for its end

  bool is_play() const {
    return report.kind == ActionKind::kPlay || report.kind == ActionKind::kPlayStream;
  }
  bool is_record() const {
    return report.kind == ActionKind::kRecord || report.kind == ActionKind::kRecordStream;
  }
  bool is_record_of_input() const { return is_record() && source == RecordSource::kInput; }
  bool is_stream() const {
    return report.kind == ActionKind::kPlayStream || report.kind == ActionKind::kRecordStream;
  }
  bool has_audio() const { return is_play() || is_record(); }
  // Its voice is yet to be lent to the mixer.
  bool waits_for_voice() const { return is_play() && !lent && !over; }
  ConverterClock clock() const {
    if (!has_audio()) return target_clock;
    return is_record_of_input() ? ConverterClock::kInput : ConverterClock::kOutput;
  }
  // Starts an offset after an origin that may not be known yet.
  bool floats() const { return is_play() && start.kind == StartSpec::Kind::kOffset; }
  bool ended() const { return report.state == ActionState::kEnded; }
  // It does not count as active any more.
  bool done() const { return ended() || report.state == ActionState::kDone; }
};

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_CONTROL_ACTION_H_
