#include <cmath>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "client_cpp/action.h"
#include "client_cpp/duration.h"
#include "client_cpp/record_stream.h"
#include "client_cpp/rtmixctl/commands.h"
#include "client_cpp/rtmixctl/interrupt.h"
#include "client_cpp/rtmixctl/options.h"
#include "client_cpp/rtmixctl/progress_bar.h"
#include "client_cpp/rtmixctl/validators.h"

namespace rtmixd::rtmixctl {
namespace {

struct RecordOptions {
  std::string path;
  std::vector<int> inputs;
  v1::RecordSource source = v1::RECORD_SOURCE_UNSPECIFIED;
  FileEncoding encoding = FileEncoding::kDefault;
  std::optional<double> seconds;
  std::optional<int64_t> frames;
  std::optional<double> ago_seconds;
  StartOptions start;
  std::optional<absl::Time> at;
  OutcomeOptions outcome;
};

v1::RecordConfig Config(const RecordOptions& options, const v1::AudioStream& stream) {
  v1::RecordConfig config;
  config.set_late_policy(options.start.late_policy);
  config.set_source(options.source);
  // Ten seconds may wait here, so that a slow disk is no loss.
  config.set_granted_position(std::llround(10 * stream.sample_rate_hz()));
  if (!options.inputs.empty()) {
    *config.mutable_channel_map() = client::ToChannelMap(options.inputs);
  }
  if (options.frames.has_value()) config.set_frames(*options.frames);
  if (options.seconds.has_value()) {
    config.set_frames(std::llround(*options.seconds * stream.sample_rate_hz()));
  }
  if (const auto frame = options.start.FrameOn(stream)) config.mutable_start()->set_frame(*frame);
  if (options.at.has_value()) {
    *config.mutable_start()->mutable_wall_time() = client::ToProto(*options.at);
  }
  if (options.ago_seconds.has_value()) {
    const int64_t back = std::llround(*options.ago_seconds * stream.sample_rate_hz());
    config.mutable_start()->set_frame(std::max<int64_t>(0, stream.next_frame() - back));
  }
  return config;
}

// Copies the recording into the file until it ends, the time is over or it is interrupted; then
// stops it, and copies what is left.
absl::Status Copy(client::RecordStream& recording, AudioFileWriter& writer, int64_t total_frames,
                  absl::Duration timeout) {
  constexpr absl::Duration kSlice = absl::Milliseconds(100);
  ProgressBar bar("recording", total_frames, recording.sample_rate_hz());
  const absl::Time deadline = absl::Now() + timeout;
  bool stopped = false;
  while (true) {
    if (!stopped && (Interrupt::Seen() || absl::Now() >= deadline)) {
      recording.Stop();
      stopped = true;
    }
    auto audio = recording.Read(1 << 16, kSlice);
    if (absl::IsOutOfRange(audio.status())) return absl::OkStatus();
    if (!audio.ok()) return audio.status();
    // What was lost is silence in the file, so that the rest sits where it belongs.
    absl::Status status = writer.WriteSilence(audio->lost_frames);
    if (status.ok()) status = writer.Write(audio->samples);
    if (!status.ok()) return status;
    bar.Update(writer.frames());
  }
}

absl::StatusOr<ExitCode> Record(Context& context, const RecordOptions& options) {
  auto stream = context.RunningStream();
  if (!stream.ok()) return stream.status();
  auto session = context.OpenSession("record");
  if (!session.ok()) return session.status();
  const v1::RecordConfig config = Config(options, *stream);
  auto recording = client::RecordStream::Open(*session, config);
  if (!recording.ok()) return recording.status();
  auto writer = AudioFileWriter::Create(options.path, (*recording)->channels(),
                                        (*recording)->sample_rate_hz(), options.encoding);
  if (!writer.ok()) return writer.status();

  const absl::Time deadline = absl::Now() + options.outcome.timeout();
  absl::Status copied = Copy(**recording, **writer, config.frames(), options.outcome.timeout());
  absl::Status closed = (*writer)->Close();
  if (!copied.ok()) return copied;
  if (!closed.ok()) return closed;
  Remark("recorded; finding out whether an xrun touched it");
  auto report = (*recording)->Wait(client::kJudgeLimit);
  if (!report.ok()) return report.status();
  if (!report->has_value()) return absl::UnavailableError("the server sent no report");

  v1::WaitActionsResponse answer;
  *answer.add_ended() = **report;
  auto code = context.AnswerReports(answer, options.outcome.report_path,
                                    {.cancel_is_ok = true, .strict = options.outcome.strict});
  if (!context.json()) {
    absl::PrintF("%s: %d channels, %d frames (%.3f s)\n", options.path, (*recording)->channels(),
                 (*writer)->frames(),
                 static_cast<double>((*writer)->frames()) / (*recording)->sample_rate_hz());
  }
  // Without a length, stopping is how a recording is meant to end.
  if (config.has_frames() && (*writer)->frames() < config.frames()) {
    if (Interrupt::Seen()) return ExitCode::kInterrupted;
    if (absl::Now() >= deadline) return ExitCode::kTimeout;
  }
  return code;
}

}  // namespace

void AddRecordCommand(Context& context) {
  auto options = std::make_shared<RecordOptions>();
  CLI::App* const record = context.AddCommand(
      "record", "Record into a file, for a length or until Ctrl-C",
      "  rtmixctl record take.wav --inputs 1,2 --seconds 10\n"
      "  rtmixctl record before.flac --ago 5 --seconds 5    # what has been heard already\n"
      "  rtmixctl record mix.wav --source output\n",
      [options](Context& c) { return Record(c, *options); });
  record->add_option("FILE", options->path, "Its ending decides: .wav, .flac, .ogg, ...")
      ->required();
  AddChannels(*record, "--inputs", "Channels to record: 1,2 or 1-4; all without it",
              options->inputs);
  AddSource(*record, options->source);
  AddEncoding(*record, options->encoding);
  auto* const seconds = record->add_option("--seconds", options->seconds, "How long")
                            ->type_name("SECONDS")
                            ->check(Seconds());
  record->add_option("--frames", options->frames, "How long, in frames")
      ->type_name("FRAMES")
      ->check(Frames())
      ->excludes(seconds);
  options->start.AddTo(*record);
  record
      ->add_option("--ago", options->ago_seconds,
                   "Start so many seconds back, as far as the server remembers")
      ->type_name("SECONDS")
      ->check(Seconds())
      ->excludes(record->get_option("--start-frame"))
      ->excludes(record->get_option("--in"));
  AddWallTime(*record, options->at);
  options->outcome.AddTo(*record);
}

}  // namespace rtmixd::rtmixctl
