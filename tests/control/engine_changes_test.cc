// What sounds is shaped, and changed while it sounds: fades, loops, pauses, gains.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/mixer/fade.h"
#include "tests/control/engine_rig.h"

namespace rtmixd {
namespace {

// The formula of common.proto's Fade, from its text.
float Gain(float from, float to, int64_t frames, bool equal_power, int64_t frame) {
  if (frame >= frames) return to;
  if (frame <= 0) return from;
  const double position = static_cast<double>(frame) / static_cast<double>(frames);
  const double x = to >= from ? position : 1 - position;
  const double s = equal_power ? std::sin(M_PI * x / 2) : x;
  const double low = std::min(from, to);
  const double high = std::max(from, to);
  return static_cast<float>(low + (high - low) * s);
}

ActionSpec Play(int64_t frames, const std::function<void(PlaySpec*)>& shape = nullptr) {
  ActionSpec action = PlayInline("p", 1, 1, frames, 0);
  if (shape) shape(&std::get<PlaySpec>(action.what));
  return action;
}

ActionSpec Change(const std::string& target, int64_t offset_frames, const VoiceChangeSpec& change) {
  ActionSpec action;
  action.start.frames = offset_frames;
  action.what = ChangeSpec{.target = {.key = target, .action_id = {}}, .change = change};
  return action;
}

GainChangeSpec To(float gain, int64_t frames = 0) {
  return {.gain = gain, .fade = {.frames = frames, .shape = FadeShape::kLinear}};
}

class EngineChangesTest : public testing::Test {
 protected:
  explicit EngineChangesTest(const EngineRig::Options& options = EngineRig::DefaultOptions())
      : rig_(options), session_(rig_.Session()) {}

  BatchAdmitted Schedule(BatchSpec batch) {
    auto admitted = rig_.Schedule(session_, std::move(batch));
    EXPECT_TRUE(admitted.ok()) << admitted.status();
    return admitted.ok() ? *admitted : BatchAdmitted();
  }
  ActionReport Report(const BatchAdmitted& batch, int index) {
    return rig_.Report(session_, batch.actions.at(index).action_id);
  }
  ChangesAdmitted ChangeOne(const BatchAdmitted& batch, const VoiceChangeSpec& change,
                            std::optional<int64_t> frame) {
    auto admitted = rig_.engine().ChangeActions(session_, {batch.actions.at(0).action_id}, false,
                                                frame, change);
    EXPECT_TRUE(admitted.ok()) << admitted.status();
    return admitted.ok() ? *admitted : ChangesAdmitted();
  }
  // Output 1 sends gain(i) * sample(i) at `begin` + i for i in [0, count), and silence elsewhere.
  // True to the unit in the last place that a gain may differ in.
  void ExpectSent(
      int64_t begin, int64_t count, const std::function<int64_t(int64_t)>& frame,
      const std::function<float(int64_t)>& gain = [](int64_t) { return 1.0f; }) {
    const std::vector<float> sent = rig_.device().sent(0);
    ASSERT_GE(static_cast<int64_t>(sent.size()), begin + count);
    for (int64_t f = 0; f < static_cast<int64_t>(sent.size()); ++f) {
      const int64_t i = f - begin;
      const bool inside = i >= 0 && i < count && frame(i) >= 0;
      const float wanted = inside ? gain(i) * TestSample(1, 0, frame(i)) : 0.0f;
      ASSERT_NEAR(sent[f], wanted, std::abs(wanted) * 2.4e-7) << "frame " << f << ", " << i;
    }
  }
  static int64_t Same(int64_t i) { return i; }

