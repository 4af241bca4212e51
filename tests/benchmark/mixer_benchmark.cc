// What the audio thread needs per block. Read "per_sample_voice" beside the 1.1 to 1.9 ns that a
// plain C callback needs per sample and voice, and the time per block of BM_Pending across its
// arguments, which must not grow.

#include <benchmark/benchmark.h>

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <utility>
#include <vector>

#include "server/mixer/mixer.h"
#include "tests/mixer/planar_sound.h"

namespace rtmixd {
namespace {

constexpr int kBlockFrames = 64;
constexpr int kChannels = 2;

float Sample(int channel, int64_t frame) {
  return static_cast<float>((frame * 7919 + channel * 104729) % 2001 - 1000) * 1e-6f;
}

// A stereo mixer on silent input, driven block by block.
class Bench {
 public:
  explicit Bench(int max_pending_voices) {
    Mixer::Options options;
    options.input_channels = kChannels;
    options.output_channels = kChannels;
    options.history_frames = 48000;
    options.max_pending_voices = max_pending_voices;
    options.max_batches = max_pending_voices;
    mixer_ = *Mixer::Create(options);
    for (int c = 0; c < kChannels; ++c) {
      input_[c] = silence_.data();
      output_[c] = output_samples_.data() + c * kBlockFrames;
    }
    block_.frames = kBlockFrames;
    block_.input = input_;
    block_.output = output_;
  }

  void Step() { mixer_->ProcessRt(block_); }

  // Plays `sound` from `view_offset_frames` on.
  std::unique_ptr<Voice> MakeVoice(const PlanarSound& sound, int64_t view_offset_frames) {
    Voice::Spec spec;
    spec.sequence = next_sequence_++;
    spec.gain = 0.5f;
    spec.channel_map = {0, 1};
    spec.view = sound.view();
    spec.view_offset_frames = view_offset_frames;
    return std::make_unique<Voice>(std::move(spec));
  }

  void Submit(int64_t origin_frame, std::vector<std::unique_ptr<Voice>> voices) {
    auto batch = std::make_unique<Batch>();
    batch->origin_frame = origin_frame;
    batch->voices = std::move(voices);
    if (!mixer_->Submit(&batch).ok()) std::abort();
  }

  // Frees what came back.
  void Poll() {
    MixerResult result;
    while (mixer_->PollResult(&result)) {
      if (result.kind == MixerResult::Kind::kBatchReleased) {
        const std::unique_ptr<Batch> batch(result.batch);
      }
    }
  }

  Mixer& mixer() { return *mixer_; }

 private:
  std::unique_ptr<Mixer> mixer_;
  std::vector<float> silence_ = std::vector<float>(kBlockFrames);
  std::vector<float> output_samples_ = std::vector<float>(kBlockFrames * kChannels);
  const float* input_[kChannels] = {};
  float* output_[kChannels] = {};
  AudioBlock block_;
  int64_t next_sequence_ = 0;
};

// Stereo voices that sound all the time, each from its own place of one sound.
// range(0): voices. range(1): frames of the sound: a few thousand stay in the cache.
void BM_Voices(benchmark::State& state) {
  const auto voices = static_cast<int>(state.range(0));
  const int64_t frames = state.range(1);
  const PlanarSound sound(kChannels, frames, Sample);
  Bench bench(voices);
  const auto fill = [&] {
    std::vector<std::unique_ptr<Voice>> batch;
    for (int v = 0; v < voices; ++v) {
      // In the first half, so that all last for the same half.
      batch.push_back(bench.MakeVoice(sound, (v * int64_t{977}) % (frames / 2)));
    }
    bench.Submit(Batch::kOriginNow, std::move(batch));
    bench.Step();
  };
  const int64_t blocks_per_fill = frames / 2 / kBlockFrames - 2;
  int64_t blocks_left = 0;
  for (auto _ : state) {
    if (blocks_left-- == 0) {
      state.PauseTiming();
      bench.mixer().EndAll();
      bench.Poll();
      fill();
      blocks_left = blocks_per_fill;
      state.ResumeTiming();
    }
    bench.Step();
  }
  state.counters["per_sample_voice"] = benchmark::Counter(
      static_cast<double>(state.iterations()) * voices * kBlockFrames * kChannels,
      benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}
BENCHMARK(BM_Voices)
    ->ArgNames({"voices", "frames"})
    ->ArgsProduct({{1, 64, 256, 1000}, {8192, 1 << 22}});

// One voice sounds, and range(0) voices wait for a start far ahead, each in a batch of its own.
void BM_Pending(benchmark::State& state) {
  const auto pending = static_cast<int>(state.range(0));
  const PlanarSound sound(kChannels, 1 << 22, Sample);
  Bench bench(pending + 1);
  for (int v = 0; v < pending; ++v) {
    std::vector<std::unique_ptr<Voice>> batch;
    batch.push_back(bench.MakeVoice(sound, 0));
    bench.Submit((int64_t{1} << 40) + (v * int64_t{7919}) % 1'000'003, std::move(batch));
  }
  for (int i = 0; i <= pending / Mixer::kMaxCommandsPerBlock; ++i) bench.Step();
  int64_t blocks_left = 0;
  for (auto _ : state) {
    if (blocks_left-- == 0) {
      state.PauseTiming();
      bench.Poll();
      std::vector<std::unique_ptr<Voice>> batch;
      batch.push_back(bench.MakeVoice(sound, 0));
      bench.Submit(Batch::kOriginNow, std::move(batch));
      bench.Step();
      blocks_left = (1 << 22) / kBlockFrames - 1;
      state.ResumeTiming();
    }
    bench.Step();
  }
}
BENCHMARK(BM_Pending)->ArgName("pending")->Arg(0)->Arg(1000)->Arg(100'000);

}  // namespace
}  // namespace rtmixd
