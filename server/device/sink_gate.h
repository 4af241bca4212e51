#ifndef RTMIXD_SERVER_DEVICE_SINK_GATE_H_
#define RTMIXD_SERVER_DEVICE_SINK_GATE_H_

#include <atomic>

#include "server/realtime/audio_block.h"

namespace rtmixd {

// What stands between a host's audio thread and the sink: one per opened stream, so that a stream
// that was given up can be shut off for good while the next one runs. Exists because a host may
// call back long after everybody stopped caring, and a sink may be gone by then. Also measures the
// load.
//
// Threading: ProcessRt by the one audio thread of the stream; all else by any thread.
class SinkGate {
 public:
  // Open from the start. `sink` must live until the gate is closed for good.
  SinkGate(AudioBlockSink* sink, double sample_rate_hz)
      : sink_(sink), sample_rate_hz_(sample_rate_hz) {}

  // Hands the block to the sink. While closed: fills the output with silence and returns false.
  // `output_channels` is the number of pointers in block.output.
  bool ProcessRt(const AudioBlock& block, int output_channels) noexcept;

  // After it returns the sink is not called until Open. Waits for a call that has begun, which is
  // the work of one block.
  void Close() noexcept;
  // Undoes Close, but not CloseForGood.
  void Open() noexcept;
  // Close, and no Open ever again, whoever may be about to call it.
  void CloseForGood() noexcept;

  // See AudioDevice::cpu_load.
  double cpu_load() const { return load_.load(std::memory_order_relaxed); }

 private:
  enum State { kOpen, kClosed, kClosedForGood };

  void AwaitExit() const noexcept;

  AudioBlockSink* const sink_;
  const double sample_rate_hz_;
  // Either the audio thread sees that state_ has changed, or Close sees inside_: that takes a
  // single order of the four accesses, hence sequential consistency.
  std::atomic<State> state_ = kOpen;
  std::atomic<bool> inside_ = false;
  std::atomic<double> load_ = 0;  // relaxed: a number for people
  static_assert(std::atomic<double>::is_always_lock_free);
};

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_DEVICE_SINK_GATE_H_
