#ifndef RTMIXD_SERVER_CONTROL_SPEC_CHECK_H_
#define RTMIXD_SERVER_CONTROL_SPEC_CHECK_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/control/audio_stream.h"
#include "server/control/types.h"
#include "server/mixer/fade.h"
#include "server/mixer/voice.h"
#include "server/mixer/voice_change.h"

// Whether what a client asks for makes sense on a stream, before anything of it is done. Errors
// name the fields as the API does, from `field` on: "actions[2].play.gain".
//
// Threading: functions without state.
namespace rtmixd {

// What a stream can do.
struct StreamShape {
  int input_channels = 0;
  int output_channels = 0;
  double sample_rate_hz = 0;

  int channels(RecordSource source) const {
    return source == RecordSource::kInput ? input_channels : output_channels;
  }
};

// The longest text that clients give things: keys, request ids.
inline constexpr size_t kMaxKeyBytes = 128;
inline constexpr int kMaxChannels = 1024;
// Of one action, that have not taken effect.
inline constexpr int kMaxChangesOfAction = 32;
// That follow one action.
inline constexpr int kMaxSuccessors = 64;

absl::Status CheckKey(const std::string& key, const std::string& field);
absl::Status CheckStart(const StartSpec& start, double sample_rate_hz, const std::string& field);
absl::Status CheckGain(float gain, const std::string& field);
absl::Status CheckFrames(int64_t frames, int64_t min_frames, int64_t max_frames,
                         const std::string& field);
absl::Status CheckChannelCount(int channels, const std::string& field);
absl::Status CheckFade(const Fade& fade, const std::string& field);
absl::Status CheckChange(const VoiceChangeSpec& change, const std::string& prefix);

// What a voice loops over of a sound of `frames` frames; one pass if nothing.
absl::StatusOr<Loop> ResolveLoop(const PlaySpec& play, int64_t frames, const std::string& prefix);
// How many frames it plays; absent if there is no end.
std::optional<int64_t> TotalFrames(const PlaySpec& play, const Loop& loop, int64_t frames);
// Without frame.
VoiceChange ToVoiceChange(const VoiceChangeSpec& change);

// The device's channels, from 0, for the channels of a sound or a recording.
absl::StatusOr<std::vector<int>> ResolvePlayMap(const ChannelMapSpec& map, int sound_channels,
                                                const StreamShape& shape, const std::string& field);
absl::StatusOr<std::vector<int>> ResolveRecordMap(const ChannelMapSpec& map, RecordSource source,
                                                  const StreamShape& shape,
                                                  const std::string& prefix);

// Everything in a batch that can be checked without looking at what else there is: neither buffers
// nor actions nor the content of inline audio.
absl::Status CheckBatch(const BatchSpec& batch, const StreamShape& shape, const Limits& limits);
absl::Status CheckPlayStream(const PlayStreamSpec& spec, const StreamShape& shape,
                             const Limits& limits, const std::string& prefix);
absl::Status CheckRecordStream(const RecordStreamSpec& spec, const StreamShape& shape,
                               const Limits& limits, const std::string& prefix);

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_CONTROL_SPEC_CHECK_H_
