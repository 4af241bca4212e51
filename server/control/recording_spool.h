#ifndef RTMIXD_SERVER_CONTROL_RECORDING_SPOOL_H_
#define RTMIXD_SERVER_CONTROL_RECORDING_SPOOL_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "server/control/audio_storage.h"
#include "server/control/types.h"

namespace rtmixd {

// Keeps recordings into buffers where they outlive the server. The engine tells it of each; it
// reads the buffer's audio by itself, and names recordings by their action ids.
//
// Threading: Begin, Update and End are called under the engine's lock: they neither wait nor copy
// audio.
class RecordingSpool {
 public:
  struct NewRecording {
    std::string instance_id;
    std::string session_id;
    std::string session_label;
    std::string label;
    double sample_rate_hz = 0;
    absl::Time create_time;
    std::shared_ptr<const AudioStorage> audio;
    int64_t first_frame = 0;  // of `audio`: where the recording begins
  };

  virtual ~RecordingSpool() = default;
  virtual void Begin(NewRecording recording, const ActionReport& report) = 0;
  // What is known of it by now. With an end_frame, its audio is done_frames long.
  virtual void Update(const ActionReport& report) = 0;
  // The same, for the last time.
  virtual void End(const ActionReport& report) = 0;
  // What is to be told since the last time: kind, action, session, frames and text.
  virtual std::vector<LogEntry> TakeNews() = 0;
};

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_CONTROL_RECORDING_SPOOL_H_
