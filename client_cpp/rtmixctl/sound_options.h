#ifndef RTMIXD_CLIENT_CPP_RTMIXCTL_SOUND_OPTIONS_H_
#define RTMIXD_CLIENT_CPP_RTMIXCTL_SOUND_OPTIONS_H_

#include <CLI/CLI.hpp>
#include <cstdint>
#include <optional>

#include "client_cpp/rtmixctl/fade_option.h"
#include "client_cpp/rtmixctl/length.h"
#include "rtmixd/v1/action.pb.h"

namespace rtmixd::rtmixctl {

// How much of a sound is played, how often, and how it comes and goes: --fade-in, --fade-out,
// --offset, --max-length, --loop, --loop-begin, --loop-end.
struct SoundOptions {
  std::optional<FadeOption> fade_in;
  std::optional<FadeOption> fade_out;
  std::optional<Length> offset;
  std::optional<Length> max_length;
  bool loop = false;
  // Absent: for ever.
  std::optional<int64_t> passes;
  std::optional<Length> loop_begin;
  std::optional<Length> loop_end;

  void AddTo(CLI::App& command);
  // Fills in what was given.
  void ApplyTo(double sample_rate_hz, v1::PlaySpec& play) const;
};

}  // namespace rtmixd::rtmixctl

#endif  // RTMIXD_CLIENT_CPP_RTMIXCTL_SOUND_OPTIONS_H_
