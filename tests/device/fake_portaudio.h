#ifndef RTMIXD_TESTS_DEVICE_FAKE_PORTAUDIO_H_
#define RTMIXD_TESTS_DEVICE_FAKE_PORTAUDIO_H_

#include <atomic>

namespace rtmixd {

// What a test and the copies of its fake PortAudio share. The test defines it as
// `fake_portaudio_control`, with C linkage; every copy finds it by that name.
struct FakePortAudioControl {
  // Whether the one device there is belongs to JACK; else to ALSA, and one stream at a time may be
  // open.
  std::atomic<bool> jack = false;
  std::atomic<bool> start_hangs = false;  // Pa_StartStream, until this is false again
  // The server dies as Pa_StopStream is called: no callback any more, and after so long a failed
  // assertion, as in PortAudio after ten minutes. 0: it does not.
  std::atomic<int> abort_millis_after_stop = 0;
  // The same for Pa_Terminate, which asserts at once.
  std::atomic<bool> terminate_aborts = false;

  std::atomic<int> failed_assertions = 0;
  std::atomic<int> open_streams = 0;
  std::atomic<int> terminated = 0;
};

}  // namespace rtmixd

#endif  // RTMIXD_TESTS_DEVICE_FAKE_PORTAUDIO_H_
