// Streams against a fake of the server's services that checks every position and all credit, and
// cuts calls off where a test says so.
#include "client_cpp/audio_stream.h"

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "client_cpp/audio.h"
#include "client_cpp/client.h"
#include "client_cpp/duration.h"
#include "client_cpp/session.h"
#include "google/rpc/status.pb.h"

namespace rtmixd::client {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(20);
constexpr int64_t kNever = int64_t{1} << 60;
// What a fake play holds, and so grants beyond what has arrived.
constexpr int64_t kRingFrames = 1000;

std::vector<float> Ramp(int64_t first, int64_t frames) {
  std::vector<float> ramp(static_cast<size_t>(frames));
  std::iota(ramp.begin(), ramp.end(), static_cast<float>(first));
  return ramp;
}

// A play of one channel whose frames sound the moment they arrive, and a recording of a ramp that
// is there already.
class FakeServer final : public v1::AudioService::Service,
                         public v1::SessionService::Service,
                         public v1::ServerInfoService::Service,
                         public v1::ActionService::Service {
 public:
  FakeServer() {
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(static_cast<v1::AudioService::Service*>(this));
    builder.RegisterService(static_cast<v1::SessionService::Service*>(this));
    builder.RegisterService(static_cast<v1::ServerInfoService::Service*>(this));
    builder.RegisterService(static_cast<v1::ActionService::Service*>(this));
    server_ = builder.BuildAndStart();
    target_ = "127.0.0.1:" + std::to_string(port);
  }
  ~FakeServer() override { server_->Shutdown(std::chrono::system_clock::now()); }

  const std::string& target() const { return target_; }

  // Cuts the first call off once so many frames have passed.
  void BreakAt(int64_t frames) {
    absl::MutexLock lock(&mu_);
    break_at_ = frames;
  }
  void SetRecordingFrames(int64_t frames) { recording_frames_ = frames; }
  void SetRefusal(grpc::Status status) { refusal_ = std::move(status); }
  void SetMute() { mute_ = true; }
  // Reports come only after ReleaseReports, as if they had to be judged first.
  void HoldReports() { hold_reports_ = true; }
  void ReleaseReports() {
    absl::MutexLock lock(&mu_);
    hold_reports_ = false;
  }

  std::vector<float> played() const {
    absl::MutexLock lock(&mu_);
    return played_;
  }
  std::string complaint() const {
    absl::MutexLock lock(&mu_);
    return complaint_;
  }
  int calls() const {
    absl::MutexLock lock(&mu_);
    return calls_;
  }
  int cancels() const {
    absl::MutexLock lock(&mu_);
    return cancels_;
  }

  grpc::Status GetServerInfo(grpc::ServerContext*, const v1::GetServerInfoRequest*,
                             v1::GetServerInfoResponse* response) override {
    response->mutable_limits()->set_max_chunk_bytes(1 << 20);
    return grpc::Status::OK;
  }
  grpc::Status CreateSession(grpc::ServerContext*, const v1::CreateSessionRequest* request,
                             v1::CreateSessionResponse* response) override {
    response->set_token("secret");
    *response->mutable_session()->mutable_ttl() = request->ttl();
    return grpc::Status::OK;
  }
  grpc::Status KeepSession(grpc::ServerContext*, const v1::KeepSessionRequest*,
                           v1::KeepSessionResponse*) override {
    return grpc::Status::OK;
  }
  grpc::Status EndSession(grpc::ServerContext*, const v1::EndSessionRequest*,
                          v1::EndSessionResponse*) override {
    return grpc::Status::OK;
  }
  grpc::Status CancelActions(grpc::ServerContext*, const v1::CancelActionsRequest* request,
                             v1::CancelActionsResponse*) override {
    absl::MutexLock lock(&mu_);
    cancels_ += request->action_ids_size();
    return grpc::Status::OK;
  }

  grpc::Status Play(grpc::ServerContext* context,
                    grpc::ServerReaderWriter<v1::PlayResponse, v1::PlayRequest>* stream) override {
    v1::PlayRequest request;
    if (!stream->Read(&request)) return grpc::Status::OK;
    absl::MutexLock lock(&mu_);
    if (!Begin(*context, request.config().reattach_action_id())) return refusal_;
    v1::PlayResponse response;
    response.mutable_opened()->set_action_id("play");
    response.mutable_opened()->set_next_position(Arrived());
    response.mutable_opened()->set_granted_position(Arrived() + kRingFrames);
    stream->Write(response);
    while (Read(*stream, request)) {
      if (request.has_end_of_sound()) {
        if (hold_reports_) {
          response.mutable_progress()->set_done(true);
          stream->Write(response);
          AwaitRelease(*context);
        }
        response.mutable_report()->set_state(v1::ACTION_STATE_ENDED);
        response.mutable_report()->set_done_frames(Arrived());
        stream->Write(response);
        return grpc::Status::OK;
      }
      if (!request.has_audio()) continue;
      if (request.audio().position() != Arrived()) {
        complaint_ = "audio at " + std::to_string(request.audio().position()) + " instead of " +
                     std::to_string(Arrived());
      }
      const int64_t granted = Arrived() + kRingFrames;
      DecodeFloat32(request.audio().data(), played_);
      if (Arrived() > granted) complaint_ = "audio beyond the credit";
      if (BreaksAt(Arrived())) {
        return grpc::Status(grpc::StatusCode::UNAVAILABLE, "cut off");
      }
      response.mutable_progress()->set_received_position(Arrived());
      response.mutable_progress()->set_granted_position(Arrived() + kRingFrames);
      stream->Write(response);
    }
    return grpc::Status::OK;
  }

  grpc::Status Record(
      grpc::ServerContext* context,
      grpc::ServerReaderWriter<v1::RecordResponse, v1::RecordRequest>* stream) override {
    v1::RecordRequest request;
    if (!stream->Read(&request)) return grpc::Status::OK;
    absl::MutexLock lock(&mu_);
    if (!Begin(*context, request.config().reattach_action_id())) return refusal_;
    int64_t position = request.config().resume_position();
    int64_t granted = request.config().granted_position();
    v1::RecordResponse response;
    response.mutable_opened()->set_action_id("record");
    response.mutable_opened()->set_channels(1);
    response.mutable_opened()->set_next_position(position);
    stream->Write(response);
    while (position < recording_frames_) {
      while (position < granted && position < recording_frames_) {
        const int64_t frames =
            std::min({int64_t{64}, granted - position, recording_frames_ - position});
        response.mutable_audio()->set_position(position);
        response.mutable_audio()->set_data(EncodeFloat32(Ramp(position, frames)));
        stream->Write(response);
        position += frames;
        if (BreaksAt(position)) {
          return grpc::Status(grpc::StatusCode::UNAVAILABLE, "cut off");
        }
      }
      if (position < recording_frames_) {
        if (!Read(*stream, request)) return grpc::Status::OK;
        if (request.has_stop()) recording_frames_ = position;
        if (request.has_grant()) {
          if (request.grant().granted_position() < granted) complaint_ = "credit taken back";
          granted = request.grant().granted_position();
        }
      }
    }
    if (hold_reports_) {
      response.mutable_progress()->set_end_position(position);
      stream->Write(response);
      AwaitRelease(*context);
    }
    response.mutable_report()->set_state(v1::ACTION_STATE_ENDED);
    response.mutable_report()->set_done_frames(position);
    stream->Write(response);
    return grpc::Status::OK;
  }

 private:
  // Whether a call may go on.
  bool Begin(grpc::ServerContext& context, const std::string& reattach_action_id)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    if (context.client_metadata().find("rtmixd-session-token")->second != "secret") {
      complaint_ = "no token";
    }
    if ((++calls_ > 1) == reattach_action_id.empty()) complaint_ = "reattached without a break";
    while (mute_ && !context.IsCancelled()) {
      mu_.AwaitWithTimeout(absl::Condition(
                               +[](bool*) { return false; }, &mute_),
                           absl::Milliseconds(20));
    }
    return refusal_.ok();
  }
  template <typename Stream, typename Request>
  bool Read(Stream& stream, Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    mu_.Unlock();
    const bool ok = stream.Read(&request);
    mu_.Lock();
    return ok;
  }
  void AwaitRelease(grpc::ServerContext& context) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    while (hold_reports_ && !context.IsCancelled()) {
      mu_.AwaitWithTimeout(
          absl::Condition(
              +[](const bool* hold) { return !*hold; }, static_cast<const bool*>(&hold_reports_)),
          absl::Milliseconds(20));
    }
  }
  // Whether the call is to be cut off here; only once.
  bool BreaksAt(int64_t position) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    if (position < break_at_) return false;
    break_at_ = kNever;
    return true;
  }
  int64_t Arrived() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return static_cast<int64_t>(played_.size());
  }

  // Set before calls are made.
  int64_t recording_frames_ = 0;
  grpc::Status refusal_;
  bool mute_ = false;
  bool hold_reports_ = false;

  mutable absl::Mutex mu_;
  int64_t break_at_ ABSL_GUARDED_BY(mu_) = kNever;
  std::vector<float> played_ ABSL_GUARDED_BY(mu_);
  std::string complaint_ ABSL_GUARDED_BY(mu_);
  int calls_ ABSL_GUARDED_BY(mu_) = 0;
  int cancels_ ABSL_GUARDED_BY(mu_) = 0;

  std::string target_;
  std::unique_ptr<grpc::Server> server_;
};

