// Every limit of the server, one row each: what goes beyond it is refused with RESOURCE_EXHAUSTED
// and the limit's name, and what is there already goes on, here a sound that comes back bit for bit
// while all rows are tried. A limit without a row fails the test.

#include <algorithm>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/rpc/rpc_test_base.h"

namespace rtmixd {
namespace {

using ::testing::HasSubstr;

constexpr int64_t kKiB = 1024;
constexpr int64_t kSoundFrames = 10 * 48000;

class LimitsTest : public RpcTest {
 protected:
  LimitsTest() {
    Limits& limits = options_.engine.limits;
    limits.max_sessions = 4;
    limits.max_actions = 14;
    limits.max_actions_per_session = 10;
    limits.max_batch_actions = 8;
    limits.max_buffer_bytes = 8192 * kKiB;
    limits.max_buffer_bytes_per_session = 5000 * kKiB;
    limits.max_buffers_per_session = 3;
    limits.max_audio_streams = 2;
    limits.max_watch_streams = 2;
    limits.max_ring_frames = 1 << 15;
    limits.max_message_bytes = 4 << 20;
    limits.max_chunk_bytes = 1 << 16;
    limits.max_kept_reports_per_session = 8;
    limits.max_waits = 2;
    limits.max_session_ttl = absl::Minutes(2);
    limits.history = absl::Seconds(1);
  }

  void SetUp() override {
    ASSERT_NO_FATAL_FAILURE(RpcTest::SetUp());
    third_token_ = NewSession("third");
  }

  // So many plays that never sound while the test runs.
  static v1::ScheduleActionsRequest Plays(int count, int64_t frames = 1) {
    v1::ScheduleActionsRequest request;
    for (int i = 0; i < count; ++i) {
      v1::ActionSpec& action = *request.add_actions();
      action.mutable_start()->set_frame(int64_t{1} << 40);
      v1::InlineAudio& audio = *action.mutable_play()->mutable_inline_audio();
      audio.set_channels(1);
      audio.set_sample_format(v1::SAMPLE_FORMAT_FLOAT32);
      audio.set_data(std::string(frames * 4, '\0'));
      action.mutable_play()->mutable_channel_map()->add_channels(1);
    }
    return request;
  }

  grpc::Status Schedule(const std::string& token, const v1::ScheduleActionsRequest& request,
                        v1::ScheduleActionsResponse* response = nullptr) {
    v1::ScheduleActionsResponse ignored;
    return actions_->ScheduleActions(Call(token).get(), request,
                                     response != nullptr ? response : &ignored);
  }

  void CancelAll(const std::string& token, bool await_end = true) {
    v1::ListActionsResponse actions;
    ASSERT_TRUE(actions_->ListActions(Call(token).get(), {}, &actions).ok());
    v1::CancelActionsRequest request;
    for (const v1::ActionReport& report : actions.reports()) {
      if (report.state() != v1::ACTION_STATE_ENDED) request.add_action_ids(report.action_id());
    }
    if (request.action_ids_size() == 0) return;
    v1::CancelActionsResponse response;
    ASSERT_TRUE(actions_->CancelActions(Call(token).get(), request, &response).ok());
    if (!await_end) return;
    // They count until they have ended.
    v1::WaitActionsRequest wait;
    *wait.mutable_action_ids() = request.action_ids();
    wait.mutable_timeout()->set_seconds(30);
    v1::WaitActionsResponse waited;
    ASSERT_TRUE(actions_->WaitActions(Call(token).get(), wait, &waited).ok());
    ASSERT_EQ(waited.still_running_size(), 0);
  }

  grpc::Status CreateBuffer(const std::string& token, std::string* id) {
    v1::CreateBufferRequest request;
    request.set_channels(1);
    v1::CreateBufferResponse response;
    grpc::Status status = buffers_->CreateBuffer(Call(token).get(), request, &response);
    *id = response.buffer().buffer_id();
    return status;
  }

