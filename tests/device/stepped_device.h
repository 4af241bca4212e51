#ifndef RTMIXD_TESTS_DEVICE_STEPPED_DEVICE_H_
#define RTMIXD_TESTS_DEVICE_STEPPED_DEVICE_H_

#include <cstdint>
#include <functional>
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

// A device whose audio thread is the test: each Step is one callback, at a simulated time. Exists
// so that tests of everything above the device need no real time, and decide themselves what the
// host says and when.
//
// The clock stands at 1 s when the device is made. Step calls the sink with the clock as it stands,
// and then moves the clock by the length of the block; AdvanceClock moves it alone, which is what a
// loss looks like. Times of frames are exact, not sums of rounded block lengths.
//
// Loopback: with a route of delay d, output frame f is input frame f + d, whatever the clock does.
//
// Threading: thread-safe. Step runs the sink on the calling thread; one thread steps at a time.
class SteppedDevice : public AudioDevice {
 public:
  static constexpr int64_t kFirstClockNanos = 1'000'000'000;

  struct Options {
    int max_input_channels = 2;
    int max_output_channels = 2;
    double sample_rate_hz = 48000;  // the only one
    int block_frames = 256;         // StreamInfo's, unless the settings name one
    int max_block_frames = 4096;
    int input_latency_frames = 0;
    int output_latency_frames = 0;
    bool clocks_related = true;
    bool reports_xruns = true;
    // Delays are whole and at least as long as any block that is stepped.
    std::vector<LoopbackRoute> routes;
    bool keep_sent = true;  // for sent(); false for runs that would fill the memory
  };

  // One callback. What is not set is what an honest host would say.
  struct Callback {
    int frames = 0;  // > 0
    std::optional<int64_t> callback_nanos =
        std::nullopt;  // the clock, which goes on from its own value
    uint32_t host_flags = 0;
    double host_input_seconds = AudioBlock::kUnknown;
    double host_now_seconds = AudioBlock::kUnknown;
    double host_output_seconds = AudioBlock::kUnknown;
  };

  explicit SteppedDevice(Options options);
  ~SteppedDevice() override = default;

  // --- What tests do ---

  // Makes one block of `frames` frames. False if the stream does not run: then only the clock
  // moves.
  bool Step(int frames);
  bool Step(const Callback& callback);
  // Makes `blocks` blocks of `frames` frames. False once a Step was.
  bool StepMany(int blocks, int frames);

  // Moves the clock without a callback. Frames: at the nominal rate.
  void AdvanceClockFrames(int64_t frames);
  void AdvanceClockNanos(int64_t nanos);
  int64_t now_nanos() const;

  // What the inputs bring besides the loopback: added to it. Called with channel and frame, both
  // counted from 0, the frame since Start.
  void SetInput(std::function<float(int channel, int64_t frame)> input);

  // Called with what was sent to an output channel in a block, after the sink has made it.
  void WatchOutput(std::function<void(int channel, const std::vector<float>& samples)> watch);

  // Frames of blocks made since Start.
  int64_t frames_stepped() const;
  // All that was sent to an output channel (from 0) since Start, if it is kept.
  std::vector<float> sent(int channel) const;

  // What the next call returns instead of doing its work; OK takes it back.
  void FailNextOpen(absl::Status status);
  void FailNextStart(absl::Status status);
  void FailNextStop(absl::Status status);
  // Makes Stop, Abort and Close hang until ReleaseStops, which must come before the end of the
  // device.
  void HangStops();
  void ReleaseStops();
  // Returns once a call hangs.
  void WaitForHangingStop();
  // The running stream dies (kDead) and makes no block any more.
  void Die();
  void AddIncident(DeviceIncident incident);

  int open_count() const;   // successful ones
  int start_count() const;  // successful ones

  // --- AudioDevice ---
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
  double cpu_load() const override { return 0; }
  std::vector<DeviceIncident> TakeIncidents() override;

 private:
  DeviceInfo Device() const;
  absl::StatusOr<ResolvedSettings> Resolve(const StreamSettings& settings);
  absl::Status End(Health to);
  int64_t NowNanos() const ABSL_SHARED_LOCKS_REQUIRED(mu_);

  const Options options_;

  mutable Mutex mu_;
  CondVar changed_;
  bool stops_hang_ ABSL_GUARDED_BY(mu_) = false;
  int hanging_stops_ ABSL_GUARDED_BY(mu_) = 0;
  absl::Status next_open_ ABSL_GUARDED_BY(mu_);
  absl::Status next_start_ ABSL_GUARDED_BY(mu_);
  absl::Status next_stop_ ABSL_GUARDED_BY(mu_);
  int open_count_ ABSL_GUARDED_BY(mu_) = 0;
  int start_count_ ABSL_GUARDED_BY(mu_) = 0;
  int64_t generation_ ABSL_GUARDED_BY(mu_) = 0;  // of the open stream; Abandon makes the next
  std::vector<DeviceIncident> incidents_ ABSL_GUARDED_BY(mu_);
  std::function<float(int, int64_t)> input_ ABSL_GUARDED_BY(mu_);
  std::function<void(int, const std::vector<float>&)> output_watch_ ABSL_GUARDED_BY(mu_);

  // The clock is base + frames at the nominal rate.
  int64_t base_nanos_ ABSL_GUARDED_BY(mu_) = kFirstClockNanos;
  int64_t clock_frames_ ABSL_GUARDED_BY(mu_) = 0;

  Health health_ ABSL_GUARDED_BY(mu_) = Health::kClosed;
  AudioBlockSink* sink_ ABSL_GUARDED_BY(mu_) = nullptr;
  StreamInfo info_ ABSL_GUARDED_BY(mu_);
  int64_t next_frame_ ABSL_GUARDED_BY(mu_) = 0;
  std::unique_ptr<LoopbackCable> cable_ ABSL_GUARDED_BY(mu_);
  std::vector<std::vector<float>> sent_ ABSL_GUARDED_BY(mu_);
};

}  // namespace rtmixd

#endif  // RTMIXD_TESTS_DEVICE_STEPPED_DEVICE_H_
