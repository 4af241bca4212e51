#ifndef RTMIXD_SERVER_CONTROL_ACTION_NEWS_H_
#define RTMIXD_SERVER_CONTROL_ACTION_NEWS_H_

#include <cstdint>
#include <map>
#include <memory>

#include "absl/container/flat_hash_map.h"
#include "server/control/action.h"

namespace rtmixd {

// The actions that a follower was not told of since they last changed: each once, in order of its
// latest change. It exists so that a follower may be as slow as it likes: it costs one entry for
// each action at the most, and misses no action.
//
// Threading: thread-compatible (guarded by the engine's mutex).
class ActionNews {
 public:
  bool empty() const { return by_change_.empty(); }
  // It has changed, and moves to the end.
  void Add(std::shared_ptr<Action> action);
  // It is not to be told of any more.
  void Drop(const Action& action);
  // Takes the one that has waited longest; there has to be one.
  std::shared_ptr<Action> Take();

 private:
  int64_t last_change_ = 0;
  std::map<int64_t, std::shared_ptr<Action>> by_change_;
  absl::flat_hash_map<int64_t, int64_t> change_of_;  // by the number of the action
};

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_CONTROL_ACTION_NEWS_H_
