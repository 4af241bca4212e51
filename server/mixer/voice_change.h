#ifndef RTMIXD_SERVER_MIXER_VOICE_CHANGE_H_
#define RTMIXD_SERVER_MIXER_VOICE_CHANGE_H_

#include <cstdint>

#include "server/mixer/fade.h"

namespace rtmixd {

// What is to change about a voice from a frame on. A control thread makes it and keeps it until the
// result kChangeDone gives it back.
//
// Threading: constant from submission on but for `applied_frame` and `next`, which are the audio
// thread's; `applied_frame` may be read after kChangeDone.
struct VoiceChange {
  static constexpr int64_t kNever = -1;

  enum class Kind : uint8_t {
    kGain,         // its gain goes to `gain` by `fade`
    kSessionGain,  // the same of the factor that all voices of a session have in common
    kPause,        // it stands still: position, fades of its own and length
    kResume,       // it goes on
    kLeaveLoop,    // the pass that sounds is the last; with `at_once` it ends at this frame
    kStop,         // it fades to silence by `fade` and then ends, as if cancelled there
  };
  Kind kind = Kind::kGain;
  bool at_once = false;
  // Of one that comes with its voice: `frame` does not count from the origin of the batch.
  bool absolute = false;
  // Of one of the master gain: those of later frames that were submitted before it come to nothing.
  bool clears_later = false;
  float gain = 0;  // finite
  Fade fade = {};
  // The first frame to which it applies, from stream frame 0, or from the origin of the batch for
  // one that comes with its voice and is not absolute. Once past, it applies from the next block
  // on. Of changes of one frame the one submitted first comes first.
  int64_t frame = 0;
  void* owner = nullptr;  // control's own

  // Where it took effect: its frame, or the first one after that if it came late; kNever if the
  // voice had ended by then, or if it was cleared. Of a kSessionGain that comes before its voice
  // starts, its frame.
  int64_t applied_frame = kNever;
  VoiceChange* next = nullptr;
};

// Changes to come, by frame; of one frame in the order of insertion.
//
// Threading: thread-compatible. Nothing allocates or waits; InsertRt takes time by the number of
// changes that come later.
class VoiceChangeList {
 public:
  bool empty() const noexcept { return first_ == nullptr; }
  // Of a list that is not empty.
  VoiceChange* front() const noexcept { return first_; }

  void InsertRt(VoiceChange* change) noexcept {
    VoiceChange** at = &first_;
    // Most come in the order of their frames.
    if (last_ != nullptr && last_->frame <= change->frame) at = &last_->next;
    while (*at != nullptr && (*at)->frame <= change->frame) at = &(*at)->next;
    change->next = *at;
    *at = change;
    if (change->next == nullptr) last_ = change;
  }
  // At the end, whatever its frame.
  void AppendRt(VoiceChange* change) noexcept {
    *(last_ != nullptr ? &last_->next : &first_) = change;
    change->next = nullptr;
    last_ = change;
  }
  // The first of a kind that applies to `frame` or an earlier one; null if there is none.
  VoiceChange* RemoveFirstRt(VoiceChange::Kind kind, int64_t frame) noexcept {
    VoiceChange* before = nullptr;
    for (VoiceChange* at = first_; at != nullptr && at->frame <= frame;
         before = at, at = at->next) {
      if (at->kind != kind) continue;
      (before != nullptr ? before->next : first_) = at->next;
      if (last_ == at) last_ = before;
      at->next = nullptr;
      return at;
    }
    return nullptr;
  }
  // Moves those that apply to frames after `frame` to the end of another list.
  void MoveLaterRt(int64_t frame, VoiceChangeList* to) noexcept {
    VoiceChange* kept = nullptr;
    VoiceChange* at = first_;
    for (; at != nullptr && at->frame <= frame; at = at->next) kept = at;
    (kept != nullptr ? kept->next : first_) = nullptr;
    last_ = kept;
    while (at != nullptr) {
      VoiceChange* const next = at->next;
      to->AppendRt(at);
      at = next;
    }
  }
  // The first; of a list that is not empty.
  VoiceChange* PopRt() noexcept {
    VoiceChange* const change = first_;
    first_ = change->next;
    if (first_ == nullptr) last_ = nullptr;
    change->next = nullptr;
    return change;
  }

 private:
  VoiceChange* first_ = nullptr;
  VoiceChange* last_ = nullptr;
};

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_MIXER_VOICE_CHANGE_H_
