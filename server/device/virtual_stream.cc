#include "server/device/virtual_stream.h"

#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/device/monotonic_clock.h"
#include "server/realtime/audio_block.h"

namespace rtmixd {
namespace {

// Between what sound servers use for their clients and for themselves.
constexpr int kRealtimePriority = 70;
// A thread that is to end is at most so long in sleep.
constexpr int64_t kMaxNapNanos = 20'000'000;

void NapUntil(int64_t nanos) {
  const timespec until = {.tv_sec = nanos / kNanosPerSecond, .tv_nsec = nanos % kNanosPerSecond};
  while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr) == EINTR) {
  }
}

}  // namespace

VirtualStream::VirtualStream(VirtualEngine::Config config, bool free_running, AudioBlockSink* sink)
    : config_(std::move(config)),
      free_running_(free_running),
      gate_(sink, config_.sample_rate_hz),
      engine_(std::make_unique<VirtualEngine>(config_)) {}

VirtualStream::~VirtualStream() {
  // The audio thread holds the stream, so that it has ended by now unless it is this one.
  if (!thread_.joinable()) return;
  if (thread_.get_id() == std::this_thread::get_id()) {
    thread_.detach();
  } else {
    thread_.join();
  }
}

absl::Status VirtualStream::Start() {
  {
    const MutexLock lock(&mu_);
    if (running_) return absl::FailedPreconditionError("the stream runs already");
    running_ = true;
    engine_->set_start_nanos(MonotonicNanos());
  }
  ending_.store(false, std::memory_order_relaxed);
  ended_.store(false);
  thread_ = std::thread([self = shared_from_this()] {
    self->Run();
    self->ended_.store(true);
    self->ended_.notify_all();
  });
  return absl::OkStatus();
}

absl::Status VirtualStream::Stop() {
  int64_t hang_nanos = 0;
  {
    const MutexLock lock(&mu_);
    if (!running_) return absl::FailedPreconditionError("the stream does not run");
    hang_nanos = engine_->stop_hang_nanos();
    if (hang_nanos > 0) {
      notes_.push_back(
          {DeviceIncident::Kind::kInjected, engine_->next_frame(), "a stop hangs now"});
    }
  }
  // As with a real host that hangs, the callbacks may well go on meanwhile.
  if (hang_nanos > 0) NapUntil(MonotonicNanos() + hang_nanos);
  ending_.store(true, std::memory_order_relaxed);
  thread_.join();
  const MutexLock lock(&mu_);
  for (DeviceIncident& incident : engine_->TakeIncidents()) notes_.push_back(std::move(incident));
  engine_ = std::make_unique<VirtualEngine>(config_);
  running_ = false;
  return absl::OkStatus();
}

void VirtualStream::Abandon() {
  gate_.CloseForGood();
  ending_.store(true, std::memory_order_relaxed);
}

AudioDevice::Health VirtualStream::health() const {
  const MutexLock lock(&mu_);
  return running_ ? engine_->health() : AudioDevice::Health::kStopped;
}

std::vector<DeviceIncident> VirtualStream::TakeIncidents() {
  const MutexLock lock(&mu_);
  std::vector<DeviceIncident> incidents = std::exchange(notes_, {});
  for (DeviceIncident& incident : engine_->TakeIncidents()) {
    incidents.push_back(std::move(incident));
  }
  return incidents;
}

absl::Status VirtualStream::LoadScript(const std::vector<ScriptedFault>& faults) {
  const MutexLock lock(&mu_);
  return engine_->LoadScript(faults);
}

void VirtualStream::TakeRealtimePriority() {
  pthread_setname_np(pthread_self(), "virtual-audio");
  // As fast as it can at realtime priority, it would take a core from everybody else.
  if (free_running_) return;
  const sched_param priority = {.sched_priority = kRealtimePriority};
  const int error = pthread_setschedparam(pthread_self(), SCHED_FIFO, &priority);
  if (error == 0) return;
  const MutexLock lock(&mu_);
  notes_.push_back(
      {DeviceIncident::Kind::kNote, -1,
       absl::StrCat("the audio thread runs without realtime priority: ", std::strerror(error))});
}

bool VirtualStream::SleepUntil(int64_t due_nanos) const {
  while (!ending_.load(std::memory_order_relaxed)) {
    const int64_t now_nanos = MonotonicNanos();
    if (now_nanos >= due_nanos) return true;
    NapUntil(std::min(due_nanos, now_nanos + kMaxNapNanos));
  }
  return false;
}

void VirtualStream::Run() {
  TakeRealtimePriority();
  while (!ending_.load(std::memory_order_relaxed)) {
    std::optional<int64_t> due_nanos;
    {
      const MutexLock lock(&mu_);
      due_nanos = engine_->NextDueNanos();
    }
    if (!due_nanos.has_value()) {
      SleepUntil(MonotonicNanos() + kMaxNapNanos);
      continue;
    }
    if (!free_running_ && !SleepUntil(*due_nanos)) return;
    AudioBlock block;
    {
      const MutexLock lock(&mu_);
      block = engine_->BeginBlock(*due_nanos);
    }
    gate_.ProcessRt(block, config_.output_channels);
    const MutexLock lock(&mu_);
    engine_->EndBlock();
  }
}

}  // namespace rtmixd
