#include "client_cpp/rtmixctl/exit_code.h"

#include <algorithm>
#include <array>

#include "client_cpp/error.h"

namespace rtmixd::rtmixctl {

const char kExitCodeHelp[] =
    "Exit codes:\n"
    "  0    ok\n"
    "  1    failed in another way than those below: a file that cannot be written, an action\n"
    "       that somebody cancelled, a bug\n"
    "  2    wrong usage\n"
    "  3    the server cannot be reached, or left\n"
    "  4    refused: a bad value, a file or thing that does not exist, no stream that runs\n"
    "  5    busy, or a limit of the server is reached\n"
    "  6    late: an action started late or was skipped, a change came when its play was over,\n"
    "       a stream ran dry or lost audio\n"
    "  7    an xrun of the device touched it (with --strict also: it cannot be told)\n"
    "  8    timeout: still running when the time was over\n"
    "  9    the device failed, or its stream was closed\n"
    "  10   latency: measured, but what came back is nothing to go by (confidence too low)\n"
    "  130  interrupted\n";

ExitCode ExitCodeOf(const absl::Status& status) {
  switch (client::ErrorReasonOf(status)) {
    case v1::ERROR_REASON_BUSY:
    case v1::ERROR_REASON_LIMIT_EXCEEDED:
      return ExitCode::kBusy;
    case v1::ERROR_REASON_DEVICE_ERROR:
      return ExitCode::kDeviceError;
    case v1::ERROR_REASON_SHUTTING_DOWN:
      return ExitCode::kUnreachable;
    case v1::ERROR_REASON_INTERNAL:
      return ExitCode::kFailed;
    default:
      break;
  }
  switch (status.code()) {
    case absl::StatusCode::kOk:
      return ExitCode::kOk;
    case absl::StatusCode::kUnavailable:
      return ExitCode::kUnreachable;
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kNotFound:
    case absl::StatusCode::kAlreadyExists:
    case absl::StatusCode::kPermissionDenied:
    case absl::StatusCode::kUnauthenticated:
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kOutOfRange:
      return ExitCode::kRefused;
    case absl::StatusCode::kResourceExhausted:
      return ExitCode::kBusy;
    case absl::StatusCode::kDeadlineExceeded:
      return ExitCode::kTimeout;
    case absl::StatusCode::kCancelled:
      return ExitCode::kInterrupted;
    default:
      return ExitCode::kFailed;
  }
}

ExitCode ExitCodeOf(const v1::ActionReport& report, const Judgement& judgement) {
  switch (report.end_reason()) {
    case v1::END_REASON_COMPLETED:
      break;
    case v1::END_REASON_CANCELLED:
      if (judgement.cancel_is_ok) break;
      return ExitCode::kFailed;
    case v1::END_REASON_SKIPPED:
    case v1::END_REASON_UNDERRUN:
    case v1::END_REASON_TARGET_ENDED:
      return ExitCode::kLate;
    case v1::END_REASON_STREAM_CLOSED:
      return ExitCode::kDeviceError;
    case v1::END_REASON_LIMIT_EXCEEDED:
      return ExitCode::kBusy;
    case v1::END_REASON_DISCONNECTED:
    case v1::END_REASON_SHUTDOWN:
      return ExitCode::kUnreachable;
    default:
      return ExitCode::kFailed;
  }
  const bool cannot_tell = report.touched() == v1::TOUCHED_CANNOT_TELL;
  if (report.touched() == v1::TOUCHED_YES || (judgement.strict && cannot_tell)) {
    return ExitCode::kXrun;
  }
  const bool late = report.late_frames() > 0 || report.gap_frames() > 0 || report.underruns() > 0;
  return late ? ExitCode::kLate : ExitCode::kOk;
}

ExitCode Worse(ExitCode a, ExitCode b) {
  // From good to bad.
  constexpr std::array kOrder = {
      ExitCode::kOk,    ExitCode::kNoAnswer,    ExitCode::kLate,        ExitCode::kXrun,
      ExitCode::kBusy,  ExitCode::kRefused,     ExitCode::kTimeout,     ExitCode::kFailed,
      ExitCode::kUsage, ExitCode::kUnreachable, ExitCode::kDeviceError, ExitCode::kInterrupted};
  return *std::max(std::find(kOrder.begin(), kOrder.end(), a),
                   std::find(kOrder.begin(), kOrder.end(), b));
}

}  // namespace rtmixd::rtmixctl