  EngineRig rig_;
  std::string session_;
};

TEST_F(EngineChangesTest, FadesInAndOutBySample) {
  for (const bool equal_power : {false, true}) {
    const FadeShape shape = equal_power ? FadeShape::kEqualPower : FadeShape::kLinear;
    const int64_t begin = rig_.next_frame();
    const BatchAdmitted batch = Schedule(NowBatch({Play(400, [shape](PlaySpec* play) {
      play->gain = 0.5f;
      play->fade_in = {.frames = 90, .shape = shape};
      play->fade_out = {.frames = 130, .shape = shape};
    })}));
    rig_.Finish(session_);
    const std::vector<float> sent = rig_.device().sent(0);
    for (int64_t i = 0; i < 400; ++i) {
      const float gain =
          i < 90 ? Gain(0, 0.5f, 90, equal_power, i) : Gain(0.5f, 0, 130, equal_power, i - 270);
      const float wanted = gain * TestSample(1, 0, i);
      ASSERT_NEAR(sent[begin + i], wanted, std::abs(wanted) * 2.4e-7) << i;
    }
    EXPECT_EQ(Report(batch, 0).done_frames, 400);
  }
}

TEST_F(EngineChangesTest, LoopsARegionAndGoesOnBehindIt) {
  const BatchAdmitted batch =
      Schedule(At(100, {Play(200, [](PlaySpec* play) {
                    play->offset_frames = 10;
                    play->loop = {.begin_frame = 50, .end_frame = 70, .passes = 4};
                  })}));
  EXPECT_EQ(Report(batch, 0).total_frames, 190 + 3 * 20);
  rig_.Finish(session_);
  ExpectSent(100, 250, [](int64_t i) {
    const int64_t at = i + 10;
    if (at < 70) return at;
    if (at < 70 + 60) return 50 + (at - 50) % 20;
    return at - 60;
  });
  EXPECT_EQ(Report(batch, 0).done_frames, 250);
  EXPECT_EQ(Report(batch, 0).position_frames, 200);
}

TEST_F(EngineChangesTest, AnEndlessLoopIsLeftAtItsEndOrAtOnce) {
  for (const bool at_once : {false, true}) {
    const BatchAdmitted batch = Schedule(NowBatch({Play(100, [](PlaySpec* play) {
      play->loop = {.begin_frame = 20, .end_frame = 60, .passes = std::nullopt};
    })}));
    const int64_t begin = *batch.origin_frame;
    EXPECT_EQ(Report(batch, 0).total_frames, std::nullopt);
    rig_.Run(2);
    // Frame 250 of the sound that is heard: 20 + (250 - 20) % 40 = 50 of the loop.
    ChangeOne(batch, LeaveLoopSpec{.at_once = at_once}, begin + 250);
    rig_.Finish(session_);
    const ActionReport report = Report(batch, 0);
    EXPECT_EQ(report.end_reason, ActionEnd::kCompleted);
    EXPECT_EQ(report.done_frames, at_once ? 250 + 40 : 260 + 40);
    const std::vector<float> sent = rig_.device().sent(0);
    for (int64_t i = 0; i < report.done_frames; ++i) {
      const int64_t left = at_once ? 250 : 260;
      const int64_t frame = i < 20 ? i : i < left ? 20 + (i - 20) % 40 : 60 + i - left;
      ASSERT_EQ(sent[begin + i], TestSample(1, 0, frame)) << i;
    }
  }
}

TEST_F(EngineChangesTest, TheLongestLengthHoldsForLoopsToo) {
  const BatchAdmitted batch = Schedule(
      At(64, {Play(100, [](PlaySpec* play) {
           play->loop = {.begin_frame = 0, .end_frame = std::nullopt, .passes = std::nullopt};
           play->max_frames = 777;
           play->fade_out = {.frames = 77, .shape = FadeShape::kLinear};
         })}));
  EXPECT_EQ(Report(batch, 0).total_frames, 777);
  rig_.Finish(session_);
  ExpectSent(
      64, 777, [](int64_t i) { return i % 100; },
      [](int64_t i) { return Gain(1, 0, 77, false, i - 700); });
  EXPECT_EQ(Report(batch, 0).end_reason, ActionEnd::kCompleted);
}

TEST_F(EngineChangesTest, PausesAndResumesAtAFrame) {
  const BatchAdmitted batch = Schedule(
      NowBatch({Play(500), Change("p", 100, PauseSpec{}), Change("p", 333, ResumeSpec{})}));
  const int64_t begin = *batch.origin_frame;
  rig_.Run(3);
  EXPECT_TRUE(Report(batch, 0).paused);
  EXPECT_EQ(Report(batch, 0).position_frames, 100);
  EXPECT_EQ(Report(batch, 1).end_reason, ActionEnd::kCompleted);
  EXPECT_EQ(Report(batch, 1).start_frame, begin + 100);
  EXPECT_EQ(Report(batch, 1).kind, ActionKind::kChange);
  EXPECT_EQ(Report(batch, 1).target_action_id, batch.actions[0].action_id);
  rig_.Finish(session_);
  ExpectSent(begin, 733, [](int64_t i) { return i < 100 ? i : i < 333 ? -1 : i - 233; });
  EXPECT_FALSE(Report(batch, 0).paused);
  EXPECT_EQ(Report(batch, 0).end_frame, begin + 733);
  EXPECT_EQ(rig_.CountEvents(EventKind::kActionChanged), 2);
}

TEST_F(EngineChangesTest, AllOfASessionStandStillOnOneFrame) {
  std::vector<ActionSpec> plays;
  for (int i = 0; i < 20; ++i) plays.push_back(PlayInline("", 1, 1, 2000, i * 10));
  const BatchAdmitted batch = Schedule(NowBatch(std::move(plays)));
  const std::string other_session = rig_.Session();
  ASSERT_TRUE(rig_.Schedule(other_session, NowBatch({PlayInline("", 2, 1, 400, 0)})).ok());
  rig_.Run(4);
  const auto paused = rig_.engine().ChangeActions(session_, {}, true, std::nullopt, PauseSpec{});
  ASSERT_TRUE(paused.ok()) << paused.status();
  EXPECT_EQ(paused->reports.size(), 20u);
  EXPECT_GE(paused->frame, rig_.next_frame());
  rig_.Run(4);
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(Report(batch, i).position_frames, paused->frame - *batch.origin_frame - i * 10);
  }
  const int64_t resume = rig_.next_frame() + 100;
  ASSERT_TRUE(rig_.engine().ChangeActions(session_, {}, true, resume, ResumeSpec{}).ok());
  rig_.Finish(session_);
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(Report(batch, i).end_frame,
              *batch.origin_frame + i * 10 + 2000 + resume - paused->frame);
  }
  for (const LogEntry& entry : rig_.Events(EventKind::kActionChanged)) {
    EXPECT_TRUE(entry.frame == paused->frame || entry.frame == resume);
  }
}

