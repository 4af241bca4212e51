#ifndef RTMIXD_SERVER_DEVICE_AUDIO_DEVICE_H_
#define RTMIXD_SERVER_DEVICE_AUDIO_DEVICE_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/realtime/audio_block.h"

namespace rtmixd {

// A host API ("JACK Audio Connection Kit", "ALSA", "Virtual").
struct HostApiInfo {
  std::string id;    // stable and short: "jack", "alsa", "virtual"
  std::string name;  // the host's own
  int device_count = 0;
  std::string default_input_device_id;   // "" if there is none
  std::string default_output_device_id;  // "" if there is none
};

// A device that a stream can be opened on. `id` is stable across restarts and re-plugging as far as
// the host can tell: host API and name, and the port or serial where they can be had.
struct DeviceInfo {
  std::string id;  // "jack/system", "virtual/loopback"
  int index = -1;  // position in the list; changes when devices come and go
  std::string name;
  std::string host_api_id;
  int max_input_channels = 0;
  int max_output_channels = 0;
  double default_sample_rate_hz = 0;
  double default_low_input_latency_seconds = 0;
  double default_low_output_latency_seconds = 0;
  double default_high_input_latency_seconds = 0;
  double default_high_output_latency_seconds = 0;
};

// The latency asked for: one of the device's two defaults, or a number of seconds.
struct LatencyRequest {
  enum class Kind { kLow, kHigh, kSeconds };
  Kind kind = Kind::kLow;
  double seconds = 0;  // for kSeconds; >= 0 and finite

  bool operator==(const LatencyRequest&) const = default;
};

// One direction of a stream to be opened. A device is named by its id, its index in decimal, or a
// substring of "host API name: device name" (in any case of letters) that only one device of that
// direction matches; "" is the default device.
struct DirectionSettings {
  static constexpr int kAllChannels = -1;

  std::string device;
  // 0: this direction is not opened. kAllChannels: all that the device has; with no device named
  // and no default one, the direction is not opened.
  int channels = 0;
  LatencyRequest latency;
  // Host-API specific, e.g. {"alsa.periods", "3"}.
  std::map<std::string, std::string> host_settings;

  bool operator==(const DirectionSettings&) const = default;
};

struct StreamSettings {
  DirectionSettings input;
  DirectionSettings output;
  double sample_rate_hz = 0;  // 0: the output (else input) device's default
  int block_frames = 0;       // 0: the host's choice, which may vary from block to block

  bool operator==(const StreamSettings&) const = default;
};

// What an open stream really is; frozen while it is open.
struct StreamInfo {
  DeviceInfo input_device;  // channels 0 and id "" if not opened
  DeviceInfo output_device;
  int input_channels = 0;
  int output_channels = 0;
  double sample_rate_hz = 0;
  int block_frames = 0;  // 0: varies
  int max_block_frames =
      0;  // no callback brings more than this; > 0 (a bound, the mixer splits larger ones anyway)
  int input_latency_frames = 0;   // converter to callback, as the host claims it
  int output_latency_frames = 0;  // callback to converter
  bool clocks_related = true;     // false if input and output are different devices
  bool reports_xruns = true;      // false on host APIs known never to set xrun flags
};

// An incident that a device itself can tell, besides what its blocks show.
struct DeviceIncident {
  enum class Kind { kInjected, kFault, kNote };
  Kind kind = Kind::kNote;
  int64_t frame =
      -1;  // the stream's frame it concerns (counted by the device from 0 at Start), -1 if none
  std::string text;  // one line for people: "lost 64 input frames without a flag"
};

// One misbehaviour for a virtual device to act out when its stream reaches `at_frame`.
struct ScriptedFault {
  enum class Kind {
    kTimestampOffset,  // adds `nanos` to the callback and host times of the block (jitter,
                       // backward, jump); for `blocks` blocks
    kTimestampEqual,   // host times stay as in the block before, for `blocks` blocks
    kTimestampZero,    // host times are 0, for `blocks` blocks
    kTimestampEpoch,   // host times are shifted by `nanos` from here on for good
    kLoseInput,        // `frames` input frames are lost; time goes on
    kLoseOutput,       // `frames` output frames never sound; time goes on
    kLoseBoth,
    kReplayPeriod,  // the input of the block before comes again in place of this block's
    kStall,  // no callback for `nanos`; then callbacks catch up back to back, nothing is lost
    kCallbacksStop,  // no callback any more, the health stays kRunning
    kDie,            // no callback any more, the health becomes kDead
    kStopHangs,      // the next Stop, Abort or Close does not return for `nanos`
    kSpuriousFlags,  // `host_flags` are set though nothing was lost
  };
  Kind kind = Kind::kStall;
  int64_t at_frame = 0;  // counted from 0 at Start; acts in the block that holds it
  int64_t frames = 0;    // for the kLose kinds, >= 1
  int64_t nanos = 0;
  int blocks = 1;           // >= 1
  bool flagged = true;      // kLose kinds: whether the host flags tell
  uint32_t host_flags = 0;  // kSpuriousFlags
};

// A sound device, or a source of them (all of PortAudio): lists devices, and owns at most one open
// stream. Exists so that PortAudio, the virtual device and the stepped device of tests are the same
// to everybody else.
//
// Threading: all methods but those marked otherwise are called from one device thread at a time;
// they may block (a dead sound server makes them hang), which is why no lock is ever held around
// them. The sink is called from the audio thread between Start and the return of
// Stop/Abort/Abandon.
class AudioDevice {
 public:
  virtual ~AudioDevice() = default;

