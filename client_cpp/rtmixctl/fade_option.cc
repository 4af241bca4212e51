#include "client_cpp/rtmixctl/fade_option.h"

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace rtmixd::rtmixctl {

absl::StatusOr<FadeOption> FadeOption::Parse(absl::string_view text) {
  const size_t colon = text.find(':');
  const auto length = Length::Parse(text.substr(0, colon));
  if (!length.ok()) return length.status();
  if (colon == absl::string_view::npos) return FadeOption(*length, v1::FADE_SHAPE_UNSPECIFIED);
  const absl::string_view shape = text.substr(colon + 1);
  if (shape == "linear") return FadeOption(*length, v1::FADE_SHAPE_LINEAR);
  if (shape == "equal-power") return FadeOption(*length, v1::FADE_SHAPE_EQUAL_POWER);
  return absl::InvalidArgumentError(
      absl::StrCat("the shape '", shape, "' is not one of equal-power, linear"));
}

v1::Fade FadeOption::At(double sample_rate_hz) const {
  v1::Fade fade;
  fade.set_frames(length_.FramesAt(sample_rate_hz));
  fade.set_shape(shape_);
  return fade;
}

CLI::Option* AddFade(CLI::App& command, const std::string& flag, const std::string& description,
                     std::optional<FadeOption>& fade) {
  return command
      .add_option(
          flag,
          [flag, &fade](const CLI::results_t& texts) {
            const auto parsed = FadeOption::Parse(texts.front());
            if (!parsed.ok()) {
              throw CLI::ValidationError(flag, std::string(parsed.status().message()));
            }
            fade = *parsed;
            return true;
          },
          description)
      ->type_name("LENGTH[:SHAPE]");
}

}  // namespace rtmixd::rtmixctl
