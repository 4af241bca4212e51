// How a client learns over the wire, without asking, that a sound is over and later what xruns did
// to it.

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "tests/rpc/rpc_test_base.h"

namespace rtmixd {
namespace {

using DoneTest = RpcTest;

v1::ScheduleActionsRequest PlayAndRecord() {
  v1::ScheduleActionsRequest request;
  v1::ActionSpec& play = *request.add_actions();
  play.set_key("play");
  v1::InlineAudio& audio = *play.mutable_play()->mutable_inline_audio();
  audio.set_channels(1);
  audio.set_sample_format(v1::SAMPLE_FORMAT_FLOAT32);
  audio.set_data(Ramp(1, 0, 2000));
  v1::ActionSpec& record = *request.add_actions();
  record.set_key("record");
  record.mutable_record()->set_frames(3000);
  return request;
}

TEST_F(DoneTest, WatchTellsEachStateOfLifeInOrder) {
  auto call = Call();
  auto watch = actions_->WatchActions(call.get(), {});
  v1::WatchActionsResponse news;
  // The first answer comes at once, with nothing to tell.
  ASSERT_TRUE(watch->Read(&news));
  EXPECT_EQ(news.reports_size(), 0);

  v1::ScheduleActionsResponse scheduled;
  ASSERT_TRUE(actions_->ScheduleActions(Call().get(), PlayAndRecord(), &scheduled).ok());
  std::map<std::string, std::vector<v1::ActionState>> states;
  std::map<std::string, v1::ActionReport> done;
  int ended = 0;
  while (ended < 2 && watch->Read(&news)) {
    for (const v1::ActionReport& report : news.reports()) {
      states[report.key()].push_back(report.state());
      if (report.state() == v1::ACTION_STATE_DONE) done[report.key()] = report;
      if (report.state() != v1::ACTION_STATE_ENDED) continue;
      ++ended;
      // A stall of this machine may let a state be passed over.
      if (!done.contains(report.key())) continue;
      EXPECT_EQ(report.end_frame(), done[report.key()].end_frame());
      EXPECT_EQ(report.done_frames(), done[report.key()].done_frames());
      EXPECT_EQ(report.end_reason(), v1::END_REASON_COMPLETED);
      EXPECT_EQ(done[report.key()].end_reason(), v1::END_REASON_COMPLETED);
      EXPECT_EQ(report.blocks().blocks(), done[report.key()].blocks().blocks());
    }
  }
  EXPECT_EQ(ended, 2);
  for (const auto& [key, of_action] : states) {
    // None comes twice or goes back.
    const std::vector<v1::ActionState> life = {v1::ACTION_STATE_ACTIVE, v1::ACTION_STATE_DONE,
                                               v1::ACTION_STATE_ENDED};
    auto next = life.begin();
    for (const v1::ActionState state : of_action) {
      next = std::find(next, life.end(), state);
      ASSERT_NE(next, life.end()) << key;
      ++next;
    }
  }
  call->TryCancel();
  watch->Finish();
}

TEST_F(DoneTest, WaitUntilDoneComesBackBeforeTheReportIsFinal) {
  v1::ScheduleActionsResponse scheduled;
  ASSERT_TRUE(actions_->ScheduleActions(Call().get(), PlayAndRecord(), &scheduled).ok());
  v1::WaitActionsRequest request;
  request.set_until_done(true);
  v1::WaitActionsResponse answer;
  ASSERT_TRUE(actions_->WaitActions(Call().get(), request, &answer).ok());
  ASSERT_EQ(answer.ended_size(), 2);
  EXPECT_EQ(answer.still_running_size(), 0);
  for (const v1::ActionReport& report : answer.ended()) {
    EXPECT_EQ(report.state(), v1::ACTION_STATE_DONE);
    EXPECT_EQ(report.end_reason(), v1::END_REASON_COMPLETED);
  }
  // The recording is there.
  v1::DownloadBufferRequest download;
  download.set_buffer_id(scheduled.actions(1).buffer_id());
  download.set_follow(true);
  auto call = Call();
  auto reader = buffers_->DownloadBuffer(call.get(), download);
  v1::DownloadBufferResponse part;
  int64_t bytes = 0;
  while (reader->Read(&part)) bytes += static_cast<int64_t>(part.audio().data().size());
  EXPECT_TRUE(reader->Finish().ok());
  EXPECT_EQ(bytes, 3000 * kChannels * static_cast<int64_t>(sizeof(float)));

  request.set_until_done(false);
  ASSERT_TRUE(actions_->WaitActions(Call().get(), request, &answer).ok());
  ASSERT_EQ(answer.ended_size(), 2);
  EXPECT_EQ(answer.ended(0).state(), v1::ACTION_STATE_ENDED);
}

TEST_F(DoneTest, ABatchHasAReportAsAWhole) {
  v1::ScheduleActionsResponse scheduled;
  ASSERT_TRUE(actions_->ScheduleActions(Call().get(), PlayAndRecord(), &scheduled).ok());
  v1::WaitBatchRequest request;
  request.set_batch_id(scheduled.batch_id());
  request.set_until_done(true);
  v1::WaitBatchResponse done;
  ASSERT_TRUE(actions_->WaitBatch(Call().get(), request, &done).ok());
  EXPECT_EQ(done.report().state(), v1::ACTION_STATE_DONE);
  EXPECT_EQ(done.report().touched(), v1::TOUCHED_CANNOT_TELL);
  request.set_until_done(false);
  v1::WaitBatchResponse ended;
  ASSERT_TRUE(actions_->WaitBatch(Call().get(), request, &ended).ok());
  v1::GetBatchRequest get;
  get.set_batch_id(scheduled.batch_id());
  v1::GetBatchResponse got;
  ASSERT_TRUE(actions_->GetBatch(Call().get(), get, &got).ok());
  EXPECT_EQ(got.SerializeAsString(), ended.SerializeAsString());
  const v1::BatchReport& report = got.report();
  EXPECT_EQ(report.batch_id(), scheduled.batch_id());
  EXPECT_EQ(report.stream_id(), scheduled.stream_id());
  EXPECT_EQ(report.state(), v1::ACTION_STATE_ENDED);
  EXPECT_EQ(report.actions(), 2);
  EXPECT_EQ(report.ended_actions(), 2);
  ASSERT_EQ(report.ends_size(), 1);
  EXPECT_EQ(report.ends(0).end_reason(), v1::END_REASON_COMPLETED);
  EXPECT_EQ(report.ends(0).actions(), 2);
  EXPECT_EQ(report.start_frame(), scheduled.origin_frame());
  EXPECT_EQ(report.end_frame(), scheduled.origin_frame() + 3000);
  EXPECT_NE(report.touched(), v1::TOUCHED_YES);

  get.set_batch_id("t-none");
  const grpc::Status unknown = actions_->GetBatch(Call().get(), get, &got);
  EXPECT_EQ(unknown.error_code(), grpc::StatusCode::NOT_FOUND);
  request.set_batch_id("t-none");
  EXPECT_EQ(actions_->WaitBatch(Call().get(), request, &done).error_code(),
            grpc::StatusCode::NOT_FOUND);
}

TEST_F(DoneTest, WatchBeginsWithWhatIsThereIfAsked) {
  v1::ScheduleActionsRequest request;
  request.add_actions()->mutable_record();
  request.mutable_actions(0)->set_key("endless");
  v1::ScheduleActionsResponse scheduled;
  ASSERT_TRUE(actions_->ScheduleActions(Call().get(), request, &scheduled).ok());
  v1::WatchActionsRequest present;
  present.set_include_present(true);
  auto call = Call();
  auto watch = actions_->WatchActions(call.get(), present);
  v1::WatchActionsResponse news;
  ASSERT_TRUE(watch->Read(&news));
  ASSERT_EQ(news.reports_size(), 1);
  EXPECT_EQ(news.reports(0).key(), "endless");
  call->TryCancel();
  watch->Finish();
}

TEST_F(DoneTest, WatchSaysSomethingEverySecondAndEndsWithItsSession) {
  auto call = Call();
  auto watch = actions_->WatchActions(call.get(), {});
  v1::WatchActionsResponse news;
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(watch->Read(&news));
    EXPECT_EQ(news.reports_size(), 0);
  }
  v1::EndSessionRequest end;
  v1::EndSessionResponse ended;
  ASSERT_TRUE(sessions_->EndSession(Call().get(), end, &ended).ok());
  while (watch->Read(&news)) {
  }
  const grpc::Status status = watch->Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAUTHENTICATED) << status.error_message();
  EXPECT_EQ(Detail(status).reason(), v1::ERROR_REASON_SESSION_EXPIRED);
}

