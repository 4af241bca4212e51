#ifndef RTMIXD_SERVER_MIXER_BLOCK_LOG_H_
#define RTMIXD_SERVER_MIXER_BLOCK_LOG_H_

#include <cstdint>

#include "server/realtime/broadcast_ring.h"

namespace rtmixd {

// What the audio thread notes about each device callback. Time map, xrun detection, statistics and
// every report are computed from these notes, off the audio thread.
struct BlockRecord {
  int64_t first_frame;        // stream frame of the block's first sample
  int64_t callback_nanos;     // CLOCK_MONOTONIC at callback entry
  double host_input_seconds;  // as in AudioBlock
  double host_now_seconds;
  double host_output_seconds;
  int32_t frames;
  uint32_t host_flags;  // HostFlag bits
  int32_t
      clipped_samples;  // samples of this block that left [-1, 1] and were clipped, all channels
  int32_t voices;       // voices that sounded in it
  int32_t nonfinite_input_samples;  // NaN or infinite, taken for 0, all channels
};

// One writer (the audio thread), any readers; a reader that falls behind is told how much it
// missed.
using BlockLog = BroadcastRing<BlockRecord>;

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_MIXER_BLOCK_LOG_H_
