#include "tests/benchmark/rpc/stall_watch.h"

#include <pthread.h>
#include <sched.h>

#include <chrono>

#include "tests/benchmark/rpc/raw_calls.h"

namespace rtmixd::load {
namespace {

constexpr std::chrono::milliseconds kPeriod(1);
constexpr double kShortestStallSeconds = 0.01;

}  // namespace

StallWatch::StallWatch() : thread_([this] { Run(); }) {
  const sched_param priority = {.sched_priority = sched_get_priority_max(SCHED_FIFO)};
  // Without the right to it, the watch also notes when others keep it from running.
  (void)pthread_setschedparam(thread_.native_handle(), SCHED_FIFO, &priority);
}

StallWatch::~StallWatch() { Stop(); }

std::vector<StallWatch::Stall> StallWatch::Stop() {
  stop_ = true;
  if (thread_.joinable()) thread_.join();
  return stalls_;
}

void StallWatch::Run() {
  double due = Now();
  while (!stop_) {
    std::this_thread::sleep_for(kPeriod);
    due += std::chrono::duration<double>(kPeriod).count();
    const double now = Now();
    if (now - due >= kShortestStallSeconds) stalls_.push_back({now, now - due});
    due = now;
  }
}

}  // namespace rtmixd::load
