#include "client_cpp/rtmixctl/report_text.h"

#include <cmath>
#include <cstdint>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/time.h"
#include "client_cpp/duration.h"

namespace rtmixd::rtmixctl {
namespace {

std::string DescribeSide(v1::XrunSide side) {
  switch (side) {
    case v1::XRUN_SIDE_INPUT:
      return "input";
    case v1::XRUN_SIDE_OUTPUT:
      return "output";
    case v1::XRUN_SIDE_BOTH:
      return "input and output";
    default:
      return "one side, unknown which,";
  }
}

// "before frame 1200 input lost 64 frames"
std::string DescribeXrun(const v1::Xrun& xrun) {
  std::string frames = "an unknown number of";
  if (xrun.lost_frames() != 0 || xrun.lost_frames_error() == 0) {
    frames = absl::StrCat(xrun.lost_frames());
  }
  if (xrun.lost_frames_error() > 0 && std::isfinite(xrun.lost_frames_error())) {
    absl::StrAppendFormat(&frames, " +-%.0f", std::ceil(xrun.lost_frames_error()));
  }
  std::string text = absl::StrFormat("before frame %d %s lost %s frames", xrun.frame(),
                                     DescribeSide(xrun.side()), frames);
  if (xrun.earliest_frame() != xrun.latest_frame()) {
    absl::StrAppendFormat(&text, ", between %d and %d", xrun.earliest_frame(), xrun.latest_frame());
  }
  return text;
}

std::string DescribeTouched(const v1::ActionReport& report) {
  switch (report.touched()) {
    case v1::TOUCHED_NO:
      return "  no xrun touched it\n";
    case v1::TOUCHED_YES:
      return absl::StrFormat("  %d xrun%s touched it:\n", report.xrun_count(),
                             report.xrun_count() == 1 ? "" : "s");
    default:
      if (report.state() == v1::ACTION_STATE_DONE) {
        return "  it is not known yet whether an xrun touched it\n";
      }
      if (report.state() != v1::ACTION_STATE_ENDED) return "";
      return absl::StrFormat(
          "  it cannot be told whether an xrun touched it (losses from %d frames on would show)\n",
          report.shortest_detectable_loss_frames());
  }
}

std::string DescribeTouched(const v1::BatchReport& report) {
  switch (report.touched()) {
    case v1::TOUCHED_NO:
      return "  no xrun touched it\n";
    case v1::TOUCHED_YES:
      return absl::StrFormat("  %d xrun%s touched %d of its actions:\n", report.xrun_count(),
                             report.xrun_count() == 1 ? "" : "s", report.touched_actions());
    default:
      if (report.state() != v1::ACTION_STATE_ENDED) {
        return "  it is not known yet whether an xrun touched it\n";
      }
      return absl::StrFormat(
          "  it cannot be told whether an xrun touched it (losses from %d frames on would show)\n",
          report.shortest_detectable_loss_frames());
  }
}

}  // namespace

std::string DescribeKind(v1::ActionKind kind) {
  switch (kind) {
    case v1::ACTION_KIND_PLAY:
      return "play";
    case v1::ACTION_KIND_PLAY_STREAM:
      return "play from a stream";
    case v1::ACTION_KIND_RECORD:
      return "record";
    case v1::ACTION_KIND_RECORD_STREAM:
      return "record into a stream";
    case v1::ACTION_KIND_CANCEL:
      return "cancel";
    case v1::ACTION_KIND_STATS:
      return "stats";
    case v1::ACTION_KIND_CHANGE:
      return "change";
    default:
      return "unknown action";
  }
}

std::string DescribeEnd(v1::EndReason reason) {
  switch (reason) {
    case v1::END_REASON_COMPLETED:
      return "completed";
    case v1::END_REASON_CANCELLED:
      return "cancelled";
    case v1::END_REASON_SKIPPED:
      return "skipped because it was late";
    case v1::END_REASON_UNDERRUN:
      return "ended because the stream ran dry";
    case v1::END_REASON_SESSION_ENDED:
      return "ended with its session";
    case v1::END_REASON_STREAM_CLOSED:
      return "ended because the stream of the device was closed";
    case v1::END_REASON_LIMIT_EXCEEDED:
      return "ended because the server's limit of bytes was reached";
    case v1::END_REASON_DISCONNECTED:
      return "ended because the connection broke";
    case v1::END_REASON_SHUTDOWN:
      return "ended because the server stopped";
    case v1::END_REASON_NOT_COMMITTED:
      return "never started because it was only prepared, and not committed in time";
    case v1::END_REASON_TARGET_ENDED:
      return "too late: what it was to change had ended";
    default:
      return "not ended";
  }
}

std::string DescribeState(v1::StreamState state) {
  switch (state) {
    case v1::STREAM_STATE_CLOSED:
      return "closed";
    case v1::STREAM_STATE_STOPPED:
      return "stopped";
    case v1::STREAM_STATE_RUNNING:
      return "running";
    case v1::STREAM_STATE_LOST:
      return "lost: the device is gone";
    default:
      return "unknown";
  }
}

namespace {

std::string DescribeState(const v1::ActionReport& report) {
  switch (report.state()) {
    case v1::ACTION_STATE_DONE:
    case v1::ACTION_STATE_ENDED:
      return DescribeEnd(report.end_reason());
    case v1::ACTION_STATE_ACTIVE:
      return report.paused() ? "paused" : "running";
    default:
      return "waiting";
  }
}

// Whether it has audio.
bool HasFrames(v1::ActionKind kind) {
  return kind != v1::ACTION_KIND_CANCEL && kind != v1::ACTION_KIND_CHANGE &&
         kind != v1::ACTION_KIND_STATS;
}

// What other commands call it, and what it has to do with other actions.
std::string DescribeIds(const v1::ActionReport& report) {
  std::string text;
  if (!report.key().empty()) absl::StrAppendFormat(&text, "  is %s\n", report.action_id());
  if (!report.after_action_id().empty()) {
    absl::StrAppendFormat(&text, "  follows %s\n", report.after_action_id());
  }
  if (!report.target_action_id().empty()) {
    absl::StrAppendFormat(&text, "  %s %s\n",
                          report.kind() == v1::ACTION_KIND_CANCEL ? "ends" : "changes",
                          report.target_action_id());
  }
  return text;
}

// Where in its sound it is, unless that goes without saying.
std::string DescribePosition(const v1::ActionReport& report) {
  if (!report.has_position_frames() || report.end_reason() == v1::END_REASON_COMPLETED) return "";
  if (report.state() == v1::ACTION_STATE_PENDING) return "";
  if (report.end_reason() == v1::END_REASON_UNSPECIFIED) {
    return absl::StrFormat("  is at frame %d of the sound\n", report.position_frames());
  }
  return absl::StrFormat("  was at frame %d of the sound%s\n", report.position_frames(),
                         report.paused() ? ", paused" : "");
}

}  // namespace

std::string DescribeReport(const v1::ActionReport& report) {
  const std::string name = report.key().empty() ? report.action_id() : report.key();
  std::string text =
      absl::StrFormat("%s (%s): %s\n", name, DescribeKind(report.kind()), DescribeState(report));
  absl::StrAppend(&text, DescribeIds(report));
  if (report.has_start_frame()) {
    absl::StrAppendFormat(&text, "  %s on frame %d",
                          report.kind() == v1::ACTION_KIND_CHANGE ? "took effect" : "started",
                          report.start_frame());
    if (report.late_frames() > 0) {
      absl::StrAppendFormat(&text, ", %d frames late (asked for %d)", report.late_frames(),
                            report.requested_start_frame());
    }
    absl::StrAppend(&text, "\n");
  } else if (report.has_requested_start_frame()) {
    absl::StrAppendFormat(&text, "  was to start on frame %d", report.requested_start_frame());
    if (report.late_frames() > 0) {
      absl::StrAppendFormat(&text, ", was %d frames late", report.late_frames());
    }
    absl::StrAppend(&text, "\n");
  }
  if (report.has_start_wall_time()) {
    absl::StrAppendFormat(
        &text, "  which was %s on the clock of its host, +-%.2f frames\n",
        absl::FormatTime(client::FromProto(report.start_wall_time()), absl::UTCTimeZone()),
        report.start_wall_time_uncertainty_frames());
  }
  if (report.has_origin_uncertainty_frames()) {
    absl::StrAppendFormat(&text, "  its origin was fixed to +-%.2f frames of the moment asked for",
                          report.origin_uncertainty_frames());
    if (report.has_wall_clock_max_error_seconds()) {
      absl::StrAppendFormat(&text, "; the host says that its clock is right to %.3f ms",
                            report.wall_clock_max_error_seconds() * 1e3);
    } else {
      absl::StrAppend(&text, "; nothing keeps the clock of the host");
    }
    absl::StrAppend(&text, "\n");
  }
  if (report.has_end_frame()) {
    absl::StrAppendFormat(&text, "  ended before frame %d\n", report.end_frame());
  }
  if (report.has_total_frames()) {
    absl::StrAppendFormat(&text, "  did %d of %d frames\n", report.done_frames(),
                          report.total_frames());
  } else if (HasFrames(report.kind())) {
    absl::StrAppendFormat(&text, "  did %d frames\n", report.done_frames());
  }
  absl::StrAppend(&text, DescribePosition(report));
  if (report.dropped_frames() > 0) {
    absl::StrAppendFormat(&text, "  %d frames of it were dropped\n", report.dropped_frames());
  }
  if (report.underruns() > 0) {
    absl::StrAppendFormat(&text, "  ran dry %d times\n", report.underruns());
  }
  if (report.gap_count() > 0) {
    absl::StrAppendFormat(&text, "  %d gaps, %d frames in all:\n", report.gap_count(),
                          report.gap_frames());
    for (const auto& gap : report.gaps()) {
      absl::StrAppendFormat(&text, "    %d frames at its position %d, on frame %d\n", gap.frames(),
                            gap.position(), gap.frame());
    }
  }
  absl::StrAppend(&text, DescribeTouched(report));
  for (const auto& xrun : report.xruns()) {
    absl::StrAppend(&text, "    ", DescribeXrun(xrun), "\n");
  }
  if (report.calibrated()) absl::StrAppend(&text, "  aligned with the calibrated latency\n");
  if (report.clipped_samples() > 0) {
    absl::StrAppendFormat(&text, "  the mix clipped %d samples meanwhile\n",
                          report.clipped_samples());
  }
  return text;
}

std::string DescribeBatch(const v1::BatchReport& report) {
  std::string text = absl::StrFormat("batch %s (%d action%s):", report.batch_id(), report.actions(),
                                     report.actions() == 1 ? "" : "s");
  const char* separator = " ";
  const auto append = [&](int actions, absl::string_view what) {
    if (actions == 0) return;
    absl::StrAppendFormat(&text, "%s%d %s", separator, actions, what);
    separator = ", ";
  };
  append(report.pending_actions(), "waiting");
  append(report.active_actions(), "running");
  for (const v1::EndCount& end : report.ends())
    append(end.actions(), DescribeEnd(end.end_reason()));
  absl::StrAppend(&text, "\n");
  if (report.has_start_frame()) {
    absl::StrAppendFormat(&text, "  started on frame %d\n", report.start_frame());
  }
  if (report.has_end_frame()) {
    absl::StrAppendFormat(&text, "  ended before frame %d\n", report.end_frame());
  }
  if (report.late_actions() > 0) {
    absl::StrAppendFormat(&text, "  %d late, by up to %d frames\n", report.late_actions(),
                          report.late_frames());
  }
  if (report.dropped_frames() > 0) {
    absl::StrAppendFormat(&text, "  %d frames were dropped\n", report.dropped_frames());
  }
  if (report.gap_count() > 0) {
    absl::StrAppendFormat(&text, "  %d gaps, %d frames in all\n", report.gap_count(),
                          report.gap_frames());
  }
  if (report.clipped_actions() > 0) {
    absl::StrAppendFormat(&text, "  the mix was clipped while %d of them ran, %d samples or more\n",
                          report.clipped_actions(), report.clipped_samples());
  }
  absl::StrAppend(&text, DescribeTouched(report));
  for (const v1::Xrun& xrun : report.xruns()) {
    absl::StrAppendFormat(&text, "    %s\n", DescribeXrun(xrun));
  }
  return text;
}

std::string DescribeEvent(const v1::LogEntry& entry) {
  constexpr std::string_view kPrefix = "EVENT_KIND_";
  const std::string& name = v1::EventKind_Name(entry.kind());
  const std::string kind = name.empty()
                               ? absl::StrCat("event of kind ", static_cast<int>(entry.kind()))
                               : name.substr(kPrefix.size());
  std::string text;
  switch (entry.kind()) {
    // Their text says to what, not of what.
    case v1::EVENT_KIND_ACTION_CHANGED:
    case v1::EVENT_KIND_GAIN_CHANGED:
      text = absl::StrCat(kind, entry.action_id().empty() ? "" : " ", entry.action_id(),
                          entry.text().empty() ? "" : ": ", entry.text());
      break;
    default:
      text = entry.text().empty() ? kind : entry.text();
  }
  if (entry.has_xrun()) absl::StrAppend(&text, ": ", DescribeXrun(entry.xrun()));
  if (entry.has_clock_relock()) {
    const v1::ClockRelock& relock = entry.clock_relock();
    absl::StrAppendFormat(&text, ": callbacks come %.2f frames later", relock.moved_frames());
  }
  if (entry.touched_action_count() > 0) {
    absl::StrAppendFormat(&text, "; %d action%s ran there", entry.touched_action_count(),
                          entry.touched_action_count() == 1 ? "" : "s");
  }
  return text;
}

std::string DescribeCalibration(const v1::Calibration& calibration) {
  const absl::Duration age = absl::Seconds(calibration.age().seconds());
  return absl::StrFormat(
      "calibrated: %+.3f frames beyond these latencies, %+d used; measured from output %d to input "
      "%d %s ago, confidence %.4f\n",
      calibration.excess_frames(), calibration.used_frames(),
      calibration.measurement().output_channel(), calibration.measurement().input_channel(),
      absl::FormatDuration(age), calibration.measurement().confidence());
}

std::string DescribeStream(const v1::AudioStream& stream) {
  if (stream.stream_id().empty()) return "stream: closed\n";
  std::string text = absl::StrFormat(
      "stream %s: %s, %g Hz, %s\n", stream.stream_id(), DescribeState(stream.state()),
      stream.sample_rate_hz(),
      stream.block_frames() == 0 ? "blocks of varying size"
                                 : absl::StrCat("blocks of ", stream.block_frames(), " frames"));
  if (stream.input_channels() > 0) {
    absl::StrAppendFormat(&text, "  in:  %d channels of %s (%s), latency %d frames\n",
                          stream.input_channels(), stream.input_device().name(),
                          stream.input_device().id(), stream.input_latency_frames());
  }
  if (stream.output_channels() > 0) {
    absl::StrAppendFormat(&text, "  out: %d channels of %s (%s), latency %d frames\n",
                          stream.output_channels(), stream.output_device().name(),
                          stream.output_device().id(), stream.output_latency_frames());
  }
  if (stream.input_channels() > 0 && stream.output_channels() > 0 && !stream.clocks_related()) {
    absl::StrAppend(&text, "  input and output are different devices: their clocks may drift\n");
  }
  if (!stream.reports_xruns()) {
    absl::StrAppend(&text,
                    "  this host API never tells of xruns: they are found from time alone\n");
  }
  if (stream.master_gain() != 1) {
    absl::StrAppendFormat(&text, "  master gain %g\n", stream.master_gain());
  }
  if (stream.has_calibration()) {
    absl::StrAppend(&text, "  ", DescribeCalibration(stream.calibration()));
  }
  absl::StrAppendFormat(&text, "  next frame %d, CPU load %.1f %%\n", stream.next_frame(),
                        100 * stream.cpu_load());
  return text;
}

}  // namespace rtmixd::rtmixctl
