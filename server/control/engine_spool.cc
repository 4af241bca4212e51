// Recordings into buffers are told to the spool.

#include <utility>

#include "server/control/engine_impl.h"

namespace rtmixd {
namespace {

// Between two reports of a recording that runs.
constexpr int64_t kSpoolReportNanos = 1'000'000'000;

}  // namespace

void EngineImpl::BeginSpooling(Action* action) {
  if (options_.spool == nullptr) return;
  const std::shared_ptr<const AudioStorage> audio = action->recording()->audio();
  if (audio == nullptr) return;
  action->record()->spooled = true;
  // Not more than that is known: its start is noted later.
  ActionReport report = action->Report();
  CopyStatus(action->recording()->status(), &report);
  options_.spool->Begin({.instance_id = instance_id_,
                         .session_id = action->common->session_id,
                         .session_label = action->common->session_label,
                         .label = action->recording()->label(),
                         .sample_rate_hz = action->recording()->sample_rate_hz(),
                         .create_time = options_.wall_time(),
                         .audio = audio,
                         .first_frame = audio->frames()},
                        report);
}

void EngineImpl::TellSpool(const Action& action) {
  if (action.record() == nullptr || !action.record()->spooled) return;
  if (action.ended()) {
    options_.spool->End(action.Report());
  } else {
    options_.spool->Update(ReportOf(action));
  }
}

void EngineImpl::LookAtSpool() {
  if (options_.spool == nullptr) return;
  for (const LogEntry& news : options_.spool->TakeNews()) {
    LogEntry entry = Event(news.kind);
    entry.session_id = news.session_id;
    entry.session_label = news.session_label;
    entry.action_id = news.action_id;
    entry.frames = news.frames;
    entry.text = news.text;
    events_.Append(std::move(entry));
  }
  if (NowNanos() - last_spool_report_nanos_ < kSpoolReportNanos) return;
  last_spool_report_nanos_ = NowNanos();
  for (const std::shared_ptr<Action>& action : recordings_) TellSpool(*action);
}

}  // namespace rtmixd
