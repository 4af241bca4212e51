#ifndef RTMIXD_TESTS_DEVICE_JACK_SERVER_H_
#define RTMIXD_TESTS_DEVICE_JACK_SERVER_H_

#include <string>

#include "tests/device/sound_server.h"

namespace rtmixd {

// A JACK server of the test's own, at 48 kHz, with the dummy driver and a two-channel loopback
// device that PortAudio calls "loopback": what is played on it comes back one period later.
//
// While one is there, this process and its children see no other (by their environment, so make it
// before there are threads).
//
// Threading: as ChildProcess.
class JackServer : public SoundServer {
 public:
  // `name` tells it from others of the test; the one that was made last is the one that is seen.
  explicit JackServer(int period_frames, const std::string& name = "jack");
  // Ends the server in good order; one that was killed is started again for that, since what it
  // left behind takes one of the eight places that there are for servers.
  ~JackServer() override;

  bool Start() override;

 private:
  const int period_frames_;
  const std::string name_;
  bool was_started_ = false;
};

}  // namespace rtmixd

#endif  // RTMIXD_TESTS_DEVICE_JACK_SERVER_H_
