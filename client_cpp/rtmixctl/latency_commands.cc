#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_format.h"
#include "absl/time/time.h"
#include "client_cpp/latency/measure_latency.h"
#include "client_cpp/rtmixctl/commands.h"
#include "client_cpp/rtmixctl/impulse_picture.h"
#include "client_cpp/rtmixctl/interrupt.h"
#include "client_cpp/rtmixctl/json.h"
#include "client_cpp/rtmixctl/report_text.h"
#include "client_cpp/rtmixctl/validators.h"

namespace rtmixd::rtmixctl {
namespace {

using client::Stubs;

struct LatencyFlags {
  client::LatencyOptions options;
  double timeout_seconds = 120;
  std::string picture_path;
  bool store = false;
};

const char* DescribeVerdict(v1::LatencyVerdict verdict) {
  switch (verdict) {
    case v1::LATENCY_VERDICT_FOUND:
      return "found";
    case v1::LATENCY_VERDICT_SILENT:
      return "the input is silent: is the cable plugged in, the channel right, the gain up?";
    case v1::LATENCY_VERDICT_CLIPPED:
      return "the input clips, or something on the way does: turn it down, or --amplitude";
    case v1::LATENCY_VERDICT_FAINT:
      return "what came back is weaker than --min-gain, as when it leaks from another channel";
    case v1::LATENCY_VERDICT_UNCERTAIN:
      return "too little of what the input heard is what was played: noise, another channel, "
             "other sounds?";
    case v1::LATENCY_VERDICT_AMBIGUOUS:
      return "it came back more than once, about equally strong: is there a second path?";
    case v1::LATENCY_VERDICT_LATE:
      return "it came back later than --max-delay";
    case v1::LATENCY_VERDICT_UNSTEADY:
      return "the repeats differ: the delay is not steady";
    case v1::LATENCY_VERDICT_XRUN:
      return "xruns or late starts spoiled too many repeats";
    default:
      return "an unknown reason";
  }
}

std::string DescribeMeasurement(const client::MeasuredLatency& measured,
                                const v1::AudioStream& stream) {
  const v1::LatencyMeasurement& measurement = measured.measurement;
  std::string text;
  if (measurement.verdict() == v1::LATENCY_VERDICT_FOUND) {
    const auto claimed =
        static_cast<double>(stream.input_latency_frames() + stream.output_latency_frames());
    text = absl::StrFormat(
        "output %d to input %d: %.3f frames (%.3f ms), of which the host claims %.0f\n",
        measurement.output_channel(), measurement.input_channel(), measurement.round_trip_frames(),
        1000 * measurement.round_trip_frames() / measured.sample_rate_hz, claimed);
  } else {
    text = absl::StrFormat("output %d to input %d: no answer: %s\n", measurement.output_channel(),
                           measurement.input_channel(), DescribeVerdict(measurement.verdict()));
  }
  absl::StrAppendFormat(
      &text, "  gain %.4g%s, confidence %.4f, %d repeats within %.4f frames, %d void\n",
      measurement.gain(), measurement.inverted() ? ", inverted" : "", measurement.confidence(),
      measurement.repeats(), measurement.spread_frames(), measurement.voided_repeats());
  return text;
}

absl::Status WritePicture(const client::MeasuredLatency& measured, const std::string& path) {
  if (measured.repeats.empty() || measured.repeats.front().impulse_response.empty()) {
    return absl::FailedPreconditionError("there is no impulse response to make a picture of");
  }
  const client::DelayEstimate& first = measured.repeats.front();
  const std::string title = absl::StrFormat(
      "impulse response, output %d to input %d, frames at %g Hz: %s at %.3f",
      measured.measurement.output_channel(), measured.measurement.input_channel(),
      measured.sample_rate_hz,
      measured.measurement.verdict() == v1::LATENCY_VERDICT_FOUND ? "delay" : "no answer, but peak",
      first.delay_frames);
  return WriteTextFile(path, ImpulsePicture(first.impulse_response, first.delay_frames, title));
}

absl::StatusOr<ExitCode> Latency(Context& context, const LatencyFlags& flags) {
  auto stream = context.RunningStream();
  if (!stream.ok()) return stream.status();
  auto session = context.OpenSession("latency");
  if (!session.ok()) return session.status();
  client::LatencyOptions options = flags.options;
  options.timeout = absl::Seconds(flags.timeout_seconds);
  options.keep_waiting = [] { return !Interrupt::Seen(); };
  auto measured = client::MeasureLatency(*session, options);
  if (!measured.ok()) return measured.status();
  const v1::LatencyVerdict verdict = measured->measurement.verdict();

  std::string words = DescribeMeasurement(*measured, *stream);
  if (!flags.store || verdict != v1::LATENCY_VERDICT_FOUND) {
    context.Answer(measured->measurement, words);
  } else {
    v1::SetCalibrationRequest request;
    *request.mutable_measurement() = measured->measurement;
    auto stored = (*session)->client().Call(&Stubs::calibrations,
                                            &v1::CalibrationService::Stub::SetCalibration, request,
                                            (*session)->call());
    if (!stored.ok()) return stored.status();
    words += DescribeCalibration(stored->calibration());
    context.Answer(*stored, words);
  }
  if (!flags.picture_path.empty()) {
    if (absl::Status written = WritePicture(*measured, flags.picture_path); !written.ok()) {
      return written;
    }
  }
  if (verdict == v1::LATENCY_VERDICT_FOUND) return ExitCode::kOk;
  return verdict == v1::LATENCY_VERDICT_XRUN ? ExitCode::kXrun : ExitCode::kNoAnswer;
}

absl::StatusOr<ExitCode> ListCalibrations(Context& context) {
  auto client = context.Connect();
  if (!client.ok()) return client.status();
  v1::ListCalibrationsResponse all;
  v1::ListCalibrationsRequest request;
  do {
    auto page =
        (*client)->Call(&Stubs::calibrations, &v1::CalibrationService::Stub::ListCalibrations,
                        request, {.retry = true});
    if (!page.ok()) return page.status();
    all.mutable_calibrations()->MergeFrom(page->calibrations());
    request.set_page_token(page->next_page_token());
  } while (!request.page_token().empty());
  std::string words = all.calibrations().empty() ? "no calibrations\n" : "";
  for (const v1::Calibration& calibration : all.calibrations()) {
    const v1::CalibratedSettings& settings = calibration.settings();
    absl::StrAppendFormat(
        &words, "%s: %s (%d) to %s (%d), %g Hz, blocks of %d frames, latencies %d and %d\n  %s",
        calibration.calibration_id(), settings.output_device_id(), settings.output_channels(),
        settings.input_device_id(), settings.input_channels(), settings.sample_rate_hz(),
        settings.block_frames(), settings.output_latency_frames(), settings.input_latency_frames(),
        DescribeCalibration(calibration));
  }
  context.Answer(all, words);
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> DeleteCalibration(Context& context, const std::string& calibration_id) {
  auto session = context.OpenSession("calibrations");
  if (!session.ok()) return session.status();
  v1::DeleteCalibrationRequest request;
  request.set_calibration_id(calibration_id);
  auto deleted = (*session)->client().Call(&Stubs::calibrations,
                                           &v1::CalibrationService::Stub::DeleteCalibration,
                                           request, (*session)->call());
  if (!deleted.ok()) return deleted.status();
  context.Answer(*deleted, absl::StrFormat("%s is forgotten\n", calibration_id));
  return ExitCode::kOk;
}

}  // namespace

void AddLatencyCommands(Context& context) {
  auto flags = std::make_shared<LatencyFlags>();
  CLI::App* const latency = context.AddCommand(
      "latency",
      "Measure the delay from an output to an input through a cable: plays noise, for seconds.\n"
      "Exit code 10 if what comes back is nothing to go by, 7 if xruns spoiled it.",
      "  rtmixctl latency --output 1 --input 1\n"
      "  rtmixctl latency --output 1 --input 1 --store      # align with it from now on\n"
      "  rtmixctl latency --input 2 --repeats 5 --picture response.svg --json\n",
      [flags](Context& c) { return Latency(c, *flags); });
  client::LatencyOptions& options = flags->options;
  latency->add_option("--output", options.output, "Output that the cable begins at; 1 without it")
      ->type_name("CHANNEL")
      ->check(WholeNumber(1, 1024, "channel"));
  latency->add_option("--input", options.input, "Input that the cable ends at; 1 without it")
      ->type_name("CHANNEL")
      ->check(WholeNumber(1, 1024, "channel"));
  latency->add_option("--repeats", options.repeats, "Measure so often, 1 to 8; 3 without it")
      ->type_name("NUMBER")
      ->check(WholeNumber(1, 8, "number of repeats"));
  latency
      ->add_option("--amplitude", options.amplitude,
                   "Highest peak of what is played; 1 is full scale, 0.25 without it")
      ->type_name("FACTOR")
      ->check(Number(1e-4, 1, "factor"));
  latency
      ->add_option("--max-delay", options.max_delay_seconds,
                   "Listen for delays up to this; 0.5 without it")
      ->type_name("SECONDS")
      ->check(Seconds(0.001, 5));
  latency
      ->add_option("--min-confidence", options.min_confidence,
                   "Least part of what is recorded that has to be what was played, 0.85 to 1; "
                   "0.9 without it")
      ->type_name("PART")
      ->check(Number(0.85, 1, "part"));
  latency
      ->add_option("--min-gain", options.min_gain,
                   "Weakest gain that is taken for a cable; 0.01 without it")
      ->type_name("FACTOR")
      ->check(Number(0, 1, "factor"));
  latency
      ->add_option("--timeout", flags->timeout_seconds,
                   "Give up after so many seconds: exit code 8; 120 without it")
      ->type_name("SECONDS")
      ->check(Seconds());
  latency
      ->add_option("--picture", flags->picture_path,
                   "Draw the impulse response into this file, SVG")
      ->type_name("FILE");
  latency->add_flag("--store", flags->store,
                    "Store it on the server as the calibration of these devices and settings");

  auto calibration_id = std::make_shared<std::string>();
  CLI::App* const calibrations =
      context.AddCommand("calibrations", "List the stored calibrations, or forget one",
                         "  rtmixctl calibrations --json\n"
                         "  rtmixctl calibrations --delete calibration-1\n",
                         [calibration_id](Context& c) {
                           return calibration_id->empty() ? ListCalibrations(c)
                                                          : DeleteCalibration(c, *calibration_id);
                         });
  calibrations->add_option("--delete", *calibration_id, "Forget this one")->type_name("ID");
}

}  // namespace rtmixd::rtmixctl
