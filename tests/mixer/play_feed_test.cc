#include "server/mixer/play_feed.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <thread>
#include <vector>

#include "tests/support/as_audio_thread.h"

namespace rtmixd {
namespace {

int64_t WriteMono(PlayFeed* feed, const std::vector<float>& samples) {
  const float* const planar = samples.data();
  return feed->Write(&planar, static_cast<int64_t>(samples.size()));
}

TEST(PlayFeedTest, StartsEmptyWithoutMarks) {
  PlayFeed feed(2, 100, 10);
  EXPECT_EQ(feed.channels(), 2);
  EXPECT_EQ(feed.capacity_frames(), 128);
  EXPECT_EQ(feed.free_frames(), 128);
  EXPECT_EQ(feed.prebuffer_frames(), 10);
  const PlayFeed::Look look = AS_AUDIO_THREAD(feed.LookRt());
  EXPECT_EQ(look.read, 0);
  EXPECT_EQ(look.write, 0);
  EXPECT_EQ(look.end, PlayFeed::kNone);
  EXPECT_EQ(look.idle, PlayFeed::kNone);
  EXPECT_EQ(look.flush, PlayFeed::kNone);
}

TEST(PlayFeedTest, PrebufferIsNoMoreThanTheCapacity) {
  EXPECT_EQ(PlayFeed(1, 100, 1000).prebuffer_frames(), 128);
}

TEST(PlayFeedTest, WritesAsMuchAsFits) {
  PlayFeed feed(1, 128, 0);
  EXPECT_EQ(WriteMono(&feed, std::vector<float>(100)), 100);
  EXPECT_EQ(WriteMono(&feed, std::vector<float>(100)), 28);
  EXPECT_EQ(feed.free_frames(), 0);
  EXPECT_EQ(feed.write_position(), 128);
}

TEST(PlayFeedTest, FramesComeOutInOrderAndFreeTheirRoom) {
  PlayFeed feed(1, 4, 0);
  WriteMono(&feed, {1, 2, 3});
  auto stretches = AS_AUDIO_THREAD(feed.PeekRt(2));
  ASSERT_EQ(stretches[0].frames, 2);
  EXPECT_EQ(stretches[0].channel(0)[0], 1);
  EXPECT_EQ(stretches[0].channel(0)[1], 2);
  AS_AUDIO_THREAD(feed.AdvanceRt(2));
  EXPECT_EQ(feed.read_position(), 2);
  EXPECT_EQ(feed.free_frames(), 3);
  EXPECT_EQ(WriteMono(&feed, {4, 5, 6}), 3);
  stretches = AS_AUDIO_THREAD(feed.PeekRt(4));
  ASSERT_EQ(stretches[0].frames, 2);
  ASSERT_EQ(stretches[1].frames, 2);
  EXPECT_EQ(stretches[0].channel(0)[1], 4);
  EXPECT_EQ(stretches[1].channel(0)[1], 6);
}

TEST(PlayFeedTest, NothingIsTakenAfterTheEnd) {
  PlayFeed feed(1, 100, 0);
  WriteMono(&feed, {1, 2, 3});
  feed.SetEnd();
  EXPECT_EQ(WriteMono(&feed, {4}), 0);
  EXPECT_EQ(feed.write_position(), 3);
  EXPECT_EQ(AS_AUDIO_THREAD(feed.LookRt()).end, 3);
}

TEST(PlayFeedTest, MarksLieAtTheWritePosition) {
  PlayFeed feed(1, 100, 0);
  WriteMono(&feed, {1, 2, 3});
  feed.SetIdle();
  EXPECT_EQ(AS_AUDIO_THREAD(feed.LookRt()).idle, 3);
  WriteMono(&feed, {4});
  feed.Flush();
  EXPECT_EQ(AS_AUDIO_THREAD(feed.LookRt()).idle, 3);
  EXPECT_EQ(AS_AUDIO_THREAD(feed.LookRt()).flush, 4);
  feed.SetDoubt();
  EXPECT_EQ(AS_AUDIO_THREAD(feed.LookRt()).doubt, 4);
  feed.ClearDoubt();
  EXPECT_EQ(AS_AUDIO_THREAD(feed.LookRt()).doubt, PlayFeed::kNone);
}

// A consumer that sees a mark must see the frames before it.
TEST(PlayFeedTest, ContentionMarksNeverPassTheWritePosition) {
  PlayFeed feed(1, 64, 0);
  constexpr int64_t kFrames = 50'000;
  std::thread consumer([&] {
    int64_t expected = 0;
    while (true) {
      const PlayFeed::Look look = AS_AUDIO_THREAD(feed.LookRt());
      ASSERT_LE(look.idle, look.write);
      ASSERT_LE(look.flush, look.write);
      if (look.end != PlayFeed::kNone) {
        ASSERT_EQ(look.end, look.write);
      }
      for (const auto& stretch : AS_AUDIO_THREAD(feed.PeekRt(look.write - look.read))) {
        for (int64_t i = 0; i < stretch.frames; ++i) {
          ASSERT_EQ(stretch.channel(0)[i], static_cast<float>(expected++));
        }
      }
      AS_AUDIO_THREAD(feed.AdvanceRt(look.write - look.read));
      if (look.end != PlayFeed::kNone) break;
    }
    EXPECT_EQ(expected, kFrames);
  });
  while (feed.write_position() < kFrames) {
    const int64_t at = feed.write_position();
    std::vector<float> samples;
    for (int64_t i = at; i < std::min(kFrames, at + 13); ++i) {
      samples.push_back(static_cast<float>(i));
    }
    ASSERT_GE(feed.free_frames(), 0);
    ASSERT_LE(feed.free_frames(), feed.capacity_frames());
    WriteMono(&feed, samples);
    feed.SetIdle();
    feed.Flush();
  }
  feed.SetEnd();
  consumer.join();
}

}  // namespace
}  // namespace rtmixd
