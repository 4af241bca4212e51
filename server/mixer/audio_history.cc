#include "server/mixer/audio_history.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

namespace rtmixd {
namespace {

// A word's samples, in the order of memory.
using Pair = std::array<float, 2>;

void StorePairRt(const Pair& pair, std::atomic<uint64_t>* word) noexcept {
  // Release: a reader that sees one of these samples sees the claim that was stored before. On
  // x86-64 a plain move.
  word->store(std::bit_cast<uint64_t>(pair), std::memory_order_release);
}

Pair LoadPair(const std::atomic<uint64_t>& word) {
  return std::bit_cast<Pair>(word.load(std::memory_order_acquire));
}

// Writes one sample of the word; only the writer calls it.
void StoreOneRt(float sample, int64_t at, std::atomic<uint64_t>* words) noexcept {
  Pair pair = LoadPair(words[at / 2]);
  pair[at % 2] = sample;
  StorePairRt(pair, &words[at / 2]);
}

// Writes `frames` samples from index `at` of a ring on, not beyond its end.
void StoreRunRt(const float* samples, int64_t at, int64_t frames,
                std::atomic<uint64_t>* words) noexcept {
  if (at % 2 != 0 && frames > 0) {
    StoreOneRt(*samples++, at++, words);
    --frames;
  }
  std::atomic<uint64_t>* const first = words + at / 2;
  const int64_t pairs = frames / 2;
#pragma GCC unroll 8
  for (int64_t i = 0; i < pairs; ++i) {
    Pair pair;
    std::memcpy(&pair, samples + 2 * i, sizeof(pair));
    StorePairRt(pair, first + i);
  }
  if (frames % 2 != 0) StoreOneRt(samples[frames - 1], at + frames - 1, words);
}

constexpr std::array<float, 1024> kSilence{};

}  // namespace

AudioHistory::AudioHistory(int channels, int64_t min_capacity_frames, int max_block_frames)
    : channels_(channels),
      max_block_frames_(max_block_frames),
      ring_frames_(static_cast<int64_t>(std::bit_ceil(
          static_cast<uint64_t>(std::max<int64_t>(min_capacity_frames + max_block_frames, 2))))),
      stride_words_((ring_frames_ + static_cast<int64_t>(kCacheLineBytes / sizeof(float))) / 2),
      words_(std::make_unique<Word[]>(channels * stride_words_)) {}

void AudioHistory::StoreRt(const float* const* planar, int64_t first_frame,
                           int64_t frames) noexcept {
  for (int c = 0; c < channels_; ++c) {
    for (int64_t done = 0; done < frames;) {
      const int64_t at = (first_frame + done) & (ring_frames_ - 1);
      int64_t run = std::min(frames - done, ring_frames_ - at);
      const float* samples = kSilence.data();
      if (planar != nullptr) {
        samples = planar[c] + done;
      } else {
        run = std::min<int64_t>(run, kSilence.size());
      }
      StoreRunRt(samples, at, run, &words_[c * stride_words_]);
      done += run;
    }
  }
}

void AudioHistory::WriteRt(const float* const* planar, int frames) noexcept {
  const int64_t first = claimed_.load(std::memory_order_relaxed);
  claimed_.store(first + frames, std::memory_order_relaxed);
  StoreRt(planar, first, frames);
}

void AudioHistory::PublishRt() noexcept {
  head_.store(claimed_.load(std::memory_order_relaxed), std::memory_order_release);
}

void AudioHistory::JumpForward(int64_t frames) {
  const int64_t head = head_.load(std::memory_order_relaxed) + frames;
  const int64_t silent = std::min(frames, ring_frames_);
  claimed_.store(head, std::memory_order_relaxed);
  StoreRt(nullptr, head - silent, silent);
  head_.store(head, std::memory_order_release);
}

int64_t AudioHistory::tail_frame() const {
  return std::max<int64_t>(0, claimed_.load(std::memory_order_acquire) - ring_frames_);
}

int64_t AudioHistory::Read(int channel, int64_t first_frame, int64_t frames, float* out,
                           int stride) const {
  const Word* const ring = &words_[channel * stride_words_];
  const int64_t skipped = std::clamp<int64_t>(tail_frame() - first_frame, 0, frames);
  for (int64_t done = skipped; done < frames;) {
    const int64_t at = (first_frame + done) & (ring_frames_ - 1);
    const int64_t run = std::min(frames - done, ring_frames_ - at);
    for (int64_t i = 0; i < run; ++i) {
      out[(done + i) * stride] = LoadPair(ring[(at + i) / 2])[(at + i) % 2];
    }
    done += run;
  }
  // Had a sample come from a later frame, this would see that frame's claim.
  return std::clamp<int64_t>(tail_frame() - first_frame, 0, frames);
}

}  // namespace rtmixd