TEST_F(EngineChangesTest, GainsChangeOnTheirFramesFromWhereverTheyAre) {
  const BatchAdmitted batch =
      Schedule(NowBatch({Play(600), Change("p", 50, To(0.25f, 100)), Change("p", 100, To(2, 200)),
                         Change("p", 450, To(0.5f))}));
  rig_.Finish(session_);
  ExpectSent(*batch.origin_frame, 600, Same, [](int64_t i) {
    if (i < 50) return 1.0f;
    if (i < 100) return Gain(1, 0.25f, 100, false, i - 50);
    if (i < 450) return Gain(Gain(1, 0.25f, 100, false, 50), 2, 200, false, i - 100);
    return 0.5f;
  });
  for (int i = 1; i < 4; ++i) EXPECT_EQ(Report(batch, i).end_reason, ActionEnd::kCompleted);
}

TEST_F(EngineChangesTest, AChangeSaysWhetherItWasLateOrItsTargetOver) {
  const BatchAdmitted play = Schedule(At(64, {Play(2000)}));
  rig_.Run(4);  // next frame 256
  ActionSpec change = Change("", 0, To(0.5f));
  std::get<ChangeSpec>(change.what).target = {.key = {}, .action_id = play.actions[0].action_id};
  change.late_policy = LatePolicy::kSkip;
  const BatchAdmitted skipped = Schedule(At(100, {change}));
  EXPECT_EQ(Report(skipped, 0).end_reason, ActionEnd::kSkipped);
  change.late_policy = LatePolicy::kPlay;
  const BatchAdmitted late = Schedule(At(100, {change}));
  const BatchAdmitted never = Schedule(At(3000, {change}));
  rig_.Finish(session_);
  EXPECT_EQ(Report(late, 0).start_frame, 256);
  EXPECT_EQ(Report(late, 0).late_frames, 156);
  EXPECT_EQ(Report(never, 0).end_reason, ActionEnd::kTargetEnded);
  EXPECT_EQ(Report(never, 0).start_frame, std::nullopt);
  const BatchAdmitted after = Schedule(At(9000, {change}));
  rig_.Finish(session_);
  EXPECT_EQ(Report(after, 0).end_reason, ActionEnd::kTargetEnded);
  ExpectSent(64, 2000, Same, [](int64_t i) { return i < 192 ? 1.0f : 0.5f; });
}

TEST_F(EngineChangesTest, ACancelFadesAndThenEnds) {
  ActionSpec cancel = CancelKey("c", "p", 200);
  std::get<CancelSpec>(cancel.what).fade = {.frames = 100, .shape = FadeShape::kEqualPower};
  const BatchAdmitted batch = Schedule(NowBatch({Play(5000), cancel}));
  rig_.Finish(session_);
  ExpectSent(*batch.origin_frame, 300, Same,
             [](int64_t i) { return Gain(1, 0, 100, true, i - 200); });
  const ActionReport play = Report(batch, 0);
  EXPECT_EQ(play.end_reason, ActionEnd::kCancelled);
  EXPECT_EQ(play.done_frames, 300);
  EXPECT_EQ(Report(batch, 1).end_reason, ActionEnd::kCompleted);
  EXPECT_EQ(Report(batch, 1).start_frame, *batch.origin_frame + 200);
}

