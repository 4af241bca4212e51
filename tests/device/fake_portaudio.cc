// A library that takes PortAudio's place in a test, and behaves as badly as the real one was seen
// to, in seconds instead of minutes. One device, two channels each way, blocks of 64 frames of
// silence; a stream's callbacks come by a thread of its own.

// It fails an assertion also where assertions are off.
#undef NDEBUG

#include "tests/device/fake_portaudio.h"

#include <dlfcn.h>
#include <pthread.h>
#include <unistd.h>

#include <array>
#include <cassert>
#include <chrono>
#include <cstring>
#include <thread>

#include "portaudio.h"

namespace {

constexpr int kFrames = 64;
constexpr int kChannels = 2;
constexpr auto kPeriod = std::chrono::milliseconds(2);

struct FakeStream {
  PaStreamCallback* callback = nullptr;
  void* user_data = nullptr;
  bool input = false;
  bool output = false;
  std::atomic<bool> runs = false;
  std::thread thread;
};

rtmixd::FakePortAudioControl& Control() {
  return *static_cast<rtmixd::FakePortAudioControl*>(dlsym(RTLD_DEFAULT, "fake_portaudio_control"));
}

void Sleep(int millis) { std::this_thread::sleep_for(std::chrono::milliseconds(millis)); }

void Fail() {
  ++Control().failed_assertions;
  __assert_fail("success == aErr_", __FILE__, __LINE__, __func__);
}

void Run(FakeStream* stream) {
  std::array<float, kFrames> in = {};
  std::array<float, kFrames> out = {};
  std::array<float*, kChannels> inputs = {in.data(), in.data()};
  std::array<float*, kChannels> outputs = {out.data(), out.data()};
  while (stream->runs) {
    PaStreamCallbackTimeInfo times = {};
    stream->callback(stream->input ? static_cast<void*>(inputs.data()) : nullptr,
                     stream->output ? static_cast<void*>(outputs.data()) : nullptr, kFrames, &times,
                     0, stream->user_data);
    std::this_thread::sleep_for(kPeriod);
  }
}

PaError Stop(FakeStream* stream) {
  stream->runs = false;
  if (stream->thread.joinable()) stream->thread.join();
  if (Control().jack && Control().abort_millis_after_stop > 0) {
    Sleep(Control().abort_millis_after_stop);
    Fail();
  }
  return paNoError;
}

}  // namespace

extern "C" {

PaError Pa_Initialize() { return paNoError; }

PaError Pa_Terminate() {
  if (Control().terminate_aborts) Fail();
  ++Control().terminated;
  return paNoError;
}

const char* Pa_GetErrorText(PaError error) {
  return error == paDeviceUnavailable ? "Device unavailable" : "?";
}

const PaHostErrorInfo* Pa_GetLastHostErrorInfo() { return nullptr; }

PaHostApiIndex Pa_GetHostApiCount() { return 1; }

const PaHostApiInfo* Pa_GetHostApiInfo(PaHostApiIndex) {
  static PaHostApiInfo info = {1, paALSA, "Fake", 1, 0, 0};
  info.type = Control().jack ? paJACK : paALSA;
  return &info;
}

PaDeviceIndex Pa_GetDeviceCount() { return 1; }

const PaDeviceInfo* Pa_GetDeviceInfo(PaDeviceIndex) {
  static const PaDeviceInfo info = {2,    "fake", 0,    kChannels, kChannels,
                                    0.01, 0.01,   0.01, 0.01,      48000};
  return &info;
}

PaDeviceIndex Pa_GetDefaultInputDevice() { return 0; }

PaDeviceIndex Pa_GetDefaultOutputDevice() { return 0; }

PaError Pa_IsFormatSupported(const PaStreamParameters*, const PaStreamParameters*, double) {
  return paFormatIsSupported;
}

// NOLINTBEGIN(readability-identifier-naming): named as PortAudio declares them.
PaError Pa_OpenStream(PaStream** stream, const PaStreamParameters* inputParameters,
                      const PaStreamParameters* outputParameters, double, uint64_t, PaStreamFlags,
                      PaStreamCallback* streamCallback, void* userData) {
  if (!Control().jack && Control().open_streams > 0) return paDeviceUnavailable;
  ++Control().open_streams;
  auto* made = new FakeStream;
  made->callback = streamCallback;
  made->user_data = userData;
  made->input = inputParameters != nullptr;
  made->output = outputParameters != nullptr;
  *stream = made;
  return paNoError;
}
// NOLINTEND(readability-identifier-naming)

PaError Pa_StartStream(PaStream* stream) {
  while (Control().start_hangs) Sleep(1);
  auto* fake = static_cast<FakeStream*>(stream);
  fake->runs = true;
  fake->thread = std::thread([fake] { Run(fake); });
  return paNoError;
}

PaError Pa_StopStream(PaStream* stream) { return Stop(static_cast<FakeStream*>(stream)); }

PaError Pa_AbortStream(PaStream* stream) { return Stop(static_cast<FakeStream*>(stream)); }

PaError Pa_CloseStream(PaStream* stream) {
  auto* fake = static_cast<FakeStream*>(stream);
  Stop(fake);
  --Control().open_streams;
  delete fake;
  return paNoError;
}

PaError Pa_IsStreamActive(PaStream* stream) {
  return static_cast<FakeStream*>(stream)->runs ? 1 : 0;
}

const PaStreamInfo* Pa_GetStreamInfo(PaStream*) {
  static const PaStreamInfo info = {1, 0.01, 0.01, 48000};
  return &info;
}

PaError Pa_SetStreamFinishedCallback(PaStream*, PaStreamFinishedCallback*) { return paNoError; }

}  // extern "C"
