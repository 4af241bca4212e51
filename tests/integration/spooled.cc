#include "tests/integration/spooled.h"

#include "client_cpp/action.h"
#include "client_cpp/audio.h"
#include "client_cpp/buffer.h"

namespace rtmixd {

std::vector<float> LongNoise(int64_t frames) {
  std::vector<float> sound;
  sound.reserve(static_cast<size_t>(frames));
  for (int64_t i = 0; i < frames; ++i) {
    const uint32_t mixed = static_cast<uint32_t>(i + 1) * 2654435761U;
    sound.push_back(static_cast<float>(1 + (mixed >> 9)) / static_cast<float>(1 << 24));
  }
  return sound;
}

absl::StatusOr<PlayedAndRecorded> PlayAndRecord(const std::shared_ptr<client::Session>& session,
                                                const std::vector<float>& sound) {
  auto buffer = client::Buffer::Upload(
      session, {.channels = 1, .sample_rate_hz = 48000, .samples = sound}, {.label = "sound"});
  if (!buffer.ok()) return buffer.status();
  (*buffer)->Release();
  v1::ScheduleActionsRequest request;
  request.set_align_at_converters(true);
  v1::RecordSpec& record = *request.add_actions()->mutable_record();
  record.set_label("response");
  record.set_frames(static_cast<int64_t>(sound.size()));
  record.mutable_channel_map()->add_channels(1);
  v1::PlaySpec& play = *request.add_actions()->mutable_play();
  play.set_buffer_id((*buffer)->id());
  play.mutable_channel_map()->add_channels(1);
  auto scheduled = client::ScheduleActions(*session, request);
  if (!scheduled.ok()) return scheduled.status();
  return PlayedAndRecorded{scheduled->actions(0).action_id(), scheduled->actions(0).buffer_id()};
}

absl::StatusOr<std::vector<v1::SpooledRecording>> ListSpooled(client::Session& session) {
  auto list =
      session.client().Call(&client::Stubs::spool, &v1::SpoolService::Stub::ListSpooledRecordings,
                            v1::ListSpooledRecordingsRequest(), session.call());
  if (!list.ok()) return list.status();
  return std::vector<v1::SpooledRecording>(list->recordings().begin(), list->recordings().end());
}

absl::StatusOr<std::vector<float>> DownloadSpooled(client::Session& session,
                                                   const std::string& recording_id) {
  v1::DownloadSpooledRecordingRequest request;
  request.set_recording_id(recording_id);
  request.set_sample_format(v1::SAMPLE_FORMAT_FLOAT32);
  grpc::ClientContext context;
  client::Client::Prepare(session.token(), absl::Seconds(60), context);
  const auto stubs = session.client().stubs();
  const auto reader = stubs->spool->DownloadSpooledRecording(&context, request);
  std::vector<float> samples;
  v1::DownloadSpooledRecordingResponse response;
  while (reader->Read(&response)) client::DecodeFloat32(response.audio().data(), samples);
  absl::Status status = client::FromGrpc(reader->Finish());
  if (!status.ok()) return status;
  return samples;
}

absl::Status DeleteSpooled(client::Session& session, const std::string& recording_id) {
  v1::DeleteSpooledRecordingRequest request;
  request.set_recording_id(recording_id);
  return session.client()
      .Call(&client::Stubs::spool, &v1::SpoolService::Stub::DeleteSpooledRecording, request,
            session.call())
      .status();
}

}  // namespace rtmixd