TEST_F(EngineChangesTest, CancelActionsFadesWhatSoundsAndDropsWhatWaits) {
  const BatchAdmitted batch = Schedule(NowBatch({Play(5000), PlayInline("q", 2, 1, 100, 3000)}));
  rig_.Run(2);
  const int64_t now = rig_.next_frame();
  ASSERT_TRUE(rig_.engine()
                  .CancelActions(session_, {}, true, std::nullopt,
                                 {.frames = 50, .shape = FadeShape::kLinear})
                  .ok());
  rig_.Finish(session_);
  const int64_t begin = *batch.origin_frame;
  ExpectSent(begin, now - begin + 50, Same,
             [=](int64_t i) { return Gain(1, 0, 50, false, i - (now - begin)); });
  EXPECT_EQ(Report(batch, 1).start_frame, std::nullopt);
  EXPECT_EQ(Report(batch, 1).end_reason, ActionEnd::kCancelled);
}

TEST_F(EngineChangesTest, AStreamFadesInAndOutAndHasALongestLength) {
  PlayStreamSpec spec;
  spec.channels = 1;
  spec.ring_frames = 4096;
  spec.max_frames = 500;
  spec.fade_in = {.frames = 100, .shape = FadeShape::kLinear};
  spec.fade_out = {.frames = 50, .shape = FadeShape::kLinear};
  auto stream = rig_.engine().OpenPlay(session_, spec, [] {});
  ASSERT_TRUE(stream.ok()) << stream.status();
  ASSERT_TRUE((*stream)->Push(0, TestBytes(1, 1, 0, 1000)).ok());
  rig_.Finish(session_);
  ExpectSent(0, 500, Same, [](int64_t i) {
    return i < 100 ? Gain(0, 1, 100, false, i) : Gain(1, 0, 50, false, i - 450);
  });
  EXPECT_EQ((*stream)->FinalReport()->total_frames, 500);
  EXPECT_EQ((*stream)->FinalReport()->position_frames, std::nullopt);
}

TEST_F(EngineChangesTest, AStreamIsChangedBeforeTheMixerHasIt) {
  PlayStreamSpec spec;
  spec.channels = 1;
  spec.ring_frames = 4096;
  spec.prebuffer_frames = 100;
  auto stream = rig_.engine().OpenPlay(session_, spec, [] {});
  ASSERT_TRUE(stream.ok()) << stream.status();
  ASSERT_TRUE(
      rig_.engine().ChangeActions(session_, {(*stream)->action_id()}, false, 300, To(0.5f)).ok());
  ASSERT_TRUE((*stream)->Push(0, TestBytes(1, 1, 0, 1000)).ok());
  ASSERT_TRUE((*stream)->EndOfSound().ok());
  rig_.Finish(session_);
  ExpectSent(0, 1000, Same, [](int64_t i) { return i < 300 ? 1.0f : 0.5f; });
}

TEST_F(EngineChangesTest, ASessionsGainIsThatOfAllItsPlaysAlsoOfThoseThatJoinInAFade) {
  const BatchAdmitted first = Schedule(At(0, {PlayInline("", 1, 1, 3000, 0)}));
  const auto frame = rig_.engine().SetSessionGain(session_, To(0.25f, 1000), 500);
  ASSERT_TRUE(frame.ok()) << frame.status();
  EXPECT_EQ(*frame, 500);
  rig_.Run(12);  // next frame 768, in the middle of the fade
  ActionSpec joins = PlayInline("", 1, 1, 1000, 0);
  std::get<PlaySpec>(joins.what).channel_map = {2};
  Schedule(NowBatch({joins}));
  EXPECT_EQ(rig_.engine().GetSession(session_)->gain, 0.25f);
  rig_.Finish(session_);
  const auto gain = [](int64_t f) { return f < 500 ? 1.0f : Gain(1, 0.25f, 1000, false, f - 500); };
  ExpectSent(0, 3000, Same, gain);
  const std::vector<float> other = rig_.device().sent(1);
  for (int64_t i = 0; i < 1000; ++i) {
    const float wanted = gain(768 + i) * TestSample(1, 0, i);
    ASSERT_NEAR(other[768 + i], wanted, wanted * 2.4e-7) << i;
  }
  EXPECT_EQ(rig_.CountEvents(EventKind::kGainChanged), 1);
  EXPECT_EQ(rig_.CountEvents(EventKind::kActionChanged), 0);
  // A session of its own has its own.
  const std::string other_session = rig_.Session();
  EXPECT_EQ(rig_.engine().GetSession(other_session)->gain, 1.0f);
}

