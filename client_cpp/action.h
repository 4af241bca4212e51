#ifndef RTMIXD_CLIENT_CPP_ACTION_H_
#define RTMIXD_CLIENT_CPP_ACTION_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client_cpp/session.h"
#include "rtmixd/v1/action.pb.h"

namespace rtmixd::client {

// Asked now and then while something waits; false ends the waiting.
using KeepWaiting = std::function<bool()>;

// Admits a batch. A request without request_id gets one, so that a lost answer is asked for again.
absl::StatusOr<v1::ScheduleActionsResponse> ScheduleActions(Session& session,
                                                            v1::ScheduleActionsRequest request);

// What a wait is for.
enum class WaitFor {
  // The audio is over, see v1::ACTION_STATE_DONE.
  kDone,
  // It is certain as well whether an xrun touched it: up to 4 s later.
  kEnded,
};
// So long the report of an action that is done may take to be final.
inline constexpr absl::Duration kJudgeLimit = absl::Seconds(10);

// Waits until all of `action_ids` (none: all of the session) are as far as `what` says, at most
// `timeout`, which may be infinite. An answer with still_running came because of the timeout or
// `keep_waiting`; UNAVAILABLE within 3 s if the server is gone.
absl::StatusOr<v1::WaitActionsResponse> WaitActions(Session& session,
                                                    const std::vector<std::string>& action_ids,
                                                    absl::Duration timeout,
                                                    const KeepWaiting& keep_waiting = nullptr,
                                                    WaitFor what = WaitFor::kEnded);

// One scheduled thing, by its id.
//
// Threading: any thread.
class Action {
 public:
  Action(std::shared_ptr<Session> session, std::string action_id);

  const std::string& id() const { return action_id_; }

  // What it was to do, and did so far.
  absl::StatusOr<v1::ActionReport> Report() const;
  // Waits until it has ended, or is done; its report then, or as it is after the timeout.
  absl::StatusOr<v1::ActionReport> Wait(absl::Duration timeout,
                                        WaitFor what = WaitFor::kEnded) const;
  // Ends it, now or before a frame. Its report as it is after that.
  absl::StatusOr<v1::ActionReport> Cancel(std::optional<int64_t> frame = std::nullopt) const;

 private:
  std::shared_ptr<Session> session_;
  std::string action_id_;
};

}  // namespace rtmixd::client

#endif  // RTMIXD_CLIENT_CPP_ACTION_H_
