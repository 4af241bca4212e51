#include "server/mixer/voice_progress.h"

#include <thread>

namespace rtmixd {

VoiceProgress::Value VoiceProgress::Read(int64_t next_frame) const {
  for (;; std::this_thread::yield()) {
    const uint32_t before = sequence_.load(std::memory_order_acquire);
    if (before % 2 != 0) continue;
    const int64_t as_of_frame = as_of_frame_.load(std::memory_order_acquire);
    const int64_t until_frame = until_frame_.load(std::memory_order_acquire);
    const int64_t done_frames = done_frames_.load(std::memory_order_acquire);
    const int64_t position_frames = position_frames_.load(std::memory_order_acquire);
    // Had one of them come from a later store, this would differ.
    if (sequence_.load(std::memory_order_relaxed) != before) continue;
    const int64_t passed = std::max<int64_t>(std::min(next_frame, until_frame) - as_of_frame, 0);
    return {.done_frames = done_frames + passed, .position_frames = position_frames + passed};
  }
}

}  // namespace rtmixd
