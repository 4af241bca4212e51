#include <poll.h>
#include <sndfile.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client_cpp/action.h"
#include "client_cpp/audio_stream.h"
#include "client_cpp/duration.h"
#include "client_cpp/rtmixctl/commands.h"
#include "client_cpp/rtmixctl/fade_option.h"
#include "client_cpp/rtmixctl/interrupt.h"
#include "client_cpp/rtmixctl/length.h"
#include "client_cpp/rtmixctl/options.h"
#include "client_cpp/rtmixctl/validators.h"
#include "client_cpp/rtmixctl/wav_pipe.h"

namespace rtmixd::rtmixctl {
namespace {

constexpr absl::Duration kSlice = absl::Milliseconds(100);

struct StreamOptions {
  bool play = false;
  bool record = false;
  bool raw = false;
  int channels = 0;
  std::vector<int> outputs;
  std::vector<int> inputs;
  std::optional<float> gain;
  std::optional<FadeOption> fade_in;
  std::optional<FadeOption> fade_out;
  std::optional<Length> max_length;
  v1::RecordSource source = v1::RECORD_SOURCE_UNSPECIFIED;
  FileEncoding encoding = FileEncoding::kDefault;
  v1::UnderrunPolicy underrun_policy = v1::UNDERRUN_POLICY_UNSPECIFIED;
  double prebuffer_seconds = 0.1;
  std::optional<double> seconds;
  double tail_seconds = 0;
  StartOptions start;
  std::optional<absl::Time> at;
  OutcomeOptions outcome;
};

int RawFormat(FileEncoding encoding) {
  switch (encoding) {
    case FileEncoding::kInt16:
      return SF_FORMAT_PCM_16;
    case FileEncoding::kInt24:
      return SF_FORMAT_PCM_24;
    case FileEncoding::kInt32:
      return SF_FORMAT_PCM_32;
    default:
      return SF_FORMAT_FLOAT;
  }
}

// Opens stdin; `info` tells what is in it.
absl::StatusOr<SNDFILE*> OpenStdin(const StreamOptions& options, double sample_rate_hz,
                                   SF_INFO& info) {
  info = {};
  if (options.raw) {
    info.channels = options.channels;
    info.samplerate = static_cast<int>(std::lround(sample_rate_hz));
    info.format = SF_FORMAT_RAW | SF_ENDIAN_LITTLE | RawFormat(options.encoding);
  }
  SNDFILE* const file = sf_open_fd(STDIN_FILENO, SFM_READ, &info, SF_FALSE);
  if (file == nullptr) {
    return absl::FailedPreconditionError(
        absl::StrCat("stdin is no WAV (or other known file): ", WhyNotOpened(),
                     "; without a header, use --raw --channels N --format FORMAT"));
  }
  if (info.samplerate != std::lround(sample_rate_hz)) {
    sf_close(file);
    return absl::FailedPreconditionError(absl::StrFormat(
        "stdin has %d Hz, the stream %g Hz: convert it first, or open the stream with --rate %d",
        info.samplerate, sample_rate_hz, info.samplerate));
  }
  return file;
}

// Copies stdin into the stream until its end, then tells the end of the sound.
void Feed(SNDFILE* file, const SF_INFO& info, const std::atomic<bool>& quit,
          client::AudioStream& stream) {
  // Small enough that what comes slowly is passed on soon.
  const sf_count_t block_frames = std::max(1, info.samplerate / 100);
  std::vector<float> block(static_cast<size_t>(block_frames * info.channels));
  while (!quit.load()) {
    pollfd input = {.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
    if (poll(&input, 1, 100) == 0) continue;
    const sf_count_t frames = sf_readf_float(file, block.data(), block_frames);
    if (frames <= 0) break;
    absl::Span<const float> rest(block.data(), static_cast<size_t>(frames * info.channels));
    while (!rest.empty() && !quit.load()) {
      const auto taken = stream.Write(rest, kSlice);
      // The one who waits for the report tells why.
      if (!taken.ok()) return;
      rest.remove_prefix(static_cast<size_t>(*taken * info.channels));
    }
  }
  if (!quit.load()) stream.EndOfSound();
}

absl::Status WriteStdout(const std::string& bytes) {
  for (size_t done = 0; done < bytes.size();) {
    const ssize_t count = write(STDOUT_FILENO, bytes.data() + done, bytes.size() - done);
    if (count < 0) return absl::ErrnoToStatus(errno, "cannot write to stdout");
    done += static_cast<size_t>(count);
  }
  return absl::OkStatus();
}

// Copies what is there of the recording to stdout; waits up to a slice for some.
// OUT_OF_RANGE at its end.
absl::Status Drain(const StreamOptions& options, client::AudioStream& stream, int channels) {
  auto audio = stream.Read(1 << 14, kSlice);
  if (!audio.ok()) return audio.status();
  const std::vector<float> lost(static_cast<size_t>(audio->lost_frames * channels));
  absl::Status status = WriteStdout(EncodeSamples(lost, options.encoding));
  if (status.ok()) status = WriteStdout(EncodeSamples(audio->samples, options.encoding));
  return status;
}

v1::DuplexConfig Config(const StreamOptions& options, const v1::AudioStream& stream,
                        int play_channels) {
  v1::DuplexConfig config;
  const double rate = stream.sample_rate_hz();
  v1::Start start;
  if (const auto frame = options.start.FrameOn(stream)) start.set_frame(*frame);
  if (options.at.has_value()) *start.mutable_wall_time() = client::ToProto(*options.at);
  if (options.play) {
    v1::PlayConfig& play = *config.mutable_play();
    play.set_channels(play_channels);
    play.set_late_policy(options.start.late_policy);
    play.set_underrun_policy(options.underrun_policy);
    play.set_prebuffer_frames(std::llround(options.prebuffer_seconds * rate));
    play.set_ring_frames(std::llround(std::max(0.5, 2 * options.prebuffer_seconds) * rate));
    if (options.gain.has_value()) play.set_gain(*options.gain);
    if (options.fade_in.has_value()) *play.mutable_fade_in() = options.fade_in->At(rate);
    if (options.fade_out.has_value()) *play.mutable_fade_out() = options.fade_out->At(rate);
    if (options.max_length.has_value()) play.set_max_frames(options.max_length->FramesAt(rate));
    *play.mutable_start() = start;
    if (!options.outputs.empty()) {
      *play.mutable_channel_map() = client::ToChannelMap(options.outputs);
    }
  }
  if (options.record) {
    v1::RecordConfig& record = *config.mutable_record();
    record.set_late_policy(options.start.late_policy);
    record.set_source(options.source);
    record.set_granted_position(std::llround(5 * rate));
    if (options.seconds.has_value()) record.set_frames(std::llround(*options.seconds * rate));
    *record.mutable_start() = start;
    if (!options.inputs.empty()) {
      *record.mutable_channel_map() = client::ToChannelMap(options.inputs);
    }
  }
  config.set_align_at_converters(options.play && options.record);
  return config;
}

absl::StatusOr<ExitCode> Stream(Context& context, const StreamOptions& options) {
  auto device = context.RunningStream();
  if (!device.ok()) return device.status();
  SF_INFO info = {};
  SNDFILE* input = nullptr;
  const absl::Cleanup close_input = [&input] {
    if (input != nullptr) sf_close(input);
  };
  if (options.play) {
    auto opened = OpenStdin(options, device->sample_rate_hz(), info);
    if (!opened.ok()) return opened.status();
    input = *opened;
  }
  auto session = context.OpenSession("stream");
  if (!session.ok()) return session.status();
  auto stream = client::AudioStream::Open(*session, Config(options, *device, info.channels));
  if (!stream.ok()) return stream.status();
  const int channels = (*stream)->opened().record().channels();
  if (options.record && !options.raw) {
    absl::Status written = WriteStdout(WavPipeHeader(
        channels, static_cast<int>(std::lround(device->sample_rate_hz())), options.encoding));
    if (!written.ok()) return written;
  }

  std::atomic<bool> quit{false};
  std::thread feeder;
  if (options.play) {
    feeder = std::thread([&] { Feed(input, info, quit, **stream); });
  }
  const absl::Cleanup stop_feeder = [&quit, &feeder] {
    quit = true;
    if (feeder.joinable()) feeder.join();
  };

  const absl::Time deadline = absl::Now() + options.outcome.timeout();
  bool play_over = !options.play;
  bool stopped = !options.record;
  bool draining = options.record;
  bool timed_out = false;
  bool play_interrupted = false;
  while (draining || !play_over) {
    if (!play_over) {
      auto done = (*stream)->WaitPlayDone(draining ? absl::ZeroDuration() : kSlice);
      if (!done.ok()) return done.status();
      play_over = *done;
      // The recording ends with the sound, unless it has a length of its own.
      if (play_over && !stopped && !options.seconds.has_value()) {
        auto play = client::Action(*session, (*stream)->opened().play().action_id()).Report();
        if (!play.ok()) return play.status();
        (*stream)->StopRecording(play->end_frame() + device->input_latency_frames() +
                                 device->output_latency_frames() +
                                 std::llround(options.tail_seconds * device->sample_rate_hz()));
        stopped = true;
      }
    }
    if (draining) {
      absl::Status status = Drain(options, **stream, channels);
      if (absl::IsOutOfRange(status)) {
        draining = false;
      } else if (!status.ok()) {
        return status;
      }
    }
    timed_out = absl::Now() >= deadline;
    if (Interrupt::Seen() || timed_out) {
      if (!stopped) (*stream)->StopRecording(std::nullopt);
      stopped = true;
      if (!play_over && !play_interrupted) {
        play_interrupted = true;
        quit = true;
        (*stream)->Flush();
        (*stream)->EndOfSound();
      }
    }
  }

  v1::WaitActionsResponse answer;
  if (options.play) {
    auto report = (*stream)->WaitPlay(client::kJudgeLimit);
    if (!report.ok()) return report.status();
    if (report->has_value()) *answer.add_ended() = **report;
  }
  if (options.record) {
    auto report = (*stream)->WaitRecord(client::kJudgeLimit);
    if (!report.ok()) return report.status();
    if (report->has_value()) *answer.add_ended() = **report;
  }
  // stdout is for audio while there is some.
  auto code = context.AnswerReports(answer, options.outcome.report_path,
                                    {.cancel_is_ok = true, .strict = options.outcome.strict},
                                    options.record ? stderr : stdout);
  if (Interrupt::Seen() && (play_interrupted || options.seconds.has_value())) {
    return ExitCode::kInterrupted;
  }
  if (timed_out) return ExitCode::kTimeout;
  return code;
}

}  // namespace

void AddStreamCommand(Context& context) {
  auto options = std::make_shared<StreamOptions>();
  CLI::App* const stream = context.AddCommand(
      "stream", "Play stdin, record to stdout, or both, while it flows",
      "  espeak-ng --stdout 'Mind the gap' | sox - -r 48000 -t wav - | rtmixctl stream --play\n"
      "  rtmixctl stream --record --inputs 1 | ffmpeg -i - take.opus\n"
      "  rtmixctl stream --play --record --raw --channels 1 --format int16 < in.raw > out.raw\n",
      nullptr);
  stream->callback([&context, options] {
    if (!options->play && !options->record) {
      throw CLI::RequiredError("--play, --record or both");
    }
    if (options->raw && options->play && options->channels == 0) {
      throw CLI::RequiredError("--raw --play: --channels");
    }
    context.SetCommand([options](Context& c) { return Stream(c, *options); });
  });
  stream->add_flag("--play", options->play, "Play what comes from stdin");
  stream->add_flag("--record", options->record, "Write what is recorded to stdout");
  stream->add_flag("--raw", options->raw, "Samples without a header, little endian, both ways");
  stream->add_option("--channels", options->channels, "With --raw --play: channels of stdin")
      ->check(WholeNumber(1, 1024, "number of channels"));
  AddEncoding(*stream, options->encoding);
  AddChannels(*stream, "--outputs", "Outputs, one for each channel of stdin", options->outputs);
  AddChannels(*stream, "--inputs", "Channels to record; all without it", options->inputs);
  AddGain(*stream, options->gain);
  AddFade(*stream, "--fade-in",
          "From silence: LENGTH is frames (480) or a time (10ms, 1.5s, 2min), SHAPE linear or "
          "equal-power",
          options->fade_in);
  auto* const max_length = AddLength(
      *stream, "--max-length", "Play no more than this; at least one frame", options->max_length);
  AddFade(*stream, "--fade-out", "To silence, so that it is over at the end that --max-length sets",
          options->fade_out)
      ->needs(max_length);
  AddSource(*stream, options->source);
  stream
      ->add_option("--underrun", options->underrun_policy,
                   "When stdin is too slow: silence (the rest sounds later), keep-timeline (the "
                   "rest sits in place), end")
      ->transform(OneOf<v1::UnderrunPolicy>({{"silence", v1::UNDERRUN_POLICY_SILENCE},
                                             {"keep-timeline", v1::UNDERRUN_POLICY_KEEP_TIMELINE},
                                             {"end", v1::UNDERRUN_POLICY_END}}))
      ->type_name("POLICY");
  stream
      ->add_option("--prebuffer", options->prebuffer_seconds,
                   "Seconds of sound to have before it starts")
      ->type_name("SECONDS")
      ->check(Seconds())
      ->capture_default_str();
  stream->add_option("--seconds", options->seconds, "Record so long")
      ->type_name("SECONDS")
      ->check(Seconds());
  stream
      ->add_option("--tail", options->tail_seconds,
                   "With both: record so many seconds longer than stdin")
      ->type_name("SECONDS")
      ->check(Seconds());
  options->start.AddTo(*stream);
  AddWallTime(*stream, options->at);
  options->outcome.AddTo(*stream);
}

}  // namespace rtmixd::rtmixctl
