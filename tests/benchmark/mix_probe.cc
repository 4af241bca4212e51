// The mixer, its rival and the memory, each driven block by block by a loop in C++: a library for
// Python, whose calls would otherwise count. Times are in nanoseconds of CLOCK_MONOTONIC.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <utility>
#include <vector>

#include "server/control/audio_storage.h"
#include "server/control/byte_budget.h"
#include "server/mixer/mixer.h"

namespace rtmixd {
namespace {

class Stopwatch {
 public:
  double nanos() const {
    return std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - begin_)
        .count();
  }

 private:
  const std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

// A mixer without inputs, and the sounds of its voices in the memory that the server's have.
class Probe {
 public:
  Probe(int outputs, int block_frames, int max_voices)
      : output_samples_(size_t{1} * outputs * block_frames) {
    Mixer::Options options;
    options.output_channels = outputs;
    options.history_frames = 48000;
    options.max_pending_voices = max_voices;
    options.max_batches = max_voices;
    mixer_ = *Mixer::Create(options);
    for (int c = 0; c < outputs; ++c) output_.push_back(&output_samples_[c * block_frames]);
    block_.frames = block_frames;
    block_.output = output_.data();
  }

  ~Probe() {
    mixer_->EndAll();
    Poll();
  }
  Probe(const Probe&) = delete;
  Probe& operator=(const Probe&) = delete;

  int AddSound(int channels, int64_t frames) {
    auto storage = *AudioStorage::Create(channels, frames, budget_);
    for (int64_t done = 0; done < frames;) {
      const AudioStorage::Stretch<float> room = storage->Room(0, frames - done);
      for (int c = 0; c < channels; ++c) {
        for (int64_t f = 0; f < room.frames; ++f) {
          room.samples[c * room.channel_stride_frames + f] =
              static_cast<float>((done + f) * 7919 % 2001 - 1000) * 1e-6f;
        }
      }
      storage->Publish(room.frames);
      done += room.frames;
    }
    sounds_.push_back(std::move(storage));
    return static_cast<int>(sounds_.size()) - 1;
  }

  // Adds to the batch to be submitted: a voice that loops over the whole sound.
  void AddVoice(int sound, const int* channel_map, int64_t first_frame, float gain,
                const Fade& fade_in) {
    Voice::Spec spec = MakeSpec(sound, channel_map);
    spec.gain = gain;
    spec.fade_in = fade_in;
    spec.view_offset_frames = first_frame;
    spec.loop = {.begin_frame = 0, .end_frame = spec.view.frames, .passes = 0};
    batch_->AddVoice(spec);
  }

  // The same, but one that plays the sound once, from `offset_frames` after the origin on.
  void AddShot(int sound, const int* channel_map, int64_t offset_frames) {
    Voice::Spec spec = MakeSpec(sound, channel_map);
    spec.offset_frames = offset_frames;
    batch_->AddVoice(spec);
  }

  void SubmitVoices(int64_t origin_frame) {
    last_batch_ = batch_.get();
    batch_->origin_frame = origin_frame;
    if (!mixer_->Submit(&batch_).ok()) std::abort();
    batch_ = std::make_unique<Batch>();
  }

  // Voices that wait for a start far ahead, each in a batch of its own; runs the blocks that take
  // them up.
  void AddPending(int sound, const int* channel_map, int count) {
    for (int v = 0; v < count; ++v) {
      AddShot(sound, channel_map, 0);
      SubmitVoices(kFarFrame + (v * int64_t{7919}) % 1'000'003);
    }
    for (int i = 0; i <= count / Mixer::kMaxCommandsPerBlock; ++i) mixer_->ProcessRt(block_);
  }

  // Cancels every voice of the last batch, on a frame far ahead: the commands are taken up all the
  // same.
  void CancelLast() {
    for (Voice* const voice : last_batch_->voices) {
      if (!mixer_->Cancel(voice, kFarFrame + 2'000'000).ok()) std::abort();
    }
  }

