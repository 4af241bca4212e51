#include "client_cpp/buffer.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "client_cpp/random_id.h"
#include "client_cpp/watchdog.h"

namespace rtmixd::client {
namespace {

// Small enough that a slow link (20 kB/s) still shows progress before the watchdog bites.
constexpr int64_t kUploadChunkBytes = 64 << 10;
// Within which a server that lives has ended a call whose connection broke.
constexpr absl::Duration kBrokenCallPatience = absl::Seconds(10);
constexpr absl::Duration kBrokenCallPause = absl::Milliseconds(100);

absl::StatusOr<v1::AudioBuffer> GetBuffer(Session& session, const std::string& buffer_id,
                                          absl::Duration timeout = kSilenceLimit) {
  v1::GetBufferRequest request;
  request.set_buffer_id(buffer_id);
  auto response = session.client().Call(&Stubs::buffers, &v1::BufferService::Stub::GetBuffer,
                                        request, session.call(timeout, /*retry=*/true));
  if (!response.ok()) return response.status();
  return std::move(*response->mutable_buffer());
}

// One call of an upload, which begins at frame `buffer_position` of the buffer.
absl::Status UploadOnce(Session& session, const std::string& buffer_id, int channels,
                        int64_t buffer_position, absl::Span<const float> audio, bool complete,
                        const Buffer::Progress& progress) {
  grpc::ClientContext context;
  Client::Prepare(session.token(), absl::InfiniteDuration(), context);
  Watchdog watchdog(context, kSilenceLimit);
  const auto stubs = session.client().stubs();
  v1::UploadBufferResponse response;
  const auto writer = stubs->buffers->UploadBuffer(&context, &response);

  v1::UploadBufferRequest request;
  request.mutable_config()->set_buffer_id(buffer_id);
  request.mutable_config()->set_sample_format(v1::SAMPLE_FORMAT_FLOAT32);
  bool writable = writer->Write(request);
  bool wanted = true;
  const int64_t chunk_frames =
      std::max<int64_t>(1, kUploadChunkBytes / (channels * static_cast<int64_t>(sizeof(float))));
  const int64_t frames = static_cast<int64_t>(audio.size()) / channels;
  for (int64_t done = 0; writable && wanted && done < frames;) {
    const int64_t count = std::min(chunk_frames, frames - done);
    request.mutable_audio()->set_position(buffer_position + done);
    request.mutable_audio()->set_data(EncodeFloat32(audio.subspan(
        static_cast<size_t>(done * channels), static_cast<size_t>(count * channels))));
    writable = writer->Write(request);
    watchdog.Kick();
    done += count;
    wanted = progress == nullptr || progress(buffer_position + done);
  }
  if (writable && wanted && complete) {
    request.mutable_complete();
    writer->Write(request);
  }
  if (!wanted) context.TryCancel();
  writer->WritesDone();
  absl::Status status = FromGrpc(writer->Finish());
  if (!wanted) return absl::CancelledError("the upload was interrupted");
  if (watchdog.expired()) return absl::UnavailableError("the upload made no progress for 3 s");
  return status;
}

bool IsBreak(const absl::Status& status) {
  return absl::IsUnavailable(status) && !ErrorDetailOf(status).has_value();
}

// The buffer when an upload broke off. The server may still be busy with what came before the
// break. It takes one upload at a time: when it takes an empty one, that has ended.
absl::StatusOr<v1::AudioBuffer> GetBufferAfterBreak(Session& session, const std::string& buffer_id,
                                                    int channels) {
  const absl::Time busy_until = absl::Now() + kBrokenCallPatience;
  while (true) {
    session.client().Reconnect(session.client().stubs());
    absl::Status status;
    do {
      auto info = GetBuffer(session, buffer_id, session.ttl());
      if (!info.ok() || info->state() == v1::BUFFER_STATE_COMPLETE) return info;
      if (!status.ok()) absl::SleepFor(kBrokenCallPause);
      status = UploadOnce(session, buffer_id, channels, 0, {}, /*complete=*/false, nullptr);
    } while (ErrorReasonOf(status) == v1::ERROR_REASON_WRONG_STATE && absl::Now() < busy_until);
    if (status.ok()) return GetBuffer(session, buffer_id, session.ttl());
    if (!IsBreak(status)) return status;
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<Buffer>> Buffer::Create(std::shared_ptr<Session> session,
                                                       const BufferOptions& options) {
  v1::CreateBufferRequest request;
  request.set_channels(options.channels);
  request.set_sample_rate_hz(options.sample_rate_hz);
  request.set_label(options.label);
  request.set_keep(options.keep);
  request.set_expected_frames(options.expected_frames);
  request.set_request_id(RandomId());
  auto response = session->client().Call(&Stubs::buffers, &v1::BufferService::Stub::CreateBuffer,
                                         request, session->call(kSilenceLimit, /*retry=*/true));
  if (!response.ok()) return response.status();
  return std::unique_ptr<Buffer>(
      new Buffer(std::move(session), response->buffer(), /*owned=*/!options.keep));
}

absl::StatusOr<std::unique_ptr<Buffer>> Buffer::Open(std::shared_ptr<Session> session,
                                                     const std::string& buffer_id) {
  auto info = GetBuffer(*session, buffer_id);
  if (!info.ok()) return info.status();
  return std::unique_ptr<Buffer>(new Buffer(std::move(session), *info, /*owned=*/false));
}

absl::StatusOr<std::unique_ptr<Buffer>> Buffer::Upload(std::shared_ptr<Session> session,
                                                       const Audio& audio, BufferOptions options,
                                                       const Progress& progress) {
  options.channels = audio.channels;
  options.sample_rate_hz = audio.sample_rate_hz;
  options.expected_frames = audio.frames();
  auto buffer = Create(std::move(session), options);
  if (!buffer.ok()) return buffer;
  absl::Status status = (*buffer)->Append(audio.samples, /*complete=*/true, progress);
  if (!status.ok()) return status;
  return buffer;
}

Buffer::Buffer(std::shared_ptr<Session> session, const v1::AudioBuffer& info, bool owned)
    : session_(std::move(session)),
      buffer_id_(info.buffer_id()),
      channels_(info.channels()),
      owned_(owned) {}

Buffer::~Buffer() {
  // Nobody is left to be told of an error, and the session frees it anyway.
  if (owned_) Delete().IgnoreError();
}

absl::StatusOr<v1::AudioBuffer> Buffer::Info() const { return GetBuffer(*session_, buffer_id_); }

absl::Status Buffer::Append(absl::Span<const float> interleaved, bool complete,
                            const Progress& progress) {
  if (interleaved.size() % static_cast<size_t>(channels_) != 0) {
    return absl::InvalidArgumentError(
        absl::StrFormat("%d samples are not a whole number of frames of %d channels",
                        interleaved.size(), channels_));
  }
  auto info = GetBuffer(*session_, buffer_id_);
  if (!info.ok()) return info.status();
  const int64_t begin = info->frames();
  const int64_t end = begin + static_cast<int64_t>(interleaved.size()) / channels_;
  absl::Time busy_until = absl::InfinitePast();
  while (true) {
    const auto rest =
        interleaved.subspan(static_cast<size_t>((info->frames() - begin) * channels_));
    absl::Status status =
        UploadOnce(*session_, buffer_id_, channels_, info->frames(), rest, complete, progress);
    if (IsBreak(status)) {
      busy_until = absl::Now() + kBrokenCallPatience;
    } else if ((ErrorReasonOf(status) != v1::ERROR_REASON_WRONG_STATE &&
                ErrorReasonOf(status) != v1::ERROR_REASON_BAD_POSITION) ||
               absl::Now() >= busy_until) {
      // Otherwise the server heard of the broken call only now, after all that was asked since.
      return status;
    }
    info = GetBufferAfterBreak(*session_, buffer_id_, channels_);
    if (!info.ok()) return info.status();
    const bool all_is_there = info->frames() == end;
    if (all_is_there && (!complete || info->state() == v1::BUFFER_STATE_COMPLETE)) {
      return absl::OkStatus();
    }
    if (info->frames() < begin || info->frames() > end) {
      return absl::FailedPreconditionError(absl::StrFormat(
          "buffer %s holds %d frames; %d to %d were expected: somebody else writes to it",
          buffer_id_, info->frames(), begin, end));
    }
  }
}

absl::Status Buffer::Download(const DownloadRange& range, const Sink& sink,
                              const Progress& progress) const {
  int64_t position = range.first_frame;
  std::optional<int64_t> end;
  if (range.frames.has_value()) end = range.first_frame + *range.frames;
  absl::Time give_up = absl::InfiniteFuture();
  std::vector<float> samples;
  while (true) {
    v1::DownloadBufferRequest request;
    request.set_buffer_id(buffer_id_);
    request.set_first_frame(position);
    if (end.has_value()) request.set_frames(*end - position);
    request.set_sample_format(v1::SAMPLE_FORMAT_FLOAT32);
    request.set_follow(range.follow);

    grpc::ClientContext context;
    Client::Prepare(session_->token(), absl::InfiniteDuration(), context);
    // A recording that is being followed may pause for as long as it likes.
    Watchdog watchdog(context, range.follow ? absl::InfiniteDuration() : kSilenceLimit);
    const auto stubs = session_->client().stubs();
    const auto reader = stubs->buffers->DownloadBuffer(&context, request);
    v1::DownloadBufferResponse response;
    absl::Status failure;
    while (failure.ok() && reader->Read(&response)) {
      watchdog.Kick();
      give_up = absl::InfiniteFuture();
      if (!response.has_audio()) continue;
      samples.clear();
      DecodeFloat32(response.audio().data(), samples);
      failure = sink(response.audio().position(), samples);
      position = response.audio().position() + static_cast<int64_t>(samples.size()) / channels_;
      if (failure.ok() && progress != nullptr && !progress(position)) {
        failure = absl::CancelledError("the download was interrupted");
      }
    }
    if (!failure.ok()) context.TryCancel();
    absl::Status status = FromGrpc(reader->Finish());
    if (!failure.ok()) return failure;
    const bool broken =
        watchdog.expired() || (absl::IsUnavailable(status) && !ErrorDetailOf(status).has_value());
    if (!broken) return status;
    if (give_up == absl::InfiniteFuture()) give_up = absl::Now() + session_->ttl();
    if (absl::Now() >= give_up) return absl::UnavailableError("the download broke off");
    session_->client().Reconnect(stubs);
    absl::SleepFor(absl::Milliseconds(100));
  }
}

absl::Status Buffer::Delete() {
  owned_ = false;
  v1::DeleteBufferRequest request;
  request.set_buffer_id(buffer_id_);
  return session_->client()
      .Call(&Stubs::buffers, &v1::BufferService::Stub::DeleteBuffer, request, session_->call())
      .status();
}

}  // namespace rtmixd::client
