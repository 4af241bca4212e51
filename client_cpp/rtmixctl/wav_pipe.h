#ifndef RTMIXD_CLIENT_CPP_RTMIXCTL_WAV_PIPE_H_
#define RTMIXD_CLIENT_CPP_RTMIXCTL_WAV_PIPE_H_

#include <string>

#include "absl/types/span.h"
#include "client_cpp/rtmixctl/audio_file.h"

namespace rtmixd::rtmixctl {

// The header of a WAV of unknown length, which libsndfile does not write into pipes. Both lengths
// are the largest there are, which readers of pipes take for "until the end".
std::string WavPipeHeader(int channels, int sample_rate_hz, FileEncoding encoding);

// Samples as such a WAV, or a raw stream, has them: little endian; kDefault is float32.
std::string EncodeSamples(absl::Span<const float> samples, FileEncoding encoding);

}  // namespace rtmixd::rtmixctl

#endif  // RTMIXD_CLIENT_CPP_RTMIXCTL_WAV_PIPE_H_
