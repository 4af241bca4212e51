// Thousands of plays that are shaped and changed at random through the control layer, on a stepped
// device: fades, loops, parts of sounds, actions that follow others, gains, pauses, loops that are
// left, cancels that fade, the session's gain and the master gain; as members of batches and by
// calls, in time and too late. What is sent must be the mix that another algorithm computes from
// what was asked for (reference_mix.h), bit by bit, and reports and events must tell what had to
// become of each action and each change.

#include <algorithm>
#include <bit>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "tests/control/engine_rig.h"
#include "tests/device/stepped_device.h"
#include "tests/mixer/reference_mix.h"
#include "tests/support/dice.h"

namespace rtmixd {
namespace {

constexpr int kOutputs = 2;
constexpr int64_t kFarFrames = 1500;

void ExpectSame(const std::vector<float>& actual, const std::vector<float>& expected) {
  ASSERT_EQ(actual.size(), expected.size());
  for (size_t i = 0; i < expected.size(); ++i) {
    ASSERT_EQ(std::bit_cast<uint32_t>(actual[i]), std::bit_cast<uint32_t>(expected[i]))
        << "sample " << i << ": " << actual[i] << " is not " << expected[i];
  }
}

// A play, and the reference's view of it.
struct Item {
  std::string id;  // once it is known
  std::string key;
  SoundScript script;
  // Of one that follows an action that was over already, and so starts at a frame.
  int over = -1;
  // By index in the script's changes and actions: those that are told by an event.
  int changes_sent = 0;
};

// A member of a batch that changes or ends a play.
struct ChangeItem {
  std::string id;
  size_t target = 0;   // index of an item
  size_t applied = 0;  // index in its applied_frames
  bool with_voice = false;
  int64_t asked_frame = 0;
};

struct Tally {
  int plays = 0;
  int followers = 0;
  int looped = 0;
  int faded_out = 0;
  int late = 0;
  int cut = 0;
  int applied = 0;
  int target_ended = 0;
  int session_gains = 0;
  int master_gains = 0;
};

class ShapedRun {
 public:
  ShapedRun(uint64_t seed, Tally* tally) : dice_(seed), tally_(*tally), session_(rig_.Session()) {}

  void Run(size_t plays) {
    while (items_.size() < plays && !testing::Test::HasFailure()) {
      if (Unfinished() < 24 && dice_.OneIn(3)) Schedule();
      if (dice_.OneIn(6)) ChangeSome();
      if (dice_.OneIn(8)) CancelOne();
      if (dice_.OneIn(40)) ChangeSessionGain();
      if (dice_.OneIn(40)) ChangeMasterGain();
      Step();
    }
    CancelAll();
    for (int i = 0; i < 5; ++i) Step();
  }

  void Check() {
    std::vector<SoundScript> scripts;
    scripts.reserve(items_.size());
    for (const Item& item : items_) scripts.push_back(item.script);
    const std::vector<PredictedSound> predicted = PredictSounds(scripts, blocks_);
    const ReferenceOutput output =
        SumSounds(scripts, predicted, master_changes_, blocks_, kOutputs);
    const StreamStatsInfo stats = *rig_.engine().GetStats("", /*reset_baseline=*/false);
    for (int c = 0; c < kOutputs; ++c) {
      ExpectSame(rig_.device().sent(c), output.channels[c]);
      EXPECT_EQ(stats.clipped_samples[c], static_cast<int64_t>(output.clipped_samples[c]));
    }
    std::map<std::string, std::vector<int64_t>> told;  // frames of changes, by action
    for (const LogEntry& entry : rig_.Events(EventKind::kActionChanged)) {
      told[entry.action_id].push_back(entry.frame.value_or(-1));
    }
    for (size_t i = 0; i < items_.size(); ++i) {
      SCOPED_TRACE(items_[i].id);
      CheckPlay(items_[i], predicted[i], predicted);
      CheckChangesTold(items_[i], predicted[i], told[items_[i].id]);
    }
    for (const ChangeItem& change : changes_) {
      SCOPED_TRACE(change.id);
      CheckChange(change, predicted[change.target]);
    }
  }

 private:
  using Kind = SoundScript::Kind;
  using ChangeKind = VoiceChange::Kind;

  // --- What is asked for ---

  float RandomGain() {
    switch (dice_.Between(0, 7)) {
      case 0:
        return dice_.OneOf({0.0f, -0.0f, 1.0f, -1.0f, 1e-41f});
      case 1:
        return dice_.Uniform(-20.0f, 20.0f);
      default:
        return dice_.Uniform(-1.0f, 1.0f);
    }
  }

