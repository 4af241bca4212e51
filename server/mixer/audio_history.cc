#include "server/mixer/audio_history.h"

#include <algorithm>
#include <bit>

namespace rtmixd {

AudioHistory::AudioHistory(int channels, int64_t min_capacity_frames, int max_block_frames)
    : channels_(channels),
      max_block_frames_(max_block_frames),
      ring_frames_(static_cast<int64_t>(
          std::bit_ceil(static_cast<uint64_t>(min_capacity_frames + max_block_frames)))),
      stride_(ring_frames_ + static_cast<int64_t>(kCacheLineBytes / sizeof(float))),
      samples_(std::make_unique<std::atomic<float>[]>(channels * stride_)) {}

void AudioHistory::StoreRt(const float* const* planar, int64_t first_frame,
                           int64_t frames) noexcept {
  for (int c = 0; c < channels_; ++c) {
    std::atomic<float>* const ring = &samples_[c * stride_];
    const float* const source = planar == nullptr ? nullptr : planar[c];
    for (int64_t done = 0; done < frames;) {
      const int64_t at = (first_frame + done) & (ring_frames_ - 1);
      const int64_t run = std::min(frames - done, ring_frames_ - at);
      // Release: a reader that sees one of these samples sees the claim that was stored before.
      // On x86-64 a plain move.
      if (source == nullptr) {
        for (int64_t i = 0; i < run; ++i) ring[at + i].store(0.0f, std::memory_order_release);
      } else {
        for (int64_t i = 0; i < run; ++i) {
          ring[at + i].store(source[done + i], std::memory_order_release);
        }
      }
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
  const std::atomic<float>* const ring = &samples_[channel * stride_];
  const int64_t skipped = std::clamp<int64_t>(tail_frame() - first_frame, 0, frames);
  for (int64_t done = skipped; done < frames;) {
    const int64_t at = (first_frame + done) & (ring_frames_ - 1);
    const int64_t run = std::min(frames - done, ring_frames_ - at);
    for (int64_t i = 0; i < run; ++i) {
      out[(done + i) * stride] = ring[at + i].load(std::memory_order_acquire);
    }
    done += run;
  }
  // Had a sample come from a later frame, this would see that frame's claim.
  return std::clamp<int64_t>(tail_frame() - first_frame, 0, frames);
}

}  // namespace rtmixd
