#include "server/device/loopback_cable.h"

#include <algorithm>
#include <bit>
#include <cstddef>

namespace rtmixd {

std::vector<LoopbackRoute> IdentityRoutes(int channels) {
  std::vector<LoopbackRoute> routes(channels);
  for (int c = 0; c < channels; ++c) {
    routes[c].output_channel = c;
    routes[c].input_channel = c;
  }
  return routes;
}

LoopbackCable::LoopbackCable(int input_channels, int output_channels,
                             const std::vector<LoopbackRoute>& routes)
    : input_channels_(input_channels) {
  for (const LoopbackRoute& route : routes) {
    if (route.input_channel >= input_channels || route.output_channel >= output_channels) continue;
    routes_.push_back(route);
    max_delay_frames_ = std::max(max_delay_frames_, route.delay_frames);
  }
  // Nothing has to be kept if nothing can be heard.
  if (!routes_.empty()) rings_.resize(output_channels);
}

void LoopbackCable::Reserve(int64_t ticks) {
  if (ticks <= capacity_ticks_) return;
  const auto capacity = static_cast<int64_t>(std::bit_ceil(static_cast<uint64_t>(ticks)));
  for (std::vector<float>& ring : rings_) {
    std::vector<float> larger(capacity);
    for (int64_t t = oldest_tick_; t < played_ticks_; ++t) {
      larger[t & (capacity - 1)] = ring[t & (capacity_ticks_ - 1)];
    }
    ring = std::move(larger);
  }
  capacity_ticks_ = capacity;
}

void LoopbackCable::Play(const float* const* output, int64_t frames) {
  if (rings_.empty()) {
    played_ticks_ += frames;
    return;
  }
  Reserve(played_ticks_ - oldest_tick_ + frames);
  for (size_t c = 0; c < rings_.size(); ++c) {
    for (int64_t k = 0; k < frames; ++k) {
      rings_[c][(played_ticks_ + k) & (capacity_ticks_ - 1)] =
          output == nullptr ? 0.0F : output[c][k];
    }
  }
  played_ticks_ += frames;
}

void LoopbackCable::Record(int64_t tick, int64_t frames, float* const* input) {
  for (int c = 0; c < input_channels_; ++c) std::fill_n(input[c], frames, 0.0F);
  std::vector<bool> fed(input_channels_, false);
  for (const LoopbackRoute& route : routes_) {
    const std::vector<float>& ring = rings_[route.output_channel];
    float* to = input[route.input_channel];
    const int64_t from_tick = tick - route.delay_frames;
    const int64_t begin = std::max(from_tick, oldest_tick_);
    const int64_t end = std::min(from_tick + frames, played_ticks_);
    // The first wire assigns: adding to +0 would turn -0 into +0.
    const bool adds = fed[route.input_channel];
    fed[route.input_channel] = true;
    for (int64_t t = begin; t < end; ++t) {
      const float heard = route.gain * ring[t & (capacity_ticks_ - 1)];
      float& sample = to[t - from_tick];
      sample = adds ? sample + heard : heard;
    }
  }
  oldest_tick_ = std::clamp(tick - max_delay_frames_, oldest_tick_, played_ticks_);
}

}  // namespace rtmixd
