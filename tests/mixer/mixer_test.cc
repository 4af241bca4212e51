#include "server/mixer/mixer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "server/mixer/common_fades.h"
#include "server/mixer/fade.h"
#include "server/mixer/mix_kernel.h"
#include "tests/mixer/planar_sound.h"
#include "tests/mixer/step_driver.h"
#include "tests/support/as_audio_thread.h"

namespace rtmixd {
namespace {

using Kind = MixerResult::Kind;
using Samples = std::vector<float>;
using FrameSpan = std::pair<int64_t, int64_t>;  // first, last + 1

class MixerTest : public testing::Test {
 protected:
  void Make(const Mixer::Options& options) {
    driver_.reset();
    mixer_ = *Mixer::Create(options);
    driver_ =
        std::make_unique<StepDriver>(mixer_.get(), options.input_channels, options.output_channels);
  }

  static Mixer::Options SmallOptions() {
    Mixer::Options options;
    options.input_channels = 2;
    options.output_channels = 2;
    options.max_block_frames = 64;
    options.history_frames = 1000;
    options.max_pending_voices = 10;
    options.max_batches = 4;
    return options;
  }

  void SetUp() override { Make(SmallOptions()); }

  // A voice of `frames` frames of 0.25 on output channel 0.
  Voice::Spec Quarter(int64_t offset_frames, int64_t frames) {
    Voice::Spec spec;
    spec.offset_frames = offset_frames;
    spec.sequence = next_sequence_++;
    spec.channel_map = {0};
    spec.view = quarter_.view(frames);
    return spec;
  }

  static std::unique_ptr<Batch> MakeBatch(int64_t origin_frame,
                                          const std::vector<Voice::Spec>& specs) {
    auto batch = std::make_unique<Batch>();
    batch->origin_frame = origin_frame;
    for (const Voice::Spec& spec : specs) batch->AddVoice(spec);
    return batch;
  }

  // Submits and returns the voices, in the order of `specs`.
  std::vector<Voice*> Submit(int64_t origin_frame, const std::vector<Voice::Spec>& specs) {
    auto batch = MakeBatch(origin_frame, specs);
    const std::vector<Voice*> voices = batch->voices;
    const absl::Status status = mixer_->Submit(&batch);
    EXPECT_TRUE(status.ok()) << status;
    EXPECT_EQ(batch, nullptr);
    return voices;
  }

  std::vector<Kind> TakeKinds() {
    std::vector<Kind> kinds;
    for (const MixerResult& result : driver_->TakeResults()) kinds.push_back(result.kind);
    return kinds;
  }

  // First and last+1 frame of output channel 0 that is not silent.
  FrameSpan SoundingFrames() const {
    const Samples& output = driver_->output(0);
    const auto sounds = [](float x) { return x != 0.0f; };
    const auto first = std::find_if(output.begin(), output.end(), sounds);
    const auto last = std::find_if(output.rbegin(), output.rend(), sounds);
    return {first - output.begin(), output.rend() - last};
  }

