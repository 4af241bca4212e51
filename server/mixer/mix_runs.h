#ifndef RTMIXD_SERVER_MIXER_MIX_RUNS_H_
#define RTMIXD_SERVER_MIXER_MIX_RUNS_H_

#include <array>
#include <cstdint>
#include <vector>

#include "server/mixer/mix_bus.h"

namespace rtmixd {

// Spans of one voice after the other, gathered so that those of one route are added to the bus
// together. Routes that have no channel in common may take turns: on each channel the order stays
// that of the voices.
//
// Threading: the audio thread only. Only the constructor allocates, and it touches the memory.
class MixRuns {
 public:
  // So many spans of a route at a time: their list stays in the nearest cache.
  static constexpr int kMaxSpans = 128;
  // The bits of a key that are its owner's.
  static constexpr uint64_t kKeyBits = (uint64_t{1} << 56) - 1;
  // The key of a route that begins with channel `first_channel`, of the owner's bits, which are
  // what tells it from others that do.
  static uint64_t KeyOf(int first_channel, uint64_t bits) noexcept {
    return static_cast<uint64_t>(first_channel % kChannelBits) << 56 | (bits & kKeyBits);
  }

  MixRuns();
  MixRuns(const MixRuns&) = delete;
  MixRuns& operator=(const MixRuns&) = delete;

  // Where the spans of a route go on.
  struct Run {
    VoiceRoute route{};
    WholeSpan* spans = nullptr;  // from the first
    WholeSpan* end = nullptr;
  };
  // The run of the route of that key, whose end grows with every span that is written there, up to
  // kMaxSpans; null if there is none yet.
  Run* FindRt(uint64_t key) noexcept {
    Run& run = runs_[NumberOf(key)];
    return run.end != nullptr && run.route.key == key ? &run : nullptr;
  }
  // The run of a route that has none yet; null if what was gathered must be added before. There is
  // always one for the first.
  Run* OpenRt(const VoiceRoute& route) noexcept;
  // Adds what was gathered. `fading` as of MixBus::AddWholeRt.
  void AddRt(bool fading, MixBus* bus) noexcept;

 private:
  // A channel, modulo this, is a bit of a word and the number of a route that begins with it: two
  // of one number have it in common.
  static constexpr int kChannelBits = 64;

  static int NumberOf(uint64_t key) noexcept { return static_cast<int>(key >> 56); }

  uint64_t used_channels_ = 0;
  uint64_t opened_ = 0;  // bit n: runs_[n], whose end is not null
  std::array<Run, kChannelBits> runs_;
  std::vector<WholeSpan> spans_;  // of all runs
};

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_MIXER_MIX_RUNS_H_
