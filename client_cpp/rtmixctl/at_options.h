#ifndef RTMIXD_CLIENT_CPP_RTMIXCTL_AT_OPTIONS_H_
#define RTMIXD_CLIENT_CPP_RTMIXCTL_AT_OPTIONS_H_

#include <CLI/CLI.hpp>
#include <cstdint>
#include <optional>

#include "absl/status/statusor.h"
#include "client_cpp/rtmixctl/context.h"
#include "client_cpp/rtmixctl/fade_option.h"
#include "rtmixd/v1/common.pb.h"

namespace rtmixd::rtmixctl {

// On which frame something changes: --at, --in.
struct AtOptions {
  std::optional<int64_t> frame;
  std::optional<double> in_seconds;

  void AddTo(CLI::App& command);
  // Absent: as soon as can be. Asks the server for its stream only if that is needed.
  absl::StatusOr<std::optional<int64_t>> Resolve(Context& context) const;
};

// A fade at the rate of the stream, for which the server is asked only if that is needed.
absl::StatusOr<v1::Fade> ResolveFade(Context& context, const FadeOption& fade);

}  // namespace rtmixd::rtmixctl

#endif  // RTMIXD_CLIENT_CPP_RTMIXCTL_AT_OPTIONS_H_
