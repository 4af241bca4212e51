#include "tests/device/frame_sink.h"

#include <algorithm>
#include <chrono>

namespace rtmixd {

void FrameSink::ProcessRt(const AudioBlock& block) noexcept {
  const MutexLock lock(&mu_);
  Block& kept = blocks_.emplace_back();
  kept.first_frame = next_frame_;
  kept.frames = block.frames;
  kept.host_flags = block.host_flags;
  kept.callback_nanos = block.callback_nanos;
  for (int c = 0; c < input_channels_; ++c) {
    kept.heard.emplace_back(block.input[c], block.input[c] + block.frames);
  }
  for (int c = 0; c < output_channels_; ++c) {
    for (int k = 0; k < block.frames; ++k) block.output[c][k] = Sent(c, next_frame_ + k);
  }
  next_frame_ += block.frames;
  changed_.SignalAll();
}

bool FrameSink::WaitForBlocks(int64_t blocks) {
  const MutexLock lock(&mu_);
  while (static_cast<int64_t>(blocks_.size()) < blocks) {
    if (!changed_.WaitFor(&mu_, absl::Seconds(10))) return false;
  }
  return true;
}

int64_t FrameSink::block_count() const {
  const MutexLock lock(&mu_);
  return static_cast<int64_t>(blocks_.size());
}

std::vector<FrameSink::Block> FrameSink::blocks() const {
  const MutexLock lock(&mu_);
  return blocks_;
}

LoopbackResult CompareLoopback(const FrameSink& sink, int64_t delay_frames, int reach) {
  LoopbackResult result;
  const std::vector<FrameSink::Block> blocks = sink.blocks();
  for (int n = 0; n < static_cast<int>(blocks.size()); ++n) {
    const FrameSink::Block& block = blocks[n];
    if (block.host_flags != 0) ++result.flagged_blocks;
    bool exact = true;
    for (int c = 0; c < static_cast<int>(block.heard.size()); ++c) {
      for (int k = 0; k < block.frames; ++k) {
        const int64_t sent_frame = block.first_frame + k - delay_frames;
        exact &= block.heard[c][k] == (sent_frame < 0 ? 0.0F : sink.Sent(c, sent_frame));
      }
    }
    if (exact) {
      ++result.exact_blocks;
      continue;
    }
    bool near_flag = false;
    for (int m = std::max(0, n - reach); m <= n + 1 && m < static_cast<int>(blocks.size()); ++m) {
      near_flag |= blocks[m].host_flags != 0;
    }
    if (near_flag) {
      ++result.excused_blocks;
    } else {
      ++result.inexact_blocks;
      if (result.first_inexact_frame < 0) result.first_inexact_frame = block.first_frame;
    }
  }
  return result;
}

}  // namespace rtmixd
