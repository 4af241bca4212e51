#ifndef RTMIXD_CLIENT_CPP_PLAY_REC_H_
#define RTMIXD_CLIENT_CPP_PLAY_REC_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client_cpp/action.h"
#include "client_cpp/audio.h"
#include "client_cpp/session.h"
#include "rtmixd/v1/action.pb.h"
#include "rtmixd/v1/common.pb.h"

namespace rtmixd::client {

// What PlayRec is to do, besides the sound.
struct PlayRecOptions {
  // Output of each channel of the sound, numbered from 1; empty: channel i is output i.
  std::vector<int> outputs;
  // Inputs to record, numbered from 1; empty: all.
  std::vector<int> inputs;
  // How much longer the recording is than the play; at least 0.
  int64_t tail_frames = 0;
  // Frame of the stream; absent: now.
  std::optional<int64_t> start_frame;
  std::optional<float> gain;
  // From silence, and to silence at the end; see v1::Fade.
  std::optional<v1::Fade> fade_in;
  std::optional<v1::Fade> fade_out;
  // First frame of the sound to be played.
  int64_t offset_frames = 0;
  // The play ends after so many frames; absent: with the sound.
  std::optional<int64_t> max_frames;
  // A region that sounds several times; needs passes or max_frames.
  std::optional<v1::Loop> loop;
  v1::LatePolicy late_policy = v1::LATE_POLICY_UNSPECIFIED;
  v1::RecordSource source = v1::RECORD_SOURCE_UNSPECIFIED;
  // How long it may take until both are done, beyond which they are cancelled.
  absl::Duration timeout = absl::InfiniteDuration();
  // Called once when both are done, while the recording is still to be fetched and judged.
  std::function<void()> on_done;
  // Asked a few times per second; false cancels.
  KeepWaiting keep_waiting;
};

// What came of it.
struct PlayRecResult {
  // Which frame offsets counted from, and the ids.
  v1::ScheduleActionsResponse scheduled;
  // Begins where the sound does, as seen through a cable without delay of its own.
  Audio recording;
  // Final, unless keep_waiting ended the waiting for that: see their state.
  v1::ActionReport play;
  v1::ActionReport record;
};

// The main job: plays a sound, records the response aligned to it and fetches it. One round trip to
// schedule, one to fetch, which it does while the server finds out what xruns did; a sound too
// large to travel with the request is uploaded first. INVALID_ARGUMENT for a loop without end,
// DEADLINE_EXCEEDED after the timeout, CANCELLED if keep_waiting said so; nothing is left behind
// then.
absl::StatusOr<PlayRecResult> PlayRec(const std::shared_ptr<Session>& session, const Audio& sound,
                                      const PlayRecOptions& options);

}  // namespace rtmixd::client

#endif  // RTMIXD_CLIENT_CPP_PLAY_REC_H_
