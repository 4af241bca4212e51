// What one session has, tried by another in every way there is; and that the secret of a session is
// told to nobody but who made it.

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "tests/rpc/rpc_test_base.h"
#include "tests/support/polling.h"

namespace rtmixd {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr absl::Duration kLongEnough = absl::Seconds(60);

class ForeignSessionTest : public RpcTest {
 protected:
  void SetUp() override {
    spool_folder_ = absl::StrCat(testing::TempDir(), "/foreign_session_test.", getpid());
    options_.spool.emplace().folder = spool_folder_;
    RpcTest::SetUp();
    complete_ = CompleteBuffer(1, 48);
    v1::CreateBufferRequest create;
    create.set_channels(1);
    create.set_label("private");
    v1::CreateBufferResponse created;
    ASSERT_TRUE(buffers_->CreateBuffer(Call().get(), create, &created).ok());
    open_ = created.buffer().buffer_id();
    // Far in the future, so that nothing changes while the other tries.
    v1::ScheduleActionsRequest schedule;
    schedule.set_origin_frame(int64_t{1} << 40);
    schedule.add_actions()->mutable_play()->set_buffer_id(complete_);
    schedule.set_prepare(true);
    v1::ScheduleActionsResponse scheduled;
    const grpc::Status status = actions_->ScheduleActions(Call().get(), schedule, &scheduled);
    ASSERT_TRUE(status.ok()) << status.error_message();
    action_ = scheduled.actions(0).action_id();
    batch_ = scheduled.batch_id();
  }

  void TearDown() override {
    RpcTest::TearDown();
    std::filesystem::remove_all(spool_folder_);
  }

  std::unique_ptr<grpc::ClientContext> Other() { return Call(other_token_); }

