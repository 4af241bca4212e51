#include "server/control/device_runner.h"

#include <chrono>
#include <deque>
#include <optional>
#include <utility>

#include "server/base/mutex.h"

namespace rtmixd {
namespace {

// How long a job may take to come back after its device was abandoned.
constexpr absl::Duration kAbandonPatience = absl::Seconds(1);

using Clock = std::chrono::steady_clock;

}  // namespace

struct DeviceRunner::State {
  explicit State(std::unique_ptr<AudioDevice> a_device) : device(std::move(a_device)) {}

  const std::unique_ptr<AudioDevice> device;
  Mutex mutex;
  CondVar changed;
  std::deque<Job> jobs ABSL_GUARDED_BY(mutex);
  bool stopping ABSL_GUARDED_BY(mutex) = false;
  int64_t generation ABSL_GUARDED_BY(mutex) = 0;  // of the thread that may run jobs
  std::optional<Clock::time_point> busy_since ABSL_GUARDED_BY(mutex);

  // Waits until no job runs, but not for long.
  bool WaitUntilIdle(absl::Duration patience) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    const Clock::time_point deadline = Clock::now() + absl::ToChronoNanoseconds(patience);
    while (busy_since.has_value() && Clock::now() < deadline) {
      changed.WaitFor(&mutex, absl::FromChrono(deadline - Clock::now()));
    }
    return !busy_since.has_value();
  }
};

DeviceRunner::DeviceRunner(std::unique_ptr<AudioDevice> device, bool inline_jobs)
    : inline_jobs_(inline_jobs), state_(std::make_shared<State>(std::move(device))) {
  if (!inline_jobs) StartThread();
}

void DeviceRunner::StartThread() {
  int64_t generation = 0;
  {
    MutexLock lock(&state_->mutex);
    generation = ++state_->generation;
    state_->busy_since.reset();
  }
  thread_ = std::thread([state = state_, generation] { Run(state, generation); });
}

void DeviceRunner::Run(const std::shared_ptr<State>& state, int64_t generation) {
  while (true) {
    Job job;
    {
      MutexLock lock(&state->mutex);
      while (state->generation == generation && !state->stopping && state->jobs.empty()) {
        state->changed.Wait(&state->mutex);
      }
      if (state->generation != generation || state->stopping) return;
      job = std::move(state->jobs.front());
      state->jobs.pop_front();
      state->busy_since = Clock::now();
    }
    const Done done = job(*state->device);
    {
      MutexLock lock(&state->mutex);
      if (state->generation != generation) return;
      state->busy_since.reset();
      state->changed.SignalAll();
    }
    if (done) done();
  }
}

void DeviceRunner::Stop() {
  if (inline_jobs_ || !thread_.joinable()) return;
  bool idle = false;
  {
    MutexLock lock(&state_->mutex);
    state_->stopping = true;
    state_->jobs.clear();
    state_->changed.SignalAll();
    idle = state_->WaitUntilIdle(kPatience);
  }
  if (!idle) GiveUpJob();
  if (thread_.joinable()) thread_.join();
}

void DeviceRunner::Post(Job job) {
  if (inline_jobs_) {
    if (const Done done = job(*state_->device)) done();
    return;
  }
  MutexLock lock(&state_->mutex);
  if (state_->stopping) return;
  state_->jobs.push_back(std::move(job));
  state_->changed.SignalAll();
}

absl::Duration DeviceRunner::busy_for() const {
  MutexLock lock(&state_->mutex);
  if (!state_->busy_since.has_value()) return absl::ZeroDuration();
  return absl::FromChrono(Clock::now() - *state_->busy_since);
}

bool DeviceRunner::GiveUpJob() {
  state_->device->Abandon();
  bool stopping = false;
  {
    MutexLock lock(&state_->mutex);
    if (state_->WaitUntilIdle(kAbandonPatience)) return false;
    ++state_->generation;
    stopping = state_->stopping;
  }
  thread_.detach();
  if (!stopping) StartThread();
  return true;
}

AudioDevice& DeviceRunner::device() const { return *state_->device; }

}  // namespace rtmixd
