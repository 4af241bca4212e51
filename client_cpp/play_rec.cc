#include "client_cpp/play_rec.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client_cpp/buffer.h"
#include "client_cpp/played_frames.h"

namespace rtmixd::client {
namespace {

// What is left of a message for all else than audio.
constexpr int64_t kMessageOverheadBytes = 16 << 10;

// But for the sound and the length of the recording.
v1::ScheduleActionsRequest MakeRequest(const PlayRecOptions& options) {
  v1::ScheduleActionsRequest request;
  request.set_align_at_converters(true);
  if (options.start_frame.has_value()) request.set_origin_frame(*options.start_frame);

  v1::ActionSpec& record = *request.add_actions();
  record.set_key("record");
  record.set_late_policy(options.late_policy);
  record.mutable_record()->set_source(options.source);
  if (!options.inputs.empty()) {
    *record.mutable_record()->mutable_channel_map() = ToChannelMap(options.inputs);
  }

  v1::ActionSpec& play = *request.add_actions();
  play.set_key("play");
  play.set_late_policy(options.late_policy);
  v1::PlaySpec& spec = *play.mutable_play();
  if (options.gain.has_value()) spec.set_gain(*options.gain);
  if (options.fade_in.has_value()) *spec.mutable_fade_in() = *options.fade_in;
  if (options.fade_out.has_value()) *spec.mutable_fade_out() = *options.fade_out;
  spec.set_offset_frames(options.offset_frames);
  if (options.max_frames.has_value()) spec.set_max_frames(*options.max_frames);
  if (options.loop.has_value()) *spec.mutable_loop() = *options.loop;
  if (!options.outputs.empty()) *spec.mutable_channel_map() = ToChannelMap(options.outputs);
  return request;
}

absl::Status CancelBoth(Session& session, const std::vector<std::string>& action_ids) {
  v1::CancelActionsRequest request;
  request.mutable_action_ids()->Add(action_ids.begin(), action_ids.end());
  return CancelActions(session, request).status();
}

}  // namespace

absl::StatusOr<PlayRecResult> PlayRec(const std::shared_ptr<Session>& session, const Audio& sound,
                                      const PlayRecOptions& options) {
  v1::ScheduleActionsRequest request = MakeRequest(options);
  v1::PlaySpec& play = *request.mutable_actions(1)->mutable_play();
  const auto played_frames = PlayedFrames(play, sound.frames());
  if (!played_frames.has_value()) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "the loop, of %s passes, has no end before frame %d: a recording needs one; set passes or "
        "max_frames",
        play.loop().has_passes() ? absl::StrCat(play.loop().passes()) : "endless",
        (int64_t{1} << 53) - 1));
  }
  request.mutable_actions(0)->mutable_record()->set_frames(*played_frames + options.tail_frames);
  const int64_t bytes = static_cast<int64_t>(sound.samples.size() * sizeof(float));
  std::unique_ptr<Buffer> uploaded;
  if (bytes + kMessageOverheadBytes <= session->client().info().limits().max_message_bytes()) {
    v1::InlineAudio& audio = *play.mutable_inline_audio();
    audio.set_channels(sound.channels);
    audio.set_sample_format(v1::SAMPLE_FORMAT_FLOAT32);
    audio.set_data(EncodeFloat32(sound.samples));
  } else {
    auto buffer = Buffer::Upload(session, sound, {.label = "playrec"});
    if (!buffer.ok()) return buffer.status();
    uploaded = *std::move(buffer);
    play.set_buffer_id(uploaded->id());
  }

  PlayRecResult result;
  auto scheduled = ScheduleActions(*session, std::move(request));
  if (!scheduled.ok()) return scheduled.status();
  result.scheduled = *std::move(scheduled);
  if (result.scheduled.actions_size() != 2) {
    return absl::InternalError("the server did not answer for each of the two actions");
  }
  const std::string record_id = result.scheduled.actions(0).action_id();
  const std::string play_id = result.scheduled.actions(1).action_id();

  const auto take_reports = [&result, &record_id](v1::WaitActionsResponse& answer) {
    for (v1::ActionReport& report : *answer.mutable_ended()) {
      (report.action_id() == record_id ? result.record : result.play) = std::move(report);
    }
  };
  auto waited = WaitActions(*session, {record_id, play_id}, options.timeout, options.keep_waiting,
                            WaitFor::kDone);
  if (!waited.ok()) return waited.status();
  if (!waited->still_running().empty()) {
    CancelBoth(*session, {record_id, play_id}).IgnoreError();
    if (options.keep_waiting != nullptr && !options.keep_waiting()) {
      return absl::CancelledError("interrupted: the play and the recording were cancelled");
    }
    return absl::DeadlineExceededError(absl::StrCat("still running after ",
                                                    absl::FormatDuration(options.timeout),
                                                    ": the play and the recording were cancelled"));
  }
  take_reports(*waited);
  if (options.on_done) options.on_done();

  auto buffer = Buffer::Open(session, result.scheduled.actions(0).buffer_id());
  if (!buffer.ok()) return buffer.status();
  Audio& recording = result.recording;
  recording.channels = (*buffer)->channels();
  recording.sample_rate_hz = sound.sample_rate_hz;
  recording.samples.reserve(static_cast<size_t>(result.record.done_frames() * recording.channels));
  absl::Status fetched = (*buffer)->Download(
      {}, [&recording](int64_t /*position*/, absl::Span<const float> interleaved) {
        recording.samples.insert(recording.samples.end(), interleaved.begin(), interleaved.end());
        return absl::OkStatus();
      });
  if (!fetched.ok()) return fetched;
  // The caller has it now; a long session is not to fill the server.
  (*buffer)->Delete().IgnoreError();

  auto judged = WaitActions(*session, {record_id, play_id}, kJudgeLimit, options.keep_waiting,
                            WaitFor::kEnded);
  if (!judged.ok()) return judged.status();
  take_reports(*judged);
  return result;
}

}  // namespace rtmixd::client
