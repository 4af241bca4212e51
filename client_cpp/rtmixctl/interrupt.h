#ifndef RTMIXD_CLIENT_CPP_RTMIXCTL_INTERRUPT_H_
#define RTMIXD_CLIENT_CPP_RTMIXCTL_INTERRUPT_H_

#include <functional>

namespace rtmixd::rtmixctl {

// Ctrl-C and its like, as something that commands ask for instead of something that happens to
// them, so that what they began is put in order: recordings are completed, actions cancelled,
// sessions ended. A second signal ends the process on the spot, and the server's TTL puts things in
// order.
//
// Threading: any thread; a thread of its own takes the signals.
class Interrupt {
 public:
  // Once, before any other thread begins: SIGINT, SIGTERM and SIGHUP come here from now on.
  static void Install();

  // Whether a signal has come.
  static bool Seen();
  // Hands all signals to `handler` instead of counting them; for those who pass them on. Null ends
  // it. The handler runs on the signal thread.
  static void Redirect(std::function<void(int signal)> handler);
};

}  // namespace rtmixd::rtmixctl

#endif  // RTMIXD_CLIENT_CPP_RTMIXCTL_INTERRUPT_H_