class AudioStreamTest : public testing::Test {
 protected:
  void SetUp() override {
    auto client = Client::Connect(server_.target(), kPatience);
    ASSERT_TRUE(client.ok()) << client.status();
    auto session = Session::Create(*client, {.label = "test"});
    ASSERT_TRUE(session.ok()) << session.status();
    session_ = *session;
  }
  void TearDown() override { EXPECT_EQ(server_.complaint(), ""); }

  absl::StatusOr<std::unique_ptr<AudioStream>> OpenPlay() {
    v1::DuplexConfig config;
    config.mutable_play()->set_channels(1);
    return AudioStream::Open(session_, config);
  }
  absl::StatusOr<std::unique_ptr<AudioStream>> OpenRecord(int64_t unread_frames) {
    v1::DuplexConfig config;
    config.mutable_record()->set_granted_position(unread_frames);
    return AudioStream::Open(session_, config);
  }
  // Reads to the end.
  static std::vector<float> ReadAll(AudioStream& stream) {
    std::vector<float> all;
    while (true) {
      const auto audio = stream.Read(100, kPatience);
      if (!audio.ok()) {
        EXPECT_TRUE(absl::IsOutOfRange(audio.status())) << audio.status();
        return all;
      }
      EXPECT_EQ(audio->lost_frames, 0);
      EXPECT_EQ(audio->position, static_cast<int64_t>(all.size()));
      if (audio->samples.empty()) return all;
      all.insert(all.end(), audio->samples.begin(), audio->samples.end());
    }
  }

