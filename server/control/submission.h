#ifndef RTMIXD_SERVER_CONTROL_SUBMISSION_H_
#define RTMIXD_SERVER_CONTROL_SUBMISSION_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/control/action.h"
#include "server/control/live_stream.h"
#include "server/control/types.h"

namespace rtmixd {

// Actions that were admitted together and count from one origin. Lives until the mixer has given
// all of it back.
//
// Threading: guarded by the engine's mutex.
struct Submission {
  std::shared_ptr<ActionCommon> common;
  std::string request_id;
  std::vector<std::shared_ptr<Action>> members;
  std::shared_ptr<LiveStream> stream;
  std::vector<std::string> made_buffers;  // deleted if it is not admitted
  std::optional<int64_t> origin;
  bool floating = false;            // the audio thread chooses the origin
  int64_t record_shift_frames = 0;  // that offsets of recordings are moved by
  int64_t calibration_frames = 0;   // that the input latency is more than the host claims
  // Until it was answered.
  std::function<void(absl::StatusOr<BatchAdmitted>)> callback;
  int64_t answer_by_nanos = 0;
  int lent = 0;  // batches with the mixer

  // --- What waits on the control side (engine_wall_time.cc, engine_prepare.cc) ---
  bool waiting = false;     // the mixer has nothing of it yet
  bool prepared = false;    // and gets it only when it is committed
  bool registered = false;  // it has waited: its actions are known to all
  // Of an origin by the wall clock, once that is fixed.
  std::optional<double> origin_uncertainty_frames;
};

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_CONTROL_SUBMISSION_H_
