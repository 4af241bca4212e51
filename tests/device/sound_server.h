#ifndef RTMIXD_TESTS_DEVICE_SOUND_SERVER_H_
#define RTMIXD_TESTS_DEVICE_SOUND_SERVER_H_

#include <signal.h>

#include <memory>

#include "tests/support/child_process.h"

namespace rtmixd {

// A sound server of the test's own, which is there to die.
//
// Threading: as ChildProcess.
class SoundServer {
 public:
  virtual ~SoundServer() = default;

  // Starts the server and waits until it serves. False: it does not, and the test cannot run.
  virtual bool Start() = 0;
  void Kill() { process_.reset(); }  // SIGKILL
  void Freeze() { process_->Signal(SIGSTOP); }
  void Unfreeze() { process_->Signal(SIGCONT); }

 protected:
  std::unique_ptr<ChildProcess> process_;  // null: not started, or killed
};

}  // namespace rtmixd

#endif  // RTMIXD_TESTS_DEVICE_SOUND_SERVER_H_
