#include "client_cpp/audio_stream.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "client_cpp/action.h"

namespace rtmixd::client {
namespace {

// Audio that waits here to be sent, beyond what the server's own ring holds.
constexpr int64_t kMaxUnsentFrames = 1 << 15;
// Audio that waits here to be read, unless the caller says otherwise.
constexpr int64_t kDefaultUnreadFrames = 1 << 16;
constexpr int64_t kMaxChunkBytes = 64 << 10;
constexpr absl::Duration kRetryPause = absl::Milliseconds(100);

// Whether a new call may do better than one that ended like this.
bool MayReattach(const absl::Status& status) {
  switch (ErrorReasonOf(status)) {
    case v1::ERROR_REASON_UNSPECIFIED:
      // Nobody refused: the connection failed, or was cut off in some way.
      return status.ok() || absl::IsUnavailable(status) || absl::IsCancelled(status) ||
             absl::IsDeadlineExceeded(status) || absl::IsInternal(status) ||
             absl::IsUnknown(status);
    case v1::ERROR_REASON_WRONG_STATE:
      // The server has not noticed yet that the old call is dead.
      return true;
    default:
      return false;
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<AudioStream>> AudioStream::Open(std::shared_ptr<Session> session,
                                                               v1::DuplexConfig config) {
  if (config.has_play() && config.play().channels() < 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("play.channels is ", config.play().channels(), "; 1 to 1024 are possible"));
  }
  if (config.has_play()) {
    config.mutable_play()->set_sample_format(v1::SAMPLE_FORMAT_FLOAT32);
    config.mutable_play()->set_reattachable(true);
  }
  if (config.has_record()) {
    config.mutable_record()->set_sample_format(v1::SAMPLE_FORMAT_FLOAT32);
    config.mutable_record()->set_reattachable(true);
    if (config.record().granted_position() == 0) {
      config.mutable_record()->set_granted_position(kDefaultUnreadFrames);
    }
  }
  std::unique_ptr<AudioStream> stream(new AudioStream(std::move(session), std::move(config)));
  {
    absl::MutexLock lock(&stream->mu_);
    AudioStream* const self = stream.get();
    const auto known = [self]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(self->mu_) {
      return self->opened_once_ || !self->status_.ok();
    };
    // Bounded: the supervisor gives up when the server is silent.
    stream->mu_.Await(absl::Condition(&known));
    if (!stream->opened_once_) return stream->status_;
  }
  return stream;
}

AudioStream::AudioStream(std::shared_ptr<Session> session, v1::DuplexConfig config)
    : session_(std::move(session)), config_(std::move(config)) {
  if (config_.has_play()) {
    const int64_t limit = session_->client().info().limits().max_chunk_bytes();
    const int64_t bytes = limit > 0 ? std::min(limit, kMaxChunkBytes) : kMaxChunkBytes;
    const int64_t frame_bytes = config_.play().channels() * static_cast<int64_t>(sizeof(float));
    max_chunk_frames_ = std::max<int64_t>(1, bytes / frame_bytes);
    play_.emplace(config_.play().channels());
  }
  if (config_.has_record()) record_.emplace(config_.record().granted_position());
  supervisor_ = std::thread([this] { Supervise(); });
}

AudioStream::~AudioStream() {
  std::vector<std::string> unfinished;
  {
    absl::MutexLock lock(&mu_);
    closing_ = true;
    if (opened_once_ && status_.ok()) {
      if (play_active()) unfinished.push_back(opened_.play().action_id());
      if (record_active()) unfinished.push_back(opened_.record().action_id());
    }
  }
  if (!unfinished.empty()) {
    // A broken call alone would leave a reattachable action running until the session ends.
    v1::CancelActionsRequest request;
    request.mutable_action_ids()->Add(unfinished.begin(), unfinished.end());
    session_->client()
        .Call(&Stubs::actions, &v1::ActionService::Stub::CancelActions, request,
              session_->call(absl::Seconds(1)))
        .IgnoreError();
  }
  {
    absl::MutexLock lock(&mu_);
    if (call_ != nullptr) call_->Cancel();
  }
  supervisor_.join();
}

v1::PlayProgress AudioStream::play_progress() const {
  absl::MutexLock lock(&mu_);
  return play_progress_;
}

v1::RecordProgress AudioStream::record_progress() const {
  absl::MutexLock lock(&mu_);
  return record_progress_;
}

bool AudioStream::attached() const {
  absl::MutexLock lock(&mu_);
  return attached_;
}

int AudioStream::reattached() const {
  absl::MutexLock lock(&mu_);
  return reattached_;
}

absl::StatusOr<int64_t> AudioStream::Write(absl::Span<const float> interleaved,
                                           absl::Duration timeout) {
  const int64_t channels = config_.play().channels();
  const int64_t frames = static_cast<int64_t>(interleaved.size()) / channels;
  const absl::Time deadline = absl::Now() + timeout;
  absl::MutexLock lock(&mu_);
  const auto room = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return !status_.ok() || play_done() || play_->unsent_frames() < kMaxUnsentFrames;
  };
  int64_t taken = 0;
  while (taken < frames && mu_.AwaitWithDeadline(absl::Condition(&room), deadline)) {
    if (!status_.ok()) return status_;
    if (play_done() || play_->ended()) {
      return absl::FailedPreconditionError("the sound has ended: no more can be written");
    }
    const int64_t count = std::min(frames - taken, kMaxUnsentFrames - play_->unsent_frames());
    play_->Append(interleaved.subspan(static_cast<size_t>(taken * channels),
                                      static_cast<size_t>(count * channels)));
    taken += count;
    SendNext();
  }
  return taken;
}

void AudioStream::Flush() {
  absl::MutexLock lock(&mu_);
  if (!play_.has_value()) return;
  play_->Flush();
  SendNext();
}

void AudioStream::Idle() {
  absl::MutexLock lock(&mu_);
  if (!play_.has_value() || play_->ended()) return;
  play_->AppendIdle();
  SendNext();
}

void AudioStream::EndOfSound() {
  absl::MutexLock lock(&mu_);
  if (!play_.has_value() || play_->ended()) return;
  play_->AppendEnd();
  SendNext();
}

absl::StatusOr<RecordedAudio> AudioStream::Read(int64_t max_frames, absl::Duration timeout) {
  absl::MutexLock lock(&mu_);
  const auto ready = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return !status_.ok() || record_done() || !record_->empty();
  };
  mu_.AwaitWithTimeout(absl::Condition(&ready), timeout);
  std::optional<RecordedAudio> audio = record_->Take(max_frames);
  if (audio.has_value()) {
    SendNext();
    return *std::move(audio);
  }
  if (record_done()) return absl::OutOfRangeError("the recording has ended");
  if (!status_.ok()) return status_;
  return RecordedAudio{};
}

void AudioStream::StopRecording(std::optional<int64_t> frame) {
  absl::MutexLock lock(&mu_);
  if (!record_.has_value()) return;
  stop_.emplace();
  if (frame.has_value()) stop_->set_frame(*frame);
  stop_sent_ = false;
  SendNext();
}

absl::StatusOr<bool> AudioStream::WaitPlayDone(absl::Duration timeout) {
  absl::MutexLock lock(&mu_);
  const auto done = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return !status_.ok() || !play_.has_value() || play_done();
  };
  mu_.AwaitWithTimeout(absl::Condition(&done), timeout);
  if (!play_done() && !status_.ok()) return status_;
  return play_done();
}

