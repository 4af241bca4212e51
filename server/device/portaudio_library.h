#ifndef RTMIXD_SERVER_DEVICE_PORTAUDIO_LIBRARY_H_
#define RTMIXD_SERVER_DEVICE_PORTAUDIO_LIBRARY_H_

#include <pa_jack.h>
#include <pa_linux_alsa.h>
#include <portaudio.h>

#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace rtmixd {

// A library loaded from a copy of its file in memory, so that its variables are its own, however
// often it is loaded.
//
// Threading: as dlopen.
class PrivateLibrary {
 public:
  PrivateLibrary() = default;  // holds none
  static absl::StatusOr<PrivateLibrary> Load(const std::string& path);
  PrivateLibrary(PrivateLibrary&& other) noexcept { *this = std::move(other); }
  PrivateLibrary& operator=(PrivateLibrary&& other) noexcept {
    std::swap(fd_, other.fd_);
    std::swap(handle_, other.handle_);
    return *this;
  }
  ~PrivateLibrary();

  // For dlsym; nullptr if it holds none.
  void* handle() const { return handle_; }

 private:
  int fd_ = -1;  // open while it is loaded: the loader takes equal paths for equal libraries
  void* handle_ = nullptr;
};

// A copy of the PortAudio library that nobody else in the process has: its file is copied into
// memory and loaded from there. Exists because a PortAudio whose sound server died can neither be
// stopped nor terminated; it can be left behind, and a fresh copy used from then on. PortAudio also
// asserts that calls of JACK succeed, and they fail when the server has died: in this copy a failed
// assertion does not abort the process, but holds its thread for ever. The copy does not see the
// PCM "jack" of ALSA.
//
// Threading: as PortAudio, that is: one thread at a time but for what it says otherwise.
class PortAudioLibrary {
 public:
  // Loads a fresh copy, not initialised. NOT_FOUND if there is no PortAudio on this machine.
  //
  // JACK's library keeps what belongs to a server in variables of the process, and crashes if it
  // has clients of two servers that are alive. `own_jack` gives this copy one of its own; it takes
  // four of the process's 1024 thread-specific keys until it is unloaded.
  static absl::StatusOr<std::unique_ptr<PortAudioLibrary>> Load(bool own_jack = false);

  // Unloads the copy: only before Initialize, after it failed, or after Terminate.
  ~PortAudioLibrary();

  PortAudioLibrary(const PortAudioLibrary&) = delete;
  PortAudioLibrary& operator=(const PortAudioLibrary&) = delete;

  // PortAudio's text and code for an error, with the host's own where there is one, in a
  // FAILED_PRECONDITION that begins with `what`.
  absl::Status ToStatus(PaError error, const std::string& what) const;

  // The name of the JACK that this process would talk to: "1.9.21", or something with "PipeWire".
  std::string jack_version() const;

  // The functions of this copy, by their names in portaudio.h.
  decltype(&Pa_Initialize) Initialize = nullptr;
  decltype(&Pa_Terminate) Terminate = nullptr;
  decltype(&Pa_GetErrorText) GetErrorText = nullptr;
  decltype(&Pa_GetLastHostErrorInfo) GetLastHostErrorInfo = nullptr;
  decltype(&Pa_GetHostApiCount) GetHostApiCount = nullptr;
  decltype(&Pa_GetHostApiInfo) GetHostApiInfo = nullptr;
  decltype(&Pa_GetDeviceCount) GetDeviceCount = nullptr;
  decltype(&Pa_GetDeviceInfo) GetDeviceInfo = nullptr;
  decltype(&Pa_GetDefaultInputDevice) GetDefaultInputDevice = nullptr;
  decltype(&Pa_GetDefaultOutputDevice) GetDefaultOutputDevice = nullptr;
  decltype(&Pa_IsFormatSupported) IsFormatSupported = nullptr;
  decltype(&Pa_OpenStream) OpenStream = nullptr;
  decltype(&Pa_CloseStream) CloseStream = nullptr;
  decltype(&Pa_StartStream) StartStream = nullptr;
  decltype(&Pa_StopStream) StopStream = nullptr;
  decltype(&Pa_AbortStream) AbortStream = nullptr;
  decltype(&Pa_IsStreamActive) IsStreamActive = nullptr;
  decltype(&Pa_GetStreamInfo) GetStreamInfo = nullptr;
  decltype(&Pa_SetStreamFinishedCallback) SetStreamFinishedCallback = nullptr;
  // nullptr where PortAudio was built without the host API.
  decltype(&PaJack_SetClientName) JackSetClientName = nullptr;
  decltype(&PaAlsa_SetNumPeriods) AlsaSetNumPeriods = nullptr;
  decltype(&PaAlsa_EnableRealtimeScheduling) AlsaEnableRealtimeScheduling = nullptr;

 private:
  explicit PortAudioLibrary(PrivateLibrary copy) : copy_(std::move(copy)) {}
  absl::Status FindFunctions();
  absl::Status LoadOwnJack();
  void Quieten();
  // Where functions of JACK are found.
  void* jack_handle() const { return jack_.handle() != nullptr ? jack_.handle() : copy_.handle(); }

  PrivateLibrary jack_;  // unloaded after what calls it
  PrivateLibrary copy_;
};

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_DEVICE_PORTAUDIO_LIBRARY_H_
