#ifndef RTMIXD_TESTS_INTEGRATION_SPOOLED_H_
#define RTMIXD_TESTS_INTEGRATION_SPOOLED_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client_cpp/session.h"
#include "rtmixd/v1/spool.pb.h"

namespace rtmixd {

// Never 0, and different from frame to frame.
std::vector<float> LongNoise(int64_t frames);

// Plays `sound` on output 1, and records input 1 into a buffer so that frame i of the recording is
// frame i of the sound, for as long as the sound.
struct PlayedAndRecorded {
  std::string record_action_id;
  std::string buffer_id;
};
absl::StatusOr<PlayedAndRecorded> PlayAndRecord(const std::shared_ptr<client::Session>& session,
                                                const std::vector<float>& sound);

// The spool as a session sees it.
absl::StatusOr<std::vector<v1::SpooledRecording>> ListSpooled(client::Session& session);
absl::StatusOr<std::vector<float>> DownloadSpooled(client::Session& session,
                                                   const std::string& recording_id);
absl::Status DeleteSpooled(client::Session& session, const std::string& recording_id);

}  // namespace rtmixd

#endif  // RTMIXD_TESTS_INTEGRATION_SPOOLED_H_
