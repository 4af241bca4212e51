#include "server/mixer/voice.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <vector>

#include "server/mixer/mix_bus.h"
#include "tests/mixer/planar_sound.h"
#include "tests/support/as_audio_thread.h"

namespace rtmixd {
namespace {

using Samples = std::vector<float>;

// Ten frames of one channel: 1, 2, ... 10.
const PlanarSound& Ten() {
  static const PlanarSound* const sound =
      new PlanarSound(1, 10, [](int, int64_t f) { return static_cast<float>(f + 1); });
  return *sound;
}

Voice::Spec TenSpec() {
  Voice::Spec spec;
  spec.channel_map = {0};
  spec.view = Ten().view();
  return spec;
}

// Ten frames of 1.
Voice::Spec OnesSpec() {
  static const PlanarSound* const sound = new PlanarSound(1, 10, [](int, int64_t) { return 1.0f; });
  Voice::Spec spec;
  spec.channel_map = {0};
  spec.view = sound->view();
  return spec;
}

// One voice on a bus of four channels, in blocks of eight frames unless told otherwise.
class Stage {
 public:
  explicit Stage(const Voice::Spec& spec) : voice(spec), bus_(4, 64, BestMixKernel()) {}

  // What output channel `channel` gets in the block at `first_frame`.
  Samples Play(int64_t first_frame, int frames = 8, int channel = 0) {
    AS_AUDIO_THREAD(bus_.BeginRt(first_frame, frames));
    // As the mixer does.
    const WholeSpan lasting = voice.SpanRt();
    WholeSpan span = {};
    goes_on = AS_AUDIO_THREAD(voice.RenderSpanRt(first_frame, frames, &bus_, &span));
    way = !goes_on ? Way::kPieces : span.origin == lasting.origin ? Way::kWhole : Way::kJoined;
    if (goes_on) {
      AS_AUDIO_THREAD(bus_.AddWholeRt(&span, 1, voice.route(), span.gains_line != 0));
    } else {
      goes_on = AS_AUDIO_THREAD(voice.RenderRt(first_frame, frames, &bus_, &done_));
    }
    if (voice.from_feed()) AS_AUDIO_THREAD(voice.CommitRt());
    return {bus_.planar()[channel], bus_.planar()[channel] + frames};
  }

  bool Start(int64_t requested_frame, int64_t block_first_frame) {
    return AS_AUDIO_THREAD(voice.StartRt(requested_frame - voice.offset_frames(), requested_frame,
                                         block_first_frame, &done_));
  }
  void Interrupt(int64_t frame) { AS_AUDIO_THREAD(voice.InterruptRt(frame, &bus_)); }
  // As Mixer::Cancel and Mixer::Change, but that whoever calls interrupts it.
  void Cut(int64_t frame) {
    voice.MakeExtras();
    AS_AUDIO_THREAD(voice.CutRt(frame));
  }
  void Change(VoiceChange* change) {
    voice.MakeExtras();
    AS_AUDIO_THREAD(voice.ChangeRt(change));
  }

  const CommonFades& fades() { return bus_.fades(); }

  Voice voice;
  bool goes_on = true;
  enum class Way { kWhole, kJoined, kPieces };
  Way way = Way::kPieces;  // of the last block

 private:
  MixBus bus_;
  VoiceChangeList done_;
};

// A stage whose voice plays a feed of one channel.
class FeedStage {
 public:
  explicit FeedStage(UnderrunPolicy policy, int64_t prebuffer_frames = 0,
                     LatePolicy late_policy = LatePolicy::kPlay)
      : feed(1, 64, prebuffer_frames), stage_(MakeSpec(policy, late_policy)) {}

  // Writes the next `frames` of 1, 2, 3 ...
  void Write(int frames) {
    Samples samples;
    for (int i = 0; i < frames; ++i) {
      samples.push_back(static_cast<float>(feed.write_position() + i + 1));
    }
    const float* const planar = samples.data();
    ASSERT_EQ(feed.Write(&planar, frames), frames);
  }
  Samples Play(int64_t first_frame, int frames = 8) { return stage_.Play(first_frame, frames); }
  bool Start(int64_t requested_frame, int64_t block_first_frame) {
    return stage_.Start(requested_frame, block_first_frame);
  }
  void Cut(int64_t frame) { stage_.Cut(frame); }
  Voice& voice() { return stage_.voice; }
  bool goes_on() const { return stage_.goes_on; }

  PlayFeed feed;

