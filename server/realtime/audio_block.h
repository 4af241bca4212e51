#ifndef RTMIXD_SERVER_REALTIME_AUDIO_BLOCK_H_
#define RTMIXD_SERVER_REALTIME_AUDIO_BLOCK_H_

#include <cstdint>
#include <limits>

namespace rtmixd {

// What the host said about a block, as bits of AudioBlock::host_flags.
enum HostFlag : uint32_t {
  kHostInputUnderflow = 1u << 0,   // gaps were filled with zeros in the input
  kHostInputOverflow = 1u << 1,    // input frames were lost before this block
  kHostOutputUnderflow = 1u << 2,  // the output ran dry before this block
  kHostOutputOverflow = 1u << 3,   // output frames of an earlier block were dropped
  kHostPrimingOutput = 1u << 4,    // output only fills the device's buffers; the input is not real
};

// One block of audio as the device hands it to the audio thread. Channels are planar: `input[c]`
// and `output[c]` point to `frames` samples each, c counted from 0. The memory belongs to the
// device and is valid during the call only.
struct AudioBlock {
  static constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();

  int frames = 0;                        // > 0
  const float* const* input = nullptr;   // nullptr if the stream has no input
  float* const* output = nullptr;        // nullptr if the stream has no output; to be filled wholly
  int64_t callback_nanos = 0;            // CLOCK_MONOTONIC when the callback was entered
  uint32_t host_flags = 0;               // HostFlag bits
  double host_input_seconds = kUnknown;  // the host's claims, on the host's own clock: advice only
  double host_now_seconds = kUnknown;
  double host_output_seconds = kUnknown;
};

// Where a device sends its blocks. The mixer implements it; tests put their own in its place.
//
// Threading: both methods are called by the one audio thread of the device, in turn. Neither
// allocates, locks, makes a system call or logs, but for the one wake that AfterBlockRt may make.
class AudioBlockSink {
 public:
  virtual ~AudioBlockSink() = default;

  // Consumes the input and fills the output of one block.
  virtual void ProcessRt(const AudioBlock& block) noexcept = 0;

  // Called once after each ProcessRt; may make one non-blocking wake if somebody waits.
  virtual void AfterBlockRt() noexcept = 0;
};

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_REALTIME_AUDIO_BLOCK_H_