  void DeleteBuffer(const std::string& token, const std::string& id) {
    v1::DeleteBufferRequest request;
    request.set_buffer_id(id);
    v1::DeleteBufferResponse response;
    EXPECT_TRUE(buffers_->DeleteBuffer(Call(token).get(), request, &response).ok());
  }

  // Uploads chunks of this size until there are so many bytes, or it is refused.
  grpc::Status Upload(const std::string& token, const std::string& id, int64_t bytes,
                      int64_t chunk_bytes) {
    v1::UploadBufferResponse response;
    const auto call = Call(token);
    auto upload = buffers_->UploadBuffer(call.get(), &response);
    v1::UploadBufferRequest message;
    message.mutable_config()->set_buffer_id(id);
    bool open = upload->Write(message);
    for (int64_t sent = 0; open && sent < bytes; sent += chunk_bytes) {
      message.mutable_audio()->set_position(sent / 4);
      message.mutable_audio()->set_data(std::string(chunk_bytes, '\0'));
      open = upload->Write(message);
    }
    upload->WritesDone();
    return upload->Finish();
  }

  // A recording whose call is open.
  struct Open {
    std::unique_ptr<grpc::ClientContext> context;
    std::unique_ptr<grpc::ClientReaderWriter<v1::RecordRequest, v1::RecordResponse>> record;
    std::unique_ptr<grpc::ClientReader<v1::StreamMetersResponse>> meters;
  };

