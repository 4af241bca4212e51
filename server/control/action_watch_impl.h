#ifndef RTMIXD_SERVER_CONTROL_ACTION_WATCH_IMPL_H_
#define RTMIXD_SERVER_CONTROL_ACTION_WATCH_IMPL_H_

#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "server/control/change_signal.h"
#include "server/control/engine_impl.h"

namespace rtmixd {

// A call's hold on the news of a session's actions.
//
// Threading: as ActionWatch. Destroyed before the engine.
class ActionWatchImpl : public ActionWatch {
 public:
  ActionWatchImpl(EngineImpl* engine, std::shared_ptr<EngineImpl::Follower> follower,
                  std::unique_ptr<ChangeSignal::Subscription> subscription);
  ~ActionWatchImpl() override;

  absl::StatusOr<std::vector<ActionReport>> Read(int max_reports) override;

 private:
  EngineImpl* const engine_;
  const std::shared_ptr<EngineImpl::Follower> follower_;
  std::unique_ptr<ChangeSignal::Subscription> subscription_;
};

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_CONTROL_ACTION_WATCH_IMPL_H_
