#ifndef RTMIXD_SERVER_DEVICE_LOOPBACK_CABLE_H_
#define RTMIXD_SERVER_DEVICE_LOOPBACK_CABLE_H_

#include <cstdint>
#include <vector>

namespace rtmixd {

// One wire of a loopback: what sounds on an output at tick t is heard on an input at tick
// t + delay_frames, `gain` times as loud. Channels are counted from 0.
struct LoopbackRoute {
  int output_channel = 0;
  int input_channel = 0;
  int64_t delay_frames = 0;  // >= 0
  float gain = 1.0F;

  bool operator==(const LoopbackRoute&) const = default;
};

// Output i to input i, undelayed and unchanged, for the first `channels` channels.
std::vector<LoopbackRoute> IdentityRoutes(int channels);

// The cables between the converters of a simulated device. Exists so that every simulated device
// loops back to the exact sample, with one definition of when: time is counted in ticks of the
// converters' clock, tick 0 being the first one played.
//
// An input with one wire of gain 1 carries the output's bits; several wires are summed in the order
// of the routes, in float.
//
// Threading: not thread-safe. Allocates when the distance between what is played and what is
// recorded grows beyond what it has been.
class LoopbackCable {
 public:
  // Routes from or to channels beyond the counts are left unconnected.
  LoopbackCable(int input_channels, int output_channels, const std::vector<LoopbackRoute>& routes);

  // Appends what sounds in the next `frames` ticks. nullptr: silence.
  void Play(const float* const* output, int64_t frames);

  // Fills `input` with what is heard in the ticks from `tick` on; silence where nothing was played:
  // before tick 0 and from played_ticks() on. `tick` never goes backwards from call to call.
  void Record(int64_t tick, int64_t frames, float* const* input);

  int64_t played_ticks() const { return played_ticks_; }

 private:
  void Reserve(int64_t ticks);

  int input_channels_;
  std::vector<LoopbackRoute> routes_;
  int64_t max_delay_frames_ = 0;

  // A ring per output channel, of a power of two ticks, that holds [oldest_tick_, played_ticks_).
  std::vector<std::vector<float>> rings_;
  int64_t capacity_ticks_ = 0;
  int64_t oldest_tick_ = 0;
  int64_t played_ticks_ = 0;
};

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_DEVICE_LOOPBACK_CABLE_H_
