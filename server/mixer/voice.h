#ifndef RTMIXD_SERVER_MIXER_VOICE_H_
#define RTMIXD_SERVER_MIXER_VOICE_H_

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "server/mixer/play_feed.h"

namespace rtmixd {

// What to do with a start that has already passed when its block comes.
enum class LatePolicy : uint8_t {
  kPlay,  // play from the first sample, now
  kSkip,  // drop it: zero frames done
  kTrim,  // drop what should have sounded already; the rest sits where it belongs
};

enum class EndReason : uint8_t {
  kNone,       // not ended yet
  kCompleted,  // everything was played
  kCancelled,
  kSkipped,    // late, and its policy was kSkip
  kUnderrun,   // its stream ran dry and its policy was kEnd
};

// Audio that can be played from memory: planar segments of a fixed size, which control threads own
// and keep alive while a voice refers to them. Channel c of segment s starts at
// segments[s] + c * kSegmentFrames.
struct AudioView {
  static constexpr int64_t kSegmentFrames = 8192;
  const float* const* segments = nullptr;
  int channels = 0;
  int64_t frames = 0;
};

// A stretch of the action's time in which it had no audio.
struct VoiceGap {
  int64_t first_frame;  // stream frame
  int64_t frames;
};

// One sound, from admission to report. A control thread makes and later frees it; in between it
// belongs to the audio thread, which writes its progress for everyone to read.
//
// Threading: `Spec` is constant once submitted. Progress atomics: written by the audio thread,
// readable by any thread at any time. Outcome: written by the audio thread, readable after the voice
// came back through Mixer::PollResult.
class Voice {
 public:
  static constexpr int kGapSlots = 8;

  struct Spec {
    int64_t offset_frames = 0;  // start, from the batch's origin
    int64_t sequence = 0;       // unique, grows with admission: breaks ties of order
    LatePolicy late_policy = LatePolicy::kPlay;
    UnderrunPolicy underrun_policy = UnderrunPolicy::kSilence;  // feeds only
    float gain = 1.0f;                  // finite
    std::vector<int> channel_map;       // source channel i sounds on output channel channel_map[i] (from 0)
    AudioView view;                     // played if `feed` is null
    int64_t view_offset_frames = 0;     // first frame of the view to be played
    PlayFeed* feed = nullptr;           // outlives the voice
    void* owner = nullptr;              // control's own
  };

  explicit Voice(Spec spec);
  const Spec& spec() const;

  // --- Progress, any thread ---
  enum class State : uint8_t { kPending, kPlaying, kEnded };
  State state() const;
  int64_t done_frames() const;    // frames of the sound played so far (silence of underruns not counted)
  int64_t start_frame() const;    // where it actually started; -1 before

  // --- Outcome, after it came back ---
  EndReason end_reason() const;
  int64_t end_frame() const;        // stream frame after its last one; its start frame if nothing sounded
  int64_t late_frames() const;      // how late its block was; 0 if in time
  int64_t trimmed_frames() const;   // head dropped by kTrim or by kSkipFrames
  int64_t gap_total_frames() const;
  int64_t gap_count() const;
  const VoiceGap* gaps() const;     // min(gap_count, kGapSlots) slots; the last coalesces the rest
};

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_MIXER_VOICE_H_
