#ifndef RTMIXD_TESTS_MIXER_STEP_DRIVER_H_
#define RTMIXD_TESTS_MIXER_STEP_DRIVER_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "server/mixer/mixer.h"
#include "server/realtime/audio_block.h"

namespace rtmixd {

// Does to `sink` what a device does with each block. In the tests named "_guarded" the guard that
// aborts on allocation, locks and system calls is on meanwhile.
void ProcessBlock(AudioBlockSink* sink, const AudioBlock& block);

// Stands in for the audio thread: hands a mixer one block after the other, as fast as a test calls,
// and keeps what comes out.
//
// Threading: one thread at a time.
class StepDriver {
 public:
  // The channel counts are those of the mixer, which outlives the driver.
  StepDriver(Mixer* mixer, int input_channels, int output_channels);

  // Processes one block of `frames`. The input is `input_sample(channel, frame)`, or silence if it
  // is not set, with frame counted by the mixer.
  void Step(int frames);
  void Step(int frames, uint32_t host_flags, int64_t callback_nanos);
  // Processes `frames` frames in blocks of `block_frames` (the last may be shorter).
  void Run(int64_t frames, int block_frames);

  // Samples of output channel `channel` (from 0) since the driver was made.
  const std::vector<float>& output(int channel) const { return output_[channel]; }

  // Takes all results that wait. Batches that are released are freed when the driver is.
  std::vector<MixerResult> TakeResults();

  std::function<float(int channel, int64_t frame)> input_sample;

 private:
  Mixer* const mixer_;
  std::vector<std::vector<float>> input_;
  std::vector<std::vector<float>> output_;
  std::vector<std::unique_ptr<Batch>> released_;
};

}  // namespace rtmixd

#endif  // RTMIXD_TESTS_MIXER_STEP_DRIVER_H_
