#ifndef RTMIXD_SERVER_MIXER_MIXER_H_
#define RTMIXD_SERVER_MIXER_MIXER_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "server/mixer/audio_history.h"
#include "server/mixer/block_log.h"
#include "server/mixer/voice.h"
#include "server/realtime/audio_block.h"

namespace rtmixd {

// Voices that are admitted together and share an origin. Made by a control thread, lent to the mixer
// by Submit, given back by the result kBatchReleased; it owns its voices.
struct Batch {
  static constexpr int64_t kOriginNow = INT64_MIN;  // the first frame of the block that takes it up
  int64_t origin_frame = kOriginNow;
  int64_t lead_frames = 0;  // with kOriginNow: origin = that first frame + lead_frames, >= 0
  std::vector<std::unique_ptr<Voice>> voices;  // any order; Submit sorts by (offset, sequence)
  void* owner = nullptr;
  // private to the mixer below: cursor, live count, heap index ...
};

struct MixerResult {
  enum class Kind : uint8_t {
    kBatchOrigin,    // the origin of a kOriginNow batch is set (`batch`, `frame`)
    kVoiceStarted,   // `voice` sounds from `frame`
    kVoiceEnded,     // `voice` has its outcome; the audio thread no longer touches it
    kBatchReleased,  // every voice of `batch` has ended; the batch may be freed
  };
  Kind kind;
  Batch* batch;
  Voice* voice;
  int64_t frame;
};

// The realtime mixer: everything that the audio thread does.
//
// Threading: ProcessRt and AfterBlockRt on the audio thread. Submit, Cancel, SkipFrames and
// PollResult by one control thread at a time (callers hold a lock). histories, block_log, next_frame
// and counters by any thread.
class Mixer : public AudioBlockSink {
 public:
  struct Options {
    int input_channels = 0;   // 0: none
    int output_channels = 0;  // 0: none
    int max_block_frames = 1024;      // longer blocks are split inside
    int64_t history_frames = 480000;  // >= max_block_frames
    int max_voices = 1024;            // sounding at once; see Submit
    int max_pending_voices = 100000;  // admitted and not yet ended, sounding ones included
    int max_batches = 100000;
    int64_t first_frame = 0;
    std::function<void()> wake;  // called by AfterBlockRt if armed; must not block (an eventfd write)
  };
  static absl::StatusOr<std::unique_ptr<Mixer>> Create(Options options);
  ~Mixer() override;

  // --- Audio thread ---
  void ProcessRt(const AudioBlock& block) noexcept override;
  void AfterBlockRt() noexcept override;

  // --- Control ---
  // Lends a batch to the audio thread. RESOURCE_EXHAUSTED, with `batch` untouched, if its voices or
  // it would exceed the limits, naming the limit; otherwise nothing about it can be lost.
  // More voices than max_voices sounding at once cannot happen: max_voices bounds the active array,
  // which is sized max_pending_voices if 0.
  absl::Status Submit(std::unique_ptr<Batch>* batch);
  // Ends `voice` before frame `frame` sounds (any past frame: at the next block). The voice must not
  // have come back yet. RESOURCE_EXHAUSTED if the command queue is full (retry after a block).
  absl::Status Cancel(Voice* voice, int64_t frame);
  // Drops the next `frames` of a sounding voice, to catch up with a timeline that lost as many.
  absl::Status SkipFrames(Voice* voice, int64_t frames);
  // The oldest result not yet taken; false if there is none.
  bool PollResult(MixerResult* result);
  // Asks for one wake after the next block that is processed.
  void ArmWake();

  // --- While no audio thread runs ---
  // The frame counter jumps once, after the device was away for so long.
  void JumpForward(int64_t frames);
  // Takes up commands and ends everything, as if cancelled now; all results can then be polled.
  void EndAll();

  // --- Any thread ---
  int64_t next_frame() const;  // first frame of the next block
  const AudioHistory& input_history() const;
  const AudioHistory& output_history() const;  // what was sent to the device, clipped
  const BlockLog& block_log() const;
  uint64_t clipped_samples(int output_channel) const;  // since creation
};

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_MIXER_MIXER_H_