  const PlanarSound quarter_{1, 20000, [](int, int64_t) { return 0.25f; }};
  std::unique_ptr<Mixer> mixer_;
  std::unique_ptr<StepDriver> driver_;
  int64_t next_sequence_ = 0;
};

TEST_F(MixerTest, CreateNamesTheOptionThatIsOutOfRange) {
  Mixer::Options options = SmallOptions();
  options.history_frames = 63;
  const absl::Status status = Mixer::Create(options).status();
  EXPECT_TRUE(absl::IsInvalidArgument(status));
  EXPECT_EQ(status.message(), "history_frames is 63, must lie in [64, 1099511627776]");
  options = SmallOptions();
  options.max_batches = 0;
  EXPECT_TRUE(absl::IsInvalidArgument(Mixer::Create(options).status()));
  options = SmallOptions();
  options.block_log_records = 48;
  EXPECT_EQ(Mixer::Create(options).status().message(),
            "block_log_records is 48, must be a power of two");
}

TEST_F(MixerTest, WithNothingToPlayIsSilentAndCounts) {
  driver_->Run(200, 64);
  EXPECT_EQ(mixer_->next_frame(), 200);
  EXPECT_EQ(driver_->output(0), Samples(200, 0.0f));
  EXPECT_EQ(driver_->output(1), Samples(200, 0.0f));
  EXPECT_TRUE(driver_->TakeResults().empty());
}

TEST_F(MixerTest, PlaysOnTheFrameAskedForInAnyBlockSize) {
  for (const int block_frames : {1, 7, 64, 200}) {
    Make(SmallOptions());
    Voice* const voice = Submit(100, {Quarter(3, 50)})[0];
    driver_->Run(200, block_frames);
    EXPECT_EQ(SoundingFrames(), FrameSpan(103, 153)) << block_frames;
    EXPECT_EQ(voice->start_frame(), 103);
    EXPECT_EQ(voice->end_frame(), 153);
    EXPECT_EQ(voice->done_frames(), 50);
    EXPECT_EQ(TakeKinds(),
              (std::vector<Kind>{Kind::kVoiceStarted, Kind::kVoiceEnded, Kind::kBatchReleased}));
  }
}

TEST_F(MixerTest, InputThatIsNotFiniteIsKeptAsZeroAndCounted) {
  constexpr float kBad[] = {std::numeric_limits<float>::quiet_NaN(),
                            std::numeric_limits<float>::infinity(),
                            -std::numeric_limits<float>::infinity()};
  const auto is_bad = [](int channel, int64_t frame) { return (frame + channel) % 7 == 3; };
  const auto sample = [](int channel, int64_t frame) {
    return static_cast<float>(channel == 0 ? frame : -frame) / 1024;
  };
  for (const bool portable : {false, true}) {
    Mixer::Options options = SmallOptions();
    options.portable_kernel = portable;
    Make(options);
    driver_->input_sample = [&](int channel, int64_t frame) {
      return is_bad(channel, frame) ? kBad[frame % 3] : sample(channel, frame);
    };
    // In blocks that are split, and that fill no vector.
    driver_->Step(100);
    driver_->input_sample = sample;
    driver_->Step(37);
    int64_t bad = 0;
    for (int channel = 0; channel < 2; ++channel) {
      std::vector<float> got(137);
      ASSERT_EQ(mixer_->input_history().Read(channel, 0, 137, got.data(), 1), 0);
      for (int64_t f = 0; f < 137; ++f) {
        const bool replaced = f < 100 && is_bad(channel, f);
        bad += replaced ? 1 : 0;
        ASSERT_EQ(got[f], replaced ? 0.0f : sample(channel, f)) << channel << " " << f;
      }
    }
    BlockRecord record{};
    ASSERT_EQ(mixer_->block_log().Read(0, &record), BlockLog::ReadResult::kOk);
    EXPECT_EQ(record.nonfinite_input_samples, bad);
    ASSERT_EQ(mixer_->block_log().Read(1, &record), BlockLog::ReadResult::kOk);
    EXPECT_EQ(record.nonfinite_input_samples, 0);
  }
}

TEST_F(MixerTest, ProgressIsSeenWhileItSounds) {
  Voice* const voice = Submit(10, {Quarter(0, 100)})[0];
  EXPECT_EQ(voice->state(), Voice::State::kPending);
  driver_->Step(64);
  EXPECT_EQ(voice->state(), Voice::State::kPlaying);
  EXPECT_EQ(voice->progress(64).done_frames, 54);
}

TEST_F(MixerTest, ProgressFollowsSeamsPausesSkipsAndJumps) {
  Voice::Spec spec = Quarter(10, 1000);
  spec.loop = {.begin_frame = 30, .end_frame = 500, .passes = 0};
  Voice* const voice = Submit(0, {spec})[0];
  VoiceChange pause = {.kind = VoiceChange::Kind::kPause, .frame = 600};
  VoiceChange resume = {.kind = VoiceChange::Kind::kResume, .frame = 800};
  int64_t done = 0;
  int64_t position = 0;
  const auto pass = [&](int64_t frames, bool counts) {
    for (int64_t i = 0; i < frames; ++i) {
      if (++position == spec.loop.end_frame) position = spec.loop.begin_frame;
      done += counts ? 1 : 0;
    }
  };
  int64_t jumped = 0;
  for (int block = 0; block < 100; ++block) {
    const int64_t first_frame = mixer_->next_frame();
    const int frames = 17 + block % 48;
    if (block == 20) {
      ASSERT_TRUE(mixer_->Change(voice, &pause).ok());
      ASSERT_TRUE(mixer_->Change(voice, &resume).ok());
    }
    if (block % 30 == 29) {
      ASSERT_TRUE(mixer_->SkipFrames(voice, 700).ok());
      pass(700, false);
    }
    driver_->Step(frames);
    for (int64_t frame = first_frame; frame < first_frame + frames; ++frame) {
      const bool paused = frame >= pause.frame && frame < resume.frame;
      if (frame >= 10 && !paused) pass(1, true);
    }
    if (block % 40 == 39) {
      mixer_->JumpForward(12345);
      jumped += 12345;
    }
    const VoiceProgress::Value progress = voice->progress(mixer_->next_frame());
    ASSERT_EQ(progress.done_frames, done) << block;
    ASSERT_EQ(progress.position_frames, position) << block;
  }
  ASSERT_TRUE(mixer_->Cancel(voice, 0).ok());
  driver_->Step(64);
  EXPECT_EQ(voice->done_frames(), done);
  EXPECT_EQ(voice->position_frames(), position);
  EXPECT_EQ(done, mixer_->next_frame() - 64 - jumped - 10 - 200);
}

TEST_F(MixerTest, OriginNowIsTheBlockThatTakesItUp) {
  driver_->Run(100, 50);
  auto batch = MakeBatch(Batch::kOriginNow, {Quarter(5, 10), Quarter(0, 10)});
  batch->lead_frames = 20;
  Batch* const submitted = batch.get();
  ASSERT_TRUE(mixer_->Submit(&batch).ok());
  driver_->Run(50, 50);
  const std::vector<MixerResult> results = driver_->TakeResults();
  ASSERT_EQ(results.size(), 6U);
  EXPECT_EQ(results[0].kind, Kind::kBatchOrigin);
  EXPECT_EQ(results[0].batch, submitted);
  EXPECT_EQ(results[0].frame, 120);
  EXPECT_EQ(results[1].kind, Kind::kVoiceStarted);
  EXPECT_EQ(results[1].frame, 120);
  EXPECT_EQ(results[2].frame, 125);
  EXPECT_EQ(SoundingFrames(), FrameSpan(120, 135));
  EXPECT_EQ(results[1].voice->late_frames(), 0);
}

TEST_F(MixerTest, BatchWithoutVoicesTellsItsOriginAndComesBack) {
  driver_->Run(10, 10);
  Submit(Batch::kOriginNow, {});
  driver_->Step(10);
  EXPECT_EQ(TakeKinds(), (std::vector<Kind>{Kind::kBatchOrigin, Kind::kBatchReleased}));
}

TEST_F(MixerTest, RoomIsCheckedForBatchesTogether) {
  Submit(0, std::vector<Voice::Spec>(4, Quarter(0, 10)));
  const auto three = MakeBatch(0, std::vector<Voice::Spec>(3, Quarter(0, 10)));
  const auto four = MakeBatch(0, std::vector<Voice::Spec>(4, Quarter(0, 10)));
  const auto one = MakeBatch(0, {Quarter(0, 10)});
  EXPECT_TRUE(mixer_->CheckRoom({three.get(), one.get()}).ok());
  EXPECT_EQ(mixer_->CheckRoom({three.get(), four.get()}).message(),
            "7 voices and 0 changes, with 4 pending, exceed max_pending_voices (10)");
  EXPECT_EQ(mixer_->CheckRoom({one.get(), one.get(), one.get(), one.get()}).message(),
            "max_batches (4) batches are pending");
}

TEST_F(MixerTest, AFullMixerRefusesTheBatchAndLeavesIt) {
  Submit(0, std::vector<Voice::Spec>(9, Quarter(0, 10)));
  auto batch = MakeBatch(0, {Quarter(7, 10), Quarter(0, 10)});
  const absl::Status status = mixer_->Submit(&batch);
  EXPECT_TRUE(absl::IsResourceExhausted(status));
  EXPECT_EQ(status.message(),
            "2 voices and 0 changes, with 9 pending, exceed max_pending_voices (10)");
  ASSERT_NE(batch, nullptr);
  EXPECT_EQ(batch->voices[0]->offset_frames(), 7);  // not even sorted

  driver_->Run(64, 64);
  EXPECT_TRUE(absl::IsResourceExhausted(mixer_->Submit(&batch)));  // until results are taken
  driver_->TakeResults();
  EXPECT_TRUE(mixer_->Submit(&batch).ok());
}

TEST_F(MixerTest, RoomIsTheSameAgainAfterAVoiceWithChangesThatCountFromWhatever) {
  VoiceChange of_stream = {.absolute = true, .gain = 0.5f, .frame = 5};
  VoiceChange of_batch = {.gain = 0.25f, .frame = 7};
  Voice::Spec spec = Quarter(0, 10);
  spec.changes = {&of_stream, &of_batch};
  ASSERT_EQ(mixer_->room(), 10);
  Submit(0, {spec});
  EXPECT_EQ(mixer_->room(), 7);
  driver_->Run(64, 64);
  driver_->TakeResults();
  EXPECT_EQ(mixer_->room(), 10);
}

TEST_F(MixerTest, TooManyBatchesAreRefused) {
  for (int i = 0; i < 4; ++i) Submit(1000, {});
  auto batch = MakeBatch(0, {});
  const absl::Status status = mixer_->Submit(&batch);
  EXPECT_TRUE(absl::IsResourceExhausted(status));
  EXPECT_EQ(status.message(), "max_batches (4) batches are pending");
  driver_->Step(1);
  driver_->TakeResults();
  EXPECT_TRUE(mixer_->Submit(&batch).ok());
}

TEST_F(MixerTest, RefusesWhatTheAudioThreadCouldNotPlay) {
  const auto message = [&](const Voice::Spec& spec) {
    auto batch = MakeBatch(0, {spec});
    const absl::Status status = mixer_->Submit(&batch);
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
    EXPECT_NE(batch, nullptr);
    std::string text(status.message());
    return text;
  };
  Voice::Spec spec = Quarter(0, 10);
  spec.channel_map = {0, 1};
  EXPECT_EQ(message(spec), "channel_map names 2 channels, the source has 1");
  spec.channel_map = {2};
  EXPECT_EQ(message(spec), "channel_map names output channel 2 (from 0) of 2");
  spec.channel_map = {-1};
  EXPECT_EQ(message(spec), "channel_map names output channel -1 (from 0) of 2");
  spec = Quarter(0, 10);
  spec.gain = std::numeric_limits<float>::infinity();
  EXPECT_EQ(message(spec), "gain is inf, must be finite");
  spec = Quarter(Batch::kMaxFrame + 1, 10);
  EXPECT_NE(message(spec).find("offset_frames is"), std::string::npos);
  spec = Quarter(0, 10);
  spec.view_offset_frames = 11;
  EXPECT_EQ(message(spec), "view_offset_frames is 11, must lie in [0, 10]");
}

TEST_F(MixerTest, CancelCutsAtTheSample) {
  Voice* const voice = Submit(10, {Quarter(0, 500)})[0];
  driver_->Run(64, 64);
  ASSERT_TRUE(mixer_->Cancel(voice, 101).ok());
  driver_->Run(128, 64);
  EXPECT_EQ(SoundingFrames(), FrameSpan(10, 101));
  EXPECT_EQ(voice->end_reason(), EndReason::kCancelled);
  EXPECT_EQ(voice->end_frame(), 101);
  EXPECT_EQ(voice->done_frames(), 91);
}

TEST_F(MixerTest, CancelInThePastCutsAtTheNextBlock) {
  Voice* const voice = Submit(10, {Quarter(0, 500)})[0];
  driver_->Run(64, 64);
  ASSERT_TRUE(mixer_->Cancel(voice, 20).ok());
  driver_->Run(64, 64);
  EXPECT_EQ(voice->end_frame(), 64);
  EXPECT_EQ(voice->done_frames(), 54);
}

TEST_F(MixerTest, CancelBeforeTheStartTakesItOutAtOnce) {
  Voice* const voice = Submit(5000, {Quarter(0, 500)})[0];
  ASSERT_TRUE(mixer_->Cancel(voice, 5000).ok());
  driver_->Step(64);
  EXPECT_EQ(TakeKinds(), (std::vector<Kind>{Kind::kVoiceEnded, Kind::kBatchReleased}));
  EXPECT_EQ(voice->end_reason(), EndReason::kCancelled);
  EXPECT_EQ(voice->done_frames(), 0);
  EXPECT_EQ(voice->start_frame(), -1);
  EXPECT_EQ(voice->end_frame(), 5000);
}

TEST_F(MixerTest, CancelAfterTheStartWaits) {
  Voice* const voice = Submit(100, {Quarter(0, 500)})[0];
  ASSERT_TRUE(mixer_->Cancel(voice, 101).ok());
  driver_->Run(192, 64);
  EXPECT_EQ(SoundingFrames(), FrameSpan(100, 101));
}

TEST_F(MixerTest, CancelOfOneMemberLeavesTheOthers) {
  const std::vector<Voice*> voices =
      Submit(100, {Quarter(0, 10), Quarter(20, 10), Quarter(40, 10)});
  ASSERT_TRUE(mixer_->Cancel(voices[1], 0).ok());
  driver_->Run(192, 64);
  EXPECT_EQ(voices[0]->done_frames(), 10);
  EXPECT_EQ(voices[1]->done_frames(), 0);
  EXPECT_EQ(voices[2]->done_frames(), 10);
  EXPECT_EQ(driver_->output(0)[125], 0.0f);
}

// A command names a voice that ends in the block before it is taken up: the batch may only be freed
// after that.
TEST_F(MixerTest, BatchIsHeldBackUntilCommandsThatNameItArePast) {
  Voice* const voice = Submit(0, {Quarter(0, 10)})[0];
  driver_->Step(64);
  ASSERT_TRUE(mixer_->Cancel(voice, 0).ok());
  EXPECT_EQ(TakeKinds(), (std::vector<Kind>{Kind::kVoiceStarted, Kind::kVoiceEnded}));
  ASSERT_TRUE(mixer_->SkipFrames(voice, 1).ok());  // not released yet: allowed
  driver_->Step(64);
  EXPECT_EQ(TakeKinds(), (std::vector<Kind>{Kind::kBatchReleased}));
  EXPECT_EQ(voice->end_reason(), EndReason::kCompleted);
}

TEST_F(MixerTest, CommandsBeyondTheBoundWaitForTheNextBlock) {
  Mixer::Options options = SmallOptions();
  options.max_pending_voices = 1000;
  Make(options);
  Voice* const slow = Submit(0, {Quarter(0, 5000)})[0];
  for (int i = 1; i < Mixer::kMaxCommandsPerBlock; ++i) {
    ASSERT_TRUE(mixer_->SkipFrames(slow, 0).ok());
  }
  ASSERT_TRUE(mixer_->Cancel(slow, 0).ok());
  driver_->Step(64);
  EXPECT_EQ(slow->state(), Voice::State::kPlaying);
  driver_->Step(64);
  EXPECT_EQ(slow->state(), Voice::State::kEnded);
  EXPECT_EQ(slow->done_frames(), 64);
}

TEST_F(MixerTest, AFullCommandQueueRefusesCommandsButNoBatch) {
  Voice* const voice = Submit(0, {Quarter(0, 5000)})[0];
  int sent = 0;
  absl::Status status;
  while ((status = mixer_->SkipFrames(voice, 0)).ok()) ASSERT_LT(++sent, 100);
  EXPECT_TRUE(absl::IsResourceExhausted(status));
  EXPECT_GE(sent, 10);  // at least one for each voice that can be pending
  for (int i = 0; i < 3; ++i) Submit(0, {Quarter(0, 10)});
  driver_->Step(64);
  EXPECT_TRUE(mixer_->Cancel(voice, 0).ok());
}

TEST_F(MixerTest, SkipFramesDropsFromTheNextBlockOn) {
  const PlanarSound ramp(1, 100, [](int, int64_t f) { return static_cast<float>(f) / 128; });
  Voice::Spec spec = Quarter(0, 0);
  spec.view = ramp.view();
  Voice* const voice = Submit(0, {spec})[0];
  driver_->Step(10);
  ASSERT_TRUE(mixer_->SkipFrames(voice, 5).ok());
  driver_->Step(10);
  EXPECT_EQ(driver_->output(0)[9], 9.0f / 128);
  EXPECT_EQ(driver_->output(0)[10], 15.0f / 128);
  driver_->Run(100, 64);
  EXPECT_EQ(voice->trimmed_frames(), 5);
  EXPECT_EQ(voice->done_frames(), 95);
  EXPECT_EQ(voice->end_frame(), 95);
}

// Commands before whose first one it had no more than a plain sound needs. Of its twin it was known
// from the start that more might happen.
TEST_F(MixerTest, CommandsDoTheSameToAPlainSoundAsToItsTwin) {
  const PlanarSound ramp(1, 300, [](int, int64_t f) { return static_cast<float>(f + 1) / 512; });
  using Send = std::function<void(Voice*, VoiceChange*)>;
  std::vector<std::pair<std::string, Send>> commands;
  for (const int64_t frame : {0, 110, 250}) {
    commands.emplace_back("cancel", [this, frame](Voice* voice, VoiceChange*) {
      EXPECT_TRUE(mixer_->Cancel(voice, frame).ok());
    });
  }
  for (const auto kind :
       {VoiceChange::Kind::kGain, VoiceChange::Kind::kSessionGain, VoiceChange::Kind::kPause,
        VoiceChange::Kind::kLeaveLoop, VoiceChange::Kind::kStop}) {
    for (const int64_t frame : {0, 110, 250}) {
      commands.emplace_back("change", [this, kind, frame](Voice* voice, VoiceChange* change) {
        *change = {.kind = kind, .gain = 0.5f, .fade = {.frames = 40}, .frame = frame};
        EXPECT_TRUE(mixer_->Change(voice, change).ok());
      });
    }
  }
  commands.emplace_back("skip", [this](Voice* voice, VoiceChange*) {
    EXPECT_TRUE(mixer_->SkipFrames(voice, 30).ok());
  });
  commands.emplace_back("follow", [this](Voice* voice, VoiceChange*) {
    Voice::Spec spec = Quarter(Voice::kFollows, 50);
    spec.after = voice;
    Submit(0, {spec});
  });

  using Outcome = std::tuple<Samples, EndReason, int64_t, int64_t, int64_t, int64_t>;
  const auto outcome = [&](const Voice::Spec& spec, int64_t start_frame, int64_t sent_frame,
                           const Send& send) -> Outcome {
    Make(SmallOptions());
    VoiceChange change;
    Voice* const voice = Submit(start_frame, {spec})[0];
    driver_->Run(sent_frame, 64);
    send(voice, &change);
    driver_->Run(1024 - sent_frame, 64);
    EXPECT_EQ(voice->paused(),
              change.kind == VoiceChange::Kind::kPause && change.applied_frame >= 0);
    return {driver_->output(0),   voice->end_reason(),     voice->end_frame(),
            voice->done_frames(), voice->trimmed_frames(), change.applied_frame};
  };
  Voice::Spec plain = Quarter(0, 0);
  plain.view = ramp.view();
  plain.loop = {.begin_frame = 20, .end_frame = 120, .passes = 2};
  Voice::Spec twin = plain;
  twin.cut_offset_frames = Voice::kMaxFrame;
  for (const int64_t start_frame : {10, 100}) {
    // With its batch, before it starts, while it sounds, and after its end.
    for (const int64_t sent_frame : {0, 64, 192, 576}) {
      for (const auto& [name, send] : commands) {
        EXPECT_EQ(outcome(plain, start_frame, sent_frame, send),
                  outcome(twin, start_frame, sent_frame, send))
            << name << " on " << sent_frame << ", start on " << start_frame;
      }
    }
  }
}

// 1 + 2^-24 is 1 in float: only the order (start, requested start, sequence) gives these sums.
TEST_F(MixerTest, VoicesAreSummedInOrder) {
  const PlanarSound big(1, 64, [](int, int64_t) { return 1.0f; });
  const PlanarSound tiny(1, 64, [](int, int64_t) { return 0x1p-24f; });
  const auto spec = [&](const PlanarSound& sound, int64_t offset, int64_t sequence, float gain) {
    Voice::Spec s;
    s.offset_frames = offset;
    s.sequence = sequence;
    s.gain = gain;
    s.channel_map = {0};
    s.view = sound.view();
    return s;
  };
  // (tiny + 1) - 1 = 0, but (1 - 1) + tiny = tiny.
  Submit(0, {spec(tiny, 0, 3, 1), spec(big, 0, 1, 1), spec(big, 0, 2, -1)});
  driver_->Step(64);
  EXPECT_EQ(driver_->output(0)[0], 0x1p-24f);
  Submit(64, {spec(tiny, 0, 4, 1), spec(big, 0, 5, 1), spec(big, 0, 6, -1)});
  driver_->Step(64);
  EXPECT_EQ(driver_->output(0)[64], 0.0f);
  // All late and started together: the requested frame decides before the sequence.
  Submit(0, {spec(tiny, -1, 9, 1), spec(big, -3, 8, -1), spec(big, -2, 7, 1)});
  driver_->Step(64);
  EXPECT_EQ(driver_->output(0)[128], 0x1p-24f);
}

TEST_F(MixerTest, OutputIsClippedOnceAndCountedPerChannel) {
  std::vector<Voice::Spec> specs(5, Quarter(0, 10));
  specs.back().channel_map = {1};
  specs.back().gain = -8;
  specs.push_back(Quarter(0, 3));
  specs.back().gain = 2;
  Submit(0, specs);
  driver_->Step(64);
  EXPECT_EQ(driver_->output(0)[0], 1.0f);  // 1.5
  EXPECT_EQ(driver_->output(0)[3], 1.0f);  // 1, not clipped
  EXPECT_EQ(driver_->output(1)[9], -1.0f);
  EXPECT_EQ(mixer_->clipped_samples(0), 3U);
  EXPECT_EQ(mixer_->clipped_samples(1), 10U);
  BlockRecord record{};
  ASSERT_EQ(mixer_->block_log().Read(0, &record), BlockLog::ReadResult::kOk);
  EXPECT_EQ(record.clipped_samples, 13);
  std::vector<float> sent(64);
  EXPECT_EQ(mixer_->output_history().Read(1, 0, 64, sent.data(), 1), 0);
  EXPECT_EQ(sent, driver_->output(1));
}

TEST_F(MixerTest, OverflowOfTheSumIsClippedNotPassedOn) {
  std::vector<Voice::Spec> specs;
  for (const float gain : {3e38f, 3e38f, 3e38f, 3e38f, 3e38f, 3e38f}) {
    specs.push_back(Quarter(0, 10));
    specs.back().gain = gain;
  }
  specs.push_back(Quarter(5, 5));
  specs.back().gain = -3e38f;
  Submit(0, specs);
  driver_->Step(64);
  EXPECT_EQ(driver_->output(0)[0], 1.0f);
  EXPECT_EQ(driver_->output(0)[5], 1.0f);
  EXPECT_EQ(mixer_->clipped_samples(0), 10U);
}

TEST_F(MixerTest, InputIsKept) {
  driver_->input_sample = [](int c, int64_t f) { return static_cast<float>(f) + 0.5f * c; };
  driver_->Run(150, 100);
  std::vector<float> in(150);
  for (int c = 0; c < 2; ++c) {
    ASSERT_EQ(mixer_->input_history().Read(c, 0, 150, in.data(), 1), 0);
    for (int f = 0; f < 150; ++f) ASSERT_EQ(in[f], static_cast<float>(f) + 0.5f * c);
  }
}

TEST_F(MixerTest, WorksWithoutInputAndOutputOfTheBlock) {
  Submit(0, {Quarter(0, 10)});
  AudioBlock block;
  block.frames = 32;
  ProcessBlock(mixer_.get(), block);
  EXPECT_EQ(mixer_->input_history().head_frame(), 32);
  std::vector<float> sent(32);
  EXPECT_EQ(mixer_->output_history().Read(0, 0, 32, sent.data(), 1), 0);
  EXPECT_EQ(sent[9], 0.25f);
  EXPECT_EQ(sent[10], 0.0f);
}

TEST_F(MixerTest, BlockLogHasOneRecordPerCallback) {
  Submit(0, {Quarter(0, 40), Quarter(90, 10)});
  driver_->Step(40, kHostInputOverflow, 1234);
  driver_->Step(100, 0, 5678);  // split inside
  BlockRecord record{};
  ASSERT_EQ(mixer_->block_log().end_position(), 2);
  ASSERT_EQ(mixer_->block_log().Read(0, &record), BlockLog::ReadResult::kOk);
  EXPECT_EQ(record.first_frame, 0);
  EXPECT_EQ(record.frames, 40);
  EXPECT_EQ(record.host_flags, kHostInputOverflow);
  EXPECT_EQ(record.callback_nanos, 1234);
  EXPECT_EQ(record.voices, 1);
  ASSERT_EQ(mixer_->block_log().Read(1, &record), BlockLog::ReadResult::kOk);
  EXPECT_EQ(record.first_frame, 40);
  EXPECT_EQ(record.frames, 100);
  EXPECT_EQ(record.callback_nanos, 5678);
  EXPECT_EQ(record.voices, 1);
}

TEST_F(MixerTest, FirstFrameCanBeAnyFrame) {
  Mixer::Options options = SmallOptions();
  options.first_frame = int64_t{1} << 50;
  Make(options);
  EXPECT_EQ(mixer_->next_frame(), int64_t{1} << 50);
  EXPECT_EQ(mixer_->input_history().head_frame(), int64_t{1} << 50);
  Submit((int64_t{1} << 50) + 5, {Quarter(0, 10)});
  driver_->Step(64);
  EXPECT_EQ(SoundingFrames(), FrameSpan(5, 15));
}

TEST_F(MixerTest, JumpMakesPendingStartsLateAndTheirPoliciesHold) {
  std::vector<Voice::Spec> specs = {Quarter(0, 100), Quarter(0, 100), Quarter(0, 100)};
  specs[1].late_policy = LatePolicy::kSkip;
  specs[2].late_policy = LatePolicy::kTrim;
  const std::vector<Voice*> voices = Submit(1000, specs);
  driver_->Step(64);
  mixer_->JumpForward(1010 - 64);
  EXPECT_EQ(mixer_->next_frame(), 1010);
  driver_->Run(128, 64);
  EXPECT_EQ(voices[0]->done_frames(), 100);
  EXPECT_EQ(voices[0]->late_frames(), 10);
  EXPECT_EQ(voices[1]->end_reason(), EndReason::kSkipped);
  EXPECT_EQ(voices[2]->done_frames(), 90);
  EXPECT_EQ(voices[2]->end_frame(), 1100);
}

TEST_F(MixerTest, JumpBringsWhatIsToHappenToASoundingVoiceNearer) {
  Voice* const voice = Submit(0, {Quarter(0, 1000)})[0];
  ASSERT_TRUE(mixer_->Cancel(voice, 500).ok());
  driver_->Run(128, 64);
  mixer_->JumpForward(320);
  driver_->Run(128, 64);
  EXPECT_EQ(voice->end_reason(), EndReason::kCancelled);
  EXPECT_EQ(voice->end_frame(), 500);
  EXPECT_EQ(voice->done_frames(), 128 + 52);
}

// More voices than are added together at a time, on routes that share channels and routes that do
// not, in the order that the contract names.
TEST_F(MixerTest, ManyVoicesAreSummedInOrder) {
  constexpr int kVoices = 600;
  Mixer::Options options = SmallOptions();
  options.max_pending_voices = kVoices;
  Make(options);
  const PlanarSound stereo(2, 900, [](int c, int64_t f) {
    return static_cast<float>((f * 7919 + c * 104'729) % 2001 - 1000) * 1e-6f;
  });
  const PlanarSound mono(1, 700, [](int, int64_t f) {
    return static_cast<float>((f * 15'485'863) % 2003 - 1001) * 1e-6f;
  });
  const std::vector<std::vector<int>> maps = {{0, 1}, {0}, {1}, {1, 0}};
  std::vector<Voice::Spec> specs;
  for (int v = 0; v < kVoices; ++v) {
    Voice::Spec spec;
    spec.sequence = v;
    // Of one route, of two that take turns, and of all: more than are added together at a time.
    spec.channel_map = maps[v < 150 ? 0 : v < 450 ? 1 + v % 2 : v % 4];
    spec.view = spec.channel_map.size() == 2 ? stereo.view() : mono.view();
    spec.view_offset_frames = v * 37 % 150;
    spec.loop = {.begin_frame = v % 5, .end_frame = spec.view.frames - v % 11, .passes = 0};
    spec.gain = 0.5f + static_cast<float>(v) / 1000;
    specs.push_back(spec);
  }
  Submit(0, specs);
  driver_->Run(1000, 37);
  for (int64_t frame = 0; frame < 1000; ++frame) {
    float sums[] = {0, 0};
    for (const Voice::Spec& spec : specs) {
      int64_t position = spec.view_offset_frames + frame;
      if (position >= spec.loop.end_frame) {
        const int64_t length = spec.loop.end_frame - spec.loop.begin_frame;
        position = spec.loop.begin_frame + (position - spec.loop.begin_frame) % length;
      }
      for (size_t c = 0; c < spec.channel_map.size(); ++c) {
        const PlanarSound& sound = spec.channel_map.size() == 2 ? stereo : mono;
        float& sum = sums[spec.channel_map[c]];
        sum = std::fma(spec.gain, sound.sample(static_cast<int>(c), position), sum);
      }
    }
    ASSERT_EQ(driver_->output(0)[frame], sums[0]) << frame;
    ASSERT_EQ(driver_->output(1)[frame], sums[1]) << frame;
  }
}

// More fades at a time than have a place among the common ones, and places that get free.
TEST_F(MixerTest, AnyNumberOfFadesGoOnAtATime) {
  constexpr int kVoices = 3 * CommonFades::kMaxFades;
  Mixer::Options options = SmallOptions();
  options.output_channels = kVoices;
  options.max_pending_voices = kVoices;
  Make(options);
  const PlanarSound sound(1, 3000, [](int, int64_t f) { return static_cast<float>(f % 64) / 64; });
  std::vector<Voice::Spec> specs;
  for (int v = 0; v < kVoices; ++v) {
    Voice::Spec spec;
    spec.sequence = v;
    spec.channel_map = {v};
    spec.view = sound.view();
    // Some end soon, in twos.
    spec.fade_in = {.frames = v % 3 == 0 ? 300 + v / 2 : 2000 + v};
    specs.push_back(spec);
  }
  const std::vector<Voice*> voices = Submit(0, specs);
  driver_->Run(448, 64);
  // What ends leaves its place.
  ASSERT_TRUE(mixer_->Cancel(voices[1], 500).ok());
  driver_->Run(2560, 64);
  for (int v = 0; v < kVoices; ++v) {
    GainRamp ramp(0.0f);
    AS_AUDIO_THREAD(ramp.StartRt(1.0f, specs[v].fade_in));
    for (int64_t frame = 0; frame < (v == 1 ? 500 : 3000); ++frame) {
      float gain = 0;
      AS_AUDIO_THREAD(ramp.WriteRt(PortableMixKernel(), 1.0f, &gain, 1));
      ASSERT_EQ(driver_->output(v)[frame], gain * sound.sample(0, frame)) << v << ": " << frame;
    }
  }
}

TEST_F(MixerTest, EndAllGivesEverythingBack) {
  Voice* const playing = Submit(0, {Quarter(0, 1000)})[0];
  Voice* const unasked = Submit(0, {Quarter(0, 1000)})[0];
  Voice* const pending = Submit(5000, {Quarter(0, 10)})[0];
  driver_->Run(192, 64);
  driver_->TakeResults();
  Voice* const unseen = Submit(Batch::kOriginNow, {Quarter(1, 10)})[0];
  ASSERT_TRUE(mixer_->Cancel(playing, 999).ok());
  mixer_->EndAll();
  EXPECT_EQ(playing->end_reason(), EndReason::kCancelled);
  EXPECT_EQ(playing->end_frame(), 192);
  EXPECT_EQ(playing->done_frames(), 192);
  EXPECT_EQ(unasked->done_frames(), 192);
  EXPECT_EQ(pending->end_frame(), 5000);
  EXPECT_EQ(unseen->end_frame(), 193);
  const std::vector<Kind> kinds = TakeKinds();
  EXPECT_EQ(std::count(kinds.begin(), kinds.end(), Kind::kBatchOrigin), 1);
  EXPECT_EQ(std::count(kinds.begin(), kinds.end(), Kind::kVoiceEnded), 4);
  EXPECT_EQ(std::count(kinds.begin(), kinds.end(), Kind::kBatchReleased), 4);
  driver_->Step(64);
  EXPECT_EQ(driver_->output(0)[192], 0.0f);
}

TEST_F(MixerTest, WakesOnceIfArmed) {
  const std::unique_ptr<EventFdWaker> waker = EventFdWaker::Create();
  ASSERT_NE(waker, nullptr);
  Mixer::Options options = SmallOptions();
  options.waker = waker.get();
  Make(options);
  driver_->Step(64);
  EXPECT_FALSE(waker->WaitFor(0));
  waker->Arm();
  driver_->Step(64);
  EXPECT_TRUE(waker->WaitFor(0));
  driver_->Step(64);
  EXPECT_FALSE(waker->WaitFor(0));
}

}  // namespace
}  // namespace rtmixd
