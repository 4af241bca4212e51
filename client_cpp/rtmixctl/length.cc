#include "client_cpp/rtmixctl/length.h"

#include <array>
#include <cmath>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "client_cpp/rtmixctl/validators.h"

namespace rtmixd::rtmixctl {

absl::StatusOr<Length> Length::Parse(absl::string_view text) {
  absl::Status refusal = absl::InvalidArgumentError(
      absl::StrFormat("'%s' is not a length: a whole number of frames from 0 to %d, or a time from "
                      "0 to %.12g s such as 10ms, 1.5s or 2min",
                      text, kMaxFrame, kMaxSeconds));
  Length length;
  if (absl::SimpleAtoi(text, &length.frames_)) {
    if (length.frames_ < 0 || length.frames_ > kMaxFrame) return refusal;
    return length;
  }
  // "ms" comes before "s", which ends it.
  constexpr std::array<std::pair<absl::string_view, double>, 3> kUnits = {
      {{"ms", 0.001}, {"min", 60}, {"s", 1}}};
  for (const auto& [unit, unit_seconds] : kUnits) {
    absl::string_view number = text;
    if (!absl::ConsumeSuffix(&number, unit)) continue;
    double value = 0;
    if (!absl::SimpleAtod(number, &value)) return refusal;
    const double seconds = value * unit_seconds;
    // NaN is in no range.
    if (!(seconds >= 0 && seconds <= kMaxSeconds)) return refusal;
    length.seconds_ = seconds;
    return length;
  }
  return refusal;
}

int64_t Length::FramesAt(double sample_rate_hz) const {
  return seconds_.has_value() ? std::llround(*seconds_ * sample_rate_hz) : frames_;
}

CLI::Option* AddLength(CLI::App& command, const std::string& flag, const std::string& description,
                       std::optional<Length>& length) {
  return command
      .add_option(
          flag,
          [flag, &length](const CLI::results_t& texts) {
            const auto parsed = Length::Parse(texts.front());
            if (!parsed.ok()) {
              throw CLI::ValidationError(flag, std::string(parsed.status().message()));
            }
            length = *parsed;
            return true;
          },
          description)
      ->type_name("LENGTH");
}

}  // namespace rtmixd::rtmixctl
