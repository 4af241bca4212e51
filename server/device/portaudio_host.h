#ifndef RTMIXD_SERVER_DEVICE_PORTAUDIO_HOST_H_
#define RTMIXD_SERVER_DEVICE_PORTAUDIO_HOST_H_

#include <portaudio.h>

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/device/audio_device.h"
#include "server/device/device_list.h"
#include "server/device/portaudio_library.h"

namespace rtmixd {

// StreamSettings in PortAudio's terms.
struct PortAudioPlan {
  ResolvedSettings resolved;
  std::optional<PaStreamParameters> input;
  std::optional<PaStreamParameters> output;
  int frames_per_buffer = paFramesPerBufferUnspecified;
  // Host settings.
  std::optional<int> alsa_periods;
  std::optional<bool> alsa_realtime;

  const PaStreamParameters* input_or_null() const { return input ? &*input : nullptr; }
  const PaStreamParameters* output_or_null() const { return output ? &*output : nullptr; }
};

// The id of PortAudio's JACK host API.
inline constexpr char kJackHostApiId[] = "jack";

// The devices of an initialised library. Ids are "host API/name", with "#2" and so on added to the
// further ones of the same name.
DeviceList ReadDeviceList(const PortAudioLibrary& library);

// Looks up and checks what needs no host. Errors as AudioDevice::CheckSettings. Host settings
// known: "alsa.periods" (2 to 64), "alsa.realtime" (0 or 1), "jack.client_name" (1 to 32 letters).
absl::StatusOr<PortAudioPlan> MakePlan(const PortAudioLibrary& library,
                                       const StreamSettings& settings);

// Asks the host whether it would open such a stream.
absl::Status CheckPlan(const PortAudioLibrary& library, const PortAudioPlan& plan);

// "input jack/system (2 channels), output jack/system (2 channels), 44100 Hz"
std::string DescribePlan(const PortAudioPlan& plan);

// The name to take as a client of JACK, which has to be known before the library is initialised.
std::string JackClientName(const StreamSettings& settings);

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_DEVICE_PORTAUDIO_HOST_H_
