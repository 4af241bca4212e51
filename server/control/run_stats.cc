#include "server/control/run_stats.h"

#include <algorithm>

#include "server/realtime/audio_block.h"

namespace rtmixd {

void RunStats::Add(const BlockRecord& block) {
  const int64_t end_frame = block.first_frame + block.frames;
  blocks_.push_back({block.first_frame, end_frame, total_});
  ++total_.blocks;
  total_.input_underflows += (block.host_flags & kHostInputUnderflow) != 0 ? 1 : 0;
  total_.input_overflows += (block.host_flags & kHostInputOverflow) != 0 ? 1 : 0;
  total_.output_underflows += (block.host_flags & kHostOutputUnderflow) != 0 ? 1 : 0;
  total_.output_overflows += (block.host_flags & kHostOutputOverflow) != 0 ? 1 : 0;
  total_.clipped_samples += block.clipped_samples;
  total_.nonfinite_input_samples += block.nonfinite_input_samples;

  if (!runs_.empty() && runs_.back().frames == block.frames &&
      runs_.back().end_frame == block.first_frame) {
    runs_.back().end_frame = end_frame;
  } else {
    runs_.push_back({block.first_frame, end_frame, block.frames});
  }

  const int64_t oldest = end_frame - window_frames_;
  while (blocks_.size() > 1 && blocks_.front().end_frame < oldest) blocks_.pop_front();
  while (runs_.size() > 1 && runs_.front().end_frame < oldest) {
    old_sizes_[runs_.front().frames] = runs_.front().end_frame;
    runs_.pop_front();
  }
}

RunStats::Mark RunStats::MarkAt(int64_t frame) const {
  const auto block = std::partition_point(blocks_.begin(), blocks_.end(),
                                          [&](const Block& b) { return b.end_frame <= frame; });
  return {frame, block == blocks_.end() ? total_ : block->before};
}

RunStats::Counts RunStats::Between(const Mark& mark, int64_t end_frame) const {
  Counts counts;
  if (end_frame <= mark.frame) return counts;
  const auto next = std::partition_point(blocks_.begin(), blocks_.end(),
                                         [&](const Block& b) { return b.first_frame < end_frame; });
  const Sums& until = next == blocks_.end() ? total_ : next->before;
  BlockStatsInfo& blocks = counts.blocks;
  blocks.blocks = until.blocks - mark.before.blocks;
  blocks.input_underflows = until.input_underflows - mark.before.input_underflows;
  blocks.input_overflows = until.input_overflows - mark.before.input_overflows;
  blocks.output_underflows = until.output_underflows - mark.before.output_underflows;
  blocks.output_overflows = until.output_overflows - mark.before.output_overflows;
  counts.clipped_samples = until.clipped_samples - mark.before.clipped_samples;
  counts.nonfinite_input_samples =
      until.nonfinite_input_samples - mark.before.nonfinite_input_samples;

  const auto see = [&](int frames) {
    blocks.min_frames = blocks.min_frames == 0 ? frames : std::min(blocks.min_frames, frames);
    blocks.max_frames = std::max(blocks.max_frames, frames);
  };
  auto run = std::partition_point(runs_.begin(), runs_.end(),
                                  [&](const Run& r) { return r.end_frame <= mark.frame; });
  for (; run != runs_.end() && run->first_frame < end_frame; ++run) see(run->frames);
  for (const auto& [frames, last_end_frame] : old_sizes_) {
    if (last_end_frame > mark.frame) see(frames);
  }
  return counts;
}

std::optional<int64_t> RunStats::EndOfBlockAt(int64_t frame) const {
  const auto block = std::partition_point(blocks_.begin(), blocks_.end(),
                                          [&](const Block& b) { return b.end_frame <= frame; });
  if (block == blocks_.end() || block->first_frame > frame) return std::nullopt;
  return block->end_frame;
}

}  // namespace rtmixd
