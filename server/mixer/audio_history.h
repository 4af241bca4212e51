#ifndef RTMIXD_SERVER_MIXER_AUDIO_HISTORY_H_
#define RTMIXD_SERVER_MIXER_AUDIO_HISTORY_H_

#include <atomic>
#include <cstdint>
#include <memory>

#include "server/realtime/cache_line.h"

namespace rtmixd {

// The last few seconds of a stream's audio on every channel: a planar ring with one writer and any
// number of readers, none of whom the writer knows. Recordings, record streams and meters are its
// readers, so that a hundred of them cost the audio thread what one costs, and so that a recording
// may start in the past.
//
// Frames are addressed by their absolute index in the stream. Frame f can be read once
// head_frame() > f and until the writer has gone about capacity_frames() further. Samples are
// stored as atomics, two at a time, so that a reader that was overtaken reads stale numbers (and is
// told so) and not undefined behaviour.
//
// Threading: WriteRt and PublishRt on the audio thread only; JumpForward while no audio thread
// runs; everything else from any thread, wait-free.
class AudioHistory {
 public:
  // Holds at least `min_capacity_frames` (>= 0) readable frames while blocks of up to
  // `max_block_frames` (> 0) are written. `channels` may be 0: then it only counts. All memory is
  // allocated and touched here.
  AudioHistory(int channels, int64_t min_capacity_frames, int max_block_frames);
  AudioHistory(const AudioHistory&) = delete;
  AudioHistory& operator=(const AudioHistory&) = delete;

  // Writes the next `frames` samples of each channel after those already written, without making
  // them readable; at most max_block_frames may wait for PublishRt. `planar[c]` points to the
  // samples of channel c; a null `planar` writes silence.
  void WriteRt(const float* const* planar, int frames) noexcept;
  // Makes everything written readable: head_frame() grows by what was written.
  void PublishRt() noexcept;

  // Moves the head forward; the frames jumped over read as silence. Only while no audio thread runs
  // and nothing waits to be published.
  void JumpForward(int64_t frames);

  // Index of the next frame to be readable; all before are. Whoever sees a head sees the samples
  // before it.
  int64_t head_frame() const { return head_.load(std::memory_order_acquire); }
  // The oldest frame that can be read now; moves on while the caller looks at it.
  int64_t tail_frame() const;
  int channels() const { return channels_; }
  int64_t capacity_frames() const { return ring_frames_ - max_block_frames_; }

  // Copies `frames` samples of channel `channel` (from 0), from absolute frame `first_frame` on, to
  // `out[0], out[stride], ...`. Returns how many frames at the front of the span had been
  // overwritten before they were copied safely (0: all good); the samples of those are garbage.
  // Requires 0 <= first_frame and first_frame + frames <= head_frame().
  int64_t Read(int channel, int64_t first_frame, int64_t frames, float* out, int stride) const;

 private:
  // Two samples of one channel.
  using Word = std::atomic<uint64_t>;

  // Writes silence (or `planar`) at absolute frame `first_frame`; what it replaces was claimed.
  void StoreRt(const float* const* planar, int64_t first_frame, int64_t frames) noexcept;

  const int channels_;
  const int max_block_frames_;
  const int64_t ring_frames_;  // a power of two, at least 2
  // Channels lie a cache line further apart than the ring is long: at a power of two, the same
  // frame of all channels would compete for one set of the cache.
  const int64_t stride_words_;
  const std::unique_ptr<Word[]> words_;
  // Frames below head_ are readable, those below claimed_ are being written or are written.
  alignas(kCacheLineBytes) std::atomic<int64_t> claimed_{0};
  std::atomic<int64_t> head_{0};

  static_assert(Word::is_always_lock_free);
};

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_MIXER_AUDIO_HISTORY_H_
