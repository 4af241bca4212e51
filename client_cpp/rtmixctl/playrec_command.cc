#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "client_cpp/play_rec.h"
#include "client_cpp/played_frames.h"
#include "client_cpp/rtmixctl/commands.h"
#include "client_cpp/rtmixctl/interrupt.h"
#include "client_cpp/rtmixctl/options.h"
#include "client_cpp/rtmixctl/progress_bar.h"
#include "client_cpp/rtmixctl/sound_options.h"
#include "client_cpp/rtmixctl/validators.h"

namespace rtmixd::rtmixctl {
namespace {

struct PlayRecFlags {
  std::string in_path;
  std::string out_path;
  std::vector<int> outputs;
  std::vector<int> inputs;
  double tail_seconds = 0;
  std::optional<float> gain;
  SoundOptions sound;
  v1::RecordSource source = v1::RECORD_SOURCE_UNSPECIFIED;
  FileEncoding encoding = FileEncoding::kDefault;
  bool resample = false;
  StartOptions start;
  OutcomeOptions outcome;
};

absl::StatusOr<ExitCode> PlayRec(Context& context, const PlayRecFlags& flags) {
  auto stream = context.RunningStream();
  if (!stream.ok()) return stream.status();
  auto sound = LoadSound(flags.in_path, stream->sample_rate_hz(), flags.resample);
  if (!sound.ok()) return sound.status();
  auto session = context.OpenSession("playrec");
  if (!session.ok()) return session.status();

  // Before anything sounds, so that a bad name loses nothing.
  int channels = static_cast<int>(flags.inputs.size());
  if (channels == 0) {
    channels = flags.source == v1::RECORD_SOURCE_OUTPUT ? stream->output_channels()
                                                        : stream->input_channels();
  }
  auto writer =
      AudioFileWriter::Create(flags.out_path, channels, stream->sample_rate_hz(), flags.encoding);
  if (!writer.ok()) return writer.status();

  client::PlayRecOptions options;
  options.outputs = flags.outputs;
  options.inputs = flags.inputs;
  options.tail_frames = std::llround(flags.tail_seconds * stream->sample_rate_hz());
  options.start_frame = flags.start.FrameOn(*stream);
  options.gain = flags.gain;
  options.late_policy = flags.start.late_policy;
  options.source = flags.source;
  options.timeout = flags.outcome.timeout();
  v1::PlaySpec play;
  flags.sound.ApplyTo(stream->sample_rate_hz(), play);
  if (play.has_fade_in()) options.fade_in = play.fade_in();
  if (play.has_fade_out()) options.fade_out = play.fade_out();
  options.offset_frames = play.offset_frames();
  if (play.has_max_frames()) options.max_frames = play.max_frames();
  if (play.has_loop()) options.loop = play.loop();
  const int64_t played_frames = client::PlayedFrames(play, sound->frames()).value_or(0);
  const absl::Time began = absl::Now();
  auto bar = std::make_unique<ProgressBar>(
      "playing and recording", played_frames + options.tail_frames, stream->sample_rate_hz());
  options.keep_waiting = [&bar, &stream, began] {
    if (bar != nullptr) {
      bar->Update(static_cast<int64_t>(absl::ToDoubleSeconds(absl::Now() - began) *
                                       stream->sample_rate_hz()));
    }
    return !Interrupt::Seen();
  };
  options.on_done = [&bar] {
    bar.reset();
    Remark("played and recorded; finding out whether an xrun touched it");
  };
  auto result = client::PlayRec(*session, *sound, options);
  bar.reset();
  if (!result.ok()) return result.status();

  absl::Status written = (*writer)->Write(result->recording.samples);
  if (written.ok()) written = (*writer)->Close();
  if (!written.ok()) return written;

  v1::WaitActionsResponse answer;
  *answer.add_ended() = result->play;
  *answer.add_ended() = result->record;
  const auto code =
      context.AnswerReports(answer, flags.outcome.report_path, {.strict = flags.outcome.strict});
  if (!context.json()) {
    absl::PrintF("%s: %d channels, %d frames (%.3f s)", flags.out_path, result->recording.channels,
                 (*writer)->frames(),
                 static_cast<double>((*writer)->frames()) / stream->sample_rate_hz());
    if (result->play.has_start_frame() && result->record.has_start_frame()) {
      absl::PrintF(
          "; its first frame is %d frames after that of the play (input and output latency: "
          "through "
          "a cable both line up)",
          result->record.start_frame() - result->play.start_frame());
    }
    absl::PrintF("\n");
  }
  return code;
}

}  // namespace

void AddPlayRecCommand(Context& context) {
  auto flags = std::make_shared<PlayRecFlags>();
  CLI::App* const playrec = context.AddCommand(
      "playrec", "Play a file and record the response, aligned to it",
      "  rtmixctl playrec sweep.wav response.wav --outputs 1 --inputs 1-4 --tail 0.5\n"
      "  rtmixctl playrec in.wav out.wav --report out.json --timeout 20 --strict\n",
      [flags](Context& c) { return PlayRec(c, *flags); });
  playrec->add_option("IN", flags->in_path, "What to play")->required();
  playrec
      ->add_option("OUT", flags->out_path,
                   "Where the recording goes; its ending decides: .wav, ...")
      ->required();
  AddChannels(*playrec, "--outputs", "Outputs, one for each channel of IN: 1,2 or 1-4",
              flags->outputs);
  AddChannels(*playrec, "--inputs", "Inputs to record: 1,2 or 1-4; all without it", flags->inputs);
  playrec->add_option("--tail", flags->tail_seconds, "Record so many seconds longer than the play")
      ->type_name("SECONDS")
      ->check(Seconds());
  AddGain(*playrec, flags->gain);
  flags->sound.AddTo(*playrec);
  AddSource(*playrec, flags->source);
  AddEncoding(*playrec, flags->encoding);
  playrec->add_flag("--resample", flags->resample,
                    "Convert IN if it has another rate than the stream");
  flags->start.AddTo(*playrec);
  flags->outcome.AddTo(*playrec);
}

}  // namespace rtmixd::rtmixctl