absl::StatusOr<std::optional<v1::ActionReport>> AudioStream::WaitPlay(absl::Duration timeout) {
  absl::MutexLock lock(&mu_);
  const auto ended = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return !status_.ok() || !play_active();
  };
  mu_.AwaitWithTimeout(absl::Condition(&ended), timeout);
  if (!play_report_.has_value() && !status_.ok()) return status_;
  return play_report_;
}

absl::StatusOr<std::optional<v1::ActionReport>> AudioStream::WaitRecord(absl::Duration timeout) {
  absl::MutexLock lock(&mu_);
  const auto ended = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return !status_.ok() || !record_active();
  };
  mu_.AwaitWithTimeout(absl::Condition(&ended), timeout);
  if (!record_report_.has_value() && !status_.ok()) return status_;
  return record_report_;
}

void AudioStream::BreakConnection() {
  absl::MutexLock lock(&mu_);
  if (call_ != nullptr) call_->Cancel();
}

void AudioStream::OnMessage(v1::DuplexResponse message) {
  absl::MutexLock lock(&mu_);
  heard_ = absl::Now();
  switch (message.message_case()) {
    case v1::DuplexResponse::kOpened:
      TakeOpened(message.opened());
      break;
    case v1::DuplexResponse::kAudio:
      if (record_.has_value()) {
        Fail(record_->Receive(message.audio().position(), message.audio().data()));
      }
      break;
    case v1::DuplexResponse::kGap:
      if (record_.has_value()) {
        record_->Resume(message.gap().position() + message.gap().frames());
      }
      break;
    case v1::DuplexResponse::kPlayProgress:
      play_progress_.Swap(message.mutable_play_progress());
      if (play_.has_value()) {
        play_->Confirm(play_progress_.received_position());
        play_->Grant(play_progress_.granted_position());
      }
      break;
    case v1::DuplexResponse::kRecordProgress:
      record_progress_.Swap(message.mutable_record_progress());
      break;
    case v1::DuplexResponse::kPlayReport:
      play_report_ = std::move(*message.mutable_play_report());
      break;
    case v1::DuplexResponse::kRecordReport:
      record_report_ = std::move(*message.mutable_record_report());
      break;
    case v1::DuplexResponse::MESSAGE_NOT_SET:
      // Something that a newer server knows.
      break;
  }
  SendNext();
}

