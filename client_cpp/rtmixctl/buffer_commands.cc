#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client_cpp/buffer.h"
#include "client_cpp/rtmixctl/commands.h"
#include "client_cpp/rtmixctl/interrupt.h"
#include "client_cpp/rtmixctl/options.h"
#include "client_cpp/rtmixctl/progress_bar.h"

namespace rtmixd::rtmixctl {
namespace {

using client::Stubs;

std::string DescribeBuffer(const v1::AudioBuffer& buffer) {
  const char* state = "complete";
  if (buffer.state() == v1::BUFFER_STATE_OPEN) state = "open";
  if (buffer.state() == v1::BUFFER_STATE_RECORDING) state = "recording";
  return absl::StrFormat("%s  %s: %d channels, %d frames, %g Hz, %s%s\n", buffer.buffer_id(),
                         buffer.label(), buffer.channels(), buffer.frames(),
                         buffer.sample_rate_hz(), state, buffer.keep() ? ", kept" : "");
}

absl::StatusOr<ExitCode> List(Context& context) {
  auto session = context.OpenSession("buffers");
  if (!session.ok()) return session.status();
  v1::ListBuffersResponse all;
  v1::ListBuffersRequest request;
  do {
    auto page = (*session)->client().Call(&Stubs::buffers, &v1::BufferService::Stub::ListBuffers,
                                          request, (*session)->call(client::kSilenceLimit, true));
    if (!page.ok()) return page.status();
    all.mutable_buffers()->MergeFrom(page->buffers());
    request.set_page_token(page->next_page_token());
  } while (!request.page_token().empty());
  std::string words = all.buffers().empty() ? "no buffers\n" : "";
  for (const v1::AudioBuffer& buffer : all.buffers()) words += DescribeBuffer(buffer);
  context.Answer(all, words);
  return ExitCode::kOk;
}

struct PutOptions {
  std::string path;
  std::string label;
  bool keep = false;
  bool resample = false;
};

absl::StatusOr<ExitCode> Put(Context& context, const PutOptions& options) {
  auto audio = ReadAudioFile(options.path);
  if (!audio.ok()) return audio.status();
  if (options.resample) {
    auto stream = context.Stream();
    if (!stream.ok()) return stream.status();
    audio = LoadSound(options.path, stream->sample_rate_hz(), true);
    if (!audio.ok()) return audio.status();
  }
  auto session = context.OpenSession("buffers put");
  if (!session.ok()) return session.status();
  auto buffer = client::Buffer::Create(
      *session, {.channels = audio->channels,
                 .sample_rate_hz = audio->sample_rate_hz,
                 .label = (options.label.empty() ? options.path : options.label).substr(0, 200),
                 .keep = options.keep,
                 .expected_frames = audio->frames()});
  if (!buffer.ok()) return buffer.status();
  absl::Status sent;
  {
    ProgressBar bar("sending", audio->frames(), audio->sample_rate_hz);
    sent = (*buffer)->Append(audio->samples, /*complete=*/true, [&bar](int64_t frames) {
      bar.Update(frames);
      return !Interrupt::Seen();
    });
  }
  if (!sent.ok()) {
    (*buffer)->Delete().IgnoreError();
    return sent;
  }
  auto info = (*buffer)->Info();
  if (!info.ok()) return info.status();
  (*buffer)->Release();
  context.Answer(*info, DescribeBuffer(*info));
  return ExitCode::kOk;
}

struct GetOptions {
  std::string buffer_id;
  std::string path;
  bool follow = false;
  FileEncoding encoding = FileEncoding::kDefault;
};

absl::StatusOr<ExitCode> Get(Context& context, const GetOptions& options) {
  auto session = context.OpenSession("buffers get");
  if (!session.ok()) return session.status();
  auto buffer = client::Buffer::Open(*session, options.buffer_id);
  if (!buffer.ok()) return buffer.status();
  auto info = (*buffer)->Info();
  if (!info.ok()) return info.status();
  double sample_rate_hz = info->sample_rate_hz();
  if (sample_rate_hz == 0) {
    auto stream = context.Stream();
    if (!stream.ok()) return stream.status();
    sample_rate_hz = stream->sample_rate_hz();
  }
  auto writer =
      AudioFileWriter::Create(options.path, info->channels(), sample_rate_hz, options.encoding);
  if (!writer.ok()) return writer.status();
  absl::Status fetched;
  {
    ProgressBar bar("fetching", options.follow ? 0 : info->frames(), sample_rate_hz);
    fetched = (*buffer)->Download(
        {.follow = options.follow},
        [&writer](int64_t /*position*/, absl::Span<const float> interleaved) {
          return (*writer)->Write(interleaved);
        },
        [&bar](int64_t frames) {
          bar.Update(frames);
          return !Interrupt::Seen();
        });
  }
  absl::Status closed = (*writer)->Close();
  if (!fetched.ok()) return fetched;
  if (!closed.ok()) return closed;
  context.Answer(*info, absl::StrFormat("%s: %d channels, %d frames\n", options.path,
                                        info->channels(), (*writer)->frames()));
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> Delete(Context& context, const std::string& buffer_id) {
  auto session = context.OpenSession("buffers delete");
  if (!session.ok()) return session.status();
  v1::DeleteBufferRequest request;
  request.set_buffer_id(buffer_id);
  auto response = (*session)->client().Call(&Stubs::buffers, &v1::BufferService::Stub::DeleteBuffer,
                                            request, (*session)->call());
  if (!response.ok()) return response.status();
  context.Answer(*response, absl::StrCat("deleted ", buffer_id, "\n"));
  return ExitCode::kOk;
}

}  // namespace

void AddBufferCommands(Context& context) {
  CLI::App* const buffers = context.AddCommand(
      "buffers", "List, send, fetch and delete audio on the server",
      "  rtmixctl buffers\n"
      "  rtmixctl buffers put sweep.wav --label sweep\n"
      "  rtmixctl buffers get b3 response.wav\n"
      "  rtmixctl buffers delete b3\n"
      "Buffers belong to a session: use these inside `rtmixctl lease`, or put them with --keep.\n",
      nullptr);
  buffers->require_subcommand(0, 1);
  buffers->callback([&context, buffers] {
    if (buffers->get_subcommands().empty()) context.SetCommand(List);
  });

  const auto add = [&context, buffers](const std::string& name, const std::string& description,
                                       Context::Command command) {
    CLI::App* const added = buffers->add_subcommand(name, description);
    added->callback([&context, command = std::move(command)] { context.SetCommand(command); });
    return added;
  };
  add("list", "The buffers of the session, and kept ones", List);

  auto put = std::make_shared<PutOptions>();
  CLI::App* const put_app = add("put", "Send a file", [put](Context& c) { return Put(c, *put); });
  put_app->add_option("FILE", put->path, "WAV, FLAC, Ogg, AIFF, ...")->required();
  put_app->add_option("--label", put->label, "A name, for `schedule`; the path without it");
  put_app->add_flag("--keep", put->keep, "It stays when the session ends");
  put_app->add_flag("--resample", put->resample, "Convert it to the rate of the stream");

  auto get = std::make_shared<GetOptions>();
  const auto get_command = [get](Context& c) { return Get(c, *get); };
  CLI::App* const get_app = add("get", "Fetch a buffer into a file", get_command);
  get_app->alias("download");
  get_app->add_option("BUFFER", get->buffer_id, "Its id")->required();
  get_app->add_option("FILE", get->path, "Its ending decides: .wav, .flac, .ogg, ...")->required();
  get_app->add_flag("--follow", get->follow, "While it is being recorded, go on until its end");
  AddEncoding(*get_app, get->encoding);

  auto buffer_id = std::make_shared<std::string>();
  add("delete", "Delete a buffer; what plays it plays on",
      [buffer_id](Context& c) { return Delete(c, *buffer_id); })
      ->add_option("BUFFER", *buffer_id, "Its id")
      ->required();
}

}  // namespace rtmixd::rtmixctl
