#include "server/control/gain_timeline.h"

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "server/base/error_info.h"
#include "server/mixer/fade.h"

namespace rtmixd {
namespace {

// The gain at `frame`, frame by frame from the first change on, by the formula of a fade.
float GainAt(float base, const std::vector<GainTimeline::Change>& changes, int64_t frame) {
  float gain = base;
  for (size_t i = 0; i < changes.size() && changes[i].frame <= frame; ++i) {
    const int64_t until = i + 1 < changes.size() ? std::min(changes[i + 1].frame, frame) : frame;
    gain = FadeGain(gain, changes[i].gain, changes[i].fade.frames, changes[i].fade.shape,
                    until - changes[i].frame);
  }
  return gain;
}

TEST(GainTimelineTest, BeginsAtOne) {
  const GainTimeline timeline;
  EXPECT_EQ(timeline.base(), 1.0f);
  EXPECT_EQ(timeline.target(), 1.0f);
  EXPECT_TRUE(timeline.changes().empty());
}

TEST(GainTimelineTest, ChangesLieByFrameAndThenByOrder) {
  GainTimeline timeline;
  ASSERT_TRUE(timeline.Add({.frame = 20, .gain = 2, .fade = {}}, "changes").ok());
  ASSERT_TRUE(timeline.Add({.frame = 10, .gain = 3, .fade = {}}, "changes").ok());
  ASSERT_TRUE(timeline.Add({.frame = 10, .gain = 4, .fade = {}}, "changes").ok());
  ASSERT_EQ(timeline.changes().size(), 3u);
  EXPECT_EQ(timeline.changes()[0].gain, 3);
  EXPECT_EQ(timeline.changes()[1].gain, 4);
  EXPECT_EQ(timeline.target(), 2);
}

TEST(GainTimelineTest, ForgetsWhatIsOver) {
  GainTimeline timeline;
  ASSERT_TRUE(timeline.Add({.frame = 10, .gain = 0.5f, .fade = {.frames = 5}}, "changes").ok());
  timeline.Settle(14);
  EXPECT_EQ(timeline.changes().size(), 1u);
  EXPECT_EQ(timeline.base(), 1.0f);
  timeline.Settle(15);
  EXPECT_TRUE(timeline.changes().empty());
  EXPECT_EQ(timeline.base(), 0.5f);
}

TEST(GainTimelineTest, KeepsWhatAnotherInterrupts) {
  GainTimeline timeline;
  ASSERT_TRUE(timeline.Add({.frame = 0, .gain = 0, .fade = {.frames = 100}}, "changes").ok());
  ASSERT_TRUE(timeline.Add({.frame = 50, .gain = 2, .fade = {.frames = 100}}, "changes").ok());
  timeline.Settle(120);
  EXPECT_EQ(timeline.changes().size(), 2u);
  timeline.Settle(150);
  EXPECT_TRUE(timeline.changes().empty());
  EXPECT_EQ(timeline.base(), 2);
}

TEST(GainTimelineTest, WhatIsForgottenIsNotMissed) {
  std::mt19937 random(1);
  const auto up_to = [&random](int64_t most) {
    return std::uniform_int_distribution<int64_t>(0, most)(random);
  };
  for (int round = 0; round < 300; ++round) {
    GainTimeline timeline;
    std::vector<GainTimeline::Change> all;
    const auto count = static_cast<size_t>(up_to(10));
    for (size_t i = 0; i < count; ++i) {
      ASSERT_TRUE(timeline
                      .Add({.frame = up_to(200),
                            .gain = static_cast<float>(up_to(8)) / 4,
                            .fade = {.frames = up_to(60), .shape = FadeShape::kLinear}},
                           "changes")
                      .ok());
    }
    all = timeline.changes();
    for (int64_t frame = 0; frame < 300; frame += 1 + up_to(20)) {
      timeline.Settle(frame);
      for (int64_t later = frame; later < 300; later += 7) {
        ASSERT_EQ(GainAt(timeline.base(), timeline.changes(), later), GainAt(1.0f, all, later))
            << "round " << round << ", settled at " << frame << ", frame " << later;
      }
    }
  }
}

TEST(GainTimelineTest, NamesTheLimit) {
  GainTimeline timeline;
  for (size_t i = 0; i < GainTimeline::kMaxChanges; ++i) {
    ASSERT_TRUE(timeline.Add({.frame = 5, .gain = 1, .fade = {}}, "changes").ok());
  }
  const absl::Status status = timeline.Add({.frame = 5, .gain = 1, .fade = {}}, "session gain");
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  const std::optional<ErrorInfo> info = GetErrorInfo(status);
  ASSERT_TRUE(info.has_value());
  EXPECT_EQ(info->field, "session gain");
  EXPECT_EQ(info->limit, "16");
  EXPECT_EQ(timeline.changes().size(), GainTimeline::kMaxChanges);
}

TEST(GainTimelineTest, FinishesWhereItWasGoing) {
  GainTimeline timeline;
  ASSERT_TRUE(timeline.Add({.frame = 100, .gain = 0.25f, .fade = {.frames = 9}}, "changes").ok());
  timeline.Finish();
  EXPECT_TRUE(timeline.changes().empty());
  EXPECT_EQ(timeline.base(), 0.25f);
}

}  // namespace
}  // namespace rtmixd