void AudioStream::OnSent() {
  absl::MutexLock lock(&mu_);
  sending_ = false;
  SendNext();
}

void AudioStream::OnReadEnd() {
  absl::MutexLock lock(&mu_);
  attached_ = false;
}

void AudioStream::OnDone(const grpc::Status& status) {
  absl::MutexLock lock(&mu_);
  call_status_ = FromGrpc(status);
  call_done_ = true;
}

void AudioStream::Supervise() {
  while (true) {
    const absl::Status status = RunCall();
    {
      absl::MutexLock lock(&mu_);
      if (closing_) Fail(absl::CancelledError("the stream was closed"));
      // The first call told why it did not come about: that is the answer to Open.
      if (!opened_once_) {
        Fail(status.ok() ? absl::InternalError("the server ended the call without a word")
                         : status);
      }
      if (over()) return;
    }
    // A refusal may mean that the action has ended meanwhile, or that its old call is not dead yet.
    if (ErrorDetailOf(status).has_value()) CollectReports();

    absl::MutexLock lock(&mu_);
    if (over()) return;
    if (!MayReattach(status)) {
      Fail(status);
      return;
    }
    if (absl::Now() >= heard_ + session_->ttl()) {
      Fail(absl::UnavailableError(
          absl::StrCat("the connection broke, and no other could take over: ", status.message())));
      return;
    }
    mu_.AwaitWithTimeout(absl::Condition(&closing_), kRetryPause);
  }
}

