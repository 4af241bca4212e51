#include "server/control/live_stream.h"

#include <cstdint>
#include <memory>
#include <utility>

#include "absl/time/time.h"
#include "gtest/gtest.h"

namespace rtmixd {
namespace {

// Every recording that is made gets the holes, so that they may not become more for ever.
TEST(LiveStreamTest, KeepsTheHolesThatARecordingMayStillMeet) {
  constexpr int64_t kAwayFrames = 5000;
  LiveStream::Options options;
  options.info.sample_rate_hz = 48000;
  options.info.input_channels = 1;
  options.info.output_channels = 1;
  options.info.max_block_frames = 256;
  options.history = absl::Seconds(1);
  options.max_actions = 1;
  auto stream = LiveStream::Create(std::move(options));
  ASSERT_TRUE(stream.ok()) << stream.status();
  const AudioHistory& history = (*stream)->mixer().input_history();
  for (int64_t death = 1; death <= 1000; ++death) {
    (*stream)->mixer().JumpForward(kAwayFrames);
    (*stream)->NoteJump(kAwayFrames);
    const auto& holes = (*stream)->holes();
    ASSERT_FALSE(holes.empty());
    // They lie side by side from the oldest frame that can be read to the end.
    EXPECT_LE(holes.front().first_frame, history.tail_frame());
    EXPECT_GT(holes.front().first_frame + kAwayFrames, history.tail_frame());
    EXPECT_EQ(holes.back().first_frame + kAwayFrames, death * kAwayFrames);
    EXPECT_EQ(static_cast<int64_t>(holes.size()) * kAwayFrames,
              death * kAwayFrames - holes.front().first_frame);
  }
}

}  // namespace
}  // namespace rtmixd
