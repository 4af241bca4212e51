// What goes wrong is an event of the log, with its frame and the actions that it touched.

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/control/engine_rig.h"

namespace rtmixd {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr int kBlock = EngineRig::kBlockFrames;
constexpr int kBlocksPerSecond = 48000 / kBlock;

class EngineEventTest : public testing::Test {
 protected:
  EngineEventTest() : session_(rig_.Session()) {}

  std::vector<std::string> Schedule(const BatchSpec& batch) {
    auto admitted = rig_.ScheduleNow(session_, batch);
    EXPECT_TRUE(admitted.ok()) << admitted.status();
    std::vector<std::string> ids;
    if (admitted.ok()) {
      for (const auto& action : admitted->actions) ids.push_back(action.action_id);
    }
    return ids;
  }

  EngineRig rig_;
  std::string session_;
};

TEST_F(EngineEventTest, ASkippedStartIsAnEventBeforeItsEnd) {
  rig_.Run(10);
  ActionSpec play = PlayInline("p", 1, 1, 100, 0);
  play.late_policy = LatePolicy::kSkip;
  const std::vector<std::string> ids = Schedule(At(100, {play}));
  rig_.Run(3);
  const std::vector<LogEntry> skipped = rig_.Events(EventKind::kActionSkipped);
  ASSERT_EQ(skipped.size(), 1u);
  EXPECT_EQ(skipped[0].action_id, ids.at(0));
  EXPECT_EQ(skipped[0].session_id, session_);
  EXPECT_EQ(skipped[0].frame, 100);
  EXPECT_EQ(skipped[0].frames, rig_.Report(session_, ids[0]).late_frames);
  EXPECT_GT(skipped[0].frames, 0);
  const std::vector<LogEntry> ended = rig_.Events(EventKind::kActionEnded);
  ASSERT_EQ(ended.size(), 1u);
  EXPECT_EQ(ended[0].sequence, skipped[0].sequence + 1);
  EXPECT_EQ(ended[0].end_reason, ActionEnd::kSkipped);
}

TEST_F(EngineEventTest, AnXrunTellsItsRangeItsLossAndWhatRanThere) {
  const int64_t lost_at = int64_t{5} * kBlocksPerSecond * kBlock;
  std::vector<std::string> ids =
      Schedule(At(0, {RecordNew("over before", 48000, 0), RecordNew("during", 48000 * 2, 48000 * 4),
                      RecordNew("from there on", 48000, lost_at),
                      RecordNew("ends there", 48000, lost_at - 48000),
                      RecordNew("after", 48000, lost_at + 9600)}));
  rig_.Run(5 * kBlocksPerSecond);
  ASSERT_EQ(rig_.next_frame(), lost_at);
  rig_.device().AdvanceClockFrames(300);
  SteppedDevice::Callback flagged;
  flagged.frames = kBlock;
  flagged.host_flags = kHostInputOverflow;
  ASSERT_TRUE(rig_.device().Step(flagged));
  rig_.Run(4 * kBlocksPerSecond);
  const std::vector<LogEntry> xruns = rig_.Events(EventKind::kXrun);
  ASSERT_EQ(xruns.size(), 1u);
  const LogEntry& entry = xruns[0];
  EXPECT_EQ(entry.frame, lost_at);
  EXPECT_EQ(entry.frames, 300);
  ASSERT_TRUE(entry.xrun.has_value());
  EXPECT_EQ(entry.xrun->earliest_frame, lost_at);
  EXPECT_EQ(entry.xrun->latest_frame, lost_at);
  EXPECT_EQ(entry.xrun->lost_frames, 300);
  EXPECT_EQ(entry.xrun->lost_frames_error, 0);
  EXPECT_EQ(entry.xrun->side, XrunSide::kInput);
  EXPECT_TRUE(entry.xrun->flagged);
  EXPECT_THAT(entry.touched_action_ids, ElementsAre(ids.at(1)));
  EXPECT_EQ(entry.touched_action_count, 1);
  rig_.Finish(session_);
  const Touched kWant[] = {Touched::kNo, Touched::kYes, Touched::kNo, Touched::kNo, Touched::kNo};
  for (size_t i = 0; i < ids.size(); ++i) {
    EXPECT_EQ(rig_.Report(session_, ids[i]).touched, kWant[i]) << i;
  }
}

TEST_F(EngineEventTest, AnXrunNamesAsManyActionsAsThereIsRoomForAndCountsAll) {
  std::vector<ActionSpec> recordings;
  for (int i = 0; i < 40; ++i) recordings.push_back(RecordNew("", 48000 * 20, 0));
  std::vector<std::string> ids = Schedule(At(0, recordings));
  for (const std::string& id : Schedule(At(0, recordings))) ids.push_back(id);
  rig_.Run(4 * kBlocksPerSecond);
  rig_.device().AdvanceClockFrames(300);
  rig_.Run(4 * kBlocksPerSecond);
  const std::vector<LogEntry> xruns = rig_.Events(EventKind::kXrun);
  ASSERT_EQ(xruns.size(), 1u);
  EXPECT_EQ(xruns[0].touched_action_count, 80);
  ids.resize(LogEntry::kMaxTouchedIds);
  EXPECT_THAT(xruns[0].touched_action_ids, testing::UnorderedElementsAreArray(ids));
}

TEST_F(EngineEventTest, AClockThatMovesByLessThanALossIsARelock) {
  const std::vector<std::string> ids =
      Schedule(At(0, {RecordNew("before", 48000, 0), RecordNew("during", 48000 * 3, 48000 * 4)}));
  rig_.Run(5 * kBlocksPerSecond);
  const int64_t moved_at = rig_.next_frame();
  rig_.device().AdvanceClockFrames(2);
  rig_.Run(4 * kBlocksPerSecond);
  EXPECT_THAT(rig_.Events(EventKind::kXrun), IsEmpty());
  const std::vector<LogEntry> relocks = rig_.Events(EventKind::kClockRelocked);
  ASSERT_EQ(relocks.size(), 1u);
  EXPECT_EQ(relocks[0].frame, moved_at);
  ASSERT_TRUE(relocks[0].clock_relock.has_value());
  EXPECT_LE(relocks[0].clock_relock->earliest_frame, moved_at);
  EXPECT_GE(relocks[0].clock_relock->latest_frame, moved_at);
  EXPECT_NEAR(relocks[0].clock_relock->moved_frames, 2,
              relocks[0].clock_relock->moved_frames_error);
  EXPECT_THAT(relocks[0].touched_action_ids, ElementsAre(ids.at(1)));
  rig_.Finish(session_);
  EXPECT_EQ(rig_.Report(session_, ids[0]).touched, Touched::kNo);
  EXPECT_EQ(rig_.Report(session_, ids[1]).touched, Touched::kCannotTell);
}

}  // namespace
}  // namespace rtmixd