  void TimeBlocks(int blocks, double* nanos) {
    for (int i = 0; i < blocks; ++i) nanos[i] = Run(1);
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

  double Run(int blocks) {
    const Stopwatch watch;
    for (int i = 0; i < blocks; ++i) mixer_->ProcessRt(block_);
    return watch.nanos() / blocks;
  }

 private:
  // Of a voice that plays the whole sound once.
  Voice::Spec MakeSpec(int sound, const int* channel_map) {
    Voice::Spec spec;
    spec.sequence = next_sequence_++;
    spec.view = sounds_[sound]->View();
    spec.channel_map.assign(channel_map, channel_map + spec.view.channels);
    return spec;
  }

  // Nothing that starts here sounds while something is measured.
  static constexpr int64_t kFarFrame = int64_t{1} << 40;

  const std::shared_ptr<ByteBudget> budget_ =
      std::make_shared<ByteBudget>("probe", int64_t{1} << 40);
  std::vector<std::shared_ptr<AudioStorage>> sounds_;  // outlive the mixer
  std::unique_ptr<Mixer> mixer_;
  std::unique_ptr<Batch> batch_ = std::make_unique<Batch>();
  std::vector<float> output_samples_;
  std::vector<float*> output_;
  AudioBlock block_;
  int64_t next_sequence_ = 0;
  const Batch* last_batch_ = nullptr;
};

}  // namespace
}  // namespace rtmixd

using rtmixd::Probe;

extern "C" {

Probe* probe_new(int outputs, int block_frames, int max_voices) {
  return new Probe(outputs, block_frames, max_voices);
}

void probe_delete(Probe* probe) { delete probe; }

int probe_add_sound(Probe* probe, int channels, int64_t frames) {
  return probe->AddSound(channels, frames);
}

// `shape` of the fade: 0 is linear, 1 equal power.
void probe_add_voice(Probe* probe, int sound, const int* channel_map, int64_t first_frame,
                     float gain, int64_t fade_frames, int shape) {
  probe->AddVoice(sound, channel_map, first_frame, gain,
                  {.frames = fade_frames, .shape = static_cast<rtmixd::FadeShape>(shape)});
}

// Of those added since the last time, as one batch.
void probe_submit_voices(Probe* probe, int64_t origin_frame) { probe->SubmitVoices(origin_frame); }

// A voice that plays the sound once.
void probe_add_shot(Probe* probe, int sound, const int* channel_map, int64_t offset_frames) {
  probe->AddShot(sound, channel_map, offset_frames);
}

void probe_add_pending(Probe* probe, int sound, const int* channel_map, int count) {
  probe->AddPending(sound, channel_map, count);
}

void probe_cancel_last(Probe* probe) { probe->CancelLast(); }

void probe_poll(Probe* probe) { probe->Poll(); }

// What each of the next blocks costs.
void probe_time_blocks(Probe* probe, int blocks, double* nanos) {
  probe->TimeBlocks(blocks, nanos);
}

// What a block costs, the mean of so many.
double probe_run(Probe* probe, int blocks) { return probe->Run(blocks); }

// The same for a callback of PortAudio (whose unsigned longs have 64 bits here), whose times go on
// by the length of a block. After every `pass_blocks` blocks, untimed, the `counts` counters at
// `done_frames` go back to 0: so that sounds begin anew.
using Callback = int (*)(const void* input, void* output, uint64_t frames, const double* time_info,
                         uint64_t flags, void* user_data);

double callback_run(Callback callback, void* state, float* output, int block_frames,
                    double* time_info, double block_seconds, uint64_t* const* done_frames,
                    int counts, int pass_blocks, int passes) {
  double nanos = 0;
  for (int pass = 0; pass < passes; ++pass) {
    for (int i = 0; i < counts; ++i) *done_frames[i] = 0;
    const rtmixd::Stopwatch watch;
    for (int block = 0; block < pass_blocks; ++block) {
      if (callback(nullptr, output, block_frames, time_info, 0, state) != 0) std::abort();
      for (int t = 0; t < 3; ++t) time_info[t] += block_seconds;
    }
    nanos += watch.nanos();
  }
  return nanos / pass_blocks / passes;
}

// What it takes to read so many samples in order and to add them up, eight sums at a time: the
// whole work of a mixer whose bus costs nothing.
__attribute__((target("avx2,fma"))) double read_add_run(const float* samples, int64_t count,
                                                        float* sums) {
  using Vector = float __attribute__((vector_size(32)));
  const rtmixd::Stopwatch watch;
  Vector sum[8] = {};
  for (int64_t i = 0; i + 64 <= count; i += 64) {
    const auto* const from = reinterpret_cast<const Vector*>(samples + i);
    for (int v = 0; v < 8; ++v) sum[v] += from[v];
  }
  for (int v = 0; v < 8; ++v) {
    for (int lane = 0; lane < 8; ++lane) sums[v * 8 + lane] = sum[v][lane];
  }
  return watch.nanos();
}

}  // extern "C"
