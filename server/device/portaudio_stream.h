#ifndef RTMIXD_SERVER_DEVICE_PORTAUDIO_STREAM_H_
#define RTMIXD_SERVER_DEVICE_PORTAUDIO_STREAM_H_

#include <portaudio.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/base/mutex.h"
#include "server/device/audio_device.h"
#include "server/device/portaudio_host.h"
#include "server/device/portaudio_library.h"
#include "server/device/sink_gate.h"

namespace rtmixd {

// One opened stream of a PortAudioDevice, with the copy of the library that it runs in. Lives until
// the host has closed it and the copy is terminated, which may be never, for the host may call back
// until then.
//
// JACK streams are kept running from open to close, silent while they are stopped: a stream that
// runs shows whether its server is alive, and only then may PortAudio be told to stop, close or
// terminate (it hangs for ten minutes otherwise, and fails an assertion). So before any of that the
// stream must bring one more callback; as long as it does not come, the copy is left behind, and
// for ever once the host says that the server is gone.
//
// What gives a stream back to the host (stop it, close it, terminate the copy) is done by a thread
// of its own, an undertaker, for it may hang, above all if a server dies just then. Close waits for
// it, but not for long.
//
// Threading: Open, Start, Stop, Abort and Close by one device thread; all else by any.
class PortAudioStream : public std::enable_shared_from_this<PortAudioStream> {
 public:
  static absl::StatusOr<std::shared_ptr<PortAudioStream>> Open(const StreamSettings& settings,
                                                               AudioBlockSink* sink);
  ~PortAudioStream();

  const StreamInfo& info() const { return info_; }

  absl::Status Start();
  absl::Status Stop();
  absl::Status Abort();
  // OK too if the copy had to be left behind. Returns within kClosePatience and half a second.
  absl::Status Close();
  // As AudioDevice::Abandon. May be called again, also by this class itself.
  void Abandon();

  // How long Close waits for the host; the undertaker waits on.
  static constexpr absl::Duration kClosePatience = absl::Seconds(2);

  AudioDevice::Health health() const;
  double cpu_load() const { return gate_->cpu_load(); }

  // Copies of the library that were left behind in this process, whether for ever or until their
  // undertakers are done. A process that has some should end by _exit: its exit handlers may hang.
  static int abandoned_count();

 private:
  enum class State { kStopped, kRunning, kClosing, kAbandoned };

  explicit PortAudioStream(std::unique_ptr<PortAudioLibrary> library, std::string client_name);

  absl::Status OpenHost(const StreamSettings& settings, AudioBlockSink* sink);
  StreamInfo MakeInfo(const StreamSettings& settings, const PortAudioPlan& plan) const;
  // A call of the host by the device thread that may hang; nothing of it counts if the stream was
  // abandoned meanwhile.
  absl::Status CallHost(PaError (*call)(PaStream*), const std::string& what);
  absl::Status StopHost(PaError (*stop)(PaStream*));
  bool ShowsLife() const;
  // Leaves the stream to an undertaker.
  void Bury();
  // The undertaker's work, which may never end.
  void GiveBack();
  // Until the server of an abandoned JACK stream goes on. False: it never will.
  bool AwaitLife() const;

  // NOLINTNEXTLINE(google-runtime-int): PortAudio's type
  static int Callback(const void* input, void* output, unsigned long frames,
                      const PaStreamCallbackTimeInfo* times, PaStreamCallbackFlags flags,
                      void* user_data);
  static void Finished(void* user_data);

  std::unique_ptr<PortAudioLibrary> library_;
  const std::string client_name_;  // PortAudio keeps a pointer to it
  bool initialised_ = false;
  bool jack_ = false;
  PaStream* stream_ = nullptr;
  StreamInfo info_;
  std::unique_ptr<SinkGate> gate_;
  std::atomic<int64_t> callbacks_ = 0;  // relaxed: only whether it changes matters
  std::atomic<bool> finished_ = false;  // relaxed: a flag on its own

  // Held for moments, and around Pa_IsStreamActive, which reads one variable; never around other
  // calls of PortAudio.
  mutable Mutex mu_;
  State state_ ABSL_GUARDED_BY(mu_) = State::kStopped;
  bool in_host_ ABSL_GUARDED_BY(mu_) = false;  // the device thread is in CallHost
  bool given_back_ ABSL_GUARDED_BY(mu_) = false;
  absl::Status close_status_ ABSL_GUARDED_BY(mu_);
  CondVar given_back_changed_;
};

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_DEVICE_PORTAUDIO_STREAM_H_
