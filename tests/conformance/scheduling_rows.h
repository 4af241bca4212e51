#ifndef RTMIXD_TESTS_CONFORMANCE_SCHEDULING_ROWS_H_
#define RTMIXD_TESTS_CONFORMANCE_SCHEDULING_ROWS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "server/base/error_info.h"
#include "server/control/engine.h"
#include "tests/control/engine_rig.h"

// What schedulers of audio get wrong, tried on the engine with a stepped device, row by row.
// seed_rows.py does the same to the compiled callback of python-rtmixer, with the frames and the
// disturbances that are told here, so that one table has both.
//
// Every stamp of the device is off by what the row says: block b, whose first frame is at the
// output converter when frame b * kBlockFrames + kOutputLatencyFrames of a true clock is, says that
// it is there stamp_errors_seconds[b] later.
namespace rtmixd::conformance {

inline constexpr double kRateHz = 48000;
inline constexpr int kBlockFrames = EngineRig::kBlockFrames;
inline constexpr int kOutputLatencyFrames = EngineRig::kOutputLatencyFrames;

// 500 sounds of one frame, asked for in stream time before the first block.
struct StartsRow {
  std::vector<int64_t> asked_frames;
  std::vector<double> stamp_errors_seconds;  // by block
  int not_on_their_frame = 0;
  int64_t most_frames_off = 0;  // of those that were heard
  int wrongly_reported = 0;     // heard elsewhere than their reports say, or not at all
};
// Stamps are off by uniform jitter, and from the middle on by a jump.
StartsRow PlayStarts(double jitter_seconds, double jump_seconds);

// Sounds of the same samples, each asked for in stream time where the one before it ends.
struct JoinsRow {
  std::vector<int64_t> asked_frames;
  int64_t sound_frames = 0;
  std::vector<double> stamp_errors_seconds;
  int64_t silent_samples = 0;
  int64_t doubled_samples = 0;
};
JoinsRow PlayJoins(double jitter_seconds);

// The median cost of a block of the mixer in which nothing sounds, while so many actions wait.
struct CostRow {
  std::vector<int> pending_actions;
  std::vector<double> block_seconds;
};
CostRow MeasureCost();

// More actions than there is room for, all due at once.
struct FullRow {
  int asked = 40;
  int room = 16;
  int admitted = 0;
  int refused = 0;
  ErrorReason refusal = ErrorReason::kInternal;  // of the last
  std::string limit;
  int ended = 0;               // of those that were admitted, told to a waiter
  int ended_after_asking = 0;  // of all 40, the refused ones asked for again
};
FullRow FillServer();

// A stream that brings too little and then goes on.
struct DryRow {
  ActionReport report;
  int64_t dry_from_frame = 0;  // by its sound
  int64_t dry_frames = 0;
};
DryRow RunDry();

// Cancels of what has ended, and of what never was.
struct CancelRow {
  ActionReport ended;  // the answer to the former
  std::string unknown_code;
  std::string unknown_field;
};
CancelRow CancelWhatIsNotThere();

// A waiter of an action that has not begun when the stream is closed.
struct StoppedRow {
  bool told = false;
  ActionEnd end_reason = ActionEnd::kNone;
};
StoppedRow CloseUnderAWaiter();

// Several threads that schedule at once.
struct ProducersRow {
  int threads = 4;
  int asked = 0;
  int admitted = 0;
  int on_their_frame = 0;
};
ProducersRow ScheduleFromThreads();

// What makes no sense.
struct ChecksRow {
  std::string length_field;  // of audio that is no whole number of frames
  std::string start_field;   // of a start that is not a number
  std::string sample_field;  // of a sample that is not a number
};
ChecksRow AskNonsense();

// An action that was in time when it was admitted, and whose frame then passed without the device.
struct LateRow {
  ActionReport report;
  int64_t heard_frames = 0;
};
LateRow BecomeLate();

}  // namespace rtmixd::conformance

#endif  // RTMIXD_TESTS_CONFORMANCE_SCHEDULING_ROWS_H_
