#include "server/control/run_stats.h"

#include <algorithm>
#include <random>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "server/realtime/audio_block.h"

namespace rtmixd {
namespace {

constexpr int64_t kLongWindow = int64_t{1} << 40;

BlockRecord Block(int64_t first_frame, int frames, uint32_t host_flags = 0, int clipped = 0) {
  BlockRecord block = {};
  block.first_frame = first_frame;
  block.frames = frames;
  block.host_flags = host_flags;
  block.clipped_samples = clipped;
  return block;
}

// Blocks of `frames` one after the other; returns the frame after the last.
int64_t AddBlocks(RunStats* stats, int64_t first_frame, int count, int frames) {
  for (int i = 0; i < count; ++i) stats->Add(Block(first_frame + int64_t{i} * frames, frames));
  return first_frame + int64_t{count} * frames;
}

// What Between should say, told by looking at every block.
RunStats::Counts CountOneByOne(const std::vector<BlockRecord>& blocks, int64_t begin_frame,
                               int64_t end_frame) {
  RunStats::Counts counts;
  BlockStatsInfo& info = counts.blocks;
  for (const BlockRecord& block : blocks) {
    const int64_t first = std::max(block.first_frame, begin_frame);
    if (first >= std::min(block.first_frame + block.frames, end_frame)) continue;
    info.min_frames = info.blocks == 0 ? block.frames : std::min(info.min_frames, block.frames);
    info.max_frames = std::max(info.max_frames, block.frames);
    ++info.blocks;
    if (block.host_flags & kHostInputUnderflow) ++info.input_underflows;
    if (block.host_flags & kHostInputOverflow) ++info.input_overflows;
    if (block.host_flags & kHostOutputUnderflow) ++info.output_underflows;
    if (block.host_flags & kHostOutputOverflow) ++info.output_overflows;
    counts.clipped_samples += block.clipped_samples;
  }
  return counts;
}

void ExpectSame(const RunStats::Counts& counts, const RunStats::Counts& expected) {
  EXPECT_EQ(counts.blocks.blocks, expected.blocks.blocks);
  EXPECT_EQ(counts.blocks.min_frames, expected.blocks.min_frames);
  EXPECT_EQ(counts.blocks.max_frames, expected.blocks.max_frames);
  EXPECT_EQ(counts.blocks.input_underflows, expected.blocks.input_underflows);
  EXPECT_EQ(counts.blocks.input_overflows, expected.blocks.input_overflows);
  EXPECT_EQ(counts.blocks.output_underflows, expected.blocks.output_underflows);
  EXPECT_EQ(counts.blocks.output_overflows, expected.blocks.output_overflows);
  EXPECT_EQ(counts.clipped_samples, expected.clipped_samples);
}

TEST(RunStatsTest, WithoutBlocksNothingIsCounted) {
  const RunStats stats(kLongWindow);
  ExpectSame(stats.Between(stats.MarkAt(0), 1000), {});
  EXPECT_FALSE(stats.EndOfBlockAt(0).has_value());
}

TEST(RunStatsTest, OneBlockIsCountedByWhoeverSharesAFrameWithIt) {
  RunStats stats(kLongWindow);
  const std::vector<BlockRecord> blocks = {Block(100, 50, kHostInputOverflow, 3)};
  stats.Add(blocks[0]);
  for (const int64_t begin : {0, 99, 100, 149, 150}) {
    for (const int64_t end : {99, 100, 101, 150, 151}) {
      SCOPED_TRACE(testing::Message() << "[" << begin << ", " << end << ")");
      ExpectSame(stats.Between(stats.MarkAt(begin), end), CountOneByOne(blocks, begin, end));
    }
  }
}

TEST(RunStatsTest, EveryFlagHasItsOwnCount) {
  RunStats stats(kLongWindow);
  stats.Add(Block(0, 10, kHostInputUnderflow));
  stats.Add(Block(10, 10, kHostInputUnderflow | kHostInputOverflow));
  stats.Add(Block(20, 10, kHostInputUnderflow | kHostInputOverflow | kHostOutputUnderflow));
  stats.Add(Block(30, 10, 0xf));
  stats.Add(Block(40, 10, kHostPrimingOutput));
  const BlockStatsInfo info = stats.Between(stats.MarkAt(0), 50).blocks;
  EXPECT_EQ(info.blocks, 5);
  EXPECT_EQ(info.input_underflows, 4);
  EXPECT_EQ(info.input_overflows, 3);
  EXPECT_EQ(info.output_underflows, 2);
  EXPECT_EQ(info.output_overflows, 1);
}

TEST(RunStatsTest, StretchWithoutFramesHasNoBlocks) {
  RunStats stats(kLongWindow);
  AddBlocks(&stats, 0, 4, 100);
  ExpectSame(stats.Between(stats.MarkAt(150), 150), {});
  ExpectSame(stats.Between(stats.MarkAt(150), 50), {});
}

TEST(RunStatsTest, StretchBetweenBlocksHasNone) {
  RunStats stats(kLongWindow);
  AddBlocks(&stats, 0, 2, 100);
  AddBlocks(&stats, 300, 2, 100);
  ExpectSame(stats.Between(stats.MarkAt(220), 280), {});
  ExpectSame(stats.Between(stats.MarkAt(200), 300), {});
}

TEST(RunStatsTest, MarkAtTheNewestFrameCountsWhatComes) {
  RunStats stats(kLongWindow);
  const int64_t next = AddBlocks(&stats, 0, 2, 100);
  const RunStats::Mark mark = stats.MarkAt(next);
  ExpectSame(stats.Between(mark, 500), {});
  AddBlocks(&stats, next, 3, 100);
  EXPECT_EQ(stats.Between(mark, 500).blocks.blocks, 3);
}

TEST(RunStatsTest, EndOfBlockIsToldForEveryFrameOfIt) {
  RunStats stats(kLongWindow);
  stats.Add(Block(100, 50));
  stats.Add(Block(150, 10));
  stats.Add(Block(200, 40));  // after frames without a block
  EXPECT_FALSE(stats.EndOfBlockAt(99).has_value());
  EXPECT_EQ(stats.EndOfBlockAt(100), 150);
  EXPECT_EQ(stats.EndOfBlockAt(149), 150);
  EXPECT_EQ(stats.EndOfBlockAt(150), 160);
  EXPECT_FALSE(stats.EndOfBlockAt(160).has_value());
  EXPECT_FALSE(stats.EndOfBlockAt(199).has_value());
  EXPECT_EQ(stats.EndOfBlockAt(239), 240);
  EXPECT_FALSE(stats.EndOfBlockAt(240).has_value());
}

TEST(RunStatsTest, MarkOutlivesTheWindow) {
  RunStats stats(/*window_frames=*/1000);
  int64_t next = AddBlocks(&stats, 0, 2, 64);
  const int64_t begin = next;
  const RunStats::Mark mark = stats.MarkAt(begin);
  next = AddBlocks(&stats, next, 3, 32);
  next = AddBlocks(&stats, next, 100, 128);
  const BlockStatsInfo info = stats.Between(mark, next).blocks;
  EXPECT_EQ(info.blocks, 103);
  EXPECT_EQ(info.min_frames, 32);
  EXPECT_EQ(info.max_frames, 128);
}

TEST(RunStatsTest, SizesBeforeTheMarkAreNotItsSizes) {
  RunStats stats(/*window_frames=*/1000);
  int64_t next = AddBlocks(&stats, 0, 3, 16);
  next = AddBlocks(&stats, next, 3, 900);
  const RunStats::Mark mark = stats.MarkAt(next);
  next = AddBlocks(&stats, next, 2, 100);
  const int64_t begin_of_last_size = next;
  next = AddBlocks(&stats, next, 100, 128);
  const BlockStatsInfo info = stats.Between(mark, next).blocks;
  EXPECT_EQ(info.min_frames, 100);
  EXPECT_EQ(info.max_frames, 128);
  RunStats::Mark later;
  later.frame = begin_of_last_size;
  EXPECT_EQ(stats.Between(later, next).blocks.min_frames, 128);
}

TEST(RunStatsTest, MarkBeforeTheWindowIsTheBeginningOfTheWindow) {
  RunStats stats(/*window_frames=*/1000);
  const int64_t end = AddBlocks(&stats, 0, 100, 100);
  // The window holds the frames from 9000 on, and the block that ends there.
  EXPECT_EQ(stats.Between(stats.MarkAt(0), end).blocks.blocks, 11);
  EXPECT_FALSE(stats.EndOfBlockAt(8899).has_value());
  EXPECT_EQ(stats.EndOfBlockAt(8900), 9000);
}

// Random blocks with holes between some; every stretch between interesting frames is counted and
// compared with a count block by block, while the blocks come in.
TEST(RunStatsTest, EqualsACountBlockByBlock) {
  std::mt19937 random(3);
  std::vector<BlockRecord> blocks;
  RunStats stats(/*window_frames=*/3000);
  int64_t next = 0;
  std::vector<std::pair<int64_t, RunStats::Mark>> marks;
  int64_t compared = 0;
  for (int i = 0; i < 400; ++i) {
    const int sizes[] = {1, 64, 64, 64, 256};
    if (random() % 10 == 0) next += 1 + static_cast<int64_t>(random() % 100);
    const BlockRecord block =
        Block(next, sizes[random() % 5], random() % 32, static_cast<int>(random() % 3));
    blocks.push_back(block);
    stats.Add(block);
    next = block.first_frame + block.frames;
    if (random() % 10 == 0) {
      const int64_t begin = block.first_frame + static_cast<int64_t>(random() % block.frames);
      marks.emplace_back(begin, stats.MarkAt(begin));
    }
    for (const auto& [begin, mark] : marks) {
      // Ends are told while they are in the window.
      const int64_t end = next - static_cast<int64_t>(random() % 2500);
      if (end <= begin) continue;
      // Sizes that left the window are told of the whole rest, so the whole rest is asked for.
      const bool old = begin < next - 2500;
      const int64_t until = old ? next : end;
      SCOPED_TRACE(testing::Message() << "[" << begin << ", " << until << ") of " << next);
      ExpectSame(stats.Between(mark, until), CountOneByOne(blocks, begin, until));
      if (HasFailure()) return;
      ++compared;
    }
  }
  EXPECT_GT(compared, 1000);
}

}  // namespace
}  // namespace rtmixd
