#ifndef RTMIXD_CLIENT_CPP_RTMIXCTL_OPTIONS_H_
#define RTMIXD_CLIENT_CPP_RTMIXCTL_OPTIONS_H_

#include <CLI/CLI.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client_cpp/audio.h"
#include "client_cpp/rtmixctl/audio_file.h"
#include "client_cpp/rtmixctl/validators.h"
#include "rtmixd/v1/action.pb.h"
#include "rtmixd/v1/common.pb.h"
#include "rtmixd/v1/stream.pb.h"

namespace rtmixd::rtmixctl {

// Flags that several commands have, so that they read and work the same everywhere.

// When something starts: --start-frame, --in, --late.
struct StartOptions {
  std::optional<int64_t> frame;
  std::optional<double> in_seconds;
  v1::LatePolicy late_policy = v1::LATE_POLICY_UNSPECIFIED;

  void AddTo(CLI::App& command);
  // The frame, of a stream as it is now; absent means now.
  std::optional<int64_t> FrameOn(const v1::AudioStream& stream) const;
};

// --at: a moment of the wall clock of the server's host, instead of all that tells a frame.
void AddWallTime(CLI::App& command, std::optional<absl::Time>& moment);

// How long to wait and how to judge: --timeout, --strict, --report.
struct OutcomeOptions {
  std::optional<double> timeout_seconds;
  bool strict = false;
  std::string report_path;

  void AddTo(CLI::App& command);
  absl::Duration timeout() const;
};

// A list of channels; stays empty without the flag.
void AddChannels(CLI::App& command, const std::string& flag, const std::string& description,
                 std::vector<int>& channels);
// --gain
void AddGain(CLI::App& command, std::optional<float>& gain);
// --xrun
void AddXrunPolicy(CLI::App& command, v1::XrunPolicy& policy);
// --source
void AddSource(CLI::App& command, v1::RecordSource& source);
// --format
void AddEncoding(CLI::App& command, FileEncoding& encoding);

// Reads a sound for a stream of `sample_rate_hz`. FAILED_PRECONDITION with advice if it has another
// rate and `resample` is not set.
absl::StatusOr<client::Audio> LoadSound(const std::string& path, double sample_rate_hz,
                                        bool resample);

}  // namespace rtmixd::rtmixctl

#endif  // RTMIXD_CLIENT_CPP_RTMIXCTL_OPTIONS_H_
