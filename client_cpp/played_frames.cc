#include "client_cpp/played_frames.h"

#include <algorithm>

namespace rtmixd::client {
namespace {

constexpr int64_t kMaxFrames = (int64_t{1} << 53) - 1;

// Without the limit.
std::optional<int64_t> WithLoop(const v1::PlaySpec& play, int64_t sound_frames) {
  const int64_t once = std::max<int64_t>(0, sound_frames - play.offset_frames());
  if (!play.has_loop()) return once;
  const v1::Loop& loop = play.loop();
  if (!loop.has_passes()) return std::nullopt;
  const int64_t end = loop.has_end_frame() ? loop.end_frame() : sound_frames;
  const int64_t region = end - loop.begin_frame();
  const int64_t repeats = loop.passes() - 1;
  // The server refuses what makes no sense.
  if (region <= 0 || repeats <= 0) return once;
  if (repeats > (kMaxFrames - once) / region) return std::nullopt;
  return once + repeats * region;
}

}  // namespace

std::optional<int64_t> PlayedFrames(const v1::PlaySpec& play, int64_t sound_frames) {
  const std::optional<int64_t> frames = WithLoop(play, sound_frames);
  if (!play.has_max_frames()) return frames;
  return std::min(frames.value_or(play.max_frames()), play.max_frames());
}

}  // namespace rtmixd::client
