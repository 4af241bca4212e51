#ifndef RTMIXD_CLIENT_CPP_RTMIXCTL_LENGTH_H_
#define RTMIXD_CLIENT_CPP_RTMIXCTL_LENGTH_H_

#include <CLI/CLI.hpp>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace rtmixd::rtmixctl {

// A length of audio, or a position in it, as people write it: "480" are frames, "10ms", "1.5s" and
// "2min" are times, which become frames at the rate of the stream.
class Length {
 public:
  // INVALID_ARGUMENT, with the text and the limits, for anything else.
  static absl::StatusOr<Length> Parse(absl::string_view text);

  // Whether the rate makes a difference.
  bool needs_rate() const { return seconds_.has_value(); }
  // To the nearest frame.
  int64_t FramesAt(double sample_rate_hz) const;

 private:
  int64_t frames_ = 0;
  std::optional<double> seconds_;
};

// An option that takes one.
CLI::Option* AddLength(CLI::App& command, const std::string& flag, const std::string& description,
                       std::optional<Length>& length);

}  // namespace rtmixd::rtmixctl

#endif  // RTMIXD_CLIENT_CPP_RTMIXCTL_LENGTH_H_