  Fade RandomFade() {
    return {.frames = dice_.OneOf<int64_t>({0, 1, 64, dice_.Between(1, 700)}),
            .shape = dice_.OneOf({FadeShape::kLinear, FadeShape::kEqualPower})};
  }

  int64_t FrameNearby() { return std::max<int64_t>(0, frame_ + dice_.Between(-200, kFarFrames)); }

  // Sets both views of a play; `index` is what it will be among the items.
  PlaySpec MakePlay(int sound, SoundScript* script) {
    PlaySpec play;
    const int64_t frames =
        dice_.OneOf<int64_t>({0, 1, dice_.Between(2, 100), dice_.Between(2, 1500)});
    play.inline_channels = static_cast<int>(dice_.Between(1, kOutputs));
    play.inline_data = TestBytes(sound, play.inline_channels, 0, frames);
    std::vector<int> map;
    for (int c = 0; c < play.inline_channels; ++c) {
      script->channel_map.push_back(static_cast<int>(dice_.Between(0, kOutputs - 1)));
      map.push_back(script->channel_map.back() + 1);
    }
    play.channel_map = map;
    script->gain = play.gain = RandomGain();
    if (dice_.OneIn(3)) script->fade_in = play.fade_in = RandomFade();
    if (dice_.OneIn(3)) script->fade_out = play.fade_out = RandomFade();
    if (dice_.OneIn(3)) play.offset_frames = dice_.Between(0, frames);
    if (dice_.OneIn(3)) script->max_frames = dice_.Between(1, 2500);
    if (script->max_frames != Voice::kNoFrame) play.max_frames = script->max_frames;
    const int64_t offset = play.offset_frames;
    if (offset < frames && dice_.OneIn(3)) {
      LoopSpec loop;
      loop.begin_frame = dice_.Between(0, frames - 1);
      loop.end_frame =
          dice_.OneIn(4) ? frames : dice_.Between(std::max(loop.begin_frame, offset) + 1, frames);
      if (!dice_.OneIn(3)) loop.passes = dice_.OneOf<int64_t>({1, 2, 3, 1000});
      script->loop = {.begin_frame = loop.begin_frame,
                      .end_frame = *loop.end_frame,
                      .passes = loop.passes.value_or(0)};
      play.loop = loop;
      ++tally_.looped;
    }
    script->view_frames = frames;
    script->view_offset_frames = offset;
    script->sample = [sound](int channel, int64_t frame) {
      return TestSample(sound, channel, frame);
    };
    return play;
  }

  // A change, as it is asked for and as it is sent.
  std::pair<VoiceChangeSpec, VoiceChange> RandomChange() {
    VoiceChange change;
    change.kind = dice_.OneOf({ChangeKind::kGain, ChangeKind::kGain, ChangeKind::kPause,
                               ChangeKind::kResume, ChangeKind::kResume, ChangeKind::kLeaveLoop});
    switch (change.kind) {
      case ChangeKind::kGain:
        change.gain = RandomGain();
        change.fade = RandomFade();
        return {GainChangeSpec{.gain = change.gain, .fade = change.fade}, change};
      case ChangeKind::kPause:
        return {PauseSpec{}, change};
      case ChangeKind::kResume:
        return {ResumeSpec{}, change};
      default:
        change.at_once = dice_.OneIn(2);
        return {LeaveLoopSpec{.at_once = change.at_once}, change};
    }
  }

  // One to follow, if any: of this batch, which begins with item `first`, or an earlier one.
  int RandomPredecessor() {
    if (items_.empty() || !dice_.OneIn(3)) return -1;
    const auto last = static_cast<int64_t>(items_.size()) - 1;
    return static_cast<int>(dice_.Between(std::max<int64_t>(0, last - 12), last));
  }

  void SetStart(size_t first, int64_t origin_frame, Item* item, ActionSpec* spec) {
    const int after = RandomPredecessor();
    if (after >= 0) {
      spec->start.kind = StartSpec::Kind::kAfter;
      const Item& predecessor = items_[after];
      if (static_cast<size_t>(after) >= first) {
        spec->start.after.key = predecessor.key;
      } else {
        spec->start.after.action_id = predecessor.id;
        const ActionReport report = rig_.Report(session_, predecessor.id);
        if (report.state == ActionState::kDone || report.state == ActionState::kEnded) {
          item->over = after;
          item->script.origin_frame = *report.end_frame;
          return;
        }
      }
      ++tally_.followers;
      item->script.after = after;
      item->script.origin_frame = 0;
      return;
    }
    if (dice_.OneIn(2)) {
      item->script.origin_frame = FrameNearby();
      spec->start = AtFrame(item->script.origin_frame);
    } else {
      spec->start.frames = dice_.Between(0, kFarFrames);
      item->script.origin_frame = origin_frame + spec->start.frames;
    }
  }

