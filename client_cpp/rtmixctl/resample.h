#ifndef RTMIXD_CLIENT_CPP_RTMIXCTL_RESAMPLE_H_
#define RTMIXD_CLIENT_CPP_RTMIXCTL_RESAMPLE_H_

#include "absl/status/statusor.h"
#include "client_cpp/audio.h"

namespace rtmixd::rtmixctl {

// The same audio at another rate, by libsamplerate's best converter. Audio that has the rate
// already is returned as it is, bit by bit.
absl::StatusOr<client::Audio> Resample(client::Audio audio, double sample_rate_hz);

}  // namespace rtmixd::rtmixctl

#endif  // RTMIXD_CLIENT_CPP_RTMIXCTL_RESAMPLE_H_
