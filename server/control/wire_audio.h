#ifndef RTMIXD_SERVER_CONTROL_WIRE_AUDIO_H_
#define RTMIXD_SERVER_CONTROL_WIRE_AUDIO_H_

#include <cstdint>
#include <string_view>

#include "absl/status/statusor.h"
#include "server/control/types.h"

// Samples on the wire: little endian, interleaved, in one of four encodings, with the scale and
// rounding that proto/rtmixd/v1/common.proto lays down. Inside, audio is planar float32.
//
// Threading: functions without state.
namespace rtmixd {

// 2 to 4.
int BytesPerSample(SampleFormat format);

// How many frames `bytes` holds. INVALID_ARGUMENT naming "data": not whole frames, or a float that
// is NaN or infinite, with its frame (from 0) and its channel (from 1). Everything that comes from
// outside passes here before it is decoded. `channels` > 0.
absl::StatusOr<int64_t> CheckWireAudio(std::string_view bytes, SampleFormat format, int channels);

// Decodes `frames` frames at `bytes`: sample f of channel c (from 0) goes to
// planar[c * channel_stride_frames + f].
void DecodeWireAudio(const char* bytes, SampleFormat format, int channels, int64_t frames,
                     float* planar, int64_t channel_stride_frames);

// Encodes `frames` frames to frames * channels * BytesPerSample(format) bytes at `bytes`. To
// integers, what is beyond full scale is limited, and NaN becomes 0.
void EncodeWireAudio(const float* planar, int64_t channel_stride_frames, int channels,
                     int64_t frames, SampleFormat format, char* bytes);

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_CONTROL_WIRE_AUDIO_H_
