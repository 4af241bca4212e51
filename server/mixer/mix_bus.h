#ifndef RTMIXD_SERVER_MIXER_MIX_BUS_H_
#define RTMIXD_SERVER_MIXER_MIX_BUS_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "server/mixer/common_fades.h"
#include "server/mixer/mix_kernel.h"

namespace rtmixd {

// Where the channels of a voice go.
struct VoiceRoute {
  // Of MixRuns::KeyOf. Of routes whose keys are the same all else is the same, and no two channels
  // go to one; the key of a route that sends two channels to one is no other's. Never 0.
  uint64_t key;
  const int16_t* channel_map;  // channel i goes to channel channel_map[i] of the bus, from 0
  int channels;
  bool fetch_next;  // as of WholeSum
};

// The planar sum of a block. Voices that fill the block and go to the same channels are added many
// at a time: so the kernel keeps the sum of a stretch in registers while it adds one voice after
// the other. The order on each channel is the order of the calls.
//
// Threading: the audio thread only. Only the constructor allocates, and it touches the memory.
class MixBus {
 public:
  // `kernel` outlives the bus.
  MixBus(int channels, int max_frames, const MixKernel& kernel);
  MixBus(const MixBus&) = delete;
  MixBus& operator=(const MixBus&) = delete;

  // Begins a block of `frames` (<= max_frames) of silence, from stream frame `first_frame` on.
  void BeginRt(int64_t first_frame, int frames) noexcept;

  // Room for `floats` floats, from the begin of a cache line, for gains or samples of spans that
  // are to be added; null if there is not so much left. ReleaseRoomRt and BeginRt take all of it
  // back: then there is room for as many as the longest block has frames.
  float* TakeRoomRt(int64_t floats) noexcept {
    if (taken_ + floats > room_floats_) return nullptr;
    float* const room = room_ + taken_;
    taken_ += (floats + kCacheLineFloats - 1) / kCacheLineFloats * kCacheLineFloats;
    return room;
  }
  void ReleaseRoomRt() noexcept { taken_ = 0; }
  // Room for as many gains as the block has frames, for a moment: whoever calls next writes over
  // it.
  float* ScratchGainsRt() noexcept { return scratch_gains_.data(); }
  const MixKernel& kernel() const noexcept { return kernel_; }

  CommonFades& fades() noexcept { return fades_; }
  // Where gains in the room are, for a span.
  uint16_t GainsLine(const float* gains) const noexcept {
    return static_cast<uint16_t>((gains - gains_) / kCacheLineFloats + 1);
  }

  // Adds `count` spans of one route, one after the other. `fading`: some may have a gains_line, of
  // fades() or of the room.
  void AddWholeRt(const WholeSpan* spans, int count, const VoiceRoute& route,
                  bool fading) noexcept {
    WholeSum sum = {.spans = spans,
                    .count = count,
                    .first_frame = first_frame_,
                    .frames = frames_,
                    .gains = fading ? gains_ : nullptr,
                    .fetch_next = route.fetch_next,
                    .channel = 0,
                    .bus = nullptr,
                    .next_bus = nullptr};
    const int16_t* const channel_map = route.channel_map;
    for (int c = 0; c < route.channels; c += sum.next_bus != nullptr ? 2 : 1) {
      sum.channel = c;
      sum.bus = planar_[channel_map[c]];
      // A span may add two channels to one. What comes from afar comes faster in longer pieces.
      const bool pair =
          !route.fetch_next && c + 1 < route.channels && channel_map[c] != channel_map[c + 1];
      sum.next_bus = pair ? planar_[channel_map[c + 1]] : nullptr;
      kernel_.sum_whole(sum);
    }
  }
  // Adds a span to channel `channel`.
  void AddRt(int channel, const MixSpan& span) noexcept { kernel_.sum(span, planar_[channel]); }

  // Multiplies the sum of `channel` with a gain for each frame, from frame `offset` on.
  void ScaleRt(int channel, const float* gains, int offset, int frames) noexcept {
    kernel_.multiply(gains, planar_[channel] + offset, frames);
  }

  // Brings the sum of `channel` into [-1, 1]; returns how many samples changed.
  int64_t ClipRt(int channel) noexcept { return kernel_.clip(planar_[channel], frames_); }

  const float* const* planar() const noexcept { return planar_.data(); }

 private:
  const MixKernel& kernel_;
  int64_t first_frame_ = 0;
  int frames_ = 0;
  std::vector<float> samples_;
  std::vector<float*> planar_;
  const int64_t room_floats_;
  std::vector<float> gains_memory_;  // of common fades, then the room
  float* gains_;                     // in there, at the begin of a cache line
  float* room_;
  int64_t taken_ = 0;  // floats
  CommonFades fades_;
  std::vector<float> scratch_gains_;
};

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_MIXER_MIX_BUS_H_
