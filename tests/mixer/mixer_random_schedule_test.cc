// Thousands of random schedules, driven by a stepped clock, against a mix and reports computed from
// the contract by another algorithm (reference_mix.h): every output sample must be the same to the
// bit, every report the same to the frame, and whatever was admitted must come back exactly once.

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <map>
#include <memory>
#include <set>
#include <vector>

#include "server/mixer/mixer.h"
#include "tests/mixer/planar_sound.h"
#include "tests/mixer/reference_mix.h"
#include "tests/mixer/step_driver.h"
#include "tests/support/dice.h"

namespace rtmixd {
namespace {

using Kind = SoundScript::Kind;

constexpr int kPoolChannels = 4;
constexpr int64_t kPoolFrames = 3 * AudioView::kSegmentFrames - 77;
constexpr int64_t kHistoryFrames = 2048;

float RandomSample(Dice& dice) {
  switch (dice.Between(0, 19)) {
    case 0:
      return dice.OneOf({0.0f, -0.0f, 1.0f, -1.0f});
    case 1:
      return dice.Uniform(-1.0f, 1.0f) * 1e-39f;  // denormal
    case 2:
      return dice.Uniform(-1.0f, 1.0f) * 1e-36f;  // its product with a small gain is denormal
    default:
      return dice.Uniform(-1.0f, 1.0f);
  }
}

float RandomGain(Dice& dice) {
  switch (dice.Between(0, 19)) {
    case 0:
      return dice.OneOf({0.0f, -0.0f, 1.0f, -1.0f});
    case 1:
      return dice.Uniform(-1.0f, 1.0f) * 1e-3f;
    case 2:
      return dice.OneIn(10) ? 1e-40f : 1e-37f;
    case 3:
      return dice.OneIn(10) ? 3e38f : 4.0f;  // infinities arise and meet
    default:
      return dice.Uniform(-1.0f, 1.0f);
  }
}

const PlanarSound& Pool() {
  static const PlanarSound* const pool = [] {
    Dice dice(1);
    return new PlanarSound(kPoolChannels, kPoolFrames,
                           [&](int, int64_t) { return RandomSample(dice); });
  }();
  return *pool;
}

// What came back of a voice, copied before its batch was freed.
struct Report {
  int started = 0;
  int ended = 0;
  int64_t told_origin_frame = Batch::kOriginNow;
  int64_t told_start_frame = -1;
  int64_t told_end_frame = -1;
  int64_t start_frame = -1;
  int64_t end_frame = -1;
  int64_t done_frames = 0;
  int64_t late_frames = 0;
  int64_t trimmed_frames = 0;
  int64_t gap_total_frames = 0;
  int64_t gap_count = 0;
  EndReason end_reason = EndReason::kNone;
  std::vector<VoiceGap> gaps;
};

struct Sound {
  SoundScript script;
  Voice* voice = nullptr;       // null once its batch was released
  int64_t after_sequence = -1;  // of the sound that it follows
  std::unique_ptr<PlayFeed> feed;
  int64_t feed_pool_offset = 0;
  bool feed_ended = false;
  std::vector<const VoiceChange*> changes;  // that came with it, then those that were sent
  Report report;
};

// One random schedule from submission to the last report.
class RandomRun {
 public:
  RandomRun(uint64_t seed, bool portable_kernel) : dice_(seed) {
    options_.input_channels = static_cast<int>(dice_.Between(0, 2));
    options_.output_channels = static_cast<int>(dice_.Between(1, 4));
    options_.max_block_frames = dice_.OneOf({1, 13, 64, 256, 1024});
    options_.history_frames = kHistoryFrames;
    options_.max_pending_voices = 64;
    options_.max_batches = 16;
    options_.block_log_records = 16;
    options_.first_frame = dice_.OneOf<int64_t>({0, 1, 1'000'000'007, int64_t{1} << 45});
    options_.portable_kernel = portable_kernel;
    mixer_ = *Mixer::Create(options_);
    frame_ = options_.first_frame;
    driver_ = std::make_unique<StepDriver>(mixer_.get(), options_.input_channels,
                                           options_.output_channels);
  }

  void Run() {
    const int64_t steps = dice_.Between(3, 24);
    for (int64_t i = 0; i < steps; ++i) {
      for (int64_t n = dice_.Between(0, 2); n > 0; --n) SubmitBatch();
      for (int64_t n = dice_.Between(0, 3); n > 0; --n) SendCommand();
      for (auto& sound : sounds_) FeedSound(*sound);
      if (dice_.OneIn(4)) TakeResults();  // of which commands on their way may know nothing
      if (dice_.OneIn(40)) Jump();
      Step(static_cast<int>(dice_.OneIn(4) ? dice_.OneOf({1, 64, 256, 1500})
                                           : dice_.Between(1, dice_.OneOf({16, 300, 1500}))));
      if (dice_.OneIn(2)) TakeResults();
    }
    for (auto& sound : sounds_) Note(*sound, Kind::kEndAll, 0);
    mixer_->EndAll();
    TakeResults();
  }

  void Check() {
    std::vector<SoundScript> scripts;
    std::vector<PredictedSound> predicted;
    std::map<int64_t, int> index_of_sequence;
    for (const auto& sound : sounds_) {
      index_of_sequence[sound->script.sequence] = static_cast<int>(scripts.size());
      scripts.push_back(sound->script);
      if (sound->after_sequence >= 0) {
        scripts.back().after = index_of_sequence.at(sound->after_sequence);
      }
    }
    predicted = PredictSounds(scripts, blocks_);
    for (size_t s = 0; s < sounds_.size(); ++s) CheckReport(*sounds_[s], predicted[s]);
    EXPECT_TRUE(batches_.empty());
    EXPECT_EQ(changes_done_, changes_.size());
    CheckOutput(SumSounds(scripts, predicted, master_changes_, blocks_, options_.output_channels));
  }

  const StepDriver& driver() const { return *driver_; }
  int output_channels() const { return options_.output_channels; }
  size_t sounds() const { return sounds_.size(); }

 private:
  int next_block() const { return static_cast<int>(blocks_.size()); }

  void Note(Sound& sound, Kind kind, int64_t number) {
    sound.script.actions.push_back({next_block(), kind, number, next_order_++});
  }

  Fade RandomFade() {
    return {.frames = dice_.OneOf<int64_t>({0, 1, 64, dice_.Between(1, 700)}),
            .shape = dice_.OneOf({FadeShape::kLinear, FadeShape::kEqualPower})};
  }

  // Kept until the mixer has gone.
  VoiceChange* MakeChange(int64_t frame) {
    using ChangeKind = VoiceChange::Kind;
    changes_.push_back(std::make_unique<VoiceChange>());
    VoiceChange& change = *changes_.back();
    change.kind = dice_.OneOf({ChangeKind::kGain, ChangeKind::kGain, ChangeKind::kSessionGain,
                               ChangeKind::kPause, ChangeKind::kResume, ChangeKind::kResume,
                               ChangeKind::kLeaveLoop, ChangeKind::kStop});
    change.at_once = dice_.OneIn(2);
    change.gain = RandomGain(dice_);
    change.fade = RandomFade();
    change.frame = frame;
    return &change;
  }

  // Fades, loops and whatever else changes while it sounds.
  void MakeEventful(SoundScript& script) {
    if (dice_.OneIn(3)) script.session_gain = RandomGain(dice_);
    if (dice_.OneIn(3)) script.fade_in = RandomFade();
    if (dice_.OneIn(4)) script.max_frames = dice_.Between(1, 3000);
    if (dice_.OneIn(3) && (!script.from_feed || script.max_frames != Voice::kNoFrame)) {
      script.fade_out = RandomFade();
    }
    if (!script.from_feed && script.view_frames > 0 && dice_.OneIn(3)) {
      script.loop.passes = dice_.OneOf<int64_t>({0, 2, 3, 1000});
      script.loop.begin_frame = dice_.Between(0, script.view_frames - 1);
      script.loop.end_frame = dice_.Between(script.loop.begin_frame + 1, script.view_frames);
    }
  }

  std::unique_ptr<Sound> MakeSound(Batch& batch) {
    auto sound = std::make_unique<Sound>();
    SoundScript& script = sound->script;
    script.submit_block = next_block();
    script.origin_frame = batch.origin_frame;
    script.lead_frames = batch.lead_frames;
    script.offset_frames = dice_.OneIn(2) ? dice_.OneOf<int64_t>({-100, 0, 0, 64, 100, 256, 1024})
                                          : dice_.Between(-200, 2000);
    script.sequence = next_sequence_++;
    script.late_policy = dice_.OneOf({LatePolicy::kPlay, LatePolicy::kSkip, LatePolicy::kTrim});
    script.underrun_policy = dice_.OneOf(
        {UnderrunPolicy::kEnd, UnderrunPolicy::kSilence, UnderrunPolicy::kKeepTimeline});
    script.gain = RandomGain(dice_);
    const int64_t channels = dice_.Between(1, kPoolChannels);
    for (int64_t c = 0; c < channels; ++c) {
      script.channel_map.push_back(
          static_cast<int>(dice_.Between(0, options_.output_channels - 1)));
    }
    const bool in_step = !making_.empty() && dice_.OneIn(3);
    if (in_step) {
      const SoundScript& before = making_.back()->script;
      script.offset_frames = before.offset_frames;
      script.gain = before.gain;
    }
    Voice::Spec spec;
    spec.offset_frames = script.offset_frames;
    spec.sequence = script.sequence;
    spec.late_policy = script.late_policy;
    spec.underrun_policy = script.underrun_policy;
    spec.gain = script.gain;
    spec.channel_map = script.channel_map;
    if (dice_.OneIn(2)) {
      MakeFeed(*sound, static_cast<int>(channels));
      spec.feed = sound->feed.get();
    } else {
      const int64_t offset = dice_.OneIn(2) ? 2 * AudioView::kSegmentFrames - dice_.Between(0, 600)
                                            : dice_.Between(0, AudioView::kSegmentFrames);
      script.view_frames =
          dice_.OneOf<int64_t>({0, 1, 64, dice_.Between(1, 300), dice_.Between(1, 5000)});
      script.sample = [offset](int c, int64_t f) { return Pool().sample(c, offset + f); };
      spec.view = Pool().view(offset + script.view_frames);
      spec.view.channels = static_cast<int>(channels);
      spec.view_offset_frames = offset;
    }
    if (dice_.OneIn(2)) MakeEventful(script);
    if (in_step) {
      const SoundScript& before = making_.back()->script;
      script.session_gain = before.session_gain;
      script.fade_in = before.fade_in;
    }
    spec.session_gain = script.session_gain;
    spec.fade_in = script.fade_in;
    spec.fade_out = script.fade_out;
    spec.max_frames = script.max_frames;
    spec.loop = script.loop;
    spec.loop.begin_frame += spec.view_offset_frames;
    spec.loop.end_frame += spec.view_offset_frames;
    for (int64_t n = dice_.OneIn(4) ? dice_.Between(1, 4) : 0; n > 0; --n) {
      VoiceChange* const change = MakeChange(script.offset_frames + dice_.Between(-50, 2500));
      spec.changes.push_back(change);
      sound->changes.push_back(change);
      script.changes.push_back(*change);
    }
    if (Sound* const after = RandomPredecessor()) {
      spec.offset_frames = Voice::kFollows;
      spec.after = after->voice;
      sound->after_sequence = after->script.sequence;
    }
    sound->voice = batch.AddVoice(spec);
    return sound;
  }

  // One to follow, if any: of this batch or an earlier one.
  Sound* RandomPredecessor() {
    if (!dice_.OneIn(4)) return nullptr;
    std::vector<Sound*> possible;
    for (const auto& sound : making_) possible.push_back(sound.get());
    for (const auto& sound : sounds_) {
      if (sound->voice != nullptr) possible.push_back(sound.get());
    }
    if (possible.empty()) return nullptr;
    return possible[dice_.Between(0, static_cast<int64_t>(possible.size()) - 1)];
  }

  void MakeFeed(Sound& sound, int channels) {
    SoundScript& script = sound.script;
    script.from_feed = true;
    sound.feed =
        std::make_unique<PlayFeed>(channels, dice_.OneOf({128, 1024, 4096}), dice_.Between(0, 400));
    script.prebuffer_frames = sound.feed->prebuffer_frames();
    sound.feed_pool_offset = dice_.Between(0, 1000);
    script.sample = [offset = sound.feed_pool_offset](int c, int64_t f) {
      return Pool().sample(c, (offset + f) % kPoolFrames);
    };
  }

  void SubmitBatch() {
    auto batch = std::make_unique<Batch>();
    if (dice_.OneIn(2)) {
      batch->lead_frames = dice_.OneIn(2) ? 0 : dice_.Between(0, 1500);
    } else {
      batch->origin_frame = frame_ + dice_.OneOf<int64_t>({-100, 0, 64, dice_.Between(-400, 2000)});
    }
    making_.clear();
    const size_t changes = changes_.size();
    for (int64_t n = dice_.Between(0, 5); n > 0; --n) making_.push_back(MakeSound(*batch));
    std::vector<std::unique_ptr<Sound>> sounds = std::move(making_);
    making_.clear();
    // Not in order of sequence.
    std::reverse(batch->voices.begin(), batch->voices.end());
    Batch* const submitted = batch.get();
    const absl::Status status = mixer_->Submit(&batch);
    if (!status.ok()) {  // refused whole, and given back
      ASSERT_TRUE(absl::IsResourceExhausted(status)) << status;
      ASSERT_EQ(batch->voices.size(), sounds.size());
      changes_.resize(changes);
      return;
    }
    batches_.insert(submitted);
    const int64_t order = next_order_++;
    for (auto& sound : sounds) {
      sound->script.submit_order = order;
      by_voice_[sound->voice] = sound.get();
      sounds_.push_back(std::move(sound));
    }
  }

  void SendCommand() {
    if (dice_.OneIn(8)) {
      VoiceChange* const change = MakeChange(frame_ + dice_.Between(-100, 2500));
      change->kind = VoiceChange::Kind::kGain;
      master_changes_.push_back({next_block(), *change});
      if (!mixer_->Change(nullptr, change).ok()) DropChange();
      return;
    }
    if (sounds_.empty()) return;
    Sound& sound = *sounds_[dice_.Between(0, static_cast<int64_t>(sounds_.size()) - 1)];
    if (sound.voice == nullptr) return;
    if (dice_.OneIn(2)) {
      VoiceChange* const change = MakeChange(frame_ + dice_.Between(-100, 2500));
      Note(sound, Kind::kChange, 0);
      sound.script.actions.back().change = *change;
      sound.changes.push_back(change);
      if (!mixer_->Change(sound.voice, change).ok()) {
        changes_.pop_back();
        sound.changes.pop_back();
        sound.script.actions.pop_back();
      }
    } else if (dice_.OneIn(3)) {
      const int64_t frames = dice_.Between(0, 500);
      ASSERT_TRUE(mixer_->SkipFrames(sound.voice, frames).ok());
      Note(sound, Kind::kSkip, frames);
    } else {
      const int64_t frame = frame_ + dice_.Between(-100, 2500);
      ASSERT_TRUE(mixer_->Cancel(sound.voice, frame).ok());
      Note(sound, Kind::kCancel, frame);
    }
  }

  // The one made last was refused.
  void DropChange() {
    changes_.pop_back();
    master_changes_.pop_back();
  }

  void FeedSound(Sound& sound) {
    if (!sound.feed) return;
    PlayFeed& feed = *sound.feed;
    if (dice_.OneIn(3) && !sound.feed_ended) {
      const int64_t wanted = dice_.OneOf<int64_t>({1, 64, dice_.Between(1, 2000)});
      std::vector<std::vector<float>> samples(feed.channels());
      std::vector<const float*> planar;
      for (int c = 0; c < feed.channels(); ++c) {
        for (int64_t i = 0; i < wanted; ++i) {
          samples[c].push_back(sound.script.sample(c, feed.write_position() + i));
        }
        planar.push_back(samples[c].data());
      }
      const int64_t room = feed.free_frames();
      const int64_t written = feed.Write(planar.data(), wanted);
      ASSERT_EQ(written, std::min(room, wanted));
      Note(sound, Kind::kWrite, written);
    }
    if (dice_.OneIn(10)) {
      feed.Flush();
      Note(sound, Kind::kFlush, 0);
    }
    if (dice_.OneIn(6)) {
      feed.SetIdle();
      Note(sound, Kind::kIdle, 0);
    }
    if (dice_.OneIn(12)) {
      feed.SetEnd();
      sound.feed_ended = true;
      Note(sound, Kind::kEnd, 0);
    }
  }

  void Jump() {
    const int64_t frames = dice_.OneOf<int64_t>({1, dice_.Between(1, 1000), 3 * kHistoryFrames});
    mixer_->JumpForward(frames);
    frame_ += frames;
  }

  void Step(int frames) {
    driver_->Step(frames);
    while (frames > 0) {
      const int part = std::min(frames, options_.max_block_frames);
      blocks_.push_back({frame_, part});
      frame_ += part;
      frames -= part;
    }
    ASSERT_EQ(mixer_->next_frame(), frame_);
  }

  void TakeResults() {
    MixerResult result;
    while (mixer_->PollResult(&result)) {
      if (result.kind == MixerResult::Kind::kChangeDone) {
        ++changes_done_;
        EXPECT_EQ(result.frame, result.change->applied_frame);
        continue;
      }
      ASSERT_TRUE(batches_.count(result.batch));
      Sound* const sound = result.voice == nullptr ? nullptr : by_voice_.at(result.voice);
      switch (result.kind) {
        case MixerResult::Kind::kBatchOrigin:
          for (const Voice* const voice : result.batch->voices) {
            by_voice_.at(voice)->report.told_origin_frame = result.frame;
          }
          break;
        case MixerResult::Kind::kVoiceStarted:
          ++sound->report.started;
          sound->report.told_start_frame = result.frame;
          break;
        case MixerResult::Kind::kVoiceEnded:
          CopyReport(*sound, result);
          break;
        case MixerResult::Kind::kChangeDone:
          break;
        case MixerResult::Kind::kBatchReleased: {
          const std::unique_ptr<Batch> batch(result.batch);
          batches_.erase(result.batch);
          for (const Voice* const voice : batch->voices) {
            Sound* const owner = by_voice_.at(voice);
            EXPECT_EQ(owner->report.ended, 1);
            owner->voice = nullptr;
            by_voice_.erase(voice);
          }
          break;
        }
      }
    }
  }

  static void CopyReport(Sound& sound, const MixerResult& result) {
    const Voice& voice = *result.voice;
    Report& report = sound.report;
    ++report.ended;
    EXPECT_EQ(voice.state(), Voice::State::kEnded);
    report.told_end_frame = result.frame;
    report.start_frame = voice.start_frame();
    report.end_frame = voice.end_frame();
    report.done_frames = voice.done_frames();
    report.late_frames = voice.late_frames();
    report.trimmed_frames = voice.trimmed_frames();
    report.gap_total_frames = voice.gap_total_frames();
    report.gap_count = voice.gap_count();
    report.end_reason = voice.end_reason();
    report.gaps.assign(voice.gaps(),
                       voice.gaps() + std::min<int64_t>(voice.gap_count(), Voice::kGapSlots));
  }

  static void CheckReport(const Sound& sound, const PredictedSound& predicted) {
    SCOPED_TRACE(testing::Message() << "sound of sequence " << sound.script.sequence);
    const Report& report = sound.report;
    EXPECT_TRUE(predicted.ended);
    EXPECT_EQ(report.started, predicted.started ? 1 : 0);
    EXPECT_EQ(report.ended, 1);
    EXPECT_EQ(report.told_start_frame, predicted.start_frame);
    EXPECT_EQ(report.told_end_frame, predicted.end_frame);
    EXPECT_EQ(report.start_frame, predicted.start_frame);
    EXPECT_EQ(report.end_frame, predicted.end_frame);
    EXPECT_EQ(report.end_reason, predicted.end_reason);
    EXPECT_EQ(report.done_frames, static_cast<int64_t>(predicted.heard.size()));
    ASSERT_EQ(sound.changes.size(), predicted.applied_frames.size());
    for (size_t i = 0; i < sound.changes.size(); ++i) {
      EXPECT_EQ(sound.changes[i]->applied_frame, predicted.applied_frames[i]) << "change " << i;
    }
    EXPECT_EQ(report.late_frames, predicted.late_frames);
    EXPECT_EQ(report.trimmed_frames, predicted.trimmed_frames);
    if (sound.feed) {
      EXPECT_EQ(sound.feed->read_position(), predicted.consumed_frames);
    }
    if (sound.script.origin_frame == Batch::kOriginNow) {
      EXPECT_EQ(report.told_origin_frame, predicted.origin_frame);
    }

    int64_t total = 0;
    std::vector<VoiceGap> slots;
    for (const VoiceGap& gap : predicted.gaps) {
      total += gap.frames;
      if (slots.size() < Voice::kGapSlots) {
        slots.push_back(gap);
      } else {
        slots.back().frames += gap.frames;
      }
    }
    EXPECT_EQ(report.gap_count, static_cast<int64_t>(predicted.gaps.size()));
    EXPECT_EQ(report.gap_total_frames, total);
    ASSERT_EQ(report.gaps.size(), slots.size());
    for (size_t i = 0; i < slots.size(); ++i) {
      EXPECT_EQ(report.gaps[i].first_frame, slots[i].first_frame);
      EXPECT_EQ(report.gaps[i].frames, slots[i].frames);
    }
  }

  void CheckOutput(const ReferenceOutput& reference) {
    const AudioHistory& history = mixer_->output_history();
    ASSERT_EQ(history.head_frame(), frame_);
    for (int c = 0; c < options_.output_channels; ++c) {
      const std::vector<float>& expected = reference.channels[c];
      const std::vector<float>& actual = driver_->output(c);
      ASSERT_EQ(actual.size(), expected.size());
      for (size_t i = 0; i < expected.size(); ++i) {
        ASSERT_EQ(std::bit_cast<uint32_t>(actual[i]), std::bit_cast<uint32_t>(expected[i]))
            << "channel " << c << ", sample " << i << ": " << actual[i] << " is not "
            << expected[i];
      }
      EXPECT_EQ(mixer_->clipped_samples(c), reference.clipped_samples[c]);
      CheckHistory(c, expected);
    }
  }

  // The output history holds what was sent, and silence where frames were jumped over.
  void CheckHistory(int channel, const std::vector<float>& sent) {
    const int64_t first = std::max<int64_t>(0, frame_ - kHistoryFrames);
    std::vector<float> expected(frame_ - first, 0.0f);
    size_t at = 0;
    for (const ScriptBlock& block : blocks_) {
      for (int64_t i = 0; i < block.frames; ++i, ++at) {
        if (block.first_frame + i >= first) expected[block.first_frame + i - first] = sent[at];
      }
    }
    std::vector<float> actual(expected.size());
    ASSERT_EQ(mixer_->output_history().Read(channel, first, static_cast<int64_t>(actual.size()),
                                            actual.data(), 1),
              0);
    EXPECT_EQ(std::memcmp(actual.data(), expected.data(), actual.size() * sizeof(float)), 0);
  }

  Dice dice_;
  Mixer::Options options_;
  std::vector<std::unique_ptr<VoiceChange>> changes_;  // outlive the mixer, as the sounds do
  std::vector<std::unique_ptr<Sound>> sounds_;         // it reads their feeds
  std::vector<std::unique_ptr<Sound>> making_;         // of the batch being made
  std::unique_ptr<Mixer> mixer_;
  std::unique_ptr<StepDriver> driver_;
  int64_t frame_ = 0;
  int64_t next_sequence_ = 0;
  int64_t next_order_ = 0;
  size_t changes_done_ = 0;
  std::vector<MasterChange> master_changes_;
  std::vector<ScriptBlock> blocks_;
  std::set<const Batch*> batches_;  // submitted and not released
  std::map<const Voice*, Sound*> by_voice_;
};

void CheckSeeds(uint64_t first_seed, int count, bool portable_kernel) {
  size_t sounds = 0;
  for (uint64_t seed = first_seed; seed < first_seed + count; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    RandomRun run(seed, portable_kernel);
    run.Run();
    run.Check();
    sounds += run.sounds();
    if (testing::Test::HasFailure()) return;
  }
  EXPECT_GT(sounds, static_cast<size_t>(count));
}

TEST(MixerRandomScheduleTest, BestKernelEqualsReference) { CheckSeeds(1000, 1400, false); }

TEST(MixerRandomScheduleTest, PortableKernelEqualsReference) { CheckSeeds(500'000, 700, true); }

TEST(MixerRandomScheduleTest, BothKernelsGiveTheSameBits) {
  for (uint64_t seed = 900'000; seed < 900'100; ++seed) {
    RandomRun best(seed, false);
    RandomRun portable(seed, true);
    best.Run();
    portable.Run();
    for (int c = 0; c < best.output_channels(); ++c) {
      const std::vector<float>& a = best.driver().output(c);
      const std::vector<float>& b = portable.driver().output(c);
      ASSERT_EQ(a.size(), b.size());
      ASSERT_EQ(std::memcmp(a.data(), b.data(), a.size() * sizeof(float)), 0) << "seed " << seed;
    }
  }
}

}  // namespace
}  // namespace rtmixd
