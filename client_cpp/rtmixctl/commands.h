#ifndef RTMIXD_CLIENT_CPP_RTMIXCTL_COMMANDS_H_
#define RTMIXD_CLIENT_CPP_RTMIXCTL_COMMANDS_H_

#include "client_cpp/rtmixctl/context.h"

namespace rtmixd::rtmixctl {

// Each declares commands of one group; a file per group.
void AddInfoCommands(Context& context);     // status devices stats clock sessions
void AddDeviceCommands(Context& context);   // open start stop close restore
void AddPlayCommand(Context& context);      // play
void AddRecordCommand(Context& context);    // record
void AddPlayRecCommand(Context& context);   // playrec
void AddLatencyCommands(Context& context);  // latency calibrations
void AddStreamCommand(Context& context);    // stream
void AddScheduleCommand(Context& context);  // schedule
void AddActionCommands(Context& context);   // actions wait cancel
void AddChangeCommands(Context& context);   // gain pause resume leave-loop
void AddGainCommands(Context& context);     // session-gain master-gain
void AddBufferCommands(Context& context);   // buffers
void AddSpoolCommand(Context& context);     // spool
void AddLeaseCommand(Context& context);     // lease
void AddWatchCommand(Context& context);     // watch
void AddScriptCommand(Context& context);    // script

}  // namespace rtmixd::rtmixctl

#endif  // RTMIXD_CLIENT_CPP_RTMIXCTL_COMMANDS_H_
