#include "client_cpp/played_frames.h"

#include <gtest/gtest.h>

namespace rtmixd::client {
namespace {

TEST(PlayedFramesTest, WholeSoundTakesItsLength) {
  EXPECT_EQ(PlayedFrames({}, 0), 0);
  EXPECT_EQ(PlayedFrames({}, 1000), 1000);
}

TEST(PlayedFramesTest, OffsetAndLimitShorten) {
  v1::PlaySpec play;
  play.set_offset_frames(100);
  EXPECT_EQ(PlayedFrames(play, 1000), 900);
  play.set_max_frames(900);
  EXPECT_EQ(PlayedFrames(play, 1000), 900);
  play.set_max_frames(899);
  EXPECT_EQ(PlayedFrames(play, 1000), 899);
}

TEST(PlayedFramesTest, OffsetBehindTheEndLeavesNothing) {
  v1::PlaySpec play;
  play.set_offset_frames(1001);
  EXPECT_EQ(PlayedFrames(play, 1000), 0);
}

TEST(PlayedFramesTest, RegionCountsOncePerPass) {
  v1::PlaySpec play;
  play.set_offset_frames(100);
  play.mutable_loop()->set_begin_frame(400);
  play.mutable_loop()->set_end_frame(600);
  play.mutable_loop()->set_passes(1);
  EXPECT_EQ(PlayedFrames(play, 1000), 900);
  play.mutable_loop()->set_passes(3);
  EXPECT_EQ(PlayedFrames(play, 1000), 1300);
}

TEST(PlayedFramesTest, FirstPassOfASoundThatStartsInsideItsRegionIsShorter) {
  v1::PlaySpec play;
  play.set_offset_frames(500);
  play.mutable_loop()->set_begin_frame(400);
  play.mutable_loop()->set_end_frame(600);
  play.mutable_loop()->set_passes(2);
  EXPECT_EQ(PlayedFrames(play, 1000), 100 + 200 + 400);
}

TEST(PlayedFramesTest, RegionWithoutEndReachesToTheEndOfTheSound) {
  v1::PlaySpec play;
  play.mutable_loop()->set_begin_frame(250);
  play.mutable_loop()->set_passes(2);
  EXPECT_EQ(PlayedFrames(play, 1000), 1750);
}

TEST(PlayedFramesTest, EndlessLoopEndsByItsLimitOrNever) {
  v1::PlaySpec play;
  play.mutable_loop();
  EXPECT_EQ(PlayedFrames(play, 1000), std::nullopt);
  play.set_max_frames(123456);
  EXPECT_EQ(PlayedFrames(play, 1000), 123456);
}

TEST(PlayedFramesTest, LongerThanCanBeCountedIsNever) {
  constexpr int64_t kLimit = (int64_t{1} << 53) - 1;
  v1::PlaySpec play;
  play.mutable_loop()->set_passes(kLimit);
  EXPECT_EQ(PlayedFrames(play, 1), kLimit);
  EXPECT_EQ(PlayedFrames(play, 2), std::nullopt);
}

}  // namespace
}  // namespace rtmixd::client
