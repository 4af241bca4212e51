#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client_cpp/audio.h"
#include "client_cpp/rtmixctl/audio_file.h"
#include "client_cpp/rtmixctl/commands.h"
#include "client_cpp/rtmixctl/interrupt.h"
#include "client_cpp/rtmixctl/options.h"
#include "client_cpp/rtmixctl/progress_bar.h"

namespace rtmixd::rtmixctl {
namespace {

using client::Stubs;

std::string Describe(const v1::SpooledRecording& recording) {
  const char* state = "complete";
  if (recording.state() == v1::SPOOLED_RECORDING_STATE_RECORDING) state = "recording";
  if (recording.state() == v1::SPOOLED_RECORDING_STATE_INTERRUPTED) state = "interrupted";
  std::string words =
      absl::StrFormat("%s  %s: %d channels, %d frames, %g Hz, %s, of %s", recording.recording_id(),
                      recording.label(), recording.channels(), recording.frames(),
                      recording.sample_rate_hz(), state, recording.session_label());
  if (recording.gap_frames() > 0) {
    absl::StrAppendFormat(&words, ", lacks %d frames", recording.gap_frames());
  }
  return words + "\n";
}

absl::StatusOr<ExitCode> List(Context& context) {
  auto session = context.OpenSession("spool");
  if (!session.ok()) return session.status();
  v1::ListSpooledRecordingsResponse all;
  v1::ListSpooledRecordingsRequest request;
  do {
    auto page =
        (*session)->client().Call(&Stubs::spool, &v1::SpoolService::Stub::ListSpooledRecordings,
                                  request, (*session)->call(client::kSilenceLimit, true));
    if (!page.ok()) return page.status();
    all.mutable_recordings()->MergeFrom(page->recordings());
    request.set_page_token(page->next_page_token());
  } while (!request.page_token().empty());
  std::string words = all.recordings().empty() ? "no recordings\n" : "";
  for (const v1::SpooledRecording& recording : all.recordings()) words += Describe(recording);
  context.Answer(all, words);
  return ExitCode::kOk;
}

struct GetOptions {
  std::string recording_id;
  std::string path;
  FileEncoding encoding = FileEncoding::kDefault;
};

absl::StatusOr<ExitCode> Get(Context& context, const GetOptions& options) {
  auto session = context.OpenSession("spool get");
  if (!session.ok()) return session.status();
  v1::DownloadSpooledRecordingRequest request;
  request.set_recording_id(options.recording_id);
  request.set_sample_format(v1::SAMPLE_FORMAT_FLOAT32);
  const auto stubs = (*session)->client().stubs();
  grpc::ClientContext call;
  client::Client::Prepare((*session)->call().token, absl::InfiniteDuration(), call);
  const auto reader = stubs->spool->DownloadSpooledRecording(&call, request);
  v1::DownloadSpooledRecordingResponse response;
  v1::SpooledRecording recording;
  std::unique_ptr<AudioFileWriter> writer;
  std::unique_ptr<ProgressBar> bar;
  absl::Status written;
  std::vector<float> samples;
  while (written.ok() && reader->Read(&response)) {
    if (response.has_recording()) {
      recording = response.recording();
      auto created = AudioFileWriter::Create(options.path, recording.channels(),
                                             recording.sample_rate_hz(), options.encoding);
      if (!created.ok()) {
        written = created.status();
        break;
      }
      writer = *std::move(created);
      bar =
          std::make_unique<ProgressBar>("fetching", recording.frames(), recording.sample_rate_hz());
      continue;
    }
    if (writer == nullptr) break;
    samples.clear();
    client::DecodeFloat32(response.audio().data(), samples);
    written = writer->Write(samples);
    bar->Update(writer->frames());
    if (Interrupt::Seen()) break;
  }
  if (!written.ok() || Interrupt::Seen()) call.TryCancel();
  while (reader->Read(&response)) {
  }
  absl::Status fetched = client::FromGrpc(reader->Finish());
  bar.reset();
  if (!written.ok()) return written;
  absl::Status closed = writer != nullptr ? writer->Close() : absl::OkStatus();
  if (!fetched.ok()) return fetched;
  if (!closed.ok()) return closed;
  context.Answer(recording, absl::StrFormat("%s: %d channels, %d frames\n", options.path,
                                            recording.channels(), recording.frames()));
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> Delete(Context& context, const std::string& recording_id) {
  auto session = context.OpenSession("spool delete");
  if (!session.ok()) return session.status();
  v1::DeleteSpooledRecordingRequest request;
  request.set_recording_id(recording_id);
  auto response = (*session)->client().Call(
      &Stubs::spool, &v1::SpoolService::Stub::DeleteSpooledRecording, request, (*session)->call());
  if (!response.ok()) return response.status();
  context.Answer(*response, absl::StrCat("deleted ", recording_id, "\n"));
  return ExitCode::kOk;
}

}  // namespace

void AddSpoolCommand(Context& context) {
  CLI::App* const spool = context.AddCommand(
      "spool", "List, fetch and delete recordings that a server keeps on its disk",
      "  rtmixctl spool\n"
      "  rtmixctl spool get r-5e3b0c9d41f2a7760d18c3aa response.wav\n"
      "  rtmixctl spool delete r-5e3b0c9d41f2a7760d18c3aa\n"
      "For servers that were started with --spool: what was recorded is there after a crash, "
      "too.\n",
      nullptr);
  spool->require_subcommand(0, 1);
  spool->callback([&context, spool] {
    if (spool->get_subcommands().empty()) context.SetCommand(List);
  });
  const auto add = [&context, spool](const std::string& name, const std::string& description,
                                     Context::Command command) {
    CLI::App* const added = spool->add_subcommand(name, description);
    added->callback([&context, command = std::move(command)] { context.SetCommand(command); });
    return added;
  };
  add("list", "The recordings of the session, and those of sessions that have ended", List);

  auto get = std::make_shared<GetOptions>();
  CLI::App* const get_app =
      add("get", "Fetch one into a file", [get](Context& c) { return Get(c, *get); });
  get_app->alias("download");
  get_app->add_option("RECORDING", get->recording_id, "Its id")->required();
  get_app->add_option("FILE", get->path, "Its ending decides: .wav, .flac, .ogg, ...")->required();
  AddEncoding(*get_app, get->encoding);

  auto recording_id = std::make_shared<std::string>();
  add("delete", "Delete one, for good",
      [recording_id](Context& c) { return Delete(c, *recording_id); })
      ->add_option("RECORDING", *recording_id, "Its id")
      ->required();
}

}  // namespace rtmixd::rtmixctl
