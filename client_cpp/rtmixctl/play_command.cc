#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "client_cpp/action.h"
#include "client_cpp/buffer.h"
#include "client_cpp/duration.h"
#include "client_cpp/played_frames.h"
#include "client_cpp/rtmixctl/commands.h"
#include "client_cpp/rtmixctl/interrupt.h"
#include "client_cpp/rtmixctl/options.h"
#include "client_cpp/rtmixctl/progress_bar.h"
#include "client_cpp/rtmixctl/sound_options.h"

namespace rtmixd::rtmixctl {
namespace {

struct PlayOptions {
  std::vector<std::string> paths;
  std::vector<int> outputs;
  std::optional<float> gain;
  v1::XrunPolicy xrun_policy = v1::XRUN_POLICY_UNSPECIFIED;
  bool together = false;
  bool resample = false;
  bool no_wait = false;
  std::string after;
  SoundOptions sound;
  StartOptions start;
  std::optional<absl::Time> at;
  OutcomeOptions outcome;
};

// Sends a file; returns null if that was interrupted.
absl::StatusOr<std::unique_ptr<client::Buffer>> Send(
    const std::shared_ptr<client::Session>& session, const std::string& path,
    const client::Audio& audio) {
  ProgressBar bar(absl::StrCat("sending ", path), audio.frames(), audio.sample_rate_hz);
  return client::Buffer::Upload(session, audio, {.label = path.substr(0, 200)},
                                [&bar](int64_t frames) {
                                  bar.Update(frames);
                                  return !Interrupt::Seen();
                                });
}

// A play of a buffer, behind the play before it or together with that.
void AddPlay(const PlayOptions& options, const std::string& path, const std::string& buffer_id,
             double sample_rate_hz, v1::ScheduleActionsRequest& request) {
  const int number = request.actions_size() + 1;
  v1::ActionSpec& action = *request.add_actions();
  // Keys are unique; the same file may come twice.
  action.set_key(absl::StrCat(number, " ", path).substr(0, 128));
  if (number > 1 && !options.together) {
    action.mutable_start()->mutable_after()->set_key(request.actions(number - 2).key());
  } else if (!options.after.empty()) {
    action.mutable_start()->mutable_after()->set_action_id(options.after);
  }
  action.set_late_policy(options.start.late_policy);
  v1::PlaySpec& play = *action.mutable_play();
  play.set_buffer_id(buffer_id);
  play.set_xrun_policy(options.xrun_policy);
  if (options.gain.has_value()) play.set_gain(*options.gain);
  if (!options.outputs.empty()) *play.mutable_channel_map() = client::ToChannelMap(options.outputs);
  options.sound.ApplyTo(sample_rate_hz, play);
}

absl::StatusOr<ExitCode> Play(Context& context, const PlayOptions& options) {
  auto stream = context.RunningStream();
  if (!stream.ok()) return stream.status();
  auto session = context.OpenSession("play");
  if (!session.ok()) return session.status();

  v1::ScheduleActionsRequest request;
  std::vector<std::unique_ptr<client::Buffer>> buffers;
  std::optional<int64_t> total_frames = 0;
  for (const std::string& path : options.paths) {
    auto audio = LoadSound(path, stream->sample_rate_hz(), options.resample);
    if (!audio.ok()) return audio.status();
    auto buffer = Send(*session, path, *audio);
    if (!buffer.ok()) return buffer.status();
    AddPlay(options, path, (*buffer)->id(), stream->sample_rate_hz(), request);
    const auto frames =
        client::PlayedFrames(request.actions(request.actions_size() - 1).play(), audio->frames());
    if (!frames.has_value() || !total_frames.has_value()) {
      total_frames.reset();
    } else {
      total_frames = options.together ? std::max(*total_frames, *frames) : *total_frames + *frames;
    }
    buffers.push_back(*std::move(buffer));
  }

  // Sending took time: what was asked for counts from now.
  if (!options.start.frame.has_value()) {
    stream = context.RunningStream();
    if (!stream.ok()) return stream.status();
  }
  if (const auto frame = options.start.FrameOn(*stream)) request.set_origin_frame(*frame);
  if (options.at.has_value()) *request.mutable_origin_wall_time() = client::ToProto(*options.at);
  auto scheduled = client::ScheduleActions(**session, std::move(request));
  if (!scheduled.ok()) return scheduled.status();
  std::vector<std::string> action_ids;
  std::string words;
  for (const auto& action : scheduled->actions()) {
    action_ids.push_back(action.action_id());
    absl::StrAppend(&words, action.action_id(), "  ", action.key(), "\n");
  }
  if (options.no_wait) {
    context.Answer(*scheduled, words);
    return ExitCode::kOk;
  }

  const absl::Time began = absl::Now();
  auto bar =
      std::make_unique<ProgressBar>("playing", total_frames.value_or(0), stream->sample_rate_hz());
  auto answer = client::WaitActions(
      **session, action_ids, options.outcome.timeout(),
      [&bar, &stream, began] {
        bar->Update(static_cast<int64_t>(absl::ToDoubleSeconds(absl::Now() - began) *
                                         stream->sample_rate_hz()));
        return !Interrupt::Seen();
      },
      client::WaitFor::kDone);
  bar.reset();
  if (answer.ok() && answer->still_running().empty()) {
    Remark("played; finding out whether an xrun touched it");
    auto judged = client::WaitActions(**session, action_ids, client::kJudgeLimit,
                                      [] { return !Interrupt::Seen(); });
    // Interrupted, what is known by now is worth more than the ids alone.
    if (!judged.ok() || judged->still_running().empty()) answer = std::move(judged);
  }
  if (!answer.ok()) return answer.status();
  auto code = context.AnswerReports(*answer, options.outcome.report_path,
                                    {.strict = options.outcome.strict});
  if (!answer->still_running().empty()) {
    // The session may be one that lives on.
    v1::CancelActionsRequest cancel;
    *cancel.mutable_action_ids() = answer->still_running();
    client::CancelActions(**session, cancel).IgnoreError();
  }
  if (Interrupt::Seen()) return ExitCode::kInterrupted;
  return code;
}

}  // namespace

void AddPlayCommand(Context& context) {
  auto options = std::make_shared<PlayOptions>();
  CLI::App* const play =
      context.AddCommand("play", "Play files, one after the other without a gap",
                         "  rtmixctl play speech.wav\n"
                         "  rtmixctl play intro.wav verse.wav --fade-in 10ms --fade-out 480\n"
                         "  rtmixctl play left.flac right.flac --together\n"
                         "  rtmixctl play beep.wav --outputs 3,4 --in 0.5 --gain 0.5 --late skip\n"
                         "  rtmixctl play gong.wav --at \"$(date -u -d '+5 sec' "
                         "+%FT%T.%NZ)\"\n"
                         "  rtmixctl play drone.wav --loop 4 --loop-begin 0.5s --loop-end 3s "
                         "--fade-out 1s:equal-power\n"
                         "  rtmixctl play next.wav --after a17 --no-wait    # inside a lease\n"
                         "What is said of a sound (gain, fades, offset, length, loop) holds for "
                         "each FILE. FILE comes before\n"
                         "--loop where that has no COUNT.\n",
                         nullptr);
  play->callback([&context, options] {
    if (options->no_wait && !context.has_token()) {
      throw CLI::ValidationError(
          "--no-wait", "the plays would end with the command's own session; use it in a lease");
    }
    context.SetCommand([options](Context& c) { return Play(c, *options); });
  });
  play->add_option("FILE", options->paths, "WAV, FLAC, Ogg, AIFF, ...")->required();
  AddChannels(*play, "--outputs", "Outputs, one for each channel of the files: 1,2 or 1-4",
              options->outputs);
  AddGain(*play, options->gain);
  AddXrunPolicy(*play, options->xrun_policy);
  play->add_flag("--together", options->together, "Start all files on the same frame");
  play->add_flag("--resample", options->resample,
                 "Convert files that have another rate than the stream");
  play->add_flag("--no-wait", options->no_wait,
                 "Tell the ids and do not wait for the end; only in a session that lives on");
  options->sound.AddTo(*play);
  options->start.AddTo(*play);
  play->add_option("--after", options->after,
                   "Start without a gap where this play of the session ends")
      ->type_name("ACTION")
      ->excludes("--start-frame")
      ->excludes("--in");
  AddWallTime(*play, options->at);
  options->outcome.AddTo(*play);
}

}  // namespace rtmixd::rtmixctl