TEST_F(DoneTest, WatchNeedsASession) {
  auto call = Call("");
  auto watch = actions_->WatchActions(call.get(), {});
  v1::WatchActionsResponse news;
  EXPECT_FALSE(watch->Read(&news));
  EXPECT_EQ(Detail(watch->Finish()).reason(), v1::ERROR_REASON_SESSION_REQUIRED);
}

TEST_F(DoneTest, AGracefulStopEndsTheWatch) {
  auto call = Call();
  auto watch = actions_->WatchActions(call.get(), {});
  v1::WatchActionsResponse news;
  ASSERT_TRUE(watch->Read(&news));
  server_->Stop(absl::Seconds(10), [] { return false; });
  while (watch->Read(&news)) {
  }
  const grpc::Status status = watch->Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE) << status.error_message();
  EXPECT_EQ(Detail(status).reason(), v1::ERROR_REASON_SHUTTING_DOWN);
}

TEST_F(DoneTest, ProgressOfAPlaySaysThatItIsDoneBeforeTheReport) {
  auto call = Call();
  auto stream = audio_->Play(call.get());
  v1::PlayRequest request;
  request.mutable_config()->set_channels(1);
  request.mutable_config()->set_sample_format(v1::SAMPLE_FORMAT_FLOAT32);
  stream->Write(request);
  request.mutable_audio()->set_data(Ramp(1, 0, 1000));
  stream->Write(request);
  request.mutable_end_of_sound();
  stream->Write(request);
  bool done = false;
  bool reported = false;
  v1::PlayResponse response;
  while (stream->Read(&response)) {
    if (response.has_progress() && response.progress().done()) {
      done = true;
      EXPECT_EQ(response.progress().played_position(), 1000);
    }
    if (response.has_report()) {
      reported = true;
      EXPECT_TRUE(done);
      EXPECT_EQ(response.report().state(), v1::ACTION_STATE_ENDED);
    }
  }
  EXPECT_TRUE(reported);
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_F(DoneTest, ProgressOfARecordingTellsItsStartAsItStarts) {
  auto call = Call();
  auto stream = audio_->Record(call.get());
  v1::RecordRequest request;
  request.mutable_config()->set_sample_format(v1::SAMPLE_FORMAT_FLOAT32);
  request.mutable_config()->set_granted_position(1 << 20);
  stream->Write(request);
  v1::RecordResponse response;
  int64_t received = 0;
  while (!response.progress().has_start_frame() && stream->Read(&response)) {
    received += static_cast<int64_t>(response.audio().data().size()) /
                (kChannels * static_cast<int64_t>(sizeof(float)));
  }
  ASSERT_TRUE(response.progress().has_start_frame());
  // A chunk may have come in between; a second of audio must not.
  EXPECT_LE(received, 480);
  const int64_t start_frame = response.progress().start_frame();
  stream->WritesDone();
  while (stream->Read(&response)) {
  }
  EXPECT_EQ(response.report().start_frame(), start_frame);
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_F(DoneTest, ProgressOfARecordingTellsItsEndWithoutCredit) {
  auto call = Call();
  auto stream = audio_->Record(call.get());
  v1::RecordRequest request;
  request.mutable_config()->set_sample_format(v1::SAMPLE_FORMAT_FLOAT32);
  request.mutable_config()->set_frames(3001);
  request.mutable_config()->set_granted_position(10);
  stream->Write(request);
  v1::RecordResponse response;
  int64_t received = 0;
  int told = 0;
  bool reported = false;
  while (stream->Read(&response)) {
    if (response.has_audio()) {
      received += static_cast<int64_t>(response.audio().data().size()) /
                  (kChannels * static_cast<int64_t>(sizeof(float)));
    }
    if (response.has_progress() && response.progress().has_end_position()) {
      EXPECT_EQ(response.progress().end_position(), 3001);
      if (++told > 1) continue;
      EXPECT_LE(received, 10);
      request.mutable_grant()->set_granted_position(5000);
      stream->Write(request);
    }
    reported = reported || response.has_report();
  }
  EXPECT_GE(told, 1);
  EXPECT_EQ(received, 3001);
  EXPECT_TRUE(reported);
  EXPECT_TRUE(stream->Finish().ok());
}

}  // namespace
}  // namespace rtmixd