 private:
  Voice::Spec MakeSpec(UnderrunPolicy policy, LatePolicy late_policy) {
    Voice::Spec spec;
    spec.channel_map = {0};
    spec.feed = &feed;
    spec.underrun_policy = policy;
    spec.late_policy = late_policy;
    return spec;
  }
  Stage stage_;
};

void ExpectOutcome(const Voice& voice, EndReason reason, int64_t end_frame, int64_t done_frames) {
  EXPECT_EQ(voice.state(), Voice::State::kEnded);
  EXPECT_EQ(voice.end_reason(), reason);
  EXPECT_EQ(voice.end_frame(), end_frame);
  EXPECT_EQ(voice.done_frames(), done_frames);
}

TEST(VoiceTest, IsPendingAtFirst) {
  const Voice voice(TenSpec());
  EXPECT_EQ(voice.state(), Voice::State::kPending);
  EXPECT_EQ(voice.start_frame(), -1);
  EXPECT_EQ(voice.done_frames(), 0);
  EXPECT_EQ(voice.end_reason(), EndReason::kNone);
}

TEST(VoiceTest, APlainSoundTakesNoMemoryButItsOwn) {
  EXPECT_EQ(sizeof(Voice), 256U);
  const PlanarSound sound(8, 10, [](int, int64_t) { return 1.0f; });
  Voice::Spec spec;
  spec.gain = 0.5f;
  spec.channel_map = {0, 1, 2, 3, 4, 5, 6, 7};
  spec.view = sound.view();
  spec.fade_in = {.frames = 4};
  spec.loop = {.begin_frame = 2, .end_frame = 5, .passes = 0};
  std::optional<Voice> voice;
  AS_AUDIO_THREAD(voice.emplace(spec));  // whose guard sees every allocation
  EXPECT_TRUE(voice->Check(8).ok());
}

TEST(VoiceTest, StartsWithinTheBlockAndEndsWithinTheNext) {
  Stage stage(TenSpec());
  ASSERT_TRUE(stage.Start(103, 100));
  EXPECT_EQ(stage.voice.start_frame(), 103);
  EXPECT_EQ(stage.voice.state(), Voice::State::kPlaying);
  EXPECT_EQ(stage.Play(100), (Samples{0, 0, 0, 1, 2, 3, 4, 5}));
  EXPECT_EQ(stage.voice.done_frames(), 5);
  EXPECT_TRUE(stage.goes_on);
  EXPECT_EQ(stage.Play(108), (Samples{6, 7, 8, 9, 10, 0, 0, 0}));
  EXPECT_FALSE(stage.goes_on);
  ExpectOutcome(stage.voice, EndReason::kCompleted, 113, 10);
  EXPECT_EQ(stage.voice.late_frames(), 0);
}

TEST(VoiceTest, EndsInTheBlockOfItsLastFrame) {
  Stage stage(TenSpec());
  ASSERT_TRUE(stage.Start(0, 0));
  stage.Play(0, 10);
  EXPECT_FALSE(stage.goes_on);
  ExpectOutcome(stage.voice, EndReason::kCompleted, 10, 10);
}

TEST(VoiceTest, ZeroLengthStartsAndEndsOnItsFrame) {
  Voice::Spec spec = TenSpec();
  spec.view_offset_frames = 10;
  Stage stage(spec);
  ASSERT_TRUE(stage.Start(3, 0));
  EXPECT_EQ(stage.Play(0), Samples(8, 0.0f));
  EXPECT_FALSE(stage.goes_on);
  EXPECT_EQ(stage.voice.start_frame(), 3);
  ExpectOutcome(stage.voice, EndReason::kCompleted, 3, 0);
}

TEST(VoiceTest, LatePlaysFromItsFirstSample) {
  Stage stage(TenSpec());
  ASSERT_TRUE(stage.Start(96, 100));
  EXPECT_EQ(stage.voice.start_frame(), 100);
  EXPECT_EQ(stage.voice.late_frames(), 4);
  EXPECT_EQ(stage.Play(100), (Samples{1, 2, 3, 4, 5, 6, 7, 8}));
  EXPECT_EQ(stage.voice.trimmed_frames(), 0);
}

TEST(VoiceTest, LateAndSkippedNeverStarts) {
  Voice::Spec spec = TenSpec();
  spec.late_policy = LatePolicy::kSkip;
  Stage stage(spec);
  EXPECT_FALSE(stage.Start(99, 100));
  ExpectOutcome(stage.voice, EndReason::kSkipped, 99, 0);
  EXPECT_EQ(stage.voice.start_frame(), -1);
  EXPECT_EQ(stage.voice.late_frames(), 1);
}

TEST(VoiceTest, SkipPolicyPlaysWhatIsInTime) {
  Voice::Spec spec = TenSpec();
  spec.late_policy = LatePolicy::kSkip;
  Stage stage(spec);
  EXPECT_TRUE(stage.Start(100, 100));
}

TEST(VoiceTest, LateAndTrimmedSitsWhereItBelongs) {
  Voice::Spec spec = TenSpec();
  spec.late_policy = LatePolicy::kTrim;
  Stage stage(spec);
  ASSERT_TRUE(stage.Start(96, 100));
  EXPECT_EQ(stage.Play(100), (Samples{5, 6, 7, 8, 9, 10, 0, 0}));
  ExpectOutcome(stage.voice, EndReason::kCompleted, 106, 6);
  EXPECT_EQ(stage.voice.trimmed_frames(), 4);
  EXPECT_EQ(stage.voice.late_frames(), 4);
}

TEST(VoiceTest, TrimmedPastItsLengthEndsWithNothing) {
  Voice::Spec spec = TenSpec();
  spec.late_policy = LatePolicy::kTrim;
  Stage stage(spec);
  ASSERT_TRUE(stage.Start(50, 100));
  EXPECT_EQ(stage.Play(100), Samples(8, 0.0f));
  ExpectOutcome(stage.voice, EndReason::kCompleted, 100, 0);
  EXPECT_EQ(stage.voice.trimmed_frames(), 10);
}

TEST(VoiceTest, CutEndsItBeforeTheFrame) {
  Stage stage(TenSpec());
  ASSERT_TRUE(stage.Start(0, 0));
  stage.Cut(5);
  stage.Cut(7);  // the earliest holds
  EXPECT_EQ(stage.Play(0), (Samples{1, 2, 3, 4, 5, 0, 0, 0}));
  EXPECT_FALSE(stage.goes_on);
  ExpectOutcome(stage.voice, EndReason::kCancelled, 5, 5);
}

TEST(VoiceTest, CutAtItsOwnEndIsTooLate) {
  Stage stage(TenSpec());
  ASSERT_TRUE(stage.Start(0, 0));
  stage.Cut(10);
  stage.Play(0, 16);
  ExpectOutcome(stage.voice, EndReason::kCompleted, 10, 10);
}

TEST(VoiceTest, CutAtTheFirstFrameOfABlockLeavesNothingInIt) {
  Stage stage(TenSpec());
  ASSERT_TRUE(stage.Start(0, 0));
  stage.Play(0, 4);
  stage.Interrupt(4);
  stage.Cut(4);
  EXPECT_EQ(stage.Play(4), Samples(8, 0.0f));
  ExpectOutcome(stage.voice, EndReason::kCancelled, 4, 4);
}

TEST(VoiceTest, CutAtItsStartKeepsItFromStarting) {
  Stage stage(TenSpec());
  stage.Cut(103);
  EXPECT_FALSE(stage.Start(103, 100));
  ExpectOutcome(stage.voice, EndReason::kCancelled, 103, 0);
  EXPECT_EQ(stage.voice.start_frame(), -1);
}

TEST(VoiceTest, CrossesSegmentsOnEveryChannel) {
  const PlanarSound sound(2, AudioView::kSegmentFrames + 5, [](int c, int64_t f) {
    return static_cast<float>(f - AudioView::kSegmentFrames) + (c == 0 ? 0.0f : 0.5f);
  });
  Voice::Spec spec;
  spec.channel_map = {2, 1};
  spec.view = sound.view();
  spec.view_offset_frames = AudioView::kSegmentFrames - 3;
  Stage first(spec);
  ASSERT_TRUE(first.Start(0, 0));
  EXPECT_EQ(first.Play(0, 8, 2), (Samples{-3, -2, -1, 0, 1, 2, 3, 4}));
  Stage second(spec);
  ASSERT_TRUE(second.Start(0, 0));
  EXPECT_EQ(second.Play(0, 8, 1), (Samples{-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 3.5, 4.5}));
  ExpectOutcome(second.voice, EndReason::kCompleted, 8, 8);
}

TEST(VoiceTest, ShortSoundMayLieInLessThanASegment) {
  // Two channels of six frames, padded to eight.
  const Samples samples = {1, 2, 3, 4, 5, 6, 0, 0, 11, 12, 13, 14, 15, 16, 0, 0};
  const float* const segment = samples.data();
  Voice::Spec spec;
  spec.channel_map = {2, 1};
  spec.view = {&segment, 2, 6, 8};
  Stage first(spec);
  ASSERT_TRUE(first.Start(0, 0));
  EXPECT_EQ(first.Play(0, 8, 2), (Samples{1, 2, 3, 4, 5, 6, 0, 0}));
  Stage second(spec);
  ASSERT_TRUE(second.Start(0, 0));
  EXPECT_EQ(second.Play(0, 8, 1), (Samples{11, 12, 13, 14, 15, 16, 0, 0}));
  ExpectOutcome(second.voice, EndReason::kCompleted, 6, 6);
}

TEST(VoiceTest, TwoSourceChannelsOnOneOutputAdd) {
  const PlanarSound sound(2, 4,
                          [](int c, int64_t f) { return c == 0 ? static_cast<float>(f) : 100.0f; });
  Voice::Spec spec;
  spec.channel_map = {3, 3};
  spec.gain = 0.5f;
  spec.view = sound.view();
  Stage stage(spec);
  ASSERT_TRUE(stage.Start(0, 0));
  EXPECT_EQ(stage.Play(0, 4, 3), (Samples{50, 50.5, 51, 51.5}));
}

TEST(VoiceTest, SkipDropsTheNextFrames) {
  Stage stage(TenSpec());
  AS_AUDIO_THREAD(stage.voice.SkipRt(5));  // not sounding: nothing happens
  ASSERT_TRUE(stage.Start(0, 0));
  EXPECT_EQ(stage.Play(0, 2), (Samples{1, 2}));
  stage.Interrupt(2);
  AS_AUDIO_THREAD(stage.voice.SkipRt(3));
  EXPECT_EQ(stage.Play(2, 2), (Samples{6, 7}));
  EXPECT_EQ(stage.voice.trimmed_frames(), 3);
  stage.Interrupt(4);
  AS_AUDIO_THREAD(stage.voice.SkipRt(100));
  EXPECT_EQ(stage.Play(4, 2), (Samples{0, 0}));
  ExpectOutcome(stage.voice, EndReason::kCompleted, 4, 4);
  EXPECT_EQ(stage.voice.trimmed_frames(), 6);
}

TEST(VoiceTest, FadesInFromItsStart) {
  Voice::Spec spec = OnesSpec();
  spec.fade_in = {.frames = 4};
  Stage stage(spec);
  ASSERT_TRUE(stage.Start(2, 0));
  EXPECT_EQ(stage.Play(0), (Samples{0, 0, 0, 0.25, 0.5, 0.75, 1, 1}));
}

TEST(VoiceTest, FadesOutToItsEnd) {
  Voice::Spec spec = OnesSpec();  // ten frames
  spec.fade_out = {.frames = 4};
  Stage stage(spec);
  ASSERT_TRUE(stage.Start(0, 0));
  EXPECT_EQ(stage.Play(0), (Samples{1, 1, 1, 1, 1, 1, 1, 0.75}));
  EXPECT_EQ(stage.Play(8), (Samples{0.5, 0.25, 0, 0, 0, 0, 0, 0}));
  ExpectOutcome(stage.voice, EndReason::kCompleted, 10, 10);
}

TEST(VoiceTest, TrimDropsAsMuchOfTheFade) {
  Voice::Spec spec = OnesSpec();
  spec.fade_in = {.frames = 8};
  spec.late_policy = LatePolicy::kTrim;
  Stage stage(spec);
  ASSERT_TRUE(stage.Start(96, 100));
  EXPECT_EQ(stage.Play(100, 4), (Samples{0.5, 0.625, 0.75, 0.875}));
}

TEST(VoiceTest, LoopsARegionAndGoesOn) {
  Voice::Spec spec = TenSpec();
  spec.loop = {.begin_frame = 2, .end_frame = 5, .passes = 3};
  Stage stage(spec);
  ASSERT_TRUE(stage.Start(0, 0));
  EXPECT_EQ(stage.Play(0), (Samples{1, 2, 3, 4, 5, 3, 4, 5}));
  EXPECT_EQ(stage.Play(8), (Samples{3, 4, 5, 6, 7, 8, 9, 10}));
  ExpectOutcome(stage.voice, EndReason::kCompleted, 16, 16);
}

TEST(VoiceTest, EndlessLoopIsLeftAtItsEndOrAtOnce) {
  for (const bool at_once : {false, true}) {
    Voice::Spec spec = TenSpec();
    spec.loop = {.begin_frame = 0, .end_frame = 4, .passes = 0};
    Stage stage(spec);
    ASSERT_TRUE(stage.Start(0, 0));
    EXPECT_EQ(stage.Play(0), (Samples{1, 2, 3, 4, 1, 2, 3, 4}));
    VoiceChange leave = {.kind = VoiceChange::Kind::kLeaveLoop, .at_once = at_once, .frame = 9};
    stage.Interrupt(8);
    stage.Change(&leave);
    EXPECT_EQ(stage.Play(8),
              at_once ? (Samples{1, 5, 6, 7, 8, 9, 10, 0}) : (Samples{1, 2, 3, 4, 5, 6, 7, 8}));
    EXPECT_EQ(leave.applied_frame, 9);
  }
}

TEST(VoiceTest, MaxFramesEndsIt) {
  Voice::Spec spec = TenSpec();
  spec.max_frames = 3;
  Stage stage(spec);
  ASSERT_TRUE(stage.Start(0, 0));
  EXPECT_EQ(stage.Play(0), (Samples{1, 2, 3, 0, 0, 0, 0, 0}));
  ExpectOutcome(stage.voice, EndReason::kCompleted, 3, 3);
}

TEST(VoiceTest, PauseHoldsPositionAndFade) {
  Voice::Spec spec = OnesSpec();
  spec.fade_in = {.frames = 8};
  Stage stage(spec);
  VoiceChange pause = {.kind = VoiceChange::Kind::kPause, .frame = 2};
  VoiceChange resume = {.kind = VoiceChange::Kind::kResume, .frame = 5};
  stage.Change(&resume);
  stage.Change(&pause);
  ASSERT_TRUE(stage.Start(0, 0));
  EXPECT_EQ(stage.Play(0), (Samples{0, 0.125, 0, 0, 0, 0.25, 0.375, 0.5}));
  EXPECT_EQ(stage.voice.done_frames(), 5);
}

TEST(VoiceTest, GainChangesFadeFromWhereTheyAre) {
  Stage stage(OnesSpec());
  VoiceChange down = {.gain = 0, .fade = {.frames = 4}, .frame = 0};
  VoiceChange up = {.gain = 1, .fade = {.frames = 2}, .frame = 3};
  ASSERT_TRUE(stage.Start(0, 0));
  stage.Change(&down);
  stage.Change(&up);
  EXPECT_EQ(stage.Play(0), (Samples{1, 0.75, 0.5, 0.25, 0.625, 1, 1, 1}));
}

TEST(VoiceTest, FadeThatComesWithTheStartBeginsThere) {
  VoiceChange down = {.gain = 0, .fade = {.frames = 4}, .frame = 0};
  Voice::Spec spec = OnesSpec();
  spec.changes = {&down};
  Stage stage(spec);
  ASSERT_TRUE(stage.Start(2, 0));
  EXPECT_EQ(stage.Play(0), (Samples{0, 0, 1, 0.75f, 0.5f, 0.25f, 0, 0}));
  EXPECT_EQ(down.applied_frame, 2);
}

TEST(VoiceTest, FadeThatComesWithTheStartOfALateOneBeginsWithIt) {
  VoiceChange down = {.gain = 0, .fade = {.frames = 4}, .frame = 0};
  Voice::Spec spec = OnesSpec();
  spec.changes = {&down};
  Stage stage(spec);
  ASSERT_TRUE(stage.Start(5, 8));
  EXPECT_EQ(stage.Play(8), (Samples{1, 0.75f, 0.5f, 0.25f, 0, 0, 0, 0}));
}

TEST(VoiceTest, GainThatChangesBeforeTheStartIsTheOneItStartsWith) {
  VoiceChange down = {.gain = 0.5f, .fade = {.frames = 4}, .frame = -1};
  Voice::Spec spec = OnesSpec();
  spec.fade_in = {.frames = 2};
  spec.changes = {&down};
  Stage stage(spec);
  ASSERT_TRUE(stage.Start(4, 0));
  EXPECT_EQ(stage.Play(0), (Samples{0, 0, 0, 0, 0, 0.25f, 0.5f, 0.5f}));
}

TEST(VoiceTest, StopFadesAndEnds) {
  Stage stage(OnesSpec());
  VoiceChange stop = {.kind = VoiceChange::Kind::kStop, .fade = {.frames = 4}, .frame = 2};
  ASSERT_TRUE(stage.Start(0, 0));
  stage.Change(&stop);
  EXPECT_EQ(stage.Play(0), (Samples{1, 1, 1, 0.75, 0.5, 0.25, 0, 0}));
  ExpectOutcome(stage.voice, EndReason::kCancelled, 6, 6);
}

TEST(VoiceTest, SessionGainMultipliesAndPassesWithTheStream) {
  Voice::Spec spec = OnesSpec();
  spec.gain = 0.5f;
  Stage stage(spec);
  VoiceChange session = {
      .kind = VoiceChange::Kind::kSessionGain, .gain = 0, .fade = {.frames = 8}, .frame = 0};
  VoiceChange pause = {.kind = VoiceChange::Kind::kPause, .frame = 2};
  VoiceChange resume = {.kind = VoiceChange::Kind::kResume, .frame = 4};
  ASSERT_TRUE(stage.Start(0, 0));
  for (VoiceChange* const change : {&session, &pause, &resume}) stage.Change(change);
  EXPECT_EQ(stage.Play(0), (Samples{0.5, 0.4375, 0, 0, 0.25, 0.1875, 0.125, 0.0625}));
}

TEST(VoiceFeedTest, PlaysAndEndsWhereTheEndIsSet) {
  FeedStage stage(UnderrunPolicy::kSilence);
  stage.Write(10);
  ASSERT_TRUE(stage.Start(2, 0));
  EXPECT_EQ(stage.Play(0), (Samples{0, 0, 1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(stage.feed.read_position(), 6);
  stage.feed.SetEnd();
  EXPECT_EQ(stage.Play(8), (Samples{7, 8, 9, 10, 0, 0, 0, 0}));
  ExpectOutcome(stage.voice(), EndReason::kCompleted, 12, 10);
  EXPECT_EQ(stage.voice().gap_count(), 0);
}

TEST(VoiceFeedTest, EndSetAndEmptyEndsAtOnce) {
  FeedStage stage(UnderrunPolicy::kSilence);
  stage.feed.SetEnd();
  ASSERT_TRUE(stage.Start(3, 0));
  stage.Play(0);
  ExpectOutcome(stage.voice(), EndReason::kCompleted, 3, 0);
}

TEST(VoiceFeedTest, EndAtTheLastFrameOfTheBlockEndsInIt) {
  FeedStage stage(UnderrunPolicy::kSilence);
  stage.Write(8);
  stage.feed.SetEnd();
  ASSERT_TRUE(stage.Start(0, 0));
  stage.Play(0);
  ExpectOutcome(stage.voice(), EndReason::kCompleted, 8, 8);
}

TEST(VoiceFeedTest, UnderrunWithPolicyEndEnds) {
  FeedStage stage(UnderrunPolicy::kEnd);
  stage.Write(3);
  ASSERT_TRUE(stage.Start(0, 0));
  EXPECT_EQ(stage.Play(0), (Samples{1, 2, 3, 0, 0, 0, 0, 0}));
  ExpectOutcome(stage.voice(), EndReason::kUnderrun, 3, 3);
}

TEST(VoiceFeedTest, NoUnderrunBeforeAFrameIsMissing) {
  FeedStage stage(UnderrunPolicy::kEnd);
  stage.Write(8);
  ASSERT_TRUE(stage.Start(0, 0));
  stage.Play(0);
  EXPECT_TRUE(stage.goes_on());
  stage.Play(8);
  ExpectOutcome(stage.voice(), EndReason::kUnderrun, 8, 8);
}

TEST(VoiceFeedTest, UnderrunWithPolicySilenceDelaysTheRest) {
  FeedStage stage(UnderrunPolicy::kSilence);
  stage.Write(3);
  ASSERT_TRUE(stage.Start(0, 0));
  EXPECT_EQ(stage.Play(0), (Samples{1, 2, 3, 0, 0, 0, 0, 0}));
  stage.Write(4);
  EXPECT_EQ(stage.Play(8), (Samples{4, 5, 6, 7, 0, 0, 0, 0}));
  EXPECT_EQ(stage.voice().gap_count(), 2);
  EXPECT_EQ(stage.voice().gap_total_frames(), 9);
  EXPECT_EQ(stage.voice().gaps()[0].first_frame, 3);
  EXPECT_EQ(stage.voice().gaps()[0].frames, 5);
  EXPECT_EQ(stage.voice().gaps()[1].first_frame, 12);
  EXPECT_EQ(stage.voice().gaps()[1].frames, 4);
  EXPECT_EQ(stage.voice().done_frames(), 7);
}

TEST(VoiceFeedTest, UnderrunWithPolicyKeepTimelineDropsWhatCameTooLate) {
  FeedStage stage(UnderrunPolicy::kKeepTimeline);
  stage.Write(3);
  ASSERT_TRUE(stage.Start(0, 0));
  stage.Play(0);
  stage.Write(9);  // 4 to 12; sample n belongs to frame n - 1
  EXPECT_EQ(stage.Play(8), (Samples{9, 10, 11, 12, 0, 0, 0, 0}));
  EXPECT_EQ(stage.voice().gap_total_frames(), 9);
  EXPECT_EQ(stage.voice().done_frames(), 7);
  EXPECT_EQ(stage.voice().trimmed_frames(), 0);
}

TEST(VoiceFeedTest, AGapOverSeveralBlocksIsOne) {
  FeedStage stage(UnderrunPolicy::kSilence);
  ASSERT_TRUE(stage.Start(4, 0));
  for (int b = 0; b < 3; ++b) stage.Play(8 * b);
  EXPECT_EQ(stage.voice().gap_count(), 1);
  EXPECT_EQ(stage.voice().gaps()[0].first_frame, 4);
  EXPECT_EQ(stage.voice().gaps()[0].frames, 20);
}

TEST(VoiceFeedTest, GapsBeyondTheSlotsAreCountedInTheLast) {
  FeedStage stage(UnderrunPolicy::kSilence);
  ASSERT_TRUE(stage.Start(0, 0));
  for (int b = 0; b < 12; ++b) {
    stage.Write(5);
    stage.Play(8 * b);  // three frames are missing in each block
  }
  EXPECT_EQ(stage.voice().gap_count(), 12);
  EXPECT_EQ(stage.voice().gap_total_frames(), 36);
  EXPECT_EQ(stage.voice().gaps()[6].frames, 3);
  EXPECT_EQ(stage.voice().gaps()[7].first_frame, 8 * 7 + 5);
  EXPECT_EQ(stage.voice().gaps()[7].frames, 5 * 3);
}

TEST(VoiceFeedTest, RunningDryAtTheIdleMarkIsNoUnderrun) {
  FeedStage stage(UnderrunPolicy::kEnd);
  stage.Write(3);
  stage.feed.SetIdle();
  ASSERT_TRUE(stage.Start(0, 0));
  EXPECT_EQ(stage.Play(0), (Samples{1, 2, 3, 0, 0, 0, 0, 0}));
  EXPECT_TRUE(stage.goes_on());
  EXPECT_EQ(stage.Play(8), Samples(8, 0.0f));
  EXPECT_TRUE(stage.goes_on());
  EXPECT_EQ(stage.voice().gap_count(), 0);
}

TEST(VoiceFeedTest, DryInDoubtAndThenTheEndIsNoUnderrun) {
  FeedStage stage(UnderrunPolicy::kEnd);
  stage.Write(3);
  stage.feed.SetDoubt();
  ASSERT_TRUE(stage.Start(0, 0));
  EXPECT_EQ(stage.Play(0), (Samples{1, 2, 3, 0, 0, 0, 0, 0}));
  EXPECT_EQ(stage.Play(8), Samples(8, 0.0f));
  EXPECT_TRUE(stage.goes_on());
  stage.feed.SetEnd();
  stage.Play(16);
  ExpectOutcome(stage.voice(), EndReason::kCompleted, 3, 3);
  EXPECT_EQ(stage.voice().gap_count(), 0);
}

TEST(VoiceFeedTest, DryInDoubtAndThenBrokenOffIsAnUnderrunFromItsFirstFrameOn) {
  FeedStage stage(UnderrunPolicy::kKeepTimeline);
  stage.Write(3);
  stage.feed.SetDoubt();
  ASSERT_TRUE(stage.Start(0, 0));
  stage.Play(0);
  stage.Play(8);
  EXPECT_EQ(stage.voice().gap_count(), 0);
  stage.feed.ClearDoubt();
  stage.Write(21);  // 4 to 24; sample n belongs to frame n - 1
  EXPECT_EQ(stage.Play(16), (Samples{17, 18, 19, 20, 21, 22, 23, 24}));
  EXPECT_EQ(stage.voice().gap_count(), 1);
  EXPECT_EQ(stage.voice().gaps()[0].first_frame, 3);
  EXPECT_EQ(stage.voice().gaps()[0].frames, 13);
}

TEST(VoiceFeedTest, BrokenOffAndEndedBetweenTwoBlocksStillHasItsGap) {
  FeedStage stage(UnderrunPolicy::kKeepTimeline);
  stage.Write(3);
  stage.feed.SetDoubt();
  ASSERT_TRUE(stage.Start(0, 0));
  stage.Play(0);
  stage.feed.ClearDoubt();
  stage.Write(9);  // 4 to 12
  stage.feed.SetEnd();
  EXPECT_EQ(stage.Play(8), (Samples{9, 10, 11, 12, 0, 0, 0, 0}));
  ExpectOutcome(stage.voice(), EndReason::kCompleted, 12, 7);
  EXPECT_EQ(stage.voice().gap_total_frames(), 5);
}

TEST(VoiceFeedTest, DryInDoubtWithPolicyEndEndsWhereItRanDryOnceItHasBrokenOff) {
  FeedStage stage(UnderrunPolicy::kEnd);
  stage.Write(3);
  stage.feed.SetDoubt();
  ASSERT_TRUE(stage.Start(0, 0));
  stage.Play(0);
  stage.feed.ClearDoubt();
  stage.Play(8);
  ExpectOutcome(stage.voice(), EndReason::kUnderrun, 3, 3);
}

TEST(VoiceFeedTest, AfterIdlingSoundWaitsForThePrebuffer) {
  FeedStage stage(UnderrunPolicy::kSilence, 4);
  stage.feed.SetIdle();
  ASSERT_TRUE(stage.Start(0, 0));
  stage.Play(0);
  stage.Write(3);
  EXPECT_EQ(stage.Play(8), Samples(8, 0.0f));
  stage.Write(1);
  EXPECT_EQ(stage.Play(16, 4), (Samples{1, 2, 3, 4}));
  EXPECT_EQ(stage.voice().gap_count(), 0);
  EXPECT_EQ(stage.Play(20, 4), Samples(4, 0.0f));
  EXPECT_EQ(stage.voice().gap_total_frames(), 4);
}

TEST(VoiceFeedTest, TheNextIdleMarkReleasesASoundShorterThanThePrebuffer) {
  FeedStage stage(UnderrunPolicy::kSilence, 40);
  stage.feed.SetIdle();
  ASSERT_TRUE(stage.Start(0, 0));
  stage.Play(0);
  stage.Write(2);
  stage.feed.SetIdle();
  EXPECT_EQ(stage.Play(8, 4), (Samples{1, 2, 0, 0}));
  EXPECT_EQ(stage.voice().gap_count(), 0);
}

TEST(VoiceFeedTest, TheEndReleasesASoundShorterThanThePrebuffer) {
  FeedStage stage(UnderrunPolicy::kSilence, 40);
  stage.feed.SetIdle();
  ASSERT_TRUE(stage.Start(0, 0));
  stage.Play(0);
  stage.Write(2);
  stage.feed.SetEnd();
  EXPECT_EQ(stage.Play(8, 4), (Samples{1, 2, 0, 0}));
  ExpectOutcome(stage.voice(), EndReason::kCompleted, 10, 2);
}

TEST(VoiceFeedTest, FlushDropsWhatWasNotPlayed) {
  FeedStage stage(UnderrunPolicy::kSilence);
  stage.Write(20);
  ASSERT_TRUE(stage.Start(0, 0));
  stage.Play(0);
  stage.feed.Flush();
  stage.Write(8);
  EXPECT_EQ(stage.Play(8), (Samples{21, 22, 23, 24, 25, 26, 27, 28}));
  EXPECT_EQ(stage.feed.read_position(), 28);
  EXPECT_EQ(stage.voice().done_frames(), 16);
  EXPECT_EQ(stage.voice().trimmed_frames(), 0);
}

TEST(VoiceFeedTest, FlushForgetsWhatIsOwedToTheTimeline) {
  FeedStage stage(UnderrunPolicy::kKeepTimeline);
  ASSERT_TRUE(stage.Start(0, 0));
  stage.Play(0);
  stage.Write(4);
  stage.feed.Flush();
  stage.Write(4);
  EXPECT_EQ(stage.Play(8, 4), (Samples{5, 6, 7, 8}));
}

TEST(VoiceFeedTest, LateAndTrimmedDropsTheHeadAsItComes) {
  FeedStage stage(UnderrunPolicy::kKeepTimeline, 0, LatePolicy::kTrim);
  stage.Write(3);
  ASSERT_TRUE(stage.Start(0, 5));
  EXPECT_EQ(stage.Play(5, 3), (Samples{0, 0, 0}));
  EXPECT_EQ(stage.voice().trimmed_frames(), 3);
  stage.Write(8);  // 4 to 11; two more are trimmed, three came too late
  EXPECT_EQ(stage.Play(8, 3), (Samples{9, 10, 11}));
  EXPECT_EQ(stage.voice().trimmed_frames(), 5);
  EXPECT_EQ(stage.voice().gap_total_frames(), 3);
}

TEST(VoiceFeedTest, CutInAnUnderrunEndsTheGap) {
  FeedStage stage(UnderrunPolicy::kSilence);
  stage.Write(2);
  ASSERT_TRUE(stage.Start(0, 0));
  stage.Cut(5);
  stage.Play(0);
  ExpectOutcome(stage.voice(), EndReason::kCancelled, 5, 2);
  EXPECT_EQ(stage.voice().gap_total_frames(), 3);
}

// Stereo, two channels of 1 and 2.
Voice::Spec LongSpec(int64_t frames) {
  static const PlanarSound* const sound =
      new PlanarSound(2, 20000, [](int c, int64_t) { return static_cast<float>(c + 1); });
  Voice::Spec spec;
  spec.channel_map = {0, 1};
  spec.view = sound->view(frames);
  return spec;
}

TEST(VoiceTest, TheMidstOfAFadeIsRenderedWhole) {
  Voice::Spec spec = LongSpec(1000);
  spec.fade_in = {.frames = 64};
  spec.session_gain = 0.5f;
  Stage stage(spec);
  ASSERT_TRUE(stage.Start(0, 0));
  for (int block = 0; block < 10; ++block) {
    const Samples samples = stage.Play(block * int64_t{8}, 8, 1);
    // The fade ends in the eighth block.
    EXPECT_EQ(stage.way == Stage::Way::kWhole, 0 < block && block != 7) << block;
    // As far as its fade and, after it, as its 1000 frames: what happens on the frame after a block
    // belongs to it.
    EXPECT_EQ(stage.voice.LabelRt().end_frame, block < 7 ? 63 : 999) << block;
    for (int i = 0; i < 8; ++i) {
      const int frame = block * 8 + i;
      ASSERT_EQ(samples[i], 0.5f * 2.0f * static_cast<float>(std::min(frame, 64)) / 64) << frame;
    }
  }
}

TEST(VoiceTest, WhatHappensInTheMidstOfAFadeMakesItLeaveTheCommonOne) {
  Voice::Spec spec = LongSpec(1000);
  spec.fade_in = {.frames = 64};
  Stage stage(spec);
  ASSERT_TRUE(stage.Start(0, 0));
  EXPECT_FALSE(stage.fades().any());
  stage.Play(0);
  EXPECT_TRUE(stage.fades().any());
  stage.Play(8);
  // Between blocks: what has sounded of the fade has passed.
  stage.Interrupt(16);
  EXPECT_FALSE(stage.fades().any());
  EXPECT_EQ(stage.Play(16)[0], 16.0f / 64);
  EXPECT_TRUE(stage.fades().any());
  // In a block that ends the voice.
  stage.Interrupt(24);
  stage.Cut(27);
  EXPECT_EQ(stage.Play(24)[2], 26.0f / 64);
  EXPECT_FALSE(stage.goes_on);
  EXPECT_FALSE(stage.fades().any());
}

TEST(VoiceTest, ASeamInTheMidstOfACommonFadeTakesItsGains) {
  Voice::Spec spec = TenSpec();
  spec.loop = {.begin_frame = 2, .end_frame = 10, .passes = 0};
  spec.fade_in = {.frames = 128};
  Stage stage(spec);
  ASSERT_TRUE(stage.Start(0, 0));
  for (int block = 0; block < 20; ++block) {
    const Samples samples = stage.Play(block * int64_t{6}, 6);
    for (int i = 0; i < 6; ++i) {
      const int frame = block * 6 + i;
      const float sample = frame < 10 ? 1.0f + static_cast<float>(frame)
                                      : 3.0f + static_cast<float>((frame - 2) % 8);
      ASSERT_EQ(samples[i], sample * static_cast<float>(std::min(frame, 128)) / 128) << frame;
    }
    // Once its first block is over it is always in one.
    ASSERT_TRUE(stage.fades().any()) << block;
  }
}

TEST(VoiceTest, ItsLabelReachesUpToWhatHappensNext) {
  Voice::Spec spec = LongSpec(20000);
  spec.view_offset_frames = AudioView::kSegmentFrames - 500;
  Stage stage(spec);
  EXPECT_EQ(stage.voice.LabelRt().end_frame, 0);
  ASSERT_TRUE(stage.Start(1000, 1000));
  EXPECT_EQ(stage.voice.LabelRt().end_frame, 0);
  stage.Play(1000);
  EXPECT_EQ(stage.voice.LabelRt().end_frame, 1500);  // the end of its first segment
  EXPECT_EQ(stage.voice.LabelRt().route_key, stage.voice.route().key);
  const WholeSpan span = stage.voice.SpanRt();
  EXPECT_EQ(span.Samples(1008, 0)[0], 1.0f);
  EXPECT_EQ(span.Samples(1499, 1)[0], 2.0f);
  stage.Play(1496);
  EXPECT_EQ(stage.way, Stage::Way::kJoined);
  EXPECT_EQ(stage.voice.LabelRt().end_frame, 1500 + AudioView::kSegmentFrames);
  stage.Interrupt(1504);
  EXPECT_LE(stage.voice.LabelRt().end_frame, 1504);
  stage.Cut(1600);
  stage.Play(1504);
  EXPECT_EQ(stage.voice.LabelRt().end_frame, 1599);
}

TEST(VoiceTest, FadesOfSoundAndSessionTogetherAreRenderedWhole) {
  Voice::Spec spec = LongSpec(1000);
  spec.fade_in = {.frames = 64};
  VoiceChange change;
  change.kind = VoiceChange::Kind::kSessionGain;
  change.fade = {.frames = 32};
  spec.changes = {&change};
  Stage stage(spec);
  ASSERT_TRUE(stage.Start(0, 0));
  for (int block = 0; block < 3; ++block) {
    const Samples samples = stage.Play(block * int64_t{8});
    EXPECT_EQ(stage.way == Stage::Way::kWhole, block > 0) << block;
    for (int i = 0; i < 8; ++i) {
      const auto frame = static_cast<float>(block * 8 + i);
      ASSERT_EQ(samples[i], frame / 64 * ((32 - frame) / 32)) << frame;
    }
  }
}

TEST(VoiceTest, ASeamOfMemoryIsJoined) {
  Voice::Spec spec = TenSpec();
  spec.loop = {.begin_frame = 2, .end_frame = 5, .passes = 0};
  spec.fade_in = {.frames = 16};
  Stage stage(spec);
  ASSERT_TRUE(stage.Start(0, 0));
  const float sound[] = {1, 2, 3, 4, 5, 3, 4, 5};
  for (int block = 0; block < 4; ++block) {
    const Samples samples = stage.Play(block * int64_t{8});
    EXPECT_EQ(stage.way, Stage::Way::kJoined);
    for (int i = 0; i < 8; ++i) {
      const int frame = block * 8 + i;
      const float sample = frame < 8 ? sound[frame] : 3.0f + static_cast<float>((frame - 2) % 3);
      ASSERT_EQ(samples[i], sample * static_cast<float>(std::min(frame, 16)) / 16) << frame;
    }
  }
  EXPECT_EQ(stage.voice.done_frames(), 32);
  EXPECT_EQ(stage.voice.position_frames(), 2);
}

TEST(VoiceTest, ASeamWhereSomethingHappensIsNotJoined) {
  Voice::Spec spec = TenSpec();
  spec.loop = {.begin_frame = 2, .end_frame = 5, .passes = 2};
  spec.cut_offset_frames = 10;
  Stage stage(spec);
  ASSERT_TRUE(stage.Start(2, 0));
  EXPECT_EQ(stage.Play(0), (Samples{0, 0, 1, 2, 3, 4, 5, 3}));
  EXPECT_EQ(stage.way, Stage::Way::kPieces);
  EXPECT_EQ(stage.Play(8), (Samples{4, 5, 6, 7, 0, 0, 0, 0}));
  EXPECT_EQ(stage.way, Stage::Way::kPieces);
  ExpectOutcome(stage.voice, EndReason::kCancelled, 12, 10);
}

TEST(VoiceTest, ASeamThatDoesNotFitIntoTheRoomIsPlayedInPieces) {
  // Two channels of 64 frames fit, but not of 8192.
  Voice::Spec spec = LongSpec(20000);
  MixBus bus(2, 8192, BestMixKernel());
  VoiceChangeList done;
  Voice voice(spec);
  ASSERT_TRUE(AS_AUDIO_THREAD(voice.StartRt(0, 0, 0, &done)));
  WholeSpan span = {};
  AS_AUDIO_THREAD(bus.BeginRt(0, 8192));
  EXPECT_FALSE(AS_AUDIO_THREAD(voice.RenderSpanRt(0, 8192, &bus, &span)));
  EXPECT_TRUE(AS_AUDIO_THREAD(voice.RenderRt(0, 8192, &bus, &done)));
  AS_AUDIO_THREAD(bus.BeginRt(8192, 64));
  EXPECT_TRUE(AS_AUDIO_THREAD(voice.RenderSpanRt(8192, 64, &bus, &span)));
  EXPECT_EQ(span.origin, voice.SpanRt().origin);
}

}  // namespace
}  // namespace rtmixd
