#ifndef RTMIXD_SERVER_RPC_CONVERT_ACTION_H_
#define RTMIXD_SERVER_RPC_CONVERT_ACTION_H_

#include <string>

#include "absl/status/statusor.h"
#include "rtmixd/v1/action.pb.h"
#include "rtmixd/v1/audio.pb.h"
#include "server/control/audio_stream.h"
#include "server/control/types.h"

// Actions, their reports and the configurations of audio streams between the API and the control
// layer. `field` is the path in the request, for errors.
namespace rtmixd {

v1::Xrun ToProto(const XrunInfo& xrun);
v1::Gap ToProto(const GapInfo& gap);
v1::ActionReport ToProto(const ActionReport& report);
v1::BatchReport ToProto(const BatchReport& report);
v1::StreamStats ToProto(const StreamStatsInfo& stats);
v1::ScheduleActionsResponse ToProto(const BatchAdmitted& admitted);
v1::CommitBatchResponse ToProto(const BatchCommitted& committed);
v1::PlayProgress ToProto(const PlayStreamProgress& progress);
v1::RecordProgress ToProto(const RecordStreamProgress& progress);

// Takes the audio out of the request.
absl::StatusOr<BatchSpec> FromProto(v1::ScheduleActionsRequest request);
absl::StatusOr<PlayStreamSpec> FromProto(const v1::PlayConfig& config, const std::string& field);
absl::StatusOr<RecordStreamSpec> FromProto(const v1::RecordConfig& config,
                                           const std::string& field);
SampleFormat FromProto(v1::SampleFormat format);
Fade FromProto(const v1::Fade& fade);
GainChangeSpec FromProto(const v1::GainChange& change);
absl::StatusOr<VoiceChangeSpec> FromProto(const v1::ChangeActionsRequest& request);

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_RPC_CONVERT_ACTION_H_
