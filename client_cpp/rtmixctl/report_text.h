#ifndef RTMIXD_CLIENT_CPP_RTMIXCTL_REPORT_TEXT_H_
#define RTMIXD_CLIENT_CPP_RTMIXCTL_REPORT_TEXT_H_

#include <string>

#include "rtmixd/v1/action.pb.h"
#include "rtmixd/v1/calibration.pb.h"
#include "rtmixd/v1/event.pb.h"
#include "rtmixd/v1/stream.pb.h"

namespace rtmixd::rtmixctl {

// What happened to an action, and on which frame, in plain words; a few lines.
std::string DescribeReport(const v1::ActionReport& report);

// What the reports of a batch say together; a few lines.
std::string DescribeBatch(const v1::BatchReport& report);

// What happened, in one line without its time. Kinds that are newer than this tool are told by
// their number.
std::string DescribeEvent(const v1::LogEntry& entry);

// A calibration in one line.
std::string DescribeCalibration(const v1::Calibration& calibration);

// The stream in a few lines.
std::string DescribeStream(const v1::AudioStream& stream);

// "completed", "skipped because it was late", ...
std::string DescribeEnd(v1::EndReason reason);

// "play", "record", ...
std::string DescribeKind(v1::ActionKind kind);

// "running", "stopped", ...
std::string DescribeState(v1::StreamState state);

}  // namespace rtmixd::rtmixctl

#endif  // RTMIXD_CLIENT_CPP_RTMIXCTL_REPORT_TEXT_H_