absl::Status AudioStream::RunCall() {
  const std::shared_ptr<const Stubs> stubs = session_->client().stubs();
  absl::Status status;
  {
    absl::MutexLock lock(&mu_);
    if (closing_) return absl::CancelledError("the stream was closed");
    v1::DuplexConfig config = opened_once_ ? v1::DuplexConfig() : config_;
    if (opened_once_ && play_active()) {
      config.mutable_play()->set_reattach_action_id(opened_.play().action_id());
      config.mutable_play()->set_channels(config_.play().channels());
      config.mutable_play()->set_sample_format(v1::SAMPLE_FORMAT_FLOAT32);
      config.mutable_play()->set_reattachable(true);
    }
    if (opened_once_ && record_active()) {
      config.mutable_record()->set_reattach_action_id(opened_.record().action_id());
      config.mutable_record()->set_resume_position(record_->received_position());
      config.mutable_record()->set_chunk_frames(config_.record().chunk_frames());
      config.mutable_record()->set_sample_format(v1::SAMPLE_FORMAT_FLOAT32);
      config.mutable_record()->set_reattachable(true);
    }
    if (record_active()) {
      config.mutable_record()->set_granted_position(record_->granted_position());
      record_->Told();
    }
    const AudioCall::Kind kind = !record_active() ? AudioCall::Kind::kPlay
                                 : !play_active() ? AudioCall::Kind::kRecord
                                                  : AudioCall::Kind::kDuplex;
    attached_ = false;
    call_done_ = false;
    sending_ = true;
    stop_sent_ = false;
    const absl::Time started = absl::Now();
    const absl::Time heard_before = std::exchange(heard_, started);
    // Its reactions wait for the lock, so they find the call in place.
    call_ = AudioCall::Start(kind, stubs, session_->token(), std::move(config), this);
    bool silent = false;
    while (!mu_.AwaitWithDeadline(absl::Condition(&call_done_),
                                  silent ? absl::InfiniteFuture() : heard_ + kSilenceLimit)) {
      if (absl::Now() < heard_ + kSilenceLimit) continue;
      silent = true;
      call_->Cancel();
    }
    call_.reset();
    attached_ = false;
    // The time to give up counts from the last word of the server.
    if (heard_ == started && opened_once_) heard_ = heard_before;
    status = silent ? absl::UnavailableError("the server said nothing for 3 s") : call_status_;
  }
  if (IsConnectionFailure(status) && !ErrorDetailOf(status).has_value()) {
    session_->client().Reconnect(stubs);
  }
  return status;
}

void AudioStream::CollectReports() {
  const auto ended = [this](const std::string& action_id) -> std::optional<v1::ActionReport> {
    auto report = Action(session_, action_id).Report();
    if (!report.ok() || report->state() != v1::ACTION_STATE_ENDED) return std::nullopt;
    return *std::move(report);
  };
  bool ask_play = false;
  bool ask_record = false;
  {
    absl::MutexLock lock(&mu_);
    ask_play = play_active();
    ask_record = record_active();
  }
  std::optional<v1::ActionReport> play;
  std::optional<v1::ActionReport> record;
  if (ask_play) play = ended(opened_.play().action_id());
  if (ask_record) record = ended(opened_.record().action_id());
  absl::MutexLock lock(&mu_);
  if (play.has_value()) play_report_ = std::move(play);
  if (record.has_value()) {
    record_->Resume(record->done_frames());
    record_report_ = std::move(record);
  }
}

void AudioStream::TakeOpened(const v1::DuplexOpened& opened) {
  if (!opened_once_) {
    opened_ = opened;
    opened_once_ = true;
    if (play_.has_value()) play_->Grant(opened.play().granted_position());
    if (record_.has_value()) record_->SetChannels(opened.record().channels());
  } else {
    ++reattached_;
    if (opened.has_play() && play_.has_value() &&
        !play_->Rewind(opened.play().next_position(), opened.play().granted_position())) {
      Fail(absl::DataLossError(absl::StrCat("the server wants audio again from position ",
                                            opened.play().next_position(),
                                            " on, which it had confirmed")));
    }
    if (opened.has_record() && record_.has_value()) {
      record_->Resume(opened.record().next_position());
    }
  }
  attached_ = true;
}

void AudioStream::SendNext() {
  if (!attached_ || sending_ || call_ == nullptr) return;
  std::optional<v1::DuplexRequest> message = NextMessage();
  if (!message.has_value()) return;
  sending_ = true;
  call_->Send(*std::move(message));
}

std::optional<v1::DuplexRequest> AudioStream::NextMessage() {
  v1::DuplexRequest message;
  if (record_active()) {
    if (stop_.has_value() && !stop_sent_) {
      stop_sent_ = true;
      *message.mutable_stop() = *stop_;
      return message;
    }
    if (const auto grant = record_->NextGrant()) {
      message.mutable_grant()->set_granted_position(*grant);
      return message;
    }
  }
  if (play_active()) return play_->Next(max_chunk_frames_);
  return std::nullopt;
}

void AudioStream::Fail(absl::Status status) {
  if (status_.ok()) status_ = std::move(status);
}

}  // namespace rtmixd::client