TEST_F(EngineChangesTest, ChangesOfASessionsGainDoNotPileUpOnWhatWaits) {
  const BatchAdmitted batch = Schedule(At(20000, {PlayInline("", 1, 1, 300, 0)}));
  float last = 0;
  for (int i = 0; i < 200; ++i) {
    last = static_cast<float>(i % 7) / 8;
    ASSERT_TRUE(rig_.engine().SetSessionGain(session_, To(last, 30), std::nullopt).ok()) << i;
    rig_.Run(1);
    ASSERT_EQ(rig_.engine().GetSession(session_)->gain, last);
  }
  // In mid-fade at the start.
  ASSERT_TRUE(rig_.engine().SetSessionGain(session_, To(1, 200), 19900).ok());
  rig_.Finish(session_);
  ExpectSent(20000, 300, Same, [last](int64_t i) { return Gain(last, 1, 200, false, 100 + i); });
}

TEST_F(EngineChangesTest, TheMasterGainScalesAllAndOutlivesTheStream) {
  Schedule(At(0, {PlayInline("", 1, 1, 1000, 0)}));
  const auto frame = rig_.engine().SetMasterGain(session_, To(0.5f, 100), 200);
  ASSERT_TRUE(frame.ok()) << frame.status();
  EXPECT_EQ(*frame, 200);
  EXPECT_EQ(rig_.engine().GetStream().master_gain, 0.5f);
  rig_.Finish(session_);
  ExpectSent(0, 1000, Same,
             [](int64_t i) { return i < 200 ? 1.0f : Gain(1, 0.5f, 100, false, i - 200); });
  const auto ignore = [](const absl::StatusOr<StreamStatus>& status) {
    EXPECT_TRUE(status.ok()) << status.status();
  };
  rig_.engine().CloseStream(session_, ignore);
  rig_.engine().OpenStream(session_, EngineRig::Settings(), ignore);
  rig_.engine().StartStream(session_, ignore);
  Schedule(At(0, {PlayInline("", 1, 1, 100, 0)}));
  rig_.Finish(session_);
  ExpectSent(0, 100, Same, [](int64_t) { return 0.5f; });
}

TEST_F(EngineChangesTest, WhatAnExclusiveSessionSetIsPutBack) {
  ASSERT_TRUE(rig_.engine().SetMasterGain(session_, To(0.75f), std::nullopt).ok());
  rig_.Run(4);
  SessionSpec spec;
  spec.exclusive = true;
  const std::string exclusive = rig_.Session(spec);
  rig_.Run(1);
  ASSERT_EQ(ReasonOf(rig_.engine().SetMasterGain(session_, To(1), std::nullopt).status()),
            ErrorReason::kBusy);
  ASSERT_TRUE(rig_.engine().SetMasterGain(exclusive, To(0.5f), std::nullopt).ok());
  ASSERT_TRUE(rig_.engine().SetMasterGain(exclusive, To(0), rig_.next_frame() + 640).ok());
  rig_.Run(4);
  ASSERT_TRUE(rig_.engine().EndSession(exclusive).ok());
  rig_.Run(20);
  EXPECT_EQ(rig_.engine().GetStream().master_gain, 0.75f);
  const BatchAdmitted batch = Schedule(NowBatch({PlayInline("", 1, 1, 100, 0)}));
  rig_.Finish(session_);
  ExpectSent(*batch.origin_frame, 100, Same, [](int64_t) { return 0.75f; });
}

TEST_F(EngineChangesTest, TheLastPassOfALoopIsLeftAtOnceAlsoIfItIsTheOnlyOne) {
  for (const int64_t passes : {1, 2}) {
    const BatchAdmitted batch = Schedule(NowBatch({Play(400, [passes](PlaySpec* play) {
      play->loop = {.begin_frame = 100, .end_frame = 300, .passes = passes};
    })}));
    const int64_t before = (passes - 1) * 200;
    // In the middle of its last pass: at frame 200 of the sound, then on at 300.
    ChangeOne(batch, LeaveLoopSpec{.at_once = true}, *batch.origin_frame + before + 200);
    rig_.Finish(session_);
    const std::vector<float> sent = rig_.device().sent(0);
    for (int64_t i = 100; i < 300; ++i) {
      ASSERT_EQ(sent[*batch.origin_frame + before + i], TestSample(1, 0, i < 200 ? i : i + 100))
          << passes << " passes, " << i;
    }
    EXPECT_EQ(Report(batch, 0).done_frames, before + 300);
  }
  // Before and behind the region it changes nothing.
  for (const int64_t at : {50, 350}) {
    const int64_t begin = rig_.next_frame() + 500;
    const BatchAdmitted batch =
        Schedule(At(begin, {Play(400, [](PlaySpec* play) {
                      play->loop = {.begin_frame = 100, .end_frame = 300, .passes = 1};
                    })}));
    ChangeOne(batch, LeaveLoopSpec{.at_once = true}, begin + at);
    rig_.Finish(session_);
    EXPECT_EQ(Report(batch, 0).done_frames, 400);
  }
}

