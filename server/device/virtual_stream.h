#ifndef RTMIXD_SERVER_DEVICE_VIRTUAL_STREAM_H_
#define RTMIXD_SERVER_DEVICE_VIRTUAL_STREAM_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "server/base/mutex.h"
#include "server/device/audio_device.h"
#include "server/device/sink_gate.h"
#include "server/device/virtual_engine.h"

namespace rtmixd {

// One opened stream of a VirtualDevice, with its audio thread. Held by shared_ptr, by that thread
// too, so that it can be given up while the thread, or a Stop that hangs, is still in it.
//
// Threading: Start, Stop and Close by one device thread; Abandon, Load and all that is const by
// any.
class VirtualStream : public std::enable_shared_from_this<VirtualStream> {
 public:
  VirtualStream(VirtualEngine::Config config, bool free_running, AudioBlockSink* sink);
  ~VirtualStream();

  absl::Status Start();
  // Ends the audio thread. Hangs before that if the script says so.
  absl::Status Stop();
  // Shuts the sink off at once; the audio thread ends by itself.
  void Abandon();
  // Waits for that end, some 20 ms at most.
  void AwaitEnd() const { ended_.wait(false); }

  AudioDevice::Health health() const;
  double cpu_load() const { return gate_.cpu_load(); }
  std::vector<DeviceIncident> TakeIncidents();
  absl::Status LoadScript(const std::vector<ScriptedFault>& faults);

 private:
  void Run();
  bool SleepUntil(int64_t due_nanos) const;  // false: the thread is to end
  void TakeRealtimePriority();

  const VirtualEngine::Config config_;
  const bool free_running_;
  SinkGate gate_;
  std::thread thread_;
  std::atomic<bool> ending_ = false;  // relaxed: nothing else is read because of it
  std::atomic<bool> ended_ = true;    // no audio thread, or none that does anything any more

  // Held by the audio thread for moments, and never while the sink works.
  mutable Mutex mu_;
  bool running_ ABSL_GUARDED_BY(mu_) = false;
  std::unique_ptr<VirtualEngine> engine_ ABSL_GUARDED_BY(mu_);  // of the run, or of the next one
  std::vector<DeviceIncident> notes_ ABSL_GUARDED_BY(mu_);
};

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_DEVICE_VIRTUAL_STREAM_H_
