#include "server/mixer/mix_runs.h"

#include <bit>

namespace rtmixd {

MixRuns::MixRuns() : spans_(kChannelBits * kMaxSpans) {
  for (int n = 0; n < kChannelBits; ++n) runs_[n].spans = spans_.data() + n * kMaxSpans;
}

MixRuns::Run* MixRuns::OpenRt(const VoiceRoute& route) noexcept {
  const int number = NumberOf(route.key);
  uint64_t channels = uint64_t{1} << number;
  for (int c = 1; c < route.channels; ++c)
    channels |= uint64_t{1} << route.channel_map[c] % kChannelBits;
  if ((used_channels_ & channels) != 0) return nullptr;
  used_channels_ |= channels;
  opened_ |= uint64_t{1} << number;
  Run& run = runs_[number];
  run.route = route;
  run.end = run.spans;
  return &run;
}

void MixRuns::AddRt(bool fading, MixBus* bus) noexcept {
  for (; opened_ != 0; opened_ &= opened_ - 1) {
    Run& run = runs_[std::countr_zero(opened_)];
    const auto spans = static_cast<int>(run.end - run.spans);
    bus->AddWholeRt(run.spans, spans, run.route, fading);
    run.end = nullptr;
  }
  used_channels_ = 0;
}

}  // namespace rtmixd
