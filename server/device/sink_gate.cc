#include "server/device/sink_gate.h"

#include <algorithm>
#include <cstdint>
#include <ctime>

#include "server/device/monotonic_clock.h"

namespace rtmixd {
namespace {

// Weight of a new block in the running mean: 63 % of a step shows after 32 blocks.
constexpr double kLoadWeight = 1.0 / 32;

}  // namespace

bool SinkGate::ProcessRt(const AudioBlock& block, int output_channels) noexcept {
  inside_.store(true, std::memory_order_seq_cst);
  if (state_.load(std::memory_order_seq_cst) != kOpen) {
    inside_.store(false, std::memory_order_seq_cst);
    for (int c = 0; c < output_channels; ++c) std::fill_n(block.output[c], block.frames, 0.0F);
    return false;
  }
  const int64_t begin_nanos = MonotonicNanos();
  sink_->ProcessRt(block);
  sink_->AfterBlockRt();
  const auto spent_nanos = static_cast<double>(MonotonicNanos() - begin_nanos);
  inside_.store(false, std::memory_order_seq_cst);

  const double block_nanos = block.frames / sample_rate_hz_ * static_cast<double>(kNanosPerSecond);
  const double load = load_.load(std::memory_order_relaxed);
  load_.store(load + kLoadWeight * (spent_nanos / block_nanos - load), std::memory_order_relaxed);
  return true;
}

void SinkGate::Close() noexcept {
  State expected = kOpen;
  state_.compare_exchange_strong(expected, kClosed, std::memory_order_seq_cst);
  AwaitExit();
}

void SinkGate::Open() noexcept {
  State expected = kClosed;
  state_.compare_exchange_strong(expected, kOpen, std::memory_order_seq_cst);
}

void SinkGate::CloseForGood() noexcept {
  state_.store(kClosedForGood, std::memory_order_seq_cst);
  AwaitExit();
}

void SinkGate::AwaitExit() const noexcept {
  while (inside_.load(std::memory_order_seq_cst)) {
    constexpr timespec kPause = {.tv_sec = 0, .tv_nsec = 50'000};
    nanosleep(&kPause, nullptr);
  }
}

}  // namespace rtmixd