  virtual absl::StatusOr<std::vector<HostApiInfo>> ListHostApis() = 0;
  virtual absl::StatusOr<std::vector<DeviceInfo>> ListDevices() = 0;

  // OK if a stream could be opened so. Errors: NOT_FOUND for an unknown device, INVALID_ARGUMENT
  // for an ambiguous name or impossible channel count (naming field, value and limit),
  // FAILED_PRECONDITION with the host's own text and code when the host refuses.
  virtual absl::Status CheckSettings(const StreamSettings& settings) = 0;

  // Opens the stream; it does not run yet. `sink` must live until Close or Abandon has returned.
  // FAILED_PRECONDITION if a stream is open already; otherwise as CheckSettings.
  virtual absl::StatusOr<StreamInfo> Open(const StreamSettings& settings, AudioBlockSink* sink) = 0;

  virtual absl::Status Start() = 0;
  virtual absl::Status Stop() = 0;   // plays out what the host has buffered
  virtual absl::Status Abort() = 0;  // drops it
  virtual absl::Status Close() = 0;

  // Gives the open stream, or the Open under way, up without touching the host again: after it
  // returns the sink gets no further call, whatever the host's threads still do, and the device is
  // closed. Waits for a call of the sink that has begun, for nothing else. Any thread.
  virtual void Abandon() = 0;

  enum class Health { kClosed, kStopped, kRunning, kDead };
  // kDead if the host says that the running stream is over (finished callback, inactive). The lack
  // of callbacks is judged by the caller. Never blocks. Any thread.
  virtual Health health() const = 0;

  // Fraction of the blocks' length spent in the sink, 0 to 1 unless overloaded; a running mean. Any
  // thread.
  virtual double cpu_load() const = 0;

  // Moves what happened since the last call. Any thread.
  virtual std::vector<DeviceIncident> TakeIncidents() { return {}; }

  // Adds to what the open stream acts out; see ScriptedFault. Before Start it is kept for the next
  // Start; Stop forgets what did not come. All or nothing. INVALID_ARGUMENT for a fault that makes
  // no sense, OUT_OF_RANGE for one in the past, FAILED_PRECONDITION if no stream is open,
  // UNIMPLEMENTED on all but the virtual device. Any thread.
  virtual absl::Status LoadScript(const std::vector<ScriptedFault>& faults) {
    (void)faults;
    return absl::UnimplementedError("only the virtual device acts out scripts");
  }
};

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_DEVICE_AUDIO_DEVICE_H_