  // One member, as the other session's batch.
  grpc::Status Schedule(const v1::ActionSpec& member) {
    v1::ScheduleActionsRequest request;
    *request.add_actions() = member;
    v1::ScheduleActionsResponse response;
    return actions_->ScheduleActions(Other().get(), request, &response);
  }
  std::string SessionId(const std::string& token) {
    v1::GetSessionResponse own;
    EXPECT_TRUE(sessions_->GetSession(Call(token).get(), {}, &own).ok());
    return own.session().session_id();
  }
  // Records into a buffer; for ever if `frames` is 0.
  void Record(int64_t frames) {
    v1::ScheduleActionsRequest request;
    v1::RecordSpec& record = *request.add_actions()->mutable_record();
    if (frames > 0) record.set_frames(frames);
    record.mutable_channel_map()->add_channels(1);
    v1::ScheduleActionsResponse response;
    const grpc::Status status = actions_->ScheduleActions(Call().get(), request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
  }
  // What a session sees of the spool.
  std::vector<v1::SpooledRecording> Spooled(const std::string& token) {
    v1::ListSpooledRecordingsResponse response;
    const grpc::Status status = spool_->ListSpooledRecordings(Call(token).get(), {}, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return {response.recordings().begin(), response.recordings().end()};
  }
  grpc::Status DownloadSpooled(const std::string& token, const std::string& id, int64_t* bytes) {
    v1::DownloadSpooledRecordingRequest request;
    request.set_recording_id(id);
    const auto context = Call(token);
    const auto reader = spool_->DownloadSpooledRecording(context.get(), request);
    v1::DownloadSpooledRecordingResponse response;
    *bytes = 0;
    while (reader->Read(&response)) *bytes += static_cast<int64_t>(response.ByteSizeLong());
    return reader->Finish();
  }
  grpc::Status DeleteSpooled(const std::string& token, const std::string& id) {
    v1::DeleteSpooledRecordingRequest request;
    request.set_recording_id(id);
    v1::DeleteSpooledRecordingResponse response;
    return spool_->DeleteSpooledRecording(Call(token).get(), request, &response);
  }
  static void ExpectRefused(const grpc::Status& status, const std::string& what) {
    const bool refused = status.error_code() == grpc::StatusCode::PERMISSION_DENIED ||
                         status.error_code() == grpc::StatusCode::NOT_FOUND;
    EXPECT_TRUE(refused) << what << ": " << status.error_code() << " " << status.error_message();
  }

  std::string spool_folder_;
  std::string complete_;
  std::string open_;
  std::string action_;
  std::string batch_;
};

TEST_F(ForeignSessionTest, ActionsCannotBeSeenChangedOrFollowed) {
  const std::string before = Footprint();
  v1::GetActionRequest get;
  get.set_action_id(action_);
  v1::GetActionResponse got;
  ExpectRefused(actions_->GetAction(Other().get(), get, &got), "GetAction");
  v1::CancelActionsRequest cancel;
  cancel.add_action_ids(action_);
  v1::CancelActionsResponse cancelled;
  ExpectRefused(actions_->CancelActions(Other().get(), cancel, &cancelled), "CancelActions");
  v1::ChangeActionsRequest change;
  change.add_action_ids(action_);
  change.mutable_gain()->set_gain(0);
  v1::ChangeActionsResponse changed;
  ExpectRefused(actions_->ChangeActions(Other().get(), change, &changed), "ChangeActions");
  v1::WaitActionsRequest wait;
  wait.add_action_ids(action_);
  v1::WaitActionsResponse waited;
  ExpectRefused(actions_->WaitActions(Other().get(), wait, &waited), "WaitActions");
  v1::CommitBatchRequest commit;
  commit.set_batch_id(batch_);
  v1::CommitBatchResponse committed;
  ExpectRefused(actions_->CommitBatch(Other().get(), commit, &committed), "CommitBatch");

  v1::ActionSpec member;
  member.mutable_cancel()->set_action_id(action_);
  ExpectRefused(Schedule(member), "cancel in a batch");
  member.mutable_change()->set_action_id(action_);
  member.mutable_change()->mutable_pause();
  ExpectRefused(Schedule(member), "change in a batch");
  member.mutable_play()->mutable_inline_audio()->set_channels(1);
  member.mutable_play()->mutable_inline_audio()->set_data(std::string(4, '\0'));
  member.mutable_start()->mutable_after()->set_action_id(action_);
  ExpectRefused(Schedule(member), "after");

  // All of one's own is nothing of others.
  cancel.clear_action_ids();
  cancel.set_all(true);
  EXPECT_TRUE(actions_->CancelActions(Other().get(), cancel, &cancelled).ok());
  EXPECT_EQ(cancelled.reports_size(), 0);
  change.clear_action_ids();
  change.set_all(true);
  EXPECT_TRUE(actions_->ChangeActions(Other().get(), change, &changed).ok());
  v1::ListActionsResponse listed;
  EXPECT_TRUE(actions_->ListActions(Other().get(), {}, &listed).ok());
  EXPECT_EQ(listed.reports_size(), 0);
  const auto watching = Other();
  const auto watch = actions_->WatchActions(watching.get(), {});
  v1::WatchActionsResponse present;
  EXPECT_TRUE(watch->Read(&present));
  EXPECT_EQ(present.reports_size(), 0);
  watching->TryCancel();
  EXPECT_EQ(Footprint(), before);
}

TEST_F(ForeignSessionTest, BuffersCannotBeHeardWrittenOrDeleted) {
  const std::string before = Footprint();
  for (const std::string& id : {complete_, open_}) {
    v1::GetBufferRequest get;
    get.set_buffer_id(id);
    v1::GetBufferResponse got;
    ExpectRefused(buffers_->GetBuffer(Other().get(), get, &got), "GetBuffer");
    v1::DeleteBufferRequest remove;
    remove.set_buffer_id(id);
    v1::DeleteBufferResponse removed;
    ExpectRefused(buffers_->DeleteBuffer(Other().get(), remove, &removed), "DeleteBuffer");
    v1::DownloadBufferRequest download;
    download.set_buffer_id(id);
    const auto downloading = Other();
    const auto reader = buffers_->DownloadBuffer(downloading.get(), download);
    v1::DownloadBufferResponse chunk;
    while (reader->Read(&chunk)) ADD_FAILURE() << "DownloadBuffer";
    ExpectRefused(reader->Finish(), "DownloadBuffer");
    const auto uploading = Other();
    v1::UploadBufferResponse uploaded;
    const auto writer = buffers_->UploadBuffer(uploading.get(), &uploaded);
    v1::UploadBufferRequest config;
    config.mutable_config()->set_buffer_id(id);
    writer->Write(config);
    writer->WritesDone();
    ExpectRefused(writer->Finish(), "UploadBuffer");
    v1::ActionSpec member;
    member.mutable_play()->set_buffer_id(id);
    ExpectRefused(Schedule(member), "play");
    member.mutable_record()->set_buffer_id(id);
    ExpectRefused(Schedule(member), "record");
  }
  v1::ListBuffersResponse listed;
  EXPECT_TRUE(buffers_->ListBuffers(Other().get(), {}, &listed).ok());
  EXPECT_EQ(listed.buffers_size(), 0);
  EXPECT_EQ(Footprint(), before);
}

TEST_F(ForeignSessionTest, StreamsCannotBeTakenOver) {
  const auto owner = Call();
  const auto stream = audio_->Record(owner.get());
  v1::RecordRequest begin;
  begin.mutable_config()->set_reattachable(true);
  begin.mutable_config()->set_granted_position(0);
  stream->Write(begin);
  v1::RecordResponse opened;
  ASSERT_TRUE(stream->Read(&opened));
  const std::string id = opened.opened().action_id();
  ASSERT_FALSE(id.empty());

  const auto thief = Other();
  const auto taken = audio_->Record(thief.get());
  v1::RecordRequest reattach;
  reattach.mutable_config()->set_reattach_action_id(id);
  reattach.mutable_config()->set_granted_position(48000);
  taken->Write(reattach);
  v1::RecordResponse answer;
  while (taken->Read(&answer)) ADD_FAILURE() << answer.ShortDebugString();
  ExpectRefused(taken->Finish(), "Record");

  const auto player = Other();
  const auto played = audio_->Play(player.get());
  v1::PlayRequest play;
  play.mutable_config()->set_reattach_action_id(id);
  played->Write(play);
  v1::PlayResponse heard;
  while (played->Read(&heard)) ADD_FAILURE() << heard.ShortDebugString();
  ExpectRefused(played->Finish(), "Play");

  const auto both = Other();
  const auto duplex = audio_->Duplex(both.get());
  v1::DuplexRequest joint;
  joint.mutable_config()->mutable_play()->set_reattach_action_id(id);
  joint.mutable_config()->mutable_record()->set_reattach_action_id(id);
  duplex->Write(joint);
  v1::DuplexResponse either;
  while (duplex->Read(&either)) ADD_FAILURE() << either.ShortDebugString();
  ExpectRefused(duplex->Finish(), "Duplex");

  v1::StreamRecordingRequest only;
  only.mutable_config()->set_reattach_action_id(id);
  const auto listening = Other();
  const auto recording = audio_->StreamRecording(listening.get(), only);
  v1::StreamRecordingResponse piece;
  while (recording->Read(&piece)) ADD_FAILURE() << piece.ShortDebugString();
  ExpectRefused(recording->Finish(), "StreamRecording");

  // The owner's call goes on.
  while (stream->Read(&answer) && !answer.has_progress()) {
  }
  EXPECT_TRUE(answer.has_progress());
  owner->TryCancel();
}

// One that runs and one that is whole, while their session lives and when it has ended.
TEST_F(ForeignSessionTest, SpooledRecordingsCannotBeSeenHeardOrDeleted) {
  Record(480);
  std::vector<v1::SpooledRecording> own;
  const auto is_whole = [&](const std::string& token, size_t index) {
    own = Spooled(token);
    return own.size() > index && own[index].state() == v1::SPOOLED_RECORDING_STATE_COMPLETE;
  };
  ASSERT_TRUE(PollUntil([&] { return is_whole(token_, 0); }, kLongEnough));
  Record(0);
  ASSERT_TRUE(PollUntil(
      [&] {
        own = Spooled(token_);
        return own.size() == 2 && own[1].frames() > 0;
      },
      kLongEnough));
  EXPECT_TRUE(Spooled(other_token_).empty());
  int64_t bytes = 0;
  for (const v1::SpooledRecording& recording : own) {
    const std::string& id = recording.recording_id();
    ExpectRefused(DownloadSpooled(other_token_, id, &bytes), "DownloadSpooledRecording");
    EXPECT_EQ(bytes, 0);
    ExpectRefused(DeleteSpooled(other_token_, id), "DeleteSpooledRecording");
    EXPECT_TRUE(DownloadSpooled(token_, id, &bytes).ok());
    EXPECT_GT(bytes, 0);
  }

  // Then they are everybody's.
  v1::EndSessionResponse ended;
  ASSERT_TRUE(sessions_->EndSession(Call().get(), {}, &ended).ok());
  ASSERT_TRUE(PollUntil([&] { return is_whole(other_token_, 1); }, kLongEnough));
  ASSERT_EQ(own.size(), 2U);
  for (const v1::SpooledRecording& recording : own) {
    const std::string& id = recording.recording_id();
    EXPECT_TRUE(DownloadSpooled(other_token_, id, &bytes).ok());
    EXPECT_GT(bytes, 0);
    EXPECT_TRUE(DeleteSpooled(other_token_, id).ok());
  }
}

// Everything that the server says while two sessions work, errors included.
TEST_F(ForeignSessionTest, SecretsAreToldToNobody) {
  Record(0);
  ASSERT_TRUE(PollUntil([&] { return !Spooled(token_).empty(); }, kLongEnough));
  std::string said;
  const auto call = [&](const auto& rpc, const auto& request, auto response) {
    for (const std::string& token : {token_, other_token_, std::string(), token_ + "x"}) {
      const grpc::Status status = rpc(Call(token).get(), request, &response);
      said += response.DebugString() + status.error_message() + status.error_details();
    }
  };
#define CALL(stub, method, request)                                                             \
  call([&](grpc::ClientContext* c, const auto& q, auto* r) { return (stub)->method(c, q, r); }, \
       request, v1::method##Response())
  CALL(sessions_, KeepSession, v1::KeepSessionRequest());
  CALL(sessions_, ListSessions, v1::ListSessionsRequest());
  CALL(sessions_, GetSession, v1::GetSessionRequest());
  v1::GetSessionRequest by_id;
  by_id.set_session_id(SessionId(token_));
  CALL(sessions_, GetSession, by_id);
  v1::AwaitExclusiveRequest await;
  await.mutable_timeout();
  CALL(sessions_, AwaitExclusive, await);
  v1::ScheduleActionsRequest schedule;
  schedule.add_actions()->mutable_play()->set_buffer_id(complete_);
  CALL(actions_, ScheduleActions, schedule);
  CALL(actions_, ListActions, v1::ListActionsRequest());
  v1::WaitActionsRequest look;
  look.mutable_timeout();
  CALL(actions_, WaitActions, look);
  CALL(actions_, GetStats, v1::GetStatsRequest());
  CALL(buffers_, ListBuffers, v1::ListBuffersRequest());
  CALL(spool_, ListSpooledRecordings, v1::ListSpooledRecordingsRequest());
  CALL(stream_, GetStream, v1::GetStreamRequest());
  CALL(stream_, CloseStream, v1::CloseStreamRequest());
  CALL(stream_, RestoreStream, v1::RestoreStreamRequest());
  CALL(server_info_, GetServerInfo, v1::GetServerInfoRequest());
  CALL(clock_, GetClock, v1::GetClockRequest());
  v1::BreakSessionRequest breaking;
  breaking.set_session_id(SessionId(other_token_));
  CALL(sessions_, BreakSession, breaking);
  CALL(sessions_, KeepSession, v1::KeepSessionRequest());
  CALL(sessions_, EndSession, v1::EndSessionRequest());
  CALL(sessions_, KeepSession, v1::KeepSessionRequest());
  v1::ListEventsRequest events;
  events.set_page_size(1000);
  CALL(events_, ListEvents, events);
#undef CALL
  ASSERT_GT(said.size(), 10000U);
  EXPECT_THAT(said, HasSubstr("EVENT_KIND_SESSION_BROKEN"));
  EXPECT_THAT(said, Not(HasSubstr(token_)));
  EXPECT_THAT(said, Not(HasSubstr(other_token_)));
}

}  // namespace
}  // namespace rtmixd
