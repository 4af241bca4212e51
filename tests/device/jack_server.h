#ifndef RTMIXD_TESTS_DEVICE_JACK_SERVER_H_
#define RTMIXD_TESTS_DEVICE_JACK_SERVER_H_

#include <memory>
#include <string>

#include "tests/support/child_process.h"

namespace rtmixd {

// A JACK server of the test's own, at 48 kHz, with the dummy driver and a two-channel loopback
// device that PortAudio calls "loopback": what is played on it comes back one period later.
//
// While one is there, this process and its children see no other (by their environment, so make it
// before there are threads).
//
// Threading: as ChildProcess.
class JackServer {
 public:
  // `name` tells it from others of the test; the one that was made last is the one that is seen.
  explicit JackServer(int period_frames, const std::string& name = "jack");
  // Ends the server in good order; one that was killed is started again for that, since what it
  // left behind takes one of the eight places that there are for servers.
  ~JackServer();

  // Starts the server and waits until it serves. False: it does not, and the test cannot run.
  bool Start();
  void Kill();      // SIGKILL
  void Freeze();    // SIGSTOP
  void Unfreeze();  // SIGCONT

 private:
  const int period_frames_;
  const std::string name_;
  std::unique_ptr<ChildProcess> jackd_;
  bool left_traces_ = false;  // a server was killed and none started since
};

}  // namespace rtmixd

#endif  // RTMIXD_TESTS_DEVICE_JACK_SERVER_H_