  // A change or a fading cancel of a play of this batch, or of an earlier one.
  ActionSpec MakeChange(size_t first, int64_t origin_frame, VoiceChange* change, ChangeItem* item) {
    const auto last = static_cast<int64_t>(items_.size()) - 1;
    item->target = dice_.Between(std::max<int64_t>(0, last - 6), last);
    const Item& target = items_[item->target];
    item->with_voice = item->target >= first;
    ActionRefSpec ref;
    (item->with_voice ? ref.key : ref.action_id) = item->with_voice ? target.key : target.id;
    ActionSpec spec;
    if (dice_.OneIn(4)) {
      *change = {.kind = ChangeKind::kStop,
                 .fade = {.frames = dice_.Between(1, 500), .shape = FadeShape::kEqualPower}};
      spec.what = CancelSpec{.target = ref, .fade = change->fade};
    } else {
      auto [asked, sent] = RandomChange();
      *change = sent;
      spec.what = ChangeSpec{.target = ref, .change = asked};
    }
    spec.start.frames = dice_.Between(0, 2 * kFarFrames);
    item->asked_frame = origin_frame + spec.start.frames;
    change->frame = item->asked_frame;
    return spec;
  }

  // --- What is done ---

  int Unfinished() {
    return static_cast<int>(rig_.engine().ListActions(session_, /*active_only=*/true)->size());
  }

  void Schedule() {
    const size_t first = items_.size();
    BatchSpec batch;
    const int64_t origin_frame = FrameNearby();
    batch.origin = origin_frame;
    for (int64_t i = dice_.Between(1, 5); i > 0; --i) {
      Item item;
      ActionSpec spec;
      item.key = spec.key = std::to_string(items_.size());
      item.script.sequence = static_cast<int64_t>(items_.size());
      item.script.late_policy = spec.late_policy =
          dice_.OneOf({LatePolicy::kPlay, LatePolicy::kSkip, LatePolicy::kTrim});
      SetStart(first, origin_frame, &item, &spec);
      spec.what = MakePlay(static_cast<int>(items_.size()), &item.script);
      batch.actions.push_back(std::move(spec));
      items_.push_back(std::move(item));
    }
    const size_t plays = batch.actions.size();
    std::vector<std::pair<ChangeItem, VoiceChange>> changes;
    for (int64_t i = dice_.OneIn(2) ? dice_.Between(1, 4) : 0; i > 0; --i) {
      auto& [item, change] = changes.emplace_back();
      batch.actions.push_back(MakeChange(first, origin_frame, &change, &item));
    }
    // Where a change of an earlier play comes in the order of what is done to the mixer: after the
    // voices of this batch.
    const auto admitted = rig_.ScheduleNow(session_, batch);
    ASSERT_TRUE(admitted.ok()) << admitted.status();
    const int64_t order = next_order_++;
    for (size_t i = 0; i < plays; ++i) {
      Item& item = items_[first + i];
      item.id = admitted->actions[i].action_id;
      item.script.submit_block = next_block();
      item.script.submit_order = order;
    }
    for (size_t i = 0; i < changes.size(); ++i) {
      auto& [item, change] = changes[i];
      item.id = admitted->actions[plays + i].action_id;
      SoundScript& script = items_[item.target].script;
      if (item.with_voice) {
        item.applied = script.changes.size();
        script.changes.push_back(change);
        script.changes.back().frame -= script.origin_frame;
      }
    }
    for (size_t i = first; i < items_.size(); ++i) AddSessionGain(&items_[i].script);
    for (auto& [item, change] : changes) {
      Item& target = items_[item.target];
      if (change.kind == ChangeKind::kStop && !item.with_voice && !SoundsAt(target, change.frame)) {
        Cut(&target, change.frame);
        continue;
      }
      if (!item.with_voice) item.applied = SendChange(&target, change);
      changes_.push_back(item);
    }
    // Those that came with a voice are before those that were sent to it.
    for (size_t i = first; i < items_.size(); ++i) items_[i].changes_sent = 0;
  }

  // The whole of the session's gain so far, from which the reference takes what is left of it.
  void AddSessionGain(SoundScript* script) {
    for (VoiceChange change : session_changes_) {
      change.frame -= script->origin_frame;
      script->changes.push_back(change);
    }
  }

  // Returns its index among those that were sent.
  size_t SendChange(Item* item, const VoiceChange& change) {
    item->script.actions.push_back(
        {.block = next_block(), .kind = Kind::kChange, .order = next_order_++, .change = change});
    return item->changes_sent++;
  }

