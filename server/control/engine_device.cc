// Calls of the device, on its own thread, and what becomes of those that hang.

#include <utility>

#include "server/base/error_info.h"
#include "server/control/engine_impl.h"

namespace rtmixd {

void EngineImpl::CallDevice(std::function<std::function<void()>(AudioDevice&)> call,
                            std::function<void()> given_up) {
  const int64_t id = ++last_call_;
  device_calls_[id] = {std::move(given_up)};
  DeviceRunner::Job job = [this, id, call = std::move(call)](AudioDevice& device) {
    {
      Lock lock(this);
      running_call_ = id;
    }
    std::function<void()> done = call(device);
    // Not reached by the runner if its thread was replaced.
    return [this, id, done = std::move(done)] {
      std::function<void()> next = done;
      {
        Lock lock(this);
        const auto found = device_calls_.find(id);
        if (found == device_calls_.end()) return;
        // What a call says after the device was abandoned under it is of no use.
        if (found->second.hung) next = std::move(found->second.given_up);
        device_calls_.erase(found);
        running_call_ = 0;
      }
      if (next) next();
    };
  };
  Defer([this, job = std::move(job)] { runner_->Post(job); });
}

void EngineImpl::GiveUpHungDevice() {
  if (runner_->busy_for() < DeviceRunner::kPatience) return;
  int64_t id = 0;
  {
    Lock lock(this);
    const auto found = device_calls_.find(running_call_);
    if (found == device_calls_.end()) return;
    found->second.hung = true;
    id = found->first;
  }
  if (!runner_->GiveUpJob()) return;  // it came back, and does what there is to be done
  std::function<void()> given_up;
  {
    Lock lock(this);
    const auto found = device_calls_.find(id);
    if (found == device_calls_.end()) return;
    given_up = std::move(found->second.given_up);
    device_calls_.erase(found);
    running_call_ = 0;
  }
  if (given_up) given_up();
}

absl::Status EngineImpl::DeviceHangs() {
  return MakeError(absl::StatusCode::kFailedPrecondition, {.reason = ErrorReason::kDeviceError},
                   "the device did not answer and was given up");
}

void EngineImpl::ListHostApis(
    std::function<void(absl::StatusOr<std::vector<HostApiInfo>>)> callback) {
  Lock lock(this);
  CallDevice(
      [callback](AudioDevice& device) -> std::function<void()> {
        return [callback, apis = device.ListHostApis()] { callback(apis); };
      },
      [callback] { callback(DeviceHangs()); });
}

void EngineImpl::ListDevices(
    std::function<void(absl::StatusOr<std::vector<DeviceInfo>>)> callback) {
  Lock lock(this);
  CallDevice(
      [callback](AudioDevice& device) -> std::function<void()> {
        return [callback, devices = device.ListDevices()] { callback(devices); };
      },
      [callback] { callback(DeviceHangs()); });
}

void EngineImpl::CheckSettings(const StreamSettings& settings,
                               std::function<void(absl::Status)> callback) {
  Lock lock(this);
  CallDevice(
      [callback, settings](AudioDevice& device) -> std::function<void()> {
        return [callback, status = device.CheckSettings(settings)] { callback(status); };
      },
      [callback] { callback(DeviceHangs()); });
}

}  // namespace rtmixd
