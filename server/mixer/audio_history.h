#ifndef RTMIXD_SERVER_MIXER_AUDIO_HISTORY_H_
#define RTMIXD_SERVER_MIXER_AUDIO_HISTORY_H_

#include <atomic>
#include <cstdint>
#include <memory>

namespace rtmixd {

// The last few seconds of a stream's audio on every channel: a planar ring with one writer and any
// number of readers, none of whom the writer knows. Recordings, record streams and meters are its
// readers, so that a hundred of them cost the audio thread what one costs, and so that a recording
// may start in the past.
//
// Frames are addressed by their absolute index in the stream. Frame f can be read once
// head_frame() > f and until the writer has gone about capacity_frames() further. Samples are
// stored as relaxed atomics, so that a reader that was overtaken reads stale numbers (and is told
// so) and not undefined behaviour.
//
// Threading: WriteRt and PublishRt on the audio thread only; JumpForward while no audio thread
// runs; everything else from any thread, wait-free.
class AudioHistory {
 public:
  // Holds at least `min_capacity_frames` readable frames while blocks of up to `max_block_frames`
  // are written. All memory is allocated and touched here.
  AudioHistory(int channels, int64_t min_capacity_frames, int max_block_frames);

  // Writes `frames` samples of each channel from head_frame() + offset on, without publishing them.
  // frames <= max_block_frames. A null `planar` writes silence.
  void WriteRt(const float* const* planar, int frames);
  // Makes everything written readable: head_frame() grows by what was written.
  void PublishRt();

  // Moves the head forward; the frames jumped over read as silence. Only while no audio thread runs.
  void JumpForward(int64_t frames);

  // Index of the next frame to be written; all before are readable. Acquire.
  int64_t head_frame() const;
  // The oldest frame that can be read now; moves on while the caller looks at it.
  int64_t tail_frame() const;
  int channels() const;
  int64_t capacity_frames() const;

  // Copies `frames` samples of channel `channel` (from 0), from absolute frame `first_frame` on, to
  // `out[0], out[stride], ...`. Returns how many frames at the front of the span had been
  // overwritten before they were copied safely (0: all good); the samples of those are garbage.
  // Requires first_frame + frames <= head_frame().
  int64_t Read(int channel, int64_t first_frame, int64_t frames, float* out, int stride) const;
};

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_MIXER_AUDIO_HISTORY_H_
