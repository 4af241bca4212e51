#ifndef RTMIXD_SERVER_DEVICE_VIRTUAL_ENGINE_H_
#define RTMIXD_SERVER_DEVICE_VIRTUAL_ENGINE_H_

#include <cstdint>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "server/device/audio_device.h"
#include "server/device/loopback_cable.h"
#include "server/realtime/audio_block.h"

namespace rtmixd {

// One run of a virtual stream without its thread: what each block holds, when it is due, and what
// the script makes of it. Exists so that all of that is deterministic and can be tested sample by
// sample, at any speed.
//
// Time. The converters count ticks, one per frame, from 0 at Start; tick t comes at
// start_nanos + t / (rate * (1 + clock_error_ppm / 1e6)). Three numbers, 0 at Start and changed by
// scripted losses only, relate the frame counter f of the callbacks to ticks:
//
//   the block that begins with frame f is due at tick   f + hole
//   input frame f was captured at tick                  f - input latency + input_shift
//   output frame f sounds at tick                       f + output latency + output_shift
//
// so output frame f comes back as input frame
//   f + output latency + cable delay + input latency + output_shift - input_shift.
//
// A loss of n frames in the block that begins with frame F acts before that block is made: hole +=
// n; a loss of input adds n to input_shift, a loss of output n to output_shift; both, to both.
// Example: latencies of 256 both, no cable delay, and 64 lost frames in the block at 1024:
//   input:  frames captured in ticks 768 to 831 never arrive (the oldest that waited, so that the
//           gap is right before frame 1024); frame 1024 was captured at tick 832. What is played
//           comes back after 448 frames from then on, for the output is fed later.
//   output: silence sounds in ticks 1280 to 1343, frame 1024 sounds at 1344. The input is whole and
//           comes 64 frames later than before; what is played comes back after 576 frames.
//   both:   both of it; what is played comes back after 512 frames as before.
// What the host has buffered for output covers losses of input up to the output latency; beyond
// that the output runs dry too: output_shift is never less than hole - output latency.
//
// Threading: not thread-safe.
class VirtualEngine {
 public:
  // All valid: VirtualDevice checks what comes from outside.
  struct Config {
    int input_channels = 0;
    int output_channels = 0;
    double sample_rate_hz = 48000;
    int block_frames = 256;
    int input_latency_frames = 256;  // >= block_frames: a block is handed over when it is complete
    int output_latency_frames = 256;
    double clock_error_ppm = 0;
    std::vector<LoopbackRoute> routes;
  };

  // The host's own clock shows this at tick 0 and goes at the converters' rate.
  static constexpr double kHostEpochSeconds = 1000;
  static constexpr int64_t kMaxLossFrames = 1'000'000;  // of one fault

  explicit VirtualEngine(Config config);

  // CLOCK_MONOTONIC of tick 0; to be set before the first block.
  void set_start_nanos(int64_t start_nanos) { start_nanos_ = start_nanos; }

  // As AudioDevice::LoadScript. The first frame that can still be acted at is actable_frame(): the
  // due time of the block before it may have been told already.
  absl::Status LoadScript(const std::vector<ScriptedFault>& faults);
  int64_t actable_frame() const { return acted_until_frame_; }

  // When the next block is due, CLOCK_MONOTONIC; nothing once the callbacks have stopped. Acts out
  // what the script has for that block.
  std::optional<int64_t> NextDueNanos();

  // Makes the next block, whose input is ready in it and whose output is to be filled until
  // EndBlock. `entry_nanos` is when the callback is entered. Requires a due time.
  AudioBlock BeginBlock(int64_t entry_nanos);
  void EndBlock();

  int64_t next_frame() const { return next_frame_; }
  AudioDevice::Health health() const { return health_; }
  // How long the next Stop hangs, by the script.
  int64_t stop_hang_nanos() const { return stop_hang_nanos_; }
  std::vector<DeviceIncident> TakeIncidents() { return std::exchange(incidents_, {}); }

 private:
  // A fault of timestamps that lasts for some blocks.
  struct ActiveFault {
    ScriptedFault::Kind kind;
    int64_t nanos;
    int blocks_left;
  };

  absl::Status CheckFault(const ScriptedFault& fault) const;
  void Act(const ScriptedFault& fault);
  void Lose(int64_t frames, bool input, bool output);
  int64_t TickNanos(int64_t tick) const;
  void SetTimes(int64_t entry_nanos, AudioBlock* block);

  const Config config_;
  LoopbackCable cable_;
  std::vector<std::vector<float>> input_;
  std::vector<std::vector<float>> output_;
  std::vector<float*> input_pointers_;
  std::vector<float*> output_pointers_;

  int64_t start_nanos_ = 0;
  int64_t next_frame_ = 0;
  int64_t acted_until_frame_ = 0;
  int64_t hole_frames_ = 0;
  int64_t input_shift_frames_ = 0;
  int64_t output_shift_frames_ = 0;
  int64_t stalled_until_nanos_ = 0;
  AudioDevice::Health health_ = AudioDevice::Health::kRunning;
  bool callbacks_stopped_ = false;
  int64_t stop_hang_nanos_ = 0;

  std::multimap<int64_t, ScriptedFault> script_;  // by frame; as loaded within one
  std::vector<ActiveFault> active_;
  uint32_t block_flags_ = 0;  // of the next block
  bool block_replays_ = false;
  int64_t host_shift_nanos_ = 0;
  AudioBlock last_times_;  // whose host times kTimestampEqual repeats
  std::vector<DeviceIncident> incidents_;
};

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_DEVICE_VIRTUAL_ENGINE_H_