  std::string third_token_;
};

TEST_F(LimitsTest, EachRefusesByItsNameAndDisturbsNothing) {
  // What is there already: the first session plays on channel 4 and records it as it comes back.
  v1::ScheduleActionsRequest work;
  v1::ActionSpec& play = *work.add_actions();
  v1::InlineAudio& sound = *play.mutable_play()->mutable_inline_audio();
  sound.set_channels(1);
  sound.set_sample_format(v1::SAMPLE_FORMAT_FLOAT32);
  sound.set_data(Ramp(1, 0, kSoundFrames));
  play.mutable_play()->mutable_channel_map()->add_channels(kChannels);
  v1::ActionSpec& record = *work.add_actions();
  record.mutable_record()->set_frames(kSoundFrames);
  record.mutable_record()->mutable_channel_map()->add_channels(kChannels);
  work.set_align_at_converters(true);
  record.mutable_start()->set_offset_frames(0);
  v1::ScheduleActionsResponse scheduled;
  const grpc::Status begun = Schedule(token_, work, &scheduled);
  ASSERT_TRUE(begun.ok()) << begun.error_message();

  // What is refused, by the name of the limit.
  const std::map<std::string, std::function<grpc::Status()>> refused = {
      {"max_sessions",
       [&] {
         v1::CreateSessionResponse response;
         EXPECT_TRUE(sessions_->CreateSession(Call("").get(), {}, &response).ok());  // the fourth
         v1::CreateSessionResponse more;
         grpc::Status status = sessions_->CreateSession(Call("").get(), {}, &more);
         v1::EndSessionResponse ended;
         EXPECT_TRUE(sessions_->EndSession(Call(response.token()).get(), {}, &ended).ok());
         return status;
       }},
      {"max_actions",
       [&] {
         EXPECT_TRUE(Schedule(other_token_, Plays(8)).ok());
         grpc::Status status = Schedule(third_token_, Plays(5));
         EXPECT_TRUE(Schedule(third_token_, Plays(4)).ok());
         CancelAll(other_token_);
         CancelAll(third_token_);
         return status;
       }},
      {"max_actions_per_session",
       [&] {
         EXPECT_TRUE(Schedule(other_token_, Plays(6)).ok());
         grpc::Status status = Schedule(other_token_, Plays(5));
         CancelAll(other_token_);
         return status;
       }},
      {"max_batch_actions", [&] { return Schedule(other_token_, Plays(9)); }},
      {"max_buffer_bytes",
       [&] {  // the work takes 1875 to 3750 KiB
         std::string first;
         std::string second;
         EXPECT_TRUE(CreateBuffer(other_token_, &first).ok());
         EXPECT_TRUE(CreateBuffer(third_token_, &second).ok());
         const grpc::Status filled = Upload(other_token_, first, 4032 * kKiB, 64 * kKiB);
         EXPECT_TRUE(filled.ok()) << filled.error_message();
         grpc::Status status = Upload(third_token_, second, 4032 * kKiB, 64 * kKiB);
         DeleteBuffer(other_token_, first);
         DeleteBuffer(third_token_, second);
         return status;
       }},
      {"max_buffer_bytes_per_session",
       [&] {
         std::string id;
         EXPECT_TRUE(CreateBuffer(other_token_, &id).ok());
         grpc::Status status = Upload(other_token_, id, 5120 * kKiB, 64 * kKiB);
         DeleteBuffer(other_token_, id);
         return status;
       }},
      {"max_buffers_per_session",
       [&] {
         std::vector<std::string> ids(3);
         for (std::string& id : ids) EXPECT_TRUE(CreateBuffer(other_token_, &id).ok());
         std::string more;
         grpc::Status status = CreateBuffer(other_token_, &more);
         for (const std::string& id : ids) DeleteBuffer(other_token_, id);
         return status;
       }},
      {"max_audio_streams",
       [&] {
         std::vector<Open> open(3);
         for (Open& one : open) {
           one.context = Call(other_token_);
           one.record = audio_->Record(one.context.get());
           v1::RecordRequest request;
           request.mutable_config()->set_granted_position(48000);
           one.record->Write(request);
           v1::RecordResponse response;
           if (&one != &open.back()) {
             EXPECT_TRUE(one.record->Read(&response));
           } else {
             EXPECT_FALSE(one.record->Read(&response));
           }
         }
         grpc::Status status = open.back().record->Finish();
         for (int i = 0; i < 2; ++i) {
           open[i].context->TryCancel();
           open[i].record->Finish();
         }
         return status;
       }},
      {"max_watch_streams",
       [&] {
         std::vector<Open> open(3);
         for (Open& one : open) {
           one.context = Call("");
           one.meters = events_->StreamMeters(one.context.get(), {});
           v1::StreamMetersResponse response;
           EXPECT_EQ(one.meters->Read(&response), &one != &open.back());
         }
         grpc::Status status = open.back().meters->Finish();
         for (int i = 0; i < 2; ++i) {
           open[i].context->TryCancel();
           open[i].meters->Finish();
         }
         return status;
       }},
      {"max_ring_frames",
       [&] {
         const auto call = Call(other_token_);
         auto stream = audio_->Play(call.get());
         v1::PlayRequest request;
         request.mutable_config()->set_channels(1);
         request.mutable_config()->set_ring_frames((1 << 15) + 1);
         stream->Write(request);
         v1::PlayResponse response;
         EXPECT_FALSE(stream->Read(&response));
         return stream->Finish();
       }},
      {"max_chunk_bytes",
       [&] {
         std::string id;
         EXPECT_TRUE(CreateBuffer(other_token_, &id).ok());
         grpc::Status status = Upload(other_token_, id, 1, (1 << 16) + 4);
         DeleteBuffer(other_token_, id);
         return status;
       }},
      {"max_waits",
       [&] {
         EXPECT_TRUE(Schedule(other_token_, Plays(1)).ok());
         v1::WaitActionsRequest request;
         request.mutable_timeout()->set_seconds(50);
         std::vector<std::unique_ptr<grpc::ClientContext>> calls;
         std::vector<std::future<grpc::Status>> waits;
         // Whichever of the three comes last.
         for (int i = 0; i < 3; ++i) {
           calls.push_back(Call(other_token_));
           waits.push_back(
               std::async(std::launch::async, [this, request, call = calls.back().get()] {
                 v1::WaitActionsResponse response;
                 return actions_->WaitActions(call, request, &response);
               }));
         }
         grpc::Status status;
         bool refused = false;
         while (!refused) {
           for (auto& wait : waits) {
             if (refused ||
                 wait.wait_for(std::chrono::milliseconds(5)) != std::future_status::ready)
               continue;
             status = wait.get();
             refused = true;
             wait = {};
             break;
           }
         }
         CancelAll(other_token_, /*await_end=*/false);
         for (auto& wait : waits) {
           if (!wait.valid()) continue;
           EXPECT_TRUE(wait.get().ok());
         }
         return status;
       }},
  };
  for (const auto& [name, attempt] : refused) {
    SCOPED_TRACE(name);
    const grpc::Status status = attempt();
    EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED) << status.error_message();
    EXPECT_EQ(Detail(status).reason(), v1::ERROR_REASON_LIMIT_EXCEEDED);
    EXPECT_EQ(Detail(status).field(), name);
    EXPECT_NE(Detail(status).limit(), "");
  }

