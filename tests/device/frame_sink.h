#ifndef RTMIXD_TESTS_DEVICE_FRAME_SINK_H_
#define RTMIXD_TESTS_DEVICE_FRAME_SINK_H_

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "server/base/mutex.h"
#include "server/realtime/audio_block.h"

namespace rtmixd {

// Sends in every output sample which sample it is, and keeps what comes back, so that a loopback
// shows for each sample heard when and where it was sent. Exact up to 2^23 / channels frames.
//
// Threading: the sink by the audio thread; all else by any.
class FrameSink : public AudioBlockSink {
 public:
  struct Block {
    int64_t first_frame = 0;
    int frames = 0;
    uint32_t host_flags = 0;
    int64_t callback_nanos = 0;
    std::vector<std::vector<float>> heard;  // by input channel
  };

  FrameSink(int input_channels, int output_channels)
      : input_channels_(input_channels), output_channels_(output_channels) {}

  // What is sent on an output channel (from 0) in a frame.
  float Sent(int channel, int64_t frame) const {
    return static_cast<float>(frame * output_channels_ + channel + 1) / (1 << 23);
  }

  // The frame in which that was sent on this channel; -1 if in none.
  int64_t FrameSent(int channel, float sample) const;

  void ProcessRt(const AudioBlock& block) noexcept override;
  void AfterBlockRt() noexcept override {}

  // Waits for that many blocks. False: they did not come within 10 s of each other.
  bool WaitForBlocks(int64_t blocks);
  int64_t block_count() const;
  std::vector<Block> blocks() const;

 private:
  const int input_channels_;
  const int output_channels_;
  mutable Mutex mu_;
  CondVar changed_;
  std::vector<Block> blocks_;
  int64_t next_frame_ = 0;
};

// What a loopback brought.
struct LoopbackResult {
  int64_t exact_blocks = 0;    // heard as sent, `delay` frames before, on every channel
  int64_t stale_blocks = 0;    // so, or, in some samples or all, as one period before
  int64_t inexact_blocks = 0;  // otherwise
  int64_t flagged_blocks = 0;
  std::string first_inexact;  // what the first of them brought
  // Blocks from the first stale one with no flag in it or after it to the newest, both included;
  // 0 if all were told.
  int64_t untold_blocks = 0;
  // The most blocks from a stale one to the next flag.
  int64_t longest_until_told_blocks = 0;
};

// Compares what was heard with what was sent `delay_frames` before. `period_frames` is a multiple
// of the blocks' length.
LoopbackResult CompareLoopback(const FrameSink& sink, int64_t delay_frames, int64_t period_frames);

}  // namespace rtmixd

#endif  // RTMIXD_TESTS_DEVICE_FRAME_SINK_H_
