#ifndef RTMIXD_SERVER_CONTROL_SINK_RELAY_H_
#define RTMIXD_SERVER_CONTROL_SINK_RELAY_H_

#include <atomic>

#include "server/realtime/audio_block.h"

namespace rtmixd {

// What a device is opened with: it passes blocks on to the mixer. It exists because a device wants
// its sink before it can say what its stream is, and the mixer is made for that.
//
// Threading: as AudioBlockSink; set_target before the device is started.
class SinkRelay : public AudioBlockSink {
 public:
  // `target` outlives the use of the relay by the device.
  void set_target(AudioBlockSink* target) { target_.store(target, std::memory_order_release); }

  void ProcessRt(const AudioBlock& block) noexcept override { target()->ProcessRt(block); }
  void AfterBlockRt() noexcept override { target()->AfterBlockRt(); }

 private:
  // Acquire: who sees the mixer sees what it is made of.
  AudioBlockSink* target() const noexcept { return target_.load(std::memory_order_acquire); }

  std::atomic<AudioBlockSink*> target_{nullptr};
};

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_CONTROL_SINK_RELAY_H_
