#include "server/control/action.h"

namespace rtmixd {

ActionReport Action::Report() const {
  ActionReport report = outcome != nullptr ? outcome->report : ActionReport();
  report.action_id = id();
  report.key = key();
  report.batch_id = common->batch_id;
  report.kind = kind;
  report.state = state;
  report.stream_id = common->stream_id;
  report.requested_start_frame = requested_start_frame();
  report.total_frames = total_frames();
  if (buffer_number != 0) report.buffer_id = common->ids.Make('b', buffer_number);
  if (request() != nullptr) {
    report.target_action_id = common->ids.Make('a', request()->target_number);
  }
  if (links != nullptr && links->after_number != 0) {
    report.after_action_id = common->ids.Make('a', links->after_number);
  }
  report.origin_wall_time = common->wall_origin;
  report.calibrated = calibrated;
  if (done()) {
    report.end_reason = outcome->end_reason;
    report.end_frame = outcome->end_frame;
  }
  return report;
}

}  // namespace rtmixd
