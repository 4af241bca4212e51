#ifndef RTMIXD_TESTS_DEVICE_PIPEWIRE_SERVER_H_
#define RTMIXD_TESTS_DEVICE_PIPEWIRE_SERVER_H_

#include <string>

#include "tests/device/sound_server.h"

namespace rtmixd {

// A PipeWire of the test's own, at 48 kHz, with one two-channel sink, which PortAudio calls
// "jack/loop": what is played on it comes back one quantum later.
//
// While one is there, this process and its children see no other (by their environment, so make it
// before there are threads).
//
// Threading: as ChildProcess.
class PipewireServer : public SoundServer {
 public:
  static constexpr int kQuantumFrames = 256;

  // Puts PipeWire's stand-in for JACK before JACK's own library, for this process and its children:
  // by starting the program again as `pw-jack PROGRAM ARGUMENT...`, the first time that it is
  // called. So call it first of all.
  static void RunOnItsJack(int argc, char** argv);

  PipewireServer();
  // Kills the server.
  ~PipewireServer() override;

  // Its nodes may take a little longer to be there.
  bool Start() override;

 private:
  std::string folder_;  // of its configuration and its socket
};

}  // namespace rtmixd

#endif  // RTMIXD_TESTS_DEVICE_PIPEWIRE_SERVER_H_
