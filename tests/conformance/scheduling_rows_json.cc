// Prints the rows of scheduling_rows.h as JSON, for scheduling_table.py.

#include <google/protobuf/struct.pb.h>
#include <google/protobuf/util/json_util.h>

#include <iostream>
#include <string>
#include <vector>

#include "tests/conformance/scheduling_rows.h"

namespace rtmixd::conformance {
namespace {

using google::protobuf::Struct;

void Put(Struct* row, const std::string& name, double number) {
  (*row->mutable_fields())[name].set_number_value(number);
}

void Put(Struct* row, const std::string& name, const std::string& text) {
  (*row->mutable_fields())[name].set_string_value(text);
}

template <typename T>
void Put(Struct* row, const std::string& name, const std::vector<T>& numbers) {
  auto* const list = (*row->mutable_fields())[name].mutable_list_value();
  for (const T number : numbers) list->add_values()->set_number_value(static_cast<double>(number));
}

void Put(Struct* rows, const std::string& name, const StartsRow& result) {
  Struct* const row = (*rows->mutable_fields())[name].mutable_struct_value();
  Put(row, "asked_frames", result.asked_frames);
  Put(row, "stamp_errors_seconds", result.stamp_errors_seconds);
  Put(row, "not_on_their_frame", result.not_on_their_frame);
  Put(row, "most_frames_off", static_cast<double>(result.most_frames_off));
  Put(row, "wrongly_reported", result.wrongly_reported);
}

Struct AllRows() {
  Struct rows;
  const auto add = [&rows](const std::string& name) {
    return (*rows.mutable_fields())[name].mutable_struct_value();
  };

  Struct* row = add("given");
  Put(row, "rate_hz", kRateHz);
  Put(row, "block_frames", kBlockFrames);
  Put(row, "output_latency_frames", kOutputLatencyFrames);

  Put(&rows, "jitter_20_us", PlayStarts(20e-6, 0));
  Put(&rows, "jitter_200_us", PlayStarts(200e-6, 0));
  Put(&rows, "clock_jump", PlayStarts(0, 1.0));

  const JoinsRow joins = PlayJoins(20e-6);
  row = add("joins");
  Put(row, "asked_frames", joins.asked_frames);
  Put(row, "sound_frames", static_cast<double>(joins.sound_frames));
  Put(row, "stamp_errors_seconds", joins.stamp_errors_seconds);
  Put(row, "silent_samples", static_cast<double>(joins.silent_samples));
  Put(row, "doubled_samples", static_cast<double>(joins.doubled_samples));

  const CostRow cost = MeasureCost();
  row = add("cost");
  Put(row, "pending_actions", cost.pending_actions);
  Put(row, "block_seconds", cost.block_seconds);

  const FullRow full = FillServer();
  row = add("full");
  Put(row, "asked", full.asked);
  Put(row, "room", full.room);
  Put(row, "admitted", full.admitted);
  Put(row, "refused", full.refused);
  Put(row, "ended", full.ended);
  Put(row, "ended_after_asking", full.ended_after_asking);

  const DryRow dry = RunDry();
  row = add("dry");
  Put(row, "done_frames", static_cast<double>(dry.report.done_frames));
  Put(row, "underruns", static_cast<double>(dry.report.underruns));
  Put(row, "gap_frames", static_cast<double>(dry.report.gap_frames));
  Put(row, "gap_frame",
      dry.report.gaps.empty() ? -1.0 : static_cast<double>(dry.report.gaps[0].frame));
  Put(row, "dry_from_frame", static_cast<double>(dry.dry_from_frame));
  Put(row, "dry_frames", static_cast<double>(dry.dry_frames));

  const CancelRow cancel = CancelWhatIsNotThere();
  row = add("cancel");
  Put(row, "ended_completed", cancel.ended.end_reason == ActionEnd::kCompleted ? 1.0 : 0.0);
  Put(row, "ended_end_frame", static_cast<double>(cancel.ended.end_frame.value_or(-1)));
  Put(row, "unknown_code", cancel.unknown_code);
  Put(row, "unknown_field", cancel.unknown_field);

  const StoppedRow stopped = CloseUnderAWaiter();
  row = add("stopped");
  Put(row, "told", stopped.told ? 1.0 : 0.0);
  Put(row, "stream_closed", stopped.end_reason == ActionEnd::kStreamClosed ? 1.0 : 0.0);

  const ProducersRow producers = ScheduleFromThreads();
  row = add("producers");
  Put(row, "threads", producers.threads);
  Put(row, "asked", producers.asked);
  Put(row, "admitted", producers.admitted);
  Put(row, "on_their_frame", producers.on_their_frame);

  const ChecksRow checks = AskNonsense();
  row = add("checks");
  Put(row, "length_field", checks.length_field);
  Put(row, "start_field", checks.start_field);
  Put(row, "sample_field", checks.sample_field);

  const LateRow late = BecomeLate();
  row = add("became_late");
  Put(row, "skipped", late.report.end_reason == ActionEnd::kSkipped ? 1.0 : 0.0);
  Put(row, "late_frames", static_cast<double>(late.report.late_frames));
  Put(row, "heard_frames", static_cast<double>(late.heard_frames));
  return rows;
}

}  // namespace
}  // namespace rtmixd::conformance

int main() {
  std::string json;
  const auto status =
      google::protobuf::util::MessageToJsonString(rtmixd::conformance::AllRows(), &json);
  if (!status.ok()) {
    std::cerr << status.ToString() << '\n';
    return 1;
  }
  std::cout << json << '\n';
  return 0;
}
