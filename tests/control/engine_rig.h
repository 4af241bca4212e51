#ifndef RTMIXD_TESTS_CONTROL_ENGINE_RIG_H_
#define RTMIXD_TESTS_CONTROL_ENGINE_RIG_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/base/error_info.h"
#include "server/control/engine.h"
#include "tests/device/stepped_device.h"

namespace rtmixd {

// An engine without threads on a device that the test steps: 2 inputs, 2 outputs at 48 kHz, output
// i cabled to input i with a delay of kCableFrames. The engine's clock is the device's.
//
// Threading: one thread.
class EngineRig {
 public:
  static constexpr int kBlockFrames = 64;
  static constexpr int kCableFrames = 128;
  static constexpr int kInputLatencyFrames = 40;
  static constexpr int kOutputLatencyFrames = 24;

  struct Options {
    Limits limits;
    SteppedDevice::Options device;
    bool open = true;  // and start
    bool enable_device_scripts = false;
    std::vector<std::string> device_features;
    std::vector<CalibrationInfo> calibrations;
    std::function<absl::Status(const std::vector<CalibrationInfo>&)> save_calibrations;
  };
  static Options DefaultOptions();
  static StreamSettings Settings();

  explicit EngineRig(const Options& options = DefaultOptions());
  ~EngineRig();

  Engine& engine() { return *engine_; }
  SteppedDevice& device() { return *device_; }
  // Ends the engine; the device goes with it.
  void Reset() { engine_.reset(); }

  // Makes `blocks` blocks, and lets the engine look after each.
  void Run(int blocks, int frames = kBlockFrames);
  // Runs until the reports of all actions of the session are final; a failure if that takes for
  // ever.
  void Finish(const std::string& session_id);
  // Moves the clock without a block and lets the engine look.
  void Wait(absl::Duration duration);
  // The wall clock: the device's and 24 hours, unless it was set.
  absl::Time wall_now() const;
  // Sets the wall clock forward, or back; nothing else moves.
  void SetWallClock(absl::Duration by) { *wall_offset_ += by; }
  // What the host says of it from now on.
  void SayOfWallClock(const WallClockState& state) { *wall_clock_state_ = state; }
  int64_t next_frame() { return engine_->GetStream().next_frame; }

  std::string Session(SessionSpec spec = {});
  absl::StatusOr<BatchAdmitted> Schedule(const std::string& session_id, BatchSpec batch);
  // The answer has to come without anything else happening.
  absl::StatusOr<BatchAdmitted> ScheduleNow(const std::string& session_id, BatchSpec batch);
  absl::StatusOr<BatchCommitted> Commit(const std::string& session_id,
                                        const std::string& batch_id) {
    return engine_->CommitBatch(session_id, batch_id);
  }
  ActionReport Report(const std::string& session_id, const std::string& action_id);
  // All samples of a buffer, by channel.
  std::vector<std::vector<float>> Download(const std::string& session_id,
                                           const std::string& buffer_id);
  int CountEvents(EventKind kind);
  std::vector<LogEntry> Events(EventKind kind);

 private:
  SteppedDevice* device_ = nullptr;
  const std::shared_ptr<absl::Duration> wall_offset_ =
      std::make_shared<absl::Duration>(absl::Hours(24));
  const std::shared_ptr<WallClockState> wall_clock_state_ = std::make_shared<WallClockState>();
  std::unique_ptr<Engine> engine_;
};

// Sample `frame` of channel `channel` of test sound `sound`: all different, exact in float, and
// their sums exact as well.
float TestSample(int sound, int channel, int64_t frame);
// The same as bytes, interleaved.
std::string TestBytes(int sound, int channels, int64_t first_frame, int64_t frames);
std::string FloatBytes(const std::vector<float>& samples);
std::vector<float> Floats(const std::string& bytes);

ActionSpec PlayInline(const std::string& key, int sound, int channels, int64_t frames,
                      int64_t offset_frames);
ActionSpec RecordNew(const std::string& key, std::optional<int64_t> frames, int64_t offset_frames);
ActionSpec CancelKey(const std::string& key, const std::string& target, int64_t offset_frames);
BatchSpec At(int64_t origin_frame, std::vector<ActionSpec> actions);
BatchSpec AtWallTime(absl::Time origin, std::vector<ActionSpec> actions);
BatchSpec NowBatch(std::vector<ActionSpec> actions);
StartSpec AtFrame(int64_t frame);

ErrorReason ReasonOf(const absl::Status& status);
std::string FieldOf(const absl::Status& status);
std::string LimitOf(const absl::Status& status);
std::string HolderOf(const absl::Status& status);

}  // namespace rtmixd

#endif  // RTMIXD_TESTS_CONTROL_ENGINE_RIG_H_