TEST_F(EngineChangesTest, WhatCannotBeIsRefusedByName) {
  const auto field = [this](const std::function<void(PlaySpec*)>& shape) {
    return FieldOf(rig_.ScheduleNow(session_, At(0, {Play(100, shape)})).status());
  };
  EXPECT_EQ(field([](PlaySpec* p) { p->fade_in.frames = -1; }), "actions[0].play.fade_in.frames");
  EXPECT_EQ(field([](PlaySpec* p) { p->fade_out.frames = int64_t{1} << 53; }),
            "actions[0].play.fade_out.frames");
  EXPECT_EQ(field([](PlaySpec* p) { p->offset_frames = 101; }), "actions[0].play.offset_frames");
  EXPECT_EQ(field([](PlaySpec* p) { p->offset_frames = -1; }), "actions[0].play.offset_frames");
  EXPECT_EQ(field([](PlaySpec* p) { p->max_frames = 0; }), "actions[0].play.max_frames");
  EXPECT_EQ(field([](PlaySpec* p) { p->loop = LoopSpec{.passes = 0}; }),
            "actions[0].play.loop.passes");
  EXPECT_EQ(field([](PlaySpec* p) { p->loop = LoopSpec{.begin_frame = 100}; }),
            "actions[0].play.loop.begin_frame");
  EXPECT_EQ(field([](PlaySpec* p) { p->loop = LoopSpec{.begin_frame = -1}; }),
            "actions[0].play.loop.begin_frame");
  EXPECT_EQ(field([](PlaySpec* p) { p->loop = LoopSpec{.begin_frame = 9, .end_frame = 9}; }),
            "actions[0].play.loop.end_frame");
  EXPECT_EQ(field([](PlaySpec* p) { p->loop = LoopSpec{.end_frame = 101}; }),
            "actions[0].play.loop.end_frame");
  EXPECT_EQ(field([](PlaySpec* p) {
              p->offset_frames = 50;
              p->loop = LoopSpec{.end_frame = 50};
            }),
            "actions[0].play.loop.end_frame");
  const auto refused = [this](std::vector<ActionSpec> actions) {
    return FieldOf(rig_.ScheduleNow(session_, At(0, std::move(actions))).status());
  };
  EXPECT_EQ(refused({RecordNew("r", 5, 0), Change("r", 0, PauseSpec{})}), "actions[1].change.key");
  EXPECT_EQ(refused({Play(5), Change("x", 0, PauseSpec{})}), "actions[1].change.key");
  EXPECT_EQ(refused({Play(5), Change("p", 0, To(NAN))}), "actions[1].change.gain.gain");
  EXPECT_EQ(refused({Play(5), Change("p", 0, To(1, -1))}), "actions[1].change.gain.fade.frames");
  PlayStreamSpec stream;
  stream.channels = 1;
  stream.fade_out.frames = 10;
  EXPECT_EQ(FieldOf(rig_.engine().OpenPlay(session_, stream, [] {}).status()), "fade_out.frames");
  const BatchAdmitted record = Schedule(At(0, {RecordNew("", std::nullopt, 0)}));
  const std::string id = record.actions[0].action_id;
  const auto changed = [this](const std::vector<std::string>& ids, std::optional<int64_t> frame) {
    return FieldOf(rig_.engine().ChangeActions(session_, ids, false, frame, PauseSpec{}).status());
  };
  EXPECT_EQ(changed({id}, 5), "action_ids[0]");
  EXPECT_EQ(changed({"a-999"}, 5), "action_ids[0]");
  EXPECT_EQ(changed({}, 5), "action_ids");
  const BatchAdmitted play = Schedule(At(0, {Play(5000)}));
  const std::string playing = play.actions[0].action_id;
  EXPECT_EQ(changed({playing}, -1), "frame");
  EXPECT_EQ(changed({playing, playing}, 5), "action_ids[1]");
  EXPECT_EQ(FieldOf(rig_.engine().SetSessionGain(session_, To(INFINITY), 1).status()), "gain.gain");
  EXPECT_EQ(FieldOf(rig_.engine().SetMasterGain(session_, To(1), -1).status()), "frame");
  EXPECT_EQ(rig_.CountEvents(EventKind::kActionChanged), 0);
}