  FakeServer server_;
  std::shared_ptr<Session> session_;
};

TEST_F(AudioStreamTest, PlayArrivesWithinItsCredit) {
  auto stream = OpenPlay();
  ASSERT_TRUE(stream.ok()) << stream.status();
  EXPECT_EQ(*(*stream)->Write(Ramp(0, 50000), kPatience), 50000);
  (*stream)->EndOfSound();
  const auto report = (*stream)->WaitPlay(kPatience);
  ASSERT_TRUE(report.ok()) << report.status();
  ASSERT_TRUE(report->has_value());
  EXPECT_EQ((*report)->done_frames(), 50000);
  EXPECT_EQ(server_.played(), Ramp(0, 50000));
  EXPECT_EQ(server_.calls(), 1);
}

TEST_F(AudioStreamTest, PlayGoesOnAfterABreakWithoutLosingOrRepeatingAFrame) {
  server_.BreakAt(3000);
  auto stream = OpenPlay();
  ASSERT_TRUE(stream.ok()) << stream.status();
  EXPECT_EQ(*(*stream)->Write(Ramp(0, 20000), kPatience), 20000);
  (*stream)->EndOfSound();
  const auto report = (*stream)->WaitPlay(kPatience);
  ASSERT_TRUE(report.ok()) << report.status();
  ASSERT_TRUE(report->has_value());
  EXPECT_EQ(server_.played(), Ramp(0, 20000));
  EXPECT_EQ((*stream)->reattached(), 1);
}

TEST_F(AudioStreamTest, PlayGoesOnAfterItsConnectionWasCutHere) {
  auto stream = OpenPlay();
  ASSERT_TRUE(stream.ok()) << stream.status();
  EXPECT_EQ(*(*stream)->Write(Ramp(0, 5000), kPatience), 5000);
  (*stream)->BreakConnection();
  EXPECT_EQ(*(*stream)->Write(Ramp(5000, 5000), kPatience), 5000);
  (*stream)->EndOfSound();
  ASSERT_TRUE((*stream)->WaitPlay(kPatience)->has_value());
  EXPECT_EQ(server_.played(), Ramp(0, 10000));
}

TEST_F(AudioStreamTest, NothingCanBeWrittenAfterTheEnd) {
  auto stream = OpenPlay();
  ASSERT_TRUE(stream.ok()) << stream.status();
  (*stream)->EndOfSound();
  EXPECT_TRUE(absl::IsFailedPrecondition((*stream)->Write(Ramp(0, 1), kPatience).status()));
}

