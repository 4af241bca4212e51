#ifndef RTMIXD_TESTS_FUZZ_ENGINE_REQUESTS_H_
#define RTMIXD_TESTS_FUZZ_ENGINE_REQUESTS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "server/control/audio_stream.h"
#include "server/control/types.h"
#include "tests/fuzz/choices.h"

// Requests to an engine, as the bytes choose them. `sample_rate_hz` is the device's.
//
// Threading: functions without state.
namespace rtmixd {

// What requests refer to.
struct RequestContext {
  std::vector<std::string> action_ids;
  std::vector<std::string> buffer_ids;
  int64_t next_frame = 0;
  double sample_rate_hz = 0;  // of the device
  absl::Time wall_now;
};

SessionSpec ChooseSession(Choices* choices);
StreamSettings ChooseSettings(double sample_rate_hz, Choices* choices);
BufferSpec ChooseBuffer(double sample_rate_hz, Choices* choices);
BatchSpec ChooseBatch(const RequestContext& context, Choices* choices);
PlayStreamSpec ChoosePlayStream(const RequestContext& context, Choices* choices);
RecordStreamSpec ChooseRecordStream(const RequestContext& context, Choices* choices);
VoiceChangeSpec ChooseChange(Choices* choices);
GainChangeSpec ChooseGainChange(Choices* choices);
Fade ChooseFade(Choices* choices);
SampleFormat ChooseFormat(Choices* choices);
// Interleaved audio of `frames` frames, here and there with a few bytes of the choices' own.
std::string ChooseAudio(int channels, SampleFormat format, int64_t frames, Choices* choices);

}  // namespace rtmixd

#endif  // RTMIXD_TESTS_FUZZ_ENGINE_REQUESTS_H_
