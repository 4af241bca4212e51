#ifndef RTMIXD_SERVER_CONTROL_GAIN_TIMELINE_H_
#define RTMIXD_SERVER_CONTROL_GAIN_TIMELINE_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "server/mixer/fade.h"

namespace rtmixd {

// A gain that many voices have in common, and where it is going. A voice that joins late gets what
// is needed to be where the others are, in the middle of a fade too: the gain before the changes
// that are under way, and these changes.
//
// Threading: thread-compatible.
class GainTimeline {
 public:
  // As many changes can be under way.
  static constexpr size_t kMaxChanges = 16;

  // From `frame` on the gain goes to `gain` by `fade`, from wherever it is then.
  struct Change {
    int64_t frame = 0;
    float gain = 1.0f;
    Fade fade;
  };

  // The gain before all of changes().
  float base() const { return base_; }
  // By frame; of one frame in the order in which they were added.
  const std::vector<Change>& changes() const { return changes_; }
  // Where it will end.
  float target() const { return changes_.empty() ? base_ : changes_.back().gain; }

  // RESOURCE_EXHAUSTED, naming `what`, at kMaxChanges.
  absl::Status Add(const Change& change, const char* what);
  // Forgets the changes that are over before `frame`.
  void Settle(int64_t frame);
  // The frames mean nothing any more: it is where it was going.
  void Finish();
  // It is `gain`, at once.
  void Set(float gain);

 private:
  float base_ = 1.0f;
  std::vector<Change> changes_;
};

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_CONTROL_GAIN_TIMELINE_H_
