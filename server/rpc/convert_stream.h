#ifndef RTMIXD_SERVER_RPC_CONVERT_STREAM_H_
#define RTMIXD_SERVER_RPC_CONVERT_STREAM_H_

#include "absl/status/statusor.h"
#include "rtmixd/v1/clock.pb.h"
#include "rtmixd/v1/device.pb.h"
#include "rtmixd/v1/event.pb.h"
#include "rtmixd/v1/stream.pb.h"
#include "rtmixd/v1/virtual_device.pb.h"
#include "server/control/types.h"
#include "server/device/audio_device.h"

// Devices, the stream, its clock, meters and events between the API and the control layer.
namespace rtmixd {

v1::HostApi ToProto(const HostApiInfo& host_api);
v1::Device ToProto(const DeviceInfo& device);
v1::StreamSettings ToProto(const StreamSettings& settings);
v1::AudioStream ToProto(const StreamStatus& status);
v1::ClockReading ToProto(const ClockReading& reading);
v1::StreamMetersResponse ToProto(const MeterReading& reading);
v1::LogEntry ToProto(const LogEntry& entry);

// `field`: the path of the settings in their request, "settings".
absl::StatusOr<StreamSettings> FromProto(const v1::StreamSettings& proto, const std::string& field);
// `field`: the path of the fault in its request, "faults[2]".
absl::StatusOr<ScriptedFault> FromProto(const v1::Fault& proto, const std::string& field);

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_RPC_CONVERT_STREAM_H_
