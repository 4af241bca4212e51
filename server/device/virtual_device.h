#ifndef RTMIXD_SERVER_DEVICE_VIRTUAL_DEVICE_H_
#define RTMIXD_SERVER_DEVICE_VIRTUAL_DEVICE_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/base/mutex.h"
#include "server/device/audio_device.h"
#include "server/device/device_list.h"
#include "server/device/loopback_cable.h"

namespace rtmixd {

class VirtualStream;

// A sound device that is only a clock and a cable: duplex, with what is played coming back on the
// inputs after an exact delay. Exists so that the server runs, and can be tried and tested, where
// there is no sound card, and so that users can see how their code takes a device that misbehaves.
//
// Blocks are due at absolute times (start + n periods), so that it never drifts. When the machine
// stalls, it makes up for it back to back, however long the stall was: nothing is ever lost unless
// a script says so, and every run brings the same bits. VirtualEngine defines what comes back when.
//
// The blocks' callback_nanos are when the block was due by the device's own clock, as a driver with
// hardware timestamps would have it, however late the machine entered the callback: a busy machine
// is never taken for a device that lost frames. What shakes the stamps is the script.
//
// Threading: as AudioDevice.
class VirtualDevice : public AudioDevice {
 public:
  struct Options {
    int input_channels = 8;
    int output_channels = 8;
    // Output i to input i if not set. A stream opened with fewer channels leaves the others open.
    std::optional<std::vector<LoopbackRoute>> routes;
    double default_sample_rate_hz = 48000;
    std::vector<double> sample_rates_hz = {8000,  11025, 16000, 22050, 32000,
                                           44100, 48000, 88200, 96000, 192000};
    int block_frames = 256;  // of a stream that leaves it to the host
    // Of a stream that asks for low latency; high is four times that. One block if not set. The
    // input's is never less than a block, for a block is handed over when it is complete.
    std::optional<int> input_latency_frames;
    std::optional<int> output_latency_frames;
    // What the converters' clock is off, as a crystal is: positive is fast.
    double clock_error_ppm = 0;
    // As fast as the machine allows, instead of at the sample rate.
    bool free_running = false;
  };

  // INVALID_ARGUMENT naming the option, its value and its limit.
  static absl::StatusOr<std::unique_ptr<VirtualDevice>> Create(Options options);
  ~VirtualDevice() override;

  absl::StatusOr<std::vector<HostApiInfo>> ListHostApis() override;
  absl::StatusOr<std::vector<DeviceInfo>> ListDevices() override;
  absl::Status CheckSettings(const StreamSettings& settings) override;
  absl::StatusOr<StreamInfo> Open(const StreamSettings& settings, AudioBlockSink* sink) override;
  absl::Status Start() override;
  absl::Status Stop() override;
  absl::Status Abort() override;
  absl::Status Close() override;
  void Abandon() override;
  Health health() const override;
  double cpu_load() const override;
  std::vector<DeviceIncident> TakeIncidents() override;
  absl::Status LoadScript(const std::vector<ScriptedFault>& faults) override;

 private:
  explicit VirtualDevice(Options options);

  // What a stream opened with `settings` is.
  absl::StatusOr<StreamInfo> Plan(const StreamSettings& settings) const;
  int LatencyFrames(const LatencyRequest& request, std::optional<int> low_frames, int block_frames,
                    double sample_rate_hz) const;
  std::shared_ptr<VirtualStream> stream() const;
  // Takes the open stream, if it is `expected` or that is nullptr, and what it still had to tell.
  std::shared_ptr<VirtualStream> Detach(const VirtualStream* expected);

  const Options options_;
  const DeviceList list_;

  mutable Mutex mu_;
  std::shared_ptr<VirtualStream> stream_ ABSL_GUARDED_BY(mu_);  // nullptr: closed
  std::vector<DeviceIncident> incidents_ ABSL_GUARDED_BY(mu_);  // of streams that are gone
};

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_DEVICE_VIRTUAL_DEVICE_H_