  // Those that refuse in another way, or nothing.
  const std::map<std::string, std::function<void()>> others = {
      {"max_message_bytes",
       [&] {  // by gRPC, before anything of it is read
         const grpc::Status status = Schedule(other_token_, Plays(1, 2 << 20));
         EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
         EXPECT_THAT(status.error_message(), HasSubstr("larger than max"));
       }},
      {"max_session_ttl",
       [&] {  // a number out of its range
         v1::CreateSessionRequest request;
         request.mutable_ttl()->set_seconds(121);
         v1::CreateSessionResponse response;
         const grpc::Status status = sessions_->CreateSession(Call("").get(), request, &response);
         EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
         EXPECT_EQ(Detail(status).field(), "ttl");
         EXPECT_THAT(Detail(status).limit(), HasSubstr("2m"));
       }},
      {"max_kept_reports_per_session",
       [&] {  // the oldest are forgotten
         EXPECT_TRUE(Schedule(other_token_, Plays(8)).ok());
         CancelAll(other_token_, /*await_end=*/false);
         v1::ListActionsResponse actions;
         do {  // until all have ended
           EXPECT_TRUE(actions_->ListActions(Call(other_token_).get(), {}, &actions).ok());
         } while (std::any_of(
             actions.reports().begin(), actions.reports().end(),
             [](const auto& report) { return report.state() != v1::ACTION_STATE_ENDED; }));
         EXPECT_EQ(actions.reports_size(), 8);
       }},
      {"history", [] {}},               // a recording from before it is late
      {"request_id_retention", [] {}},  // a later repetition is a new request
      {"max_exclusive", [] {}},         // the session ends: session_registry_test
      {"max_calls_per_second", [] {}},  // refused before a method is reached: admission_test
  };
  for (const auto& [name, attempt] : others) {
    SCOPED_TRACE(name);
    attempt();
  }
  const auto* const all = v1::ServerLimits::descriptor();
  for (int i = 0; i < all->field_count(); ++i) {
    const std::string& name = all->field(i)->name();
    EXPECT_EQ(refused.count(name) + others.count(name), 1) << name << " has no row";
  }

  // The work has not noticed.
  v1::WaitActionsRequest wait;
  wait.mutable_timeout()->set_seconds(50);
  for (const auto& action : scheduled.actions()) wait.add_action_ids(action.action_id());
  v1::WaitActionsResponse waited;
  ASSERT_TRUE(actions_->WaitActions(Call().get(), wait, &waited).ok());
  ASSERT_EQ(waited.ended_size(), 2);
  std::string heard;
  for (const v1::ActionReport& report : waited.ended()) {
    EXPECT_EQ(report.end_reason(), v1::END_REASON_COMPLETED);
    EXPECT_EQ(report.done_frames(), kSoundFrames);
    if (report.kind() != v1::ACTION_KIND_RECORD) continue;
    v1::DownloadBufferRequest download;
    download.set_buffer_id(report.buffer_id());
    const auto call = Call();
    auto stream = buffers_->DownloadBuffer(call.get(), download);
    v1::DownloadBufferResponse response;
    while (stream->Read(&response)) heard += response.audio().data();
    EXPECT_TRUE(stream->Finish().ok());
  }
  EXPECT_TRUE(heard == sound.data());
}

}  // namespace
}  // namespace rtmixd