  void ChangeSome() {
    if (items_.empty()) return;
    std::vector<std::string> ids;
    std::vector<Item*> targets;
    const auto last = static_cast<int64_t>(items_.size()) - 1;
    for (int64_t i = std::max<int64_t>(0, last - 20); i <= last; ++i) {
      if (!dice_.OneIn(6)) continue;
      targets.push_back(&items_[i]);
      ids.push_back(items_[i].id);
    }
    if (ids.empty()) return;
    auto [asked, change] = RandomChange();
    std::optional<int64_t> frame;
    if (!dice_.OneIn(3)) frame = FrameNearby();
    const auto admitted = rig_.engine().ChangeActions(session_, ids, /*all=*/false, frame, asked);
    ASSERT_TRUE(admitted.ok()) << admitted.status();
    if (frame.has_value() && *frame >= frame_) {
      EXPECT_EQ(admitted->frame, *frame);
    }
    EXPECT_GE(admitted->frame, frame_);
    change.frame = admitted->frame;
    for (Item* const target : targets) SendChange(target, change);
  }

  // Nothing fades that does not sound: whether a cancel from that frame on has something to fade.
  bool SoundsAt(const Item& item, int64_t frame) {
    const ActionReport report = rig_.Report(session_, item.id);
    return report.start_frame.has_value() ||
           (frame > frame_ && report.requested_start_frame.value_or(0) < frame);
  }

  void CancelOne() {
    if (items_.empty()) return;
    const auto last = static_cast<int64_t>(items_.size()) - 1;
    Item& item = items_[dice_.Between(std::max<int64_t>(0, last - 20), last)];
    std::optional<int64_t> frame;
    if (!dice_.OneIn(3)) frame = FrameNearby();
    const Fade fade = dice_.OneIn(4) ? Fade{} : RandomFade();
    const bool sounds = SoundsAt(item, std::max(frame.value_or(frame_), frame_));
    const auto reports =
        rig_.engine().CancelActions(session_, {item.id}, /*all=*/false, frame, fade);
    ASSERT_TRUE(reports.ok()) << reports.status();
    const int64_t from = std::max(frame.value_or(frame_), frame_);
    if (fade.frames > 0 && sounds) {
      SendChange(&item, {.kind = ChangeKind::kStop, .fade = fade, .frame = from});
    } else {
      Cut(&item, from);
    }
  }

  void Cut(Item* item, int64_t frame) {
    item->script.actions.push_back(
        {.block = next_block(), .kind = Kind::kCancel, .number = frame, .order = next_order_++});
  }

  void CancelAll() {
    const auto reports = rig_.engine().CancelActions(session_, {}, /*all=*/true, std::nullopt, {});
    ASSERT_TRUE(reports.ok()) << reports.status();
    for (Item& item : items_) Cut(&item, frame_);
  }

  void ChangeSessionGain() {
    const GainChangeSpec gain = {.gain = RandomGain(), .fade = RandomFade()};
    std::optional<int64_t> frame;
    if (!dice_.OneIn(3)) frame = FrameNearby();
    const auto from = rig_.engine().SetSessionGain(session_, gain, frame);
    ASSERT_TRUE(from.ok()) << from.status();
    ASSERT_TRUE(from->has_value());
    const VoiceChange change = {
        .kind = ChangeKind::kSessionGain, .gain = gain.gain, .fade = gain.fade, .frame = **from};
    const auto later =
        std::find_if(session_changes_.begin(), session_changes_.end(),
                     [&](const VoiceChange& other) { return other.frame > change.frame; });
    session_changes_.insert(later, change);
    for (Item& item : items_) SendChange(&item, change);
    ++tally_.session_gains;
  }

  void ChangeMasterGain() {
    const GainChangeSpec gain = {.gain = RandomGain(), .fade = RandomFade()};
    std::optional<int64_t> frame;
    if (!dice_.OneIn(3)) frame = FrameNearby();
    const auto from = rig_.engine().SetMasterGain(session_, gain, frame);
    ASSERT_TRUE(from.ok()) << from.status();
    master_changes_.push_back(
        {.block = next_block(), .change = {.gain = gain.gain, .fade = gain.fade, .frame = *from}});
    ++tally_.master_gains;
  }

  int next_block() const { return static_cast<int>(blocks_.size()); }

  void Step() {
    const int frames = static_cast<int>(dice_.OneIn(3) ? dice_.Between(1, 128) : 64);
    const int64_t stamp_nanos = rig_.device().now_nanos() + dice_.Between(-200000, 200000);
    rig_.device().Step({.frames = frames, .callback_nanos = stamp_nanos});
    rig_.engine().PumpOnce();
    blocks_.push_back({frame_, frames});
    frame_ += frames;
  }

