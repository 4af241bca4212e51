// All the threads that ever meet at a mixer, without pause and without a clock: the audio thread, a
// control thread that submits, cancels and frees, a network thread that feeds a stream, and readers
// of the histories and the block log. Meant for ThreadSanitizer; what can be asserted whatever the
// interleaving is asserted too.

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <deque>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <thread>
#include <vector>

#include "server/mixer/mixer.h"
#include "tests/mixer/planar_sound.h"
#include "tests/mixer/step_driver.h"

namespace rtmixd {
namespace {

constexpr int kMaxBlockFrames = 128;
constexpr int kBatches = 1500;
constexpr int64_t kSoundFrames = AudioView::kSegmentFrames + 500;
constexpr int64_t kFeedFrames = 60'000;

// Exact in float and never 0.
float InputSample(int64_t frame) { return static_cast<float>(frame % 100'000 + 1); }
float FeedSample(int64_t position) {
  return static_cast<float>(position + 1) / (int64_t{1} << 20);  // ascends and stays below 1
}

class MixerContentionTest : public testing::Test {
 protected:
  MixerContentionTest() : waker_(EventFdWaker::Create()), feed_(1, 1024, 64) {
    Mixer::Options options;
    options.input_channels = 1;
    options.output_channels = 2;  // batches on channel 0, the stream on channel 1
    options.max_block_frames = kMaxBlockFrames;
    options.history_frames = 2000;
    options.max_pending_voices = 200;
    options.max_batches = 50;
    options.waker = waker_.get();
    mixer_ = *Mixer::Create(options);
  }

  // The audio thread.
  void ProcessUntilStopped() {
    std::mt19937 engine(1);
    std::vector<float> input(2 * kMaxBlockFrames);
    std::array<std::vector<float>, 2> output = {input, input};
    const float* const input_pointer = input.data();
    float* const output_pointers[] = {output[0].data(), output[1].data()};
    while (!stop_.load(std::memory_order_relaxed)) {
      AudioBlock block;
      block.frames = 1 + static_cast<int>(engine() % (2 * kMaxBlockFrames));
      for (int i = 0; i < block.frames; ++i) input[i] = InputSample(mixer_->next_frame() + i);
      block.input = &input_pointer;
      block.output = output_pointers;
      ProcessBlock(mixer_.get(), block);
    }
  }

  // The network thread.
  void FeedAll() {
    std::mt19937 engine(2);
    while (feed_.write_position() < kFeedFrames && !stop_.load(std::memory_order_relaxed)) {
      const int64_t wanted =
          std::min<int64_t>(1 + engine() % 200, kFeedFrames - feed_.write_position());
      std::vector<float> samples;
      for (int64_t i = 0; i < wanted; ++i) {
        samples.push_back(FeedSample(feed_.write_position() + i));
      }
      const float* const planar = samples.data();
      feed_.Write(&planar, wanted);
      ASSERT_LE(feed_.read_position(), feed_.write_position());
      if (engine() % 20 == 0) feed_.SetIdle();
      if (engine() % 100 == 0) feed_.Flush();
    }
    feed_.SetEnd();
  }

  // Reads the newest `kSpan` frames of a channel again and again; hands the good ones to `check`.
  template <typename Check>
  void ReadHistory(const AudioHistory& history, int channel, Check check) {
    constexpr int64_t kSpan = 700;
    std::array<float, kSpan> samples{};
    while (!stop_.load(std::memory_order_relaxed)) {
      const int64_t head = history.head_frame();
      if (head < kSpan) continue;
      const int64_t first = head - kSpan;
      const int64_t lost = history.Read(channel, first, kSpan, samples.data(), 1);
      check(first + lost, samples.data() + lost, kSpan - lost);
    }
  }

  void ReadBlockLog() {
    int64_t position = 0;
    int64_t next_frame = -1;  // unknown
    while (!stop_.load(std::memory_order_relaxed)) {
      BlockRecord record{};
      switch (mixer_->block_log().Read(position, &record)) {
        case BlockLog::ReadResult::kNotYet:
          break;
        case BlockLog::ReadResult::kOverwritten:
          position = mixer_->block_log().begin_position();
          next_frame = -1;
          break;
        case BlockLog::ReadResult::kOk:
          if (next_frame >= 0) {
            ASSERT_EQ(record.first_frame, next_frame);
          }
          next_frame = record.first_frame + record.frames;
          ++position;
          break;
      }
    }
  }

  std::unique_ptr<Batch> RandomBatch() {
    auto batch = std::make_unique<Batch>();
    if (engine_() % 2 == 0) {
      batch->origin_frame = mixer_->next_frame() + static_cast<int64_t>(engine_() % 3000) - 500;
    }
    for (uint32_t n = engine_() % 8; n > 0; --n) {
      Voice::Spec spec;
      spec.sequence = next_sequence_++;
      spec.offset_frames = static_cast<int64_t>(engine_() % 2000);
      spec.late_policy = static_cast<LatePolicy>(engine_() % 3);
      spec.gain = 0.1f;
      spec.channel_map = {0};
      spec.view_offset_frames = static_cast<int64_t>(engine_() % kSoundFrames);
      spec.view = sound_.view();
      if (engine_() % 3 == 0) {
        spec.loop = {.begin_frame = spec.view_offset_frames,
                     .end_frame = std::min<int64_t>(spec.view_offset_frames + 1 + engine_() % 400,
                                                    kSoundFrames),
                     .passes = 1 + static_cast<int64_t>(engine_() % 5)};
      }
      if (!batch->voices.empty() && engine_() % 4 == 0) {
        spec.offset_frames = Voice::kFollows;
        spec.after = batch->voices.back();
      } else if (!voices_out_.empty() && engine_() % 4 == 0) {
        Voice* const out = *voices_out_.rbegin();
        if (out->owner() != nullptr) {  // not the one with a feed, which sounds all the time
          spec.offset_frames = Voice::kFollows;
          spec.after = out;
        }
      }
      specs_.push_back(spec);
      spec.owner = &specs_.back();
      batch->AddVoice(spec);
    }
    return batch;
  }

  // The control thread.
  void SubmitAll() {
    for (int submitted = 0; submitted < kBatches;) {
      auto batch = RandomBatch();
      const std::vector<Voice*> voices = batch->voices;
      Batch* const lent = batch.get();
      const absl::Status status = mixer_->Submit(&batch);
      if (status.ok()) {
        ++submitted;
        lent_.insert(lent);
        voices_out_.insert(voices.begin(), voices.end());
        for (Voice* const voice : voices) {
          if (engine_() % 3 == 0) Cancel(voice);
          if (engine_() % 3 == 0) ChangeGain(voice);
        }
      } else {
        ASSERT_TRUE(absl::IsResourceExhausted(status)) << status;
        waker_->Arm();
        PollAll();
        waker_->WaitFor(10'000'000);
      }
      if (!voices_out_.empty()) {
        Voice* const oldest = *voices_out_.begin();
        if (engine_() % 4 == 0) Cancel(oldest);
        if (engine_() % 8 == 0) Skip(oldest);
      }
      for (const Voice* const voice : voices_out_) CheckProgress(*voice);
      PollAll();
    }
  }

  void Cancel(Voice* voice) {
    const absl::Status status =
        mixer_->Cancel(voice, mixer_->next_frame() + static_cast<int64_t>(engine_() % 2000));
    ASSERT_TRUE(status.ok() || absl::IsResourceExhausted(status)) << status;
  }

  void Skip(Voice* voice) {
    const absl::Status status = mixer_->SkipFrames(voice, static_cast<int64_t>(engine_() % 50));
    ASSERT_TRUE(status.ok() || absl::IsResourceExhausted(status)) << status;
    skipped_.insert(voice);
  }

  // Of a voice that may be on its way.
  void CheckProgress(const Voice& voice) {
    if (voice.owner() == nullptr) return;  // the one with a feed
    const VoiceProgress::Value progress = voice.progress(mixer_->next_frame());
    int64_t& done_frames = done_frames_[&voice];
    ASSERT_GE(progress.done_frames, done_frames);
    done_frames = progress.done_frames;
    const Voice::Spec& spec = *static_cast<const Voice::Spec*>(voice.owner());
    if (spec.late_policy == LatePolicy::kTrim || skipped_.count(&voice) > 0) return;
    const int64_t loop_frames = spec.loop.end_frame - spec.loop.begin_frame;
    const int64_t jumps =
        spec.loop.passes == 1
            ? 0
            : std::min<int64_t>(progress.done_frames / loop_frames, spec.loop.passes - 1);
    ASSERT_EQ(progress.position_frames,
              spec.view_offset_frames + progress.done_frames - jumps * loop_frames);
  }

  void ChangeGain(Voice* voice) {
    auto change = std::make_unique<VoiceChange>();
    change->gain = 0.05f;
    change->fade.frames = static_cast<int64_t>(engine_() % 1000);
    change->frame = mixer_->next_frame() + static_cast<int64_t>(engine_() % 2000);
    const absl::Status status = mixer_->Change(voice, change.get());
    ASSERT_TRUE(status.ok() || absl::IsResourceExhausted(status)) << status;
    if (status.ok()) changes_out_.emplace(change.get(), std::move(change));
  }

  void PollAll() {
    MixerResult result;
    while (mixer_->PollResult(&result)) {
      if (result.kind == MixerResult::Kind::kChangeDone) {
        ASSERT_EQ(changes_out_.erase(result.change), 1U);
        continue;
      }
      ASSERT_TRUE(lent_.count(result.batch));
      switch (result.kind) {
        case MixerResult::Kind::kChangeDone:
          break;
        case MixerResult::Kind::kBatchOrigin:
          ASSERT_EQ(result.batch->origin_frame, result.frame);
          break;
        case MixerResult::Kind::kVoiceStarted:
          ASSERT_GE(result.frame, result.voice->requested_frame());
          break;
        case MixerResult::Kind::kVoiceEnded:
          ASSERT_EQ(voices_out_.erase(result.voice), 1U);
          done_frames_.erase(result.voice);
          skipped_.erase(result.voice);
          CheckOutcome(*result.voice);
          break;
        case MixerResult::Kind::kBatchReleased:
          lent_.erase(result.batch);
          delete result.batch;
          break;
      }
    }
  }

  static void CheckOutcome(const Voice& voice) {
    if (voice.owner() == nullptr) return;  // the one with a feed
    const Voice::Spec& spec = *static_cast<const Voice::Spec*>(voice.owner());
    const int64_t length = spec.view.frames - spec.view_offset_frames +
                           (spec.loop.passes - 1) * (spec.loop.end_frame - spec.loop.begin_frame);
    switch (voice.end_reason()) {
      case EndReason::kCompleted:
        ASSERT_EQ(voice.done_frames() + voice.trimmed_frames(), length);
        break;
      case EndReason::kCancelled:
        ASSERT_LT(voice.done_frames(), length);
        break;
      case EndReason::kSkipped:
        ASSERT_EQ(spec.late_policy, LatePolicy::kSkip);
        ASSERT_GT(voice.late_frames(), 0);
        break;
      default:
        FAIL() << "no reason";
    }
    if (voice.start_frame() >= 0) {
      ASSERT_EQ(voice.end_frame() - voice.start_frame(), voice.done_frames());
    }
  }

  const PlanarSound sound_{1, kSoundFrames,
                           [](int, int64_t f) { return f % 2 == 0 ? 0.5f : -0.5f; }};
  const std::unique_ptr<EventFdWaker> waker_;
  PlayFeed feed_;
  std::unique_ptr<Mixer> mixer_;
  std::atomic<bool> stop_{false};

  // The control thread's.
  std::mt19937 engine_{3};
  int64_t next_sequence_ = 1;
  std::deque<Voice::Spec> specs_;  // of all voices but the one with a feed, their owners
  std::set<const Batch*> lent_;
  std::set<Voice*> voices_out_;
  std::set<const Voice*> skipped_;               // of these
  std::map<const Voice*, int64_t> done_frames_;  // of these, when last looked at
  std::map<const VoiceChange*, std::unique_ptr<VoiceChange>> changes_out_;
};

TEST_F(MixerContentionTest, AllThreadsAtOnceLoseNothing) {
  auto batch = std::make_unique<Batch>();
  Voice::Spec spec;
  spec.channel_map = {1};
  spec.feed = &feed_;
  spec.underrun_policy = UnderrunPolicy::kSilence;
  batch->AddVoice(spec);
  lent_.insert(batch.get());
  voices_out_.insert(batch->voices[0]);
  ASSERT_TRUE(mixer_->Submit(&batch).ok());

  std::vector<std::thread> threads;
  threads.emplace_back([&] { ProcessUntilStopped(); });
  threads.emplace_back([&] { FeedAll(); });
  threads.emplace_back([&] { ReadBlockLog(); });
  threads.emplace_back([&] {
    ReadHistory(mixer_->input_history(), 0, [](int64_t first, const float* samples, int64_t count) {
      for (int64_t i = 0; i < count; ++i) ASSERT_EQ(samples[i], InputSample(first + i));
    });
  });
  threads.emplace_back([&] {
    // Silence apart, what the stream wrote comes out in its order, even if some was dropped.
    ReadHistory(mixer_->output_history(), 1, [](int64_t, const float* samples, int64_t count) {
      float last = 0;
      for (int64_t i = 0; i < count; ++i) {
        if (samples[i] == 0) continue;
        ASSERT_GT(samples[i], last);
        last = samples[i];
      }
    });
  });
  SubmitAll();
  stop_.store(true, std::memory_order_relaxed);
  for (std::thread& thread : threads) thread.join();

  mixer_->EndAll();
  PollAll();
  EXPECT_TRUE(lent_.empty());
  EXPECT_TRUE(voices_out_.empty());
  EXPECT_TRUE(changes_out_.empty());
  EXPECT_EQ(mixer_->input_history().head_frame(), mixer_->next_frame());
}

}  // namespace
}  // namespace rtmixd
