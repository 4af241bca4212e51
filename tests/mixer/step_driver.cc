#include "tests/mixer/step_driver.h"

#include <algorithm>
#include <limits>

#ifdef RTMIXD_RT_GUARD
#include "tests/support/rt_guard.h"
#endif

namespace rtmixd {

void ProcessBlock(AudioBlockSink* sink, const AudioBlock& block) {
#ifdef RTMIXD_RT_GUARD
  GuardedSink guarded(sink);
  sink = &guarded;
#endif
  sink->ProcessRt(block);
  sink->AfterBlockRt();
}

StepDriver::StepDriver(Mixer* mixer, int input_channels, int output_channels)
    : mixer_(mixer), input_(input_channels), output_(output_channels) {}

void StepDriver::Step(int frames) { Step(frames, 0, 0); }

void StepDriver::Step(int frames, uint32_t host_flags, int64_t callback_nanos) {
  std::vector<const float*> input;
  for (size_t c = 0; c < input_.size(); ++c) {
    input_[c].assign(frames, 0.0f);
    for (int i = 0; input_sample && i < frames; ++i) {
      input_[c][i] = input_sample(static_cast<int>(c), mixer_->next_frame() + i);
    }
    input.push_back(input_[c].data());
  }
  std::vector<float*> output;
  for (std::vector<float>& channel : output_) {
    // Not-a-number where the mixer fails to write.
    channel.resize(channel.size() + frames, std::numeric_limits<float>::quiet_NaN());
    output.push_back(channel.data() + channel.size() - frames);
  }
  AudioBlock block;
  block.frames = frames;
  block.input = input.empty() ? nullptr : input.data();
  block.output = output.empty() ? nullptr : output.data();
  block.host_flags = host_flags;
  block.callback_nanos = callback_nanos;
  ProcessBlock(mixer_, block);
}

void StepDriver::Run(int64_t frames, int block_frames) {
  for (; frames > 0; frames -= block_frames) {
    Step(static_cast<int>(std::min<int64_t>(frames, block_frames)));
  }
}

std::vector<MixerResult> StepDriver::TakeResults() {
  std::vector<MixerResult> results;
  MixerResult result;
  while (mixer_->PollResult(&result)) {
    if (result.kind == MixerResult::Kind::kBatchReleased) released_.emplace_back(result.batch);
    results.push_back(result);
  }
  return results;
}

}  // namespace rtmixd