TEST_F(EngineChangesTest, ThirtyTwoChangesOfOneActionAreUnderWayAtTheMost) {
  std::vector<ActionSpec> actions = {Play(100)};
  for (int i = 0; i < 33; ++i) actions.push_back(Change("p", 10, To(1)));
  EXPECT_EQ(rig_.ScheduleNow(session_, At(5000, actions)).status().code(),
            absl::StatusCode::kResourceExhausted);
  actions.pop_back();
  const BatchAdmitted batch = Schedule(At(5000, actions));
  const std::vector<std::string> ids = {batch.actions[0].action_id};
  const auto full = rig_.engine().ChangeActions(session_, ids, false, 5050, To(1));
  EXPECT_EQ(full.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(LimitOf(full.status()), "32 of one action");
  EXPECT_EQ(FieldOf(full.status()), "action_ids[0]");
  const BatchAdmitted other = Schedule(At(6000, {Play(5)}));
  const std::vector<std::string> both = {other.actions[0].action_id, ids[0]};
  EXPECT_EQ(FieldOf(rig_.engine().ChangeActions(session_, both, false, 5050, To(1)).status()),
            "action_ids[1]");
  EXPECT_EQ(FieldOf(rig_.engine().ChangeActions(session_, {}, true, 5050, To(1)).status()), "all");
  const Fade fade = {.frames = 10};
  const auto kept = rig_.engine().CancelActions(session_, both, false, 5050, fade);
  EXPECT_EQ(FieldOf(kept.status()), "action_ids[1]");
  EXPECT_EQ(FieldOf(rig_.engine().CancelActions(session_, {}, true, 5050, fade).status()), "all");
  rig_.Run(80);
  EXPECT_TRUE(rig_.engine().ChangeActions(session_, ids, false, 5150, To(1)).ok());
  rig_.Finish(session_);
  EXPECT_EQ(rig_.CountEvents(EventKind::kActionChanged), 32);
}

TEST_F(EngineChangesTest, NothingChangesAboutWhatWasEndedWhileTheStreamStoodStill) {
  const auto ignore = [](const absl::StatusOr<StreamStatus>& status) {
    EXPECT_TRUE(status.ok()) << status.status();
  };
  const BatchAdmitted batch = Schedule(At(0, {Play(5000), Change("p", 192, To(0.25f))}));
  rig_.Run(3);
  ASSERT_EQ(rig_.next_frame(), 192);
  rig_.engine().StopStream(session_, false, ignore);
  ChangeOne(batch, PauseSpec{}, std::nullopt);
  ASSERT_TRUE(
      rig_.engine()
          .CancelActions(session_, {batch.actions[0].action_id}, false, std::nullopt, Fade())
          .ok());
  EXPECT_EQ(Report(batch, 0).state, ActionState::kEnded);
  rig_.engine().StartStream(session_, ignore);
  rig_.Run(5);
  EXPECT_EQ(rig_.CountEvents(EventKind::kActionChanged), 0);
  EXPECT_EQ(Report(batch, 1).end_reason, ActionEnd::kTargetEnded);
  EXPECT_FALSE(Report(batch, 0).paused);
  // Since it started anew.
  EXPECT_THAT(rig_.device().sent(0), testing::Each(0.0f));
}

// With room for more plays than a block takes up changes.
class EngineManyChangesTest : public EngineChangesTest {
 protected:
  // Taken up in four blocks.
  static constexpr int kPlays = 900;

  EngineManyChangesTest() : EngineChangesTest(WithRoom()) {}
  static EngineRig::Options WithRoom() {
    EngineRig::Options options = EngineRig::DefaultOptions();
    options.limits.max_actions = 5 * kPlays;
    options.limits.max_actions_per_session = kPlays;
    options.limits.max_batch_actions = kPlays;
    return options;
  }
};

TEST_F(EngineManyChangesTest, AGainThatComesLaterThanAskedForSaysSo) {
  std::vector<ActionSpec> plays;
  for (int i = 0; i < kPlays; ++i) {
    plays.push_back(PlayInline("", 1, 1, 2000, 0));
    std::get<PlaySpec>(plays.back().what).gain = 1.0f / 1024;
  }
  Schedule(At(0, std::move(plays)));
  rig_.Run(4);
  const int64_t next = rig_.next_frame();
  const auto session_frame = rig_.engine().SetSessionGain(session_, To(0.5f), next + 10);
  ASSERT_TRUE(session_frame.ok()) << session_frame.status();
  EXPECT_EQ(*session_frame, next + 10);
  const auto master_frame = rig_.engine().SetMasterGain(session_, To(0.25f), next + 20);
  ASSERT_TRUE(master_frame.ok()) << master_frame.status();
  EXPECT_EQ(*master_frame, next + 20);
  rig_.Run(8);
  std::vector<LogEntry> told = rig_.Events(EventKind::kGainChanged);
  ASSERT_EQ(told.size(), 4u);
  EXPECT_EQ(told[0].frame, next + 10);
  EXPECT_EQ(told[0].frames, 0);
  EXPECT_EQ(told[1].frame, next + 20);
  const int64_t kept = next + 3 * EngineRig::kBlockFrames;
  EXPECT_EQ(told[2].session_id, told[0].session_id);
  EXPECT_EQ(told[2].frame, kept);
  EXPECT_EQ(told[2].frames, kept - (next + 10));
  EXPECT_EQ(told[2].text, "session gain to 0.5, 182 frames late");
  EXPECT_EQ(told[3].session_id, "");
  EXPECT_EQ(told[3].frame, kept);
  EXPECT_EQ(told[3].frames, kept - (next + 20));
  const auto gain = [&](int64_t frame) {
    const int64_t block = (frame - next) / EngineRig::kBlockFrames;
    const int64_t changed = frame < next + 10 ? 0 : std::min<int64_t>(kPlays, 256 * (block + 1));
    const float plays_gain = (kPlays - 0.5f * static_cast<float>(changed)) / 1024;
    return frame < kept ? plays_gain : 0.25f * plays_gain;
  };
  const std::vector<float> sent = rig_.device().sent(0);
  for (int64_t f = next; f < next + 8 * EngineRig::kBlockFrames; ++f) {
    const float wanted = gain(f) * TestSample(1, 0, f);
    ASSERT_NEAR(sent[f], wanted, std::abs(wanted) * 1e-5) << f;
  }
}

TEST_F(EngineManyChangesTest, AGainWithoutAFrameIsKeptAlsoBehindManyOthers) {
  std::vector<ActionSpec> plays;
  for (int i = 0; i < kPlays; ++i) plays.push_back(PlayInline("", 1, 1, 2000, 0));
  Schedule(At(0, std::move(plays)));
  rig_.Run(4);
  ASSERT_TRUE(rig_.engine().SetSessionGain(session_, To(0.5f), std::nullopt).ok());
  ASSERT_TRUE(rig_.engine().SetMasterGain(session_, To(0.25f), std::nullopt).ok());
  rig_.Run(12);
  EXPECT_EQ(rig_.CountEvents(EventKind::kGainChanged), 2);
}

// Of one call, what starts at a frame and what starts at an offset from a block that is yet to come
// are batches of their own in the mixer.
TEST_F(EngineChangesTest, ACallOfWhichOnlyAPartHasRoomIsRefusedWhole) {
  for (int i = 0; i < 16; ++i) {
    ASSERT_TRUE(rig_.engine().SetSessionGain(session_, To(0.5f), 50000 + i).ok());
  }
  // Each play with 16 changes of its session's gain, where the mixer has room for 3024 in all.
  std::vector<ActionSpec> plays;
  for (int i = 0; i < 190; ++i) {
    plays.push_back(PlayInline("", 1, 1, 100, 0));
    if (i < 170) plays.back().start = {.kind = StartSpec::Kind::kFrame, .frames = 1000};
  }
  const auto refused = rig_.Schedule(session_, NowBatch(plays));
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kResourceExhausted) << refused.status();
  plays.pop_back();
  plays.erase(plays.begin(), plays.begin() + 168);
  ASSERT_EQ(plays.size(), 21u);
  const BatchAdmitted batch = Schedule(NowBatch(plays));
  rig_.Run(30);
  EXPECT_EQ(Report(batch, 0).start_frame, 1000);
  // Two from a frame; of what was refused nothing.
  EXPECT_EQ(rig_.device().sent(0)[1010], TestSample(1, 0, 10) + TestSample(1, 0, 10));
}

TEST_F(EngineChangesTest, AStreamThatIsClosedTakesItsChangesWithIt) {
  const BatchAdmitted batch = Schedule(
      NowBatch({Play(5000), Change("p", 4000, PauseSpec{}), Change("p", 4100, ResumeSpec{})}));
  ASSERT_TRUE(rig_.engine().SetSessionGain(session_, To(0.5f), 4000).ok());
  ASSERT_TRUE(rig_.engine().SetMasterGain(session_, To(0.5f), 4000).ok());
  rig_.Run(3);
  rig_.engine().CloseStream(session_, [](const absl::StatusOr<StreamStatus>& status) {
    EXPECT_TRUE(status.ok()) << status.status();
  });
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(Report(batch, i).end_reason, ActionEnd::kStreamClosed) << i;
  }
  EXPECT_EQ(rig_.engine().GetSession(session_)->gain, 0.5f);
}

}  // namespace
}  // namespace rtmixd
