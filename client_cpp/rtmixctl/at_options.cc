#include "client_cpp/rtmixctl/at_options.h"

#include <cmath>

#include "absl/status/status.h"
#include "client_cpp/rtmixctl/validators.h"

namespace rtmixd::rtmixctl {

void AtOptions::AddTo(CLI::App& command) {
  auto* const at =
      command.add_option("--at", frame, "From this frame of the stream on; at once without it")
          ->type_name("FRAME")
          ->check(Frames());
  command.add_option("--in", in_seconds, "So many seconds from now")
      ->type_name("SECONDS")
      ->check(Seconds())
      ->excludes(at);
}

absl::StatusOr<std::optional<int64_t>> AtOptions::Resolve(Context& context) const {
  if (!in_seconds.has_value()) return frame;
  const auto stream = context.RunningStream();
  if (!stream.ok()) return stream.status();
  return stream->next_frame() + std::llround(*in_seconds * stream->sample_rate_hz());
}

absl::StatusOr<v1::Fade> ResolveFade(Context& context, const FadeOption& fade) {
  if (!fade.needs_rate()) return fade.At(0);
  const auto stream = context.Stream();
  if (!stream.ok()) return stream.status();
  if (stream->stream_id().empty()) {
    return absl::FailedPreconditionError(
        "no stream is open whose rate would tell how many frames the fade has; give its length in "
        "frames, or open one: rtmixctl open --start");
  }
  return fade.At(stream->sample_rate_hz());
}

}  // namespace rtmixd::rtmixctl