TEST_F(AudioStreamTest, RecordingIsReadWithinTheCreditThatWasGiven) {
  server_.SetRecordingFrames(10000);
  auto stream = OpenRecord(256);
  ASSERT_TRUE(stream.ok()) << stream.status();
  EXPECT_EQ(ReadAll(**stream), Ramp(0, 10000));
  const auto report = (*stream)->WaitRecord(kPatience);
  ASSERT_TRUE(report.ok() && report->has_value());
  EXPECT_EQ((*report)->done_frames(), 10000);
}

TEST_F(AudioStreamTest, RecordingHasEveryFrameAfterABreak) {
  server_.SetRecordingFrames(10000);
  server_.BreakAt(5000);
  auto stream = OpenRecord(256);
  ASSERT_TRUE(stream.ok()) << stream.status();
  EXPECT_EQ(ReadAll(**stream), Ramp(0, 10000));
  EXPECT_EQ((*stream)->reattached(), 1);
}

TEST_F(AudioStreamTest, StoppedRecordingCanBeReadToItsEnd) {
  server_.SetRecordingFrames(1 << 20);
  auto stream = OpenRecord(512);
  ASSERT_TRUE(stream.ok()) << stream.status();
  (*stream)->StopRecording(std::nullopt);
  EXPECT_EQ(ReadAll(**stream), Ramp(0, 512));
}

TEST_F(AudioStreamTest, RecordingIsReadToItsEndBeforeItsReportComes) {
  server_.SetRecordingFrames(1000);
  server_.HoldReports();
  auto stream = OpenRecord(500);
  ASSERT_TRUE(stream.ok()) << stream.status();
  EXPECT_EQ(ReadAll(**stream), Ramp(0, 1000));
  EXPECT_TRUE(absl::IsOutOfRange((*stream)->Read(100, kPatience).status()));
  const auto too_early = (*stream)->WaitRecord(absl::ZeroDuration());
  ASSERT_TRUE(too_early.ok()) << too_early.status();
  EXPECT_FALSE(too_early->has_value());
  server_.ReleaseReports();
  const auto report = (*stream)->WaitRecord(kPatience);
  ASSERT_TRUE(report.ok()) << report.status();
  ASSERT_TRUE(report->has_value());
  EXPECT_EQ((*report)->done_frames(), 1000);
}

TEST_F(AudioStreamTest, PlayIsDoneBeforeItsReportComes) {
  server_.HoldReports();
  auto stream = OpenPlay();
  ASSERT_TRUE(stream.ok()) << stream.status();
  EXPECT_EQ(*(*stream)->Write(Ramp(0, 500), kPatience), 500);
  absl::StatusOr<bool> done = (*stream)->WaitPlayDone(absl::ZeroDuration());
  ASSERT_TRUE(done.ok()) << done.status();
  EXPECT_FALSE(*done);
  (*stream)->EndOfSound();
  done = (*stream)->WaitPlayDone(kPatience);
  ASSERT_TRUE(done.ok()) << done.status();
  EXPECT_TRUE(*done);
  const auto too_early = (*stream)->WaitPlay(absl::ZeroDuration());
  ASSERT_TRUE(too_early.ok()) << too_early.status();
  EXPECT_FALSE(too_early->has_value());
  server_.ReleaseReports();
  const auto report = (*stream)->WaitPlay(kPatience);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_TRUE(report->has_value());
}

TEST_F(AudioStreamTest, RefusalOfTheServerIsTheAnswerToOpen) {
  v1::ErrorDetail detail;
  detail.set_reason(v1::ERROR_REASON_NO_STREAM);
  google::rpc::Status rich;
  rich.add_details()->PackFrom(detail);
  server_.SetRefusal(grpc::Status(grpc::StatusCode::FAILED_PRECONDITION, "no stream is open",
                                  rich.SerializeAsString()));
  const auto stream = OpenPlay();
  EXPECT_TRUE(absl::IsFailedPrecondition(stream.status())) << stream.status();
  EXPECT_EQ(ErrorReasonOf(stream.status()), v1::ERROR_REASON_NO_STREAM);
}

TEST_F(AudioStreamTest, SilentServerIsGivenUp) {
  server_.SetMute();
  const auto stream = OpenPlay();
  EXPECT_TRUE(absl::IsUnavailable(stream.status())) << stream.status();
}

TEST_F(AudioStreamTest, DestructionCancelsWhatHasNotEnded) {
  {
    auto stream = OpenPlay();
    ASSERT_TRUE(stream.ok()) << stream.status();
  }
  EXPECT_EQ(server_.cancels(), 1);
}

}  // namespace
}  // namespace rtmixd::client
