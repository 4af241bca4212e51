#include "tests/device/frame_sink.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "absl/strings/str_cat.h"

namespace rtmixd {

int64_t FrameSink::FrameSent(int channel, float sample) const {
  const auto frame = static_cast<int64_t>(std::floor(sample * (1 << 23) - 1)) / output_channels_;
  return sample > 0 && Sent(channel, frame) == sample ? frame : -1;
}

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

namespace {

// What was heard in a block, as stretches of frames that were sent in a row, by channel.
std::string Describe(const FrameSink& sink, const FrameSink::Block& block) {
  std::string text = absl::StrCat("frames from ", block.first_frame, " on brought");
  for (int c = 0; c < static_cast<int>(block.heard.size()); ++c) {
    const std::vector<float>& heard = block.heard[static_cast<size_t>(c)];
    absl::StrAppend(&text, c == 0 ? "" : ";", " on channel ", c + 1);
    for (size_t k = 0; k < heard.size();) {
      const size_t begin = k;
      const int64_t frame = sink.FrameSent(c, heard[k]);
      while (k < heard.size() &&
             heard[k] ==
                 (frame < 0 ? heard[begin] : sink.Sent(c, frame + static_cast<int64_t>(k - begin))))
        ++k;
      if (frame < 0) {
        absl::StrAppend(&text, " ", k - begin, " times ", heard[begin]);
      } else {
        absl::StrAppend(&text, " ", frame, " to ", frame + static_cast<int64_t>(k - begin) - 1);
      }
    }
  }
  return text;
}

}  // namespace

LoopbackResult CompareLoopback(const FrameSink& sink, int64_t delay_frames, int64_t period_frames) {
  LoopbackResult result;
  const std::vector<FrameSink::Block> blocks = sink.blocks();
  int64_t first_untold = -1;
  const auto sent = [&sink](int c, int64_t frame) {
    return frame < 0 ? 0.0F : sink.Sent(c, frame);
  };
  for (int64_t n = 0; n < static_cast<int64_t>(blocks.size()); ++n) {
    const FrameSink::Block& block = blocks[static_cast<size_t>(n)];
    const int64_t period_before = n - period_frames / block.frames;
    bool exact = true;
    bool stale = period_before >= 0;
    for (int c = 0; c < static_cast<int>(block.heard.size()); ++c) {
      for (int k = 0; k < block.frames; ++k) {
        const float heard = block.heard[c][k];
        const int64_t sent_frame = block.first_frame + k - delay_frames;
        if (heard == sent(c, sent_frame)) continue;
        exact = false;
        // What was written or, if that came too late as well, read one period before.
        stale = stale && (heard == sent(c, sent_frame - period_frames) ||
                          heard == blocks[static_cast<size_t>(period_before)].heard[c][k]);
      }
    }
    if (exact) {
      ++result.exact_blocks;
    } else if (stale) {
      ++result.stale_blocks;
      if (first_untold < 0) first_untold = n;
    } else {
      ++result.inexact_blocks;
      if (result.first_inexact.empty()) result.first_inexact = Describe(sink, block);
    }
    if (block.host_flags == 0) continue;
    ++result.flagged_blocks;
    if (first_untold < 0) continue;
    result.longest_until_told_blocks = std::max(result.longest_until_told_blocks, n - first_untold);
    first_untold = -1;
  }
  if (first_untold >= 0) result.untold_blocks = static_cast<int64_t>(blocks.size()) - first_untold;
  return result;
}

}  // namespace rtmixd
