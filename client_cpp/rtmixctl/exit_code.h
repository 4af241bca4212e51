#ifndef RTMIXD_CLIENT_CPP_RTMIXCTL_EXIT_CODE_H_
#define RTMIXD_CLIENT_CPP_RTMIXCTL_EXIT_CODE_H_

#include "absl/status/status.h"
#include "rtmixd/v1/action.pb.h"

namespace rtmixd::rtmixctl {

// What rtmixctl tells a script. The numbers are part of its interface; kExitCodeHelp says them.
enum class ExitCode {
  kOk = 0,
  kFailed = 1,
  kUsage = 2,
  kUnreachable = 3,
  kRefused = 4,
  kBusy = 5,
  kLate = 6,
  kXrun = 7,
  kTimeout = 8,
  kDeviceError = 9,
  kNoAnswer = 10,
  kInterrupted = 130,
};

// The table for --help.
extern const char kExitCodeHelp[];

// For a call that failed.
ExitCode ExitCodeOf(const absl::Status& status);

// How reports are judged.
struct Judgement {
  // A cancel is what the user wanted.
  bool cancel_is_ok = false;
  // That it cannot be told whether an xrun touched an action counts as that one did.
  bool strict = false;
};

// For an action that has ended. What ended it before its time comes first, then xruns, then
// lateness.
ExitCode ExitCodeOf(const v1::ActionReport& report, const Judgement& judgement);

// The one of two that matters more.
ExitCode Worse(ExitCode a, ExitCode b);

}  // namespace rtmixd::rtmixctl

#endif  // RTMIXD_CLIENT_CPP_RTMIXCTL_EXIT_CODE_H_
