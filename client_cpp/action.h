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
#include "rtmixd/v1/common.pb.h"

namespace rtmixd::client {

// Asked now and then while something waits; false ends the waiting.
using KeepWaiting = std::function<bool()>;

// Admits a batch. A request without request_id gets one, so that a lost answer is asked for again.
absl::StatusOr<v1::ScheduleActionsResponse> ScheduleActions(Session& session,
                                                            v1::ScheduleActionsRequest request);

// Changes plays of the session at one frame. A request whose answer was lost is made again, except
// for a fade, which would begin anew: UNAVAILABLE then, and it may have begun.
absl::StatusOr<v1::ChangeActionsResponse> ChangeActions(Session& session,
                                                        const v1::ChangeActionsRequest& request);

// Ends actions of the session, all of them together: one that follows another does not begin for
// the end of that one. As above, what fades is not asked for again.
absl::StatusOr<v1::CancelActionsResponse> CancelActions(Session& session,
                                                        const v1::CancelActionsRequest& request);

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

// What has become of a batch as a whole. NOT_FOUND if the session never had it or the report of one
// of its actions was forgotten.
absl::StatusOr<v1::BatchReport> GetBatch(Session& session, const std::string& batch_id);

// The same when all of its actions are as far as `what` says, or after `timeout`, which may be
// infinite, or when `keep_waiting` says so; see its state.
absl::StatusOr<v1::BatchReport> WaitBatch(Session& session, const std::string& batch_id,
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
  // Ends it, now or before a frame; a play first fades to silence from there on. Its report as it
  // is after that.
  absl::StatusOr<v1::ActionReport> Cancel(std::optional<int64_t> frame = std::nullopt,
                                          const v1::Fade& fade = {}) const;

  // These are for plays, now or from a frame on. Each returns the frame from which it holds.

  // Goes to another gain from whatever it is then.
  absl::StatusOr<int64_t> SetGain(float gain, const v1::Fade& fade = {},
                                  std::optional<int64_t> frame = std::nullopt) const;
  // It stands still: silent, and its position, its fades and its length do not move.
  absl::StatusOr<int64_t> Pause(std::optional<int64_t> frame = std::nullopt) const;
  // It goes on where it was.
  absl::StatusOr<int64_t> Resume(std::optional<int64_t> frame = std::nullopt) const;
  // It goes on behind its loop: after the pass that sounds, or at once.
  absl::StatusOr<int64_t> LeaveLoop(bool at_once = false,
                                    std::optional<int64_t> frame = std::nullopt) const;

 private:
  // Fills in the action and the frame.
  absl::StatusOr<int64_t> Change(v1::ChangeActionsRequest request,
                                 std::optional<int64_t> frame) const;

  std::shared_ptr<Session> session_;
  std::string action_id_;
};

}  // namespace rtmixd::client

#endif  // RTMIXD_CLIENT_CPP_ACTION_H_
