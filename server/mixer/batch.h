#ifndef RTMIXD_SERVER_MIXER_BATCH_H_
#define RTMIXD_SERVER_MIXER_BATCH_H_

#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "server/mixer/voice.h"

namespace rtmixd {

// Voices that are admitted together and share an origin. Made by a control thread, lent to the
// mixer by Submit, given back by the result kBatchReleased; it owns its voices. A batch without
// voices is legal: it is how one learns the origin of things that the mixer has no part in.
//
// Threading: before Submit and after kBatchReleased the caller's. In between, `origin_frame` may be
// read after the result kBatchOrigin, `owner` at any time, and `voices` must not be changed.
struct Batch {
  static constexpr int64_t kOriginNow = std::numeric_limits<int64_t>::min();
  static constexpr int64_t kMaxFrame = Voice::kMaxFrame;  // of origins and leads

  // A stream frame, or kOriginNow: the first frame of the block that takes it up, plus lead_frames.
  int64_t origin_frame = kOriginNow;
  int64_t lead_frames = 0;     // with kOriginNow; >= 0
  std::vector<Voice*> voices;  // any order; Submit sorts by (offset, sequence)
  void* owner = nullptr;

  Batch() = default;
  ~Batch();
  Batch(const Batch&) = delete;
  Batch& operator=(const Batch&) = delete;
  // The next `count` voices that are added lie in a row, which takes less memory than each by
  // itself, and is read faster.
  void ReserveVoices(size_t count);
  // Makes a voice, the last of `voices`. Without a reservation there is room for twice as many each
  // time.
  Voice* AddVoice(const Voice::Spec& spec);

 private:
  friend class Mixer;
  friend class Schedule;

  // Memory for voices, of which the first `used` are made.
  struct Row {
    Voice* voices = nullptr;
    size_t capacity = 0;
    size_t used = 0;
  };
  absl::InlinedVector<Row, 1> rows_;

  // Control side.
  int64_t last_command_ = 0;  // number of the last command that names it or one of its voices

  // Audio thread.
  int64_t unended_ = 0;      // voices that have not been given back
  int64_t pending_ = 0;      // voices that are neither started nor ended
  int64_t cursor_ = 0;       // the next voice whose start comes due; all before have been looked at
  int32_t heap_index_ = -1;  // where the schedule has it
};

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_MIXER_BATCH_H_