  // --- What has become of it ---

  void CheckPlay(const Item& item, const PredictedSound& predicted,
                 const std::vector<PredictedSound>& all) {
    const ActionReport report = rig_.Report(session_, item.id);
    ASSERT_TRUE(predicted.ended);
    if (item.over >= 0) {
      EXPECT_EQ(item.script.origin_frame, all[item.over].end_frame);
    }
    const bool cancelled = predicted.end_reason == EndReason::kCancelled;
    const std::optional<int64_t> start =
        predicted.started ? std::optional(predicted.start_frame) : std::nullopt;
    EXPECT_EQ(report.start_frame, start);
    EXPECT_EQ(report.end_frame, predicted.end_frame);
    EXPECT_EQ(report.done_frames, static_cast<int64_t>(predicted.heard.size()));
    EXPECT_EQ(report.late_frames, predicted.late_frames);
    EXPECT_EQ(report.dropped_frames, predicted.trimmed_frames);
    EXPECT_EQ(report.end_reason, cancelled ? ActionEnd::kCancelled
                                 : predicted.end_reason == EndReason::kSkipped
                                     ? ActionEnd::kSkipped
                                     : ActionEnd::kCompleted);
    if (predicted.started) {
      EXPECT_EQ(report.requested_start_frame, predicted.requested_frame);
    }
    ++tally_.plays;
    tally_.late += predicted.started && predicted.late_frames > 0;
    tally_.cut += predicted.started && cancelled;
    tally_.faded_out += item.script.fade_out.frames > 0 && !cancelled;
  }

  // What is told of a play's changes, those of the session's gain left out.
  void CheckChangesTold(const Item& item, const PredictedSound& predicted,
                        std::vector<int64_t> told) {
    std::vector<int64_t> expected;
    size_t index = 0;
    const auto look_at = [&](const VoiceChange& change) {
      const int64_t frame = predicted.applied_frames[index++];
      if (change.kind == ChangeKind::kSessionGain || frame == VoiceChange::kNever) return;
      expected.push_back(frame);
    };
    for (const VoiceChange& change : item.script.changes) look_at(change);
    for (const SoundScript::Action& action : item.script.actions) {
      if (action.kind == Kind::kChange) look_at(action.change);
    }
    std::sort(expected.begin(), expected.end());
    std::sort(told.begin(), told.end());
    EXPECT_EQ(told, expected);
    tally_.applied += static_cast<int>(expected.size());
  }

  void CheckChange(const ChangeItem& change, const PredictedSound& target) {
    const ActionReport report = rig_.Report(session_, change.id);
    const size_t before = change.with_voice ? 0 : items_[change.target].script.changes.size();
    const int64_t applied = target.applied_frames[before + change.applied];
    if (report.end_reason == ActionEnd::kCancelled) return;  // by the cancel of all
    if (report.kind == ActionKind::kChange) {
      const bool took_effect = applied != VoiceChange::kNever;
      EXPECT_EQ(report.end_reason, took_effect ? ActionEnd::kCompleted : ActionEnd::kTargetEnded);
      tally_.target_ended += !took_effect;
    }
    if (applied != VoiceChange::kNever) {
      EXPECT_EQ(report.start_frame, applied);
    }
  }

  Dice dice_;
  EngineRig rig_;
  Tally& tally_;
  const std::string session_;
  int64_t frame_ = 0;
  int64_t next_order_ = 0;
  std::vector<ScriptBlock> blocks_;
  std::vector<Item> items_;
  std::vector<ChangeItem> changes_;
  std::vector<VoiceChange> session_changes_;  // by frame
  std::vector<MasterChange> master_changes_;
};

TEST(EngineRandomShapesTest, WhatIsShapedAtRandomSoundsToTheBit) {
  Tally tally;
  for (uint64_t seed = 1; tally.plays < 3000; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    ShapedRun run(seed, &tally);
    run.Run(150);
    run.Check();
    if (testing::Test::HasFailure()) return;
  }
  EXPECT_GT(tally.followers, 300);
  EXPECT_GT(tally.looped, 300);
  EXPECT_GT(tally.faded_out, 200);
  EXPECT_GT(tally.late, 100);
  EXPECT_GT(tally.cut, 300);
  EXPECT_GT(tally.applied, 1000);
  EXPECT_GT(tally.target_ended, 30);
  EXPECT_GT(tally.session_gains, 50);
  EXPECT_GT(tally.master_gains, 50);
}

}  // namespace
}  // namespace rtmixd
