#include <google/protobuf/struct.pb.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/time.h"
#include "client_cpp/action.h"
#include "client_cpp/buffer.h"
#include "client_cpp/duration.h"
#include "client_cpp/rtmixctl/commands.h"
#include "client_cpp/rtmixctl/interrupt.h"
#include "client_cpp/rtmixctl/json.h"
#include "client_cpp/rtmixctl/options.h"
#include "client_cpp/rtmixctl/report_text.h"
#include "client_cpp/rtmixctl/validators.h"

namespace rtmixd::rtmixctl {
namespace {

struct ScheduleOptions {
  std::string path;
  bool resample = false;
  bool no_wait = false;
  std::optional<double> in_seconds;
  std::optional<absl::Time> at;
  OutcomeOptions outcome;
};

// Id of the buffer that has this label.
absl::StatusOr<std::string> FindBuffer(client::Session& session, const std::string& label) {
  v1::ListBuffersRequest request;
  do {
    auto page =
        session.client().Call(&client::Stubs::buffers, &v1::BufferService::Stub::ListBuffers,
                              request, session.call(client::kSilenceLimit, /*retry=*/true));
    if (!page.ok()) return page.status();
    for (const v1::AudioBuffer& buffer : page->buffers()) {
      if (buffer.label() == label) return buffer.buffer_id();
    }
    request.set_page_token(page->next_page_token());
  } while (!request.page_token().empty());
  return absl::NotFoundError(absl::StrCat("no buffer has the label '", label, "'"));
}

// Replaces what only this command knows, "file" and "buffer", by the id of a buffer.
absl::Status ResolvePlay(const std::shared_ptr<client::Session>& session, double sample_rate_hz,
                         bool resample, google::protobuf::Struct& play,
                         std::vector<std::unique_ptr<client::Buffer>>& uploaded) {
  auto& fields = *play.mutable_fields();
  const auto file = fields.find("file");
  if (file != fields.end()) {
    const std::string path = file->second.string_value();
    auto audio = LoadSound(path, sample_rate_hz, resample);
    if (!audio.ok()) return audio.status();
    auto buffer = client::Buffer::Upload(session, *audio, {.label = path.substr(0, 200)});
    if (!buffer.ok()) return buffer.status();
    fields.erase("file");
    fields["buffer_id"].set_string_value((*buffer)->id());
    uploaded.push_back(*std::move(buffer));
  }
  const auto label = fields.find("buffer");
  if (label != fields.end()) {
    auto id = FindBuffer(*session, label->second.string_value());
    if (!id.ok()) return id.status();
    fields.erase("buffer");
    fields["buffer_id"].set_string_value(*id);
  }
  return absl::OkStatus();
}

absl::StatusOr<v1::ScheduleActionsRequest> ReadRequest(
    const ScheduleOptions& options, const std::shared_ptr<client::Session>& session,
    const v1::AudioStream& stream, std::vector<std::unique_ptr<client::Buffer>>& uploaded) {
  auto text = ReadTextFile(options.path);
  if (!text.ok()) return text.status();
  google::protobuf::Struct document;
  absl::Status status = FromJson(*text, options.path, document);
  if (!status.ok()) return status;
  const auto actions = document.mutable_fields()->find("actions");
  if (actions != document.mutable_fields()->end()) {
    for (auto& action : *actions->second.mutable_list_value()->mutable_values()) {
      auto& fields = *action.mutable_struct_value()->mutable_fields();
      const auto play = fields.find("play");
      if (play == fields.end()) continue;
      status = ResolvePlay(session, stream.sample_rate_hz(), options.resample,
                           *play->second.mutable_struct_value(), uploaded);
      if (!status.ok()) return status;
    }
  }
  v1::ScheduleActionsRequest request;
  status = FromJson(ToJson(document), options.path, request);
  if (!status.ok()) return status;
  return request;
}

absl::StatusOr<ExitCode> Schedule(Context& context, const ScheduleOptions& options) {
  auto stream = context.Stream();
  if (!stream.ok()) return stream.status();
  auto session = context.OpenSession("schedule");
  if (!session.ok()) return session.status();
  std::vector<std::unique_ptr<client::Buffer>> uploaded;
  auto request = ReadRequest(options, *session, *stream, uploaded);
  if (!request.ok()) return request.status();
  if (options.in_seconds.has_value()) {
    stream = context.Stream();
    if (!stream.ok()) return stream.status();
    StartOptions start;
    start.in_seconds = options.in_seconds;
    if (const auto frame = start.FrameOn(*stream)) request->set_origin_frame(*frame);
  }
  if (options.at.has_value()) *request->mutable_origin_wall_time() = client::ToProto(*options.at);
  auto scheduled = client::ScheduleActions(**session, *std::move(request));
  if (!scheduled.ok()) return scheduled.status();

  std::string words = absl::StrCat("batch ", scheduled->batch_id());
  if (scheduled->has_origin_frame()) {
    absl::StrAppendFormat(&words, ": offsets count from frame %d", scheduled->origin_frame());
  } else if (scheduled->has_origin_wall_time()) {
    absl::StrAppend(
        &words, ": waits for ",
        absl::FormatTime(client::FromProto(scheduled->origin_wall_time()), absl::UTCTimeZone()));
  }
  words += '\n';
  std::vector<std::string> action_ids;
  for (const v1::ScheduledAction& action : scheduled->actions()) {
    action_ids.push_back(action.action_id());
    absl::StrAppendFormat(&words, "  %s %s", action.action_id(), action.key());
    if (action.has_start_frame()) {
      absl::StrAppendFormat(&words, " starts on frame %d", action.start_frame());
    }
    if (!action.buffer_id().empty()) {
      absl::StrAppendFormat(&words, ", records into %s", action.buffer_id());
    }
    words += '\n';
  }
  if (options.no_wait) {
    context.Answer(*scheduled, words);
    return ExitCode::kOk;
  }
  if (!context.json()) std::fputs(words.c_str(), stdout);

  auto answer = client::WaitActions(**session, action_ids, options.outcome.timeout(),
                                    [] { return !Interrupt::Seen(); });
  if (!answer.ok()) return answer.status();
  if (!answer->still_running().empty()) {
    v1::CancelActionsRequest cancel;
    *cancel.mutable_action_ids() = answer->still_running();
    client::CancelActions(**session, cancel).IgnoreError();
  }
  // A batch may cancel its own members.
  auto code = context.AnswerReports(*answer, options.outcome.report_path,
                                    {.cancel_is_ok = true, .strict = options.outcome.strict});
  if (!context.json()) {
    const auto batch = client::GetBatch(**session, scheduled->batch_id());
    if (!batch.ok()) return batch.status();
    std::fputs(DescribeBatch(*batch).c_str(), stdout);
  }
  if (Interrupt::Seen()) return ExitCode::kInterrupted;
  return code;
}

}  // namespace

void AddScheduleCommand(Context& context) {
  auto options = std::make_shared<ScheduleOptions>();
  CLI::App* const schedule = context.AddCommand(
      "schedule", "Schedule a batch of actions from a file, and wait for them",
      "  rtmixctl schedule batch.json --in 0.5\n"
      "  rtmixctl schedule batch.json --at 2030-01-31T12:00:00.25Z\n"
      "  echo '{\"actions\": [{\"key\": \"a\", \"play\": {\"file\": \"beep.wav\", \"gain\": "
      "0.5}},\n"
      "    {\"key\": \"b\", \"start\": {\"offset_frames\": 4800}, \"cancel\": {\"key\": \"a\"}}]}' "
      "|\n"
      "    rtmixctl schedule -\n"
      "A loop that is left after a second, and what comes behind it:\n"
      "  {\"actions\": [\n"
      "    {\"key\": \"a\", \"play\": {\"file\": \"drone.wav\", \"loop\": {\"begin_frame\": "
      "4800},\n"
      "      \"fade_in\": {\"frames\": 480, \"shape\": \"FADE_SHAPE_EQUAL_POWER\"}}},\n"
      "    {\"start\": {\"offset_frames\": 48000}, \"change\": {\"key\": \"a\", "
      "\"leave_loop\": {}}},\n"
      "    {\"start\": {\"after\": {\"key\": \"a\"}}, \"play\": {\"file\": \"end.wav\"}}]}\n"
      "FILE is a ScheduleActionsRequest in JSON, whose plays may also say \"file\": PATH or "
      "\"buffer\": LABEL.\n",
      nullptr);
  schedule->callback([&context, options] {
    if (options->no_wait && !context.has_token()) {
      throw CLI::ValidationError(
          "--no-wait", "the actions would end with the command's own session; use it in a lease");
    }
    context.SetCommand([options](Context& c) { return Schedule(c, *options); });
  });
  schedule->add_option("FILE", options->path, "The batch; - is stdin")->required();
  schedule->add_option("--in", options->in_seconds, "Offsets count from so many seconds from now")
      ->type_name("SECONDS")
      ->check(Seconds());
  AddWallTime(*schedule, options->at);
  schedule->add_flag("--resample", options->resample,
                     "Convert files that have another rate than the stream");
  schedule->add_flag("--no-wait", options->no_wait,
                     "Do not wait for the actions to end; only in a session that lives on");
  options->outcome.AddTo(*schedule);
}

}  // namespace rtmixd::rtmixctl
