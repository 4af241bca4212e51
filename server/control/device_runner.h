#ifndef RTMIXD_SERVER_CONTROL_DEVICE_RUNNER_H_
#define RTMIXD_SERVER_CONTROL_DEVICE_RUNNER_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <thread>

#include "absl/time/time.h"
#include "server/device/audio_device.h"

namespace rtmixd {

// The thread that calls the device. It exists because the calls of a device may block, and those of
// a dead one for ever: nobody else waits for them, and a thread that does not come back is left
// behind, with what it uses, and replaced.
//
// Threading: Post, busy_for and device by any thread, GiveUpJob by one. Jobs run one at a time, in
// order, on the device thread.
class DeviceRunner {
 public:
  // What is done when the job's calls of the device have come back: on the device thread, and not
  // at all if the thread was replaced meanwhile.
  using Done = std::function<void()>;
  using Job = std::function<Done(AudioDevice& device)>;

  // `inline_jobs`: no thread; Post runs the job itself.
  DeviceRunner(std::unique_ptr<AudioDevice> device, bool inline_jobs);
  ~DeviceRunner() { Stop(); }
  DeviceRunner(const DeviceRunner&) = delete;
  DeviceRunner& operator=(const DeviceRunner&) = delete;

  // After so long a job is taken for hung.
  static constexpr absl::Duration kPatience = absl::Seconds(10);

  // Call it with no lock held.
  void Post(Job job);
  // Drops jobs that have not begun, and those to come. Waits for the one that runs, but no longer
  // than `kPatience`, after which the device is abandoned and the thread left behind.
  void Stop();

  // For how long the job that runs now has been running; 0 if none is.
  absl::Duration busy_for() const;
  // Abandons the device. If the job that runs does not come back by that, the thread is replaced;
  // returns whether it was.
  bool GiveUpJob();

  // For the methods of the device that any thread may call.
  AudioDevice& device() const;

 private:
  struct State;
  static void Run(const std::shared_ptr<State>& state, int64_t generation);
  void StartThread();

  const bool inline_jobs_;
  const std::shared_ptr<State> state_;  // shared with threads left behind
  std::thread thread_;                  // who gives up jobs and the destructor only
};

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_CONTROL_DEVICE_RUNNER_H_
