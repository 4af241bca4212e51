#ifndef RTMIXD_CLIENT_CPP_RTMIXCTL_FOLLOW_H_
#define RTMIXD_CLIENT_CPP_RTMIXCTL_FOLLOW_H_

#include <grpcpp/client_context.h>

#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "client_cpp/error.h"
#include "client_cpp/rtmixctl/interrupt.h"
#include "client_cpp/watchdog.h"

namespace rtmixd::rtmixctl {

// Whom a call follows, and for how long.
struct FollowOptions {
  // Of the server, for messages.
  std::string target;
  // A server that says nothing for so long is gone.
  absl::Duration silence_limit;
  absl::Time deadline = absl::InfiniteFuture();
};

// Hands each message of a call to `take`. OK once that says false, the deadline has passed or the
// user has interrupted; otherwise what ended the call: UNAVAILABLE if the server is gone, which a
// call that only reads would not notice by itself.
//
// Threading: blocks; any thread.
template <typename Response, typename Reader, typename Take>
absl::Status Follow(const FollowOptions& options, grpc::ClientContext& call, Reader& reader,
                    const Take& take) {
  client::Watchdog watchdog(call, options.silence_limit);
  Response response;
  bool enough = false;
  while (!enough && reader.Read(&response)) {
    // Whoever reads our stdout may be as slow as he likes.
    watchdog.Pause();
    enough = !take(response) || Interrupt::Seen() || absl::Now() >= options.deadline;
    watchdog.Kick();
  }
  // A call that the server has ended must not be cancelled: its status could get lost.
  if (enough) call.TryCancel();
  absl::Status status = client::FromGrpc(reader.Finish());
  if (enough || Interrupt::Seen()) return absl::OkStatus();
  if (watchdog.expired()) {
    return absl::UnavailableError(absl::StrCat("the server at ", options.target,
                                               " is gone: it said nothing for ",
                                               absl::FormatDuration(options.silence_limit)));
  }
  if (client::IsConnectionFailure(status) && !client::ErrorDetailOf(status).has_value()) {
    return absl::UnavailableError(
        absl::StrCat("the server at ", options.target, " is gone: ", status.message()));
  }
  return status;
}

}  // namespace rtmixd::rtmixctl

#endif  // RTMIXD_CLIENT_CPP_RTMIXCTL_FOLLOW_H_
