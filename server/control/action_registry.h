#ifndef RTMIXD_SERVER_CONTROL_ACTION_REGISTRY_H_
#define RTMIXD_SERVER_CONTROL_ACTION_REGISTRY_H_

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/flat_hash_map.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/control/action.h"
#include "server/control/instance_ids.h"
#include "server/control/types.h"

namespace rtmixd {

// Actions by their numbers, which are the order of admission. Not a node for each: there may be a
// hundred thousand.
using ActionMap = absl::btree_map<int64_t, std::shared_ptr<Action>>;
using UnfinishedMap = absl::btree_map<int64_t, Action*>;

// All actions by their ids: the unfinished ones, which are those that are not done, and per session
// the latest others, for their reports. An id can be looked up for as long as its report is kept.
//
// Threading: thread-compatible (guarded by the engine's mutex).
class ActionRegistry {
 public:
  explicit ActionRegistry(const Limits& limits, InstanceIds ids = {})
      : limits_(limits), ids_(std::move(ids)) {}
  ActionRegistry(const ActionRegistry&) = delete;
  ActionRegistry& operator=(const ActionRegistry&) = delete;

  // RESOURCE_EXHAUSTED unless `count` more actions may be admitted for the session.
  absl::Status CheckRoom(const std::string& session_id, int64_t count) const;
  // The number of the next action, from 1.
  int64_t TakeNumber() { return ++last_number_; }
  // `action` has its number. Members of a batch are added in a row.
  void Add(std::shared_ptr<Action> action);
  // It is unfinished no more. Returns the one whose report is forgotten for this one's, if any.
  std::shared_ptr<Action> NoteEnded(const Action& action);
  // The session is gone: nobody can ask any more. What has not ended is forgotten when it does.
  void ForgetSession(const std::string& session_id);

  // NOT_FOUND; PERMISSION_DENIED (kForeignSession) for an action of another session. `field` is
  // what the request calls it.
  absl::StatusOr<std::shared_ptr<Action>> Find(const std::string& session_id,
                                               const std::string& action_id,
                                               const std::string& field) const;
  // The actions of a batch, in its order. NOT_FOUND unless it is the session's and the reports of
  // all of them are kept.
  absl::StatusOr<std::vector<std::shared_ptr<Action>>> FindBatch(const std::string& session_id,
                                                                 const std::string& batch_id) const;
  // Its own pointer to it; null unless its report is kept.
  std::shared_ptr<Action> Hold(const Action& action) const;
  // In order of admission.
  std::vector<std::shared_ptr<Action>> List(const std::string& session_id,
                                            bool unfinished_only) const;
  // Of all sessions, in order of admission.
  const UnfinishedMap& unfinished() const { return unfinished_; }
  // The same, for whoever ends them.
  std::vector<std::shared_ptr<Action>> HoldUnfinished() const;
  // Of all sessions, those whose reports are kept included.
  void ForEach(absl::FunctionRef<void(Action&)> visit) const {
    for (const auto& [id, session] : sessions_) {
      for (const auto& [number, action] : session.actions) visit(*action);
    }
  }
  int64_t unfinished_count(const std::string& session_id) const;
  // The sessions that have unfinished actions.
  std::vector<std::string> BusySessions() const;

 private:
  struct Session {
    ActionMap actions;
    int64_t unfinished = 0;
    std::deque<int64_t> ended;  // or done, in order
    bool forgotten = false;
  };
  std::shared_ptr<Action> Forget(Session* session, int64_t number);

  const Limits limits_;
  const InstanceIds ids_;
  int64_t last_number_ = 0;
  UnfinishedMap unfinished_;  // held by `sessions_`
  // The numbers of the members of a batch: `count` from `first` on.
  struct Batch {
    int64_t first = 0;
    int64_t count = 0;
  };
  // By batch id; those of which no report was forgotten.
  absl::flat_hash_map<std::string, Batch> batches_;
  absl::flat_hash_map<std::string, Session> sessions_;
};

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_CONTROL_ACTION_REGISTRY_H_
