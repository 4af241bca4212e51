#ifndef RTMIXD_CLIENT_CPP_RTMIXCTL_FADE_OPTION_H_
#define RTMIXD_CLIENT_CPP_RTMIXCTL_FADE_OPTION_H_

#include <CLI/CLI.hpp>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "client_cpp/rtmixctl/length.h"
#include "rtmixd/v1/common.pb.h"

namespace rtmixd::rtmixctl {

// A fade as people write it: a Length, and behind a colon its shape: "480", "10ms:equal-power".
class FadeOption {
 public:
  // INVALID_ARGUMENT, with the text and what it may be, for anything else.
  static absl::StatusOr<FadeOption> Parse(absl::string_view text);

  bool needs_rate() const { return length_.needs_rate(); }
  v1::Fade At(double sample_rate_hz) const;

 private:
  FadeOption(const Length& length, v1::FadeShape shape) : length_(length), shape_(shape) {}

  Length length_;
  v1::FadeShape shape_;
};

// An option that takes one.
CLI::Option* AddFade(CLI::App& command, const std::string& flag, const std::string& description,
                     std::optional<FadeOption>& fade);

}  // namespace rtmixd::rtmixctl

#endif  // RTMIXD_CLIENT_CPP_RTMIXCTL_FADE_OPTION_H_
