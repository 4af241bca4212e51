// What a careless or hostile client sends, over the wire: each is refused with a code, a stable
// reason, the field and its limit, and changes nothing.

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <string>

#include "tests/rpc/rpc_test_base.h"

namespace rtmixd {
namespace {

using ::testing::HasSubstr;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

class BadInputTest : public RpcTest {
 protected:
  // Runs `call`, which must be refused so, and checks that it left nothing behind.
  void ExpectRefused(const std::function<grpc::Status()>& call, grpc::StatusCode code,
                     v1::ErrorReason reason, const std::string& field) {
    const std::string before = Footprint();
    const grpc::Status status = call();
    EXPECT_EQ(status.error_code(), code) << status.error_message();
    EXPECT_EQ(v1::ErrorReason_Name(Detail(status).reason()), v1::ErrorReason_Name(reason))
        << status.error_message();
    EXPECT_EQ(Detail(status).field(), field) << status.error_message();
    EXPECT_THAT(status.error_message(), HasSubstr(field));
    EXPECT_EQ(Footprint(), before);
  }

  grpc::Status Schedule(const v1::ScheduleActionsRequest& request) {
    v1::ScheduleActionsResponse response;
    return actions_->ScheduleActions(Call().get(), request, &response);
  }

  void ExpectScheduleRefused(const v1::ScheduleActionsRequest& request, const std::string& field,
                             v1::ErrorReason reason = v1::ERROR_REASON_BAD_FIELD) {
    ExpectRefused([&] { return Schedule(request); }, grpc::StatusCode::INVALID_ARGUMENT, reason,
                  field);
  }

  // A batch whose first member is fine and far in the future, and a second one to be spoiled.
  v1::ScheduleActionsRequest Batch() {
    v1::ScheduleActionsRequest request;
    request.set_origin_frame(int64_t{1} << 40);
    for (int i = 0; i < 2; ++i) {
      v1::InlineAudio* audio = request.add_actions()->mutable_play()->mutable_inline_audio();
      audio->set_channels(2);
      audio->set_data(Ramp(2, 0, 100));
    }
    return request;
  }

  grpc::Status Open(const v1::StreamSettings& settings) {
    v1::OpenStreamRequest request;
    *request.mutable_settings() = settings;
    v1::OpenStreamResponse response;
    return stream_->OpenStream(Call().get(), request, &response);
  }

  grpc::Status Check(const v1::StreamSettings& settings) {
    v1::CheckSettingsRequest request;
    *request.mutable_settings() = settings;
    v1::CheckSettingsResponse response;
    return devices_->CheckSettings(Call().get(), request, &response);
  }

  // Sends messages on a Play call and returns how it ended.
  grpc::Status Play(const std::vector<v1::PlayRequest>& messages) {
    const auto call = Call();
    auto stream = audio_->Play(call.get());
    for (const v1::PlayRequest& message : messages) stream->Write(message);
    v1::PlayResponse response;
    while (stream->Read(&response)) {
    }
    return stream->Finish();
  }

  static v1::PlayRequest PlayConfig() {
    v1::PlayRequest message;
    message.mutable_config()->set_channels(2);
    message.mutable_config()->set_ring_frames(4800);
    message.mutable_config()->set_prebuffer_frames(4800);  // nothing starts before it is refused
    return message;
  }

  static v1::PlayRequest Audio(int64_t position, const std::string& data) {
    v1::PlayRequest message;
    message.mutable_audio()->set_position(position);
    message.mutable_audio()->set_data(data);
    return message;
  }

  // The call must end so, and its action must not be left behind unfinished.
  void ExpectPlayRefused(const std::vector<v1::PlayRequest>& messages, grpc::StatusCode code,
                         v1::ErrorReason reason, const std::string& field) {
    const grpc::Status status = Play(messages);
    EXPECT_EQ(status.error_code(), code) << status.error_message();
    EXPECT_EQ(v1::ErrorReason_Name(Detail(status).reason()), v1::ErrorReason_Name(reason))
        << status.error_message();
    EXPECT_EQ(Detail(status).field(), field) << status.error_message();
    v1::WaitActionsRequest wait;
    wait.mutable_timeout()->set_seconds(30);
    v1::WaitActionsResponse waited;
    ASSERT_TRUE(actions_->WaitActions(Call().get(), wait, &waited).ok());
    EXPECT_EQ(waited.still_running_size(), 0);
  }

  std::string OpenBuffer(int channels) {
    v1::CreateBufferRequest create;
    create.set_channels(channels);
    v1::CreateBufferResponse created;
    EXPECT_TRUE(buffers_->CreateBuffer(Call().get(), create, &created).ok());
    return created.buffer().buffer_id();
  }

  grpc::Status Upload(const std::vector<v1::UploadBufferRequest>& messages) {
    v1::UploadBufferResponse response;
    const auto call = Call();
    auto upload = buffers_->UploadBuffer(call.get(), &response);
    for (const v1::UploadBufferRequest& message : messages) upload->Write(message);
    upload->WritesDone();
    return upload->Finish();
  }

  static v1::UploadBufferRequest UploadConfig(const std::string& buffer_id) {
    v1::UploadBufferRequest message;
    message.mutable_config()->set_buffer_id(buffer_id);
    return message;
  }

  static v1::UploadBufferRequest UploadAudio(int64_t position, const std::string& data) {
    v1::UploadBufferRequest message;
    message.mutable_audio()->set_position(position);
    message.mutable_audio()->set_data(data);
    return message;
  }
};

// --- Devices ---

TEST_F(BadInputTest, UnknownDeviceIsNotFound) {
  v1::StreamSettings settings;
  settings.mutable_output()->set_device("no such device");
  ExpectRefused([&] { return Check(settings); }, grpc::StatusCode::NOT_FOUND,
                v1::ERROR_REASON_NOT_FOUND, "settings.output.device");
}

TEST_F(BadInputTest, SampleRateThatTheDeviceRefusesComesWithItsText) {
  v1::StreamSettings settings;
  settings.mutable_output()->set_channels(2);
  settings.set_sample_rate_hz(12345);
  const grpc::Status status = Check(settings);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::FAILED_PRECONDITION) << status.error_message();
  EXPECT_EQ(Detail(status).reason(), v1::ERROR_REASON_DEVICE_ERROR);
  EXPECT_THAT(status.error_message(), HasSubstr("12345"));
  EXPECT_FALSE(Detail(status).host_error_text().empty());
}

TEST_F(BadInputTest, MoreChannelsThanTheDeviceHasAreRefused) {
  v1::StreamSettings settings;
  settings.mutable_input()->set_channels(kChannels + 1);
  ExpectRefused([&] { return Check(settings); }, grpc::StatusCode::INVALID_ARGUMENT,
                v1::ERROR_REASON_BAD_FIELD, "settings.input.channels");
}

TEST_F(BadInputTest, StreamWithoutADirectionIsRefused) {
  ExpectRefused([&] { return Check({}); }, grpc::StatusCode::INVALID_ARGUMENT,
                v1::ERROR_REASON_BAD_FIELD, "settings");
}

TEST_F(BadInputTest, OpeningTheOpenStreamWithOtherSettingsIsRefused) {
  v1::StreamSettings settings;
  settings.mutable_output()->set_channels(1);
  const std::string before = Footprint();
  const grpc::Status status = Open(settings);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::FAILED_PRECONDITION) << status.error_message();
  EXPECT_EQ(Detail(status).reason(), v1::ERROR_REASON_STREAM_OPEN);
  EXPECT_EQ(Footprint(), before);
}

TEST_F(BadInputTest, ScriptWithoutTheFlagIsRefused) {
  v1::LoadScriptRequest request;
  v1::Fault* fault = request.add_faults();
  fault->set_kind(v1::FAULT_KIND_LOSE_INPUT);
  fault->set_frames(64);
  fault->set_frame(int64_t{1} << 40);
  v1::LoadScriptResponse response;
  const grpc::Status status = virtual_device_->LoadScript(Call().get(), request, &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(Detail(status).reason(), v1::ERROR_REASON_NOT_ENABLED);
}

// --- Numbers that would take memory ---

TEST_F(BadInputTest, MoreEntriesThanAnybodyNeedsAreRefusedBeforeTheyAreLookedAt) {
  constexpr int kEntries = 100'001;
  const std::string before = Footprint();
  const auto expect = [](const grpc::Status& status, const std::string& field) {
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT) << status.error_message();
    EXPECT_EQ(Detail(status).field(), field);
    EXPECT_EQ(Detail(status).value(), "100001 entries");
    EXPECT_EQ(Detail(status).limit(), "at most 100000 entries");
  };
  v1::ScheduleActionsRequest schedule;
  for (int i = 0; i < kEntries; ++i) schedule.add_actions();
  expect(Schedule(schedule), "actions");
  schedule.clear_actions();
  v1::ChannelMap* map = schedule.add_actions()->mutable_play()->mutable_channel_map();
  for (int i = 0; i < kEntries; ++i) map->add_channels(1);
  expect(Schedule(schedule), "actions[0].play.channel_map.channels");
  v1::CancelActionsRequest cancel;
  v1::WaitActionsRequest wait;
  v1::ChangeActionsRequest change;
  for (int i = 0; i < kEntries; ++i) {
    cancel.add_action_ids();
    wait.add_action_ids();
    change.add_action_ids();
  }
  v1::CancelActionsResponse cancelled;
  expect(actions_->CancelActions(Call().get(), cancel, &cancelled), "action_ids");
  v1::WaitActionsResponse waited;
  expect(actions_->WaitActions(Call().get(), wait, &waited), "action_ids");
  v1::ChangeActionsResponse changed;
  expect(actions_->ChangeActions(Call().get(), change, &changed), "action_ids");
  v1::ListEventsRequest events;
  for (int i = 0; i < kEntries; ++i) events.add_kinds(v1::EVENT_KIND_XRUN);
  v1::ListEventsResponse listed;
  expect(events_->ListEvents(Call().get(), events, &listed), "kinds");
  v1::LoadScriptRequest script;
  for (int i = 0; i < kEntries; ++i) script.add_faults();
  v1::LoadScriptResponse loaded;
  expect(virtual_device_->LoadScript(Call().get(), script, &loaded), "faults");
  EXPECT_EQ(Footprint(), before);
}

// The largest numbers that fit into a field are refused by a limit, and nothing was taken for them.
TEST_F(BadInputTest, TheLargestNumbersTakeNothing) {
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
  const std::string before = Footprint();
  const auto refused = [](const grpc::Status& status) {
    return status.error_code() == grpc::StatusCode::INVALID_ARGUMENT ||
           status.error_code() == grpc::StatusCode::RESOURCE_EXHAUSTED;
  };
  v1::CreateBufferRequest create;
  v1::CreateBufferResponse created;
  for (const auto& [channels, frames] :
       {std::pair<int, int64_t>{std::numeric_limits<int>::max(), 1},
        {1, kMost},
        {1, (int64_t{1} << 53) - 1},
        {1024, int64_t{1} << 40},
        {1, int64_t{1} << 32}}) {
    create.set_channels(channels);
    create.set_expected_frames(frames);
    EXPECT_TRUE(refused(buffers_->CreateBuffer(Call().get(), create, &created))) << frames;
  }
  v1::ListBuffersRequest list;
  list.set_page_size(std::numeric_limits<int>::max());
  v1::ListBuffersResponse listed;
  EXPECT_TRUE(refused(buffers_->ListBuffers(Call().get(), list, &listed)));
  v1::ScheduleActionsRequest schedule;
  schedule.add_actions()->mutable_record()->set_frames(kMost);
  EXPECT_TRUE(refused(Schedule(schedule)));
  schedule.mutable_actions(0)->mutable_play()->mutable_inline_audio()->set_channels(
      std::numeric_limits<int>::max());
  EXPECT_TRUE(refused(Schedule(schedule)));

  v1::PlayRequest play;
  play.mutable_config()->set_channels(1);
  play.mutable_config()->set_ring_frames(kMost);
  const auto playing = Call();
  const auto player = audio_->Play(playing.get());
  player->Write(play);
  v1::PlayResponse played;
  while (player->Read(&played)) ADD_FAILURE() << played.ShortDebugString();
  EXPECT_TRUE(refused(player->Finish()));
  v1::RecordRequest record;
  record.mutable_config()->set_chunk_frames(std::numeric_limits<int>::max());
  const auto recording = Call();
  const auto recorder = audio_->Record(recording.get());
  recorder->Write(record);
  v1::RecordResponse recorded;
  while (recorder->Read(&recorded)) ADD_FAILURE() << recorded.ShortDebugString();
  EXPECT_TRUE(refused(recorder->Finish()));
  EXPECT_EQ(Footprint(), before);
}

// --- Channel maps ---

TEST_F(BadInputTest, ChannelZeroIsRefused) {
  v1::ScheduleActionsRequest request = Batch();
  v1::ChannelMap* map = request.mutable_actions(1)->mutable_play()->mutable_channel_map();
  map->add_channels(1);
  map->add_channels(0);
  ExpectScheduleRefused(request, "actions[1].play.channel_map.channels[1]");
}

TEST_F(BadInputTest, ChannelBeyondTheStreamIsRefused) {
  v1::ScheduleActionsRequest request = Batch();
  v1::ChannelMap* map = request.mutable_actions(1)->mutable_play()->mutable_channel_map();
  map->add_channels(kChannels + 1);
  map->add_channels(1);
  ExpectScheduleRefused(request, "actions[1].play.channel_map.channels[0]");
}

TEST_F(BadInputTest, EmptyChannelMapIsRefused) {
  v1::ScheduleActionsRequest request = Batch();
  request.mutable_actions(1)->mutable_play()->mutable_channel_map();
  ExpectScheduleRefused(request, "actions[1].play.channel_map.channels");
}

TEST_F(BadInputTest, ChannelMapOfAnotherLengthThanTheSoundIsRefused) {
  v1::ScheduleActionsRequest request = Batch();
  request.mutable_actions(1)->mutable_play()->mutable_channel_map()->add_channels(1);
  ExpectScheduleRefused(request, "actions[1].play.channel_map.channels");
}

TEST_F(BadInputTest, EmptyChannelMapOfARecordingIsRefused) {
  v1::ScheduleActionsRequest request = Batch();
  request.mutable_actions(1)->mutable_record()->mutable_channel_map();
  ExpectScheduleRefused(request, "actions[1].record.channel_map.channels");
}

// --- Numbers ---

TEST_F(BadInputTest, GainThatIsNotFiniteIsRefused) {
  for (const double gain : {kNan, kInfinity, -kInfinity}) {
    v1::ScheduleActionsRequest request = Batch();
    request.mutable_actions(1)->mutable_play()->set_gain(static_cast<float>(gain));
    ExpectScheduleRefused(request, "actions[1].play.gain");
  }
}

TEST_F(BadInputTest, TimesThatAreNotFiniteOrNegativeAreRefused) {
  for (const double seconds : {kNan, kInfinity, -1.0}) {
    v1::ScheduleActionsRequest request = Batch();
    request.mutable_actions(1)->mutable_start()->set_stream_time_seconds(seconds);
    ExpectScheduleRefused(request, "actions[1].start.stream_time_seconds");
    request = Batch();
    request.set_origin_stream_time_seconds(seconds);
    ExpectScheduleRefused(request, "origin_stream_time_seconds");
  }
}

TEST_F(BadInputTest, FramesBelowZeroOrAbove2To53AreRefused) {
  for (const int64_t frame : {int64_t{-1}, int64_t{1} << 53, std::numeric_limits<int64_t>::max()}) {
    v1::ScheduleActionsRequest request = Batch();
    request.mutable_actions(1)->mutable_start()->set_frame(frame);
    ExpectScheduleRefused(request, "actions[1].start.frame");
    request = Batch();
    request.set_origin_frame(frame);
    ExpectScheduleRefused(request, "origin_frame");
  }
}

TEST_F(BadInputTest, SamplesThatAreNotFiniteAreRefused) {
  for (const double sample : {kNan, kInfinity, -kInfinity}) {
    std::string data = Ramp(2, 0, 100);
    const auto value = static_cast<float>(sample);
    data.replace(57 * sizeof(float), sizeof(float), reinterpret_cast<const char*>(&value),
                 sizeof(float));
    v1::ScheduleActionsRequest request = Batch();
    request.mutable_actions(1)->mutable_play()->mutable_inline_audio()->set_data(data);
    ExpectScheduleRefused(request, "actions[1].play.inline_audio.data");
  }
}

TEST_F(BadInputTest, BytesThatAreNotWholeFramesAreRefused) {
  v1::ScheduleActionsRequest request = Batch();
  request.mutable_actions(1)->mutable_play()->mutable_inline_audio()->set_data(
      std::string(12, '\0'));
  ExpectScheduleRefused(request, "actions[1].play.inline_audio.data");
}

TEST_F(BadInputTest, TimeoutBelowZeroIsRefused) {
  v1::WaitActionsRequest request;
  request.mutable_timeout()->set_seconds(-1);
  ExpectRefused(
      [&] {
        v1::WaitActionsResponse response;
        return actions_->WaitActions(Call().get(), request, &response);
      },
      grpc::StatusCode::INVALID_ARGUMENT, v1::ERROR_REASON_BAD_FIELD, "timeout");
}

// --- What this server does not know ---

TEST_F(BadInputTest, UnknownEnumValueIsRefused) {
  v1::ScheduleActionsRequest request = Batch();
  request.mutable_actions(1)->set_late_policy(static_cast<v1::LatePolicy>(77));
  ExpectScheduleRefused(request, "actions[1].late_policy", v1::ERROR_REASON_UNKNOWN_FIELD);
}

TEST_F(BadInputTest, UnknownFieldIsRefused) {
  v1::ScheduleActionsRequest request = Batch();
  v1::PlaySpec* play = request.mutable_actions(1)->mutable_play();
  play->GetReflection()->MutableUnknownFields(play)->AddVarint(999, 1);
  ExpectScheduleRefused(request, "actions[1].play.#999", v1::ERROR_REASON_UNKNOWN_FIELD);
}

// --- Batches ---

TEST_F(BadInputTest, EmptyBatchIsRefused) { ExpectScheduleRefused({}, "actions"); }

TEST_F(BadInputTest, ActionWithoutAKindIsRefused) {
  v1::ScheduleActionsRequest request = Batch();
  request.mutable_actions(1)->clear_play();
  ExpectScheduleRefused(request, "actions[1].action");
}

TEST_F(BadInputTest, KeyTwiceIsRefused) {
  v1::ScheduleActionsRequest request = Batch();
  request.mutable_actions(0)->set_key("same");
  request.mutable_actions(1)->set_key("same");
  ExpectScheduleRefused(request, "actions[1].key");
}

TEST_F(BadInputTest, CancelOfAKeyThatIsNotThereIsRefused) {
  v1::ScheduleActionsRequest request = Batch();
  request.mutable_actions(1)->mutable_cancel()->set_key("nobody");
  ExpectScheduleRefused(request, "actions[1].cancel.key");
}

TEST_F(BadInputTest, UnknownBufferIsNotFoundAndNothingOfItsBatchIsAdmitted) {
  v1::ScheduleActionsRequest request = Batch();
  request.mutable_actions(1)->mutable_play()->set_buffer_id("b-nobody");
  ExpectRefused([&] { return Schedule(request); }, grpc::StatusCode::NOT_FOUND,
                v1::ERROR_REASON_NOT_FOUND, "actions[1].play.buffer_id");
}

TEST_F(BadInputTest, BufferThatIsNotCompleteCannotBePlayed) {
  v1::ScheduleActionsRequest request = Batch();
  request.mutable_actions(1)->mutable_play()->set_buffer_id(OpenBuffer(2));
  ExpectRefused([&] { return Schedule(request); }, grpc::StatusCode::FAILED_PRECONDITION,
                v1::ERROR_REASON_WRONG_STATE, "actions[1].play.buffer_id");
}

TEST_F(BadInputTest, RequestIdWithOtherContentIsRefused) {
  v1::ScheduleActionsRequest request = Batch();
  request.set_request_id("once");
  ASSERT_TRUE(Schedule(request).ok());
  request.mutable_actions(1)->mutable_play()->set_gain(0.5F);
  ExpectRefused([&] { return Schedule(request); }, grpc::StatusCode::ALREADY_EXISTS,
                v1::ERROR_REASON_REQUEST_ID_REUSED, "request_id");
}

TEST_F(BadInputTest, RequestIdWithTheSameContentGetsTheSameAnswerAndDoesNothingMore) {
  v1::ScheduleActionsRequest request = Batch();
  request.set_request_id("once");
  v1::ScheduleActionsResponse first;
  ASSERT_TRUE(actions_->ScheduleActions(Call().get(), request, &first).ok());
  const std::string before = Footprint();
  v1::ScheduleActionsResponse second;
  ASSERT_TRUE(actions_->ScheduleActions(Call().get(), request, &second).ok());
  EXPECT_EQ(second.SerializeAsString(), first.SerializeAsString());
  EXPECT_EQ(Footprint(), before);
}

TEST_F(BadInputTest, ActionThatNeverWasIsNotFound) {
  v1::CancelActionsRequest cancel;
  cancel.add_action_ids("a-nobody");
  ExpectRefused(
      [&] {
        v1::CancelActionsResponse response;
        return actions_->CancelActions(Call().get(), cancel, &response);
      },
      grpc::StatusCode::NOT_FOUND, v1::ERROR_REASON_NOT_FOUND, "action_ids[0]");
}

// --- Sessions ---

TEST_F(BadInputTest, CallWithoutATokenIsRefused) {
  v1::ScheduleActionsResponse response;
  const grpc::Status status = actions_->ScheduleActions(Call("").get(), Batch(), &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAUTHENTICATED);
  EXPECT_EQ(Detail(status).reason(), v1::ERROR_REASON_SESSION_REQUIRED);
}

TEST_F(BadInputTest, TokenOfAnEndedSessionIsRefused) {
  const std::string token = NewSession("short");
  v1::EndSessionResponse ended;
  ASSERT_TRUE(sessions_->EndSession(Call(token).get(), {}, &ended).ok());
  v1::ScheduleActionsResponse response;
  const grpc::Status status = actions_->ScheduleActions(Call(token).get(), Batch(), &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAUTHENTICATED);
  EXPECT_EQ(Detail(status).reason(), v1::ERROR_REASON_SESSION_EXPIRED);
}

TEST_F(BadInputTest, BufferAndActionOfAnotherSessionAreOutOfReach) {
  const std::string buffer = CompleteBuffer(2, 100);
  v1::ScheduleActionsResponse scheduled;
  ASSERT_TRUE(actions_->ScheduleActions(Call().get(), Batch(), &scheduled).ok());
  v1::ScheduleActionsRequest request = Batch();
  request.mutable_actions(1)->mutable_play()->set_buffer_id(buffer);
  v1::ScheduleActionsResponse response;
  grpc::Status status = actions_->ScheduleActions(Call(other_token_).get(), request, &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::PERMISSION_DENIED) << status.error_message();
  EXPECT_EQ(Detail(status).reason(), v1::ERROR_REASON_FOREIGN_SESSION);
  v1::GetActionRequest get;
  get.set_action_id(scheduled.actions(0).action_id());
  v1::GetActionResponse got;
  status = actions_->GetAction(Call(other_token_).get(), get, &got);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::PERMISSION_DENIED) << status.error_message();
  EXPECT_EQ(Detail(status).reason(), v1::ERROR_REASON_FOREIGN_SESSION);
}

TEST_F(BadInputTest, WorkWhileAnotherSessionIsExclusiveIsBusyAndNamesIt) {
  NewSession("CI job 812", /*exclusive=*/true);
  v1::ScheduleActionsResponse response;
  const std::string before = Footprint();
  const grpc::Status status = actions_->ScheduleActions(Call().get(), Batch(), &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::FAILED_PRECONDITION) << status.error_message();
  EXPECT_EQ(Detail(status).reason(), v1::ERROR_REASON_BUSY);
  EXPECT_EQ(Detail(status).holder_label(), "CI job 812");
  EXPECT_EQ(Footprint(), before);
}

// --- Streams of messages ---

TEST_F(BadInputTest, AudioBeforeTheConfigurationIsOutOfOrder) {
  ExpectPlayRefused({Audio(0, Ramp(2, 0, 10))}, grpc::StatusCode::FAILED_PRECONDITION,
                    v1::ERROR_REASON_OUT_OF_ORDER, "message");
}

TEST_F(BadInputTest, ConfigurationTwiceIsOutOfOrder) {
  ExpectPlayRefused({PlayConfig(), PlayConfig()}, grpc::StatusCode::FAILED_PRECONDITION,
                    v1::ERROR_REASON_OUT_OF_ORDER, "config");
}

TEST_F(BadInputTest, PositionGoingBackwardsIsRefused) {
  ExpectPlayRefused({PlayConfig(), Audio(0, Ramp(2, 0, 10)), Audio(5, Ramp(2, 5, 10))},
                    grpc::StatusCode::INVALID_ARGUMENT, v1::ERROR_REASON_BAD_POSITION,
                    "audio.position");
}

TEST_F(BadInputTest, PositionWithAHoleIsRefused) {
  ExpectPlayRefused({PlayConfig(), Audio(0, Ramp(2, 0, 10)), Audio(11, Ramp(2, 11, 10))},
                    grpc::StatusCode::INVALID_ARGUMENT, v1::ERROR_REASON_BAD_POSITION,
                    "audio.position");
}

TEST_F(BadInputTest, AudioBeyondTheCreditIsRefused) {
  ExpectPlayRefused({PlayConfig(), Audio(0, Ramp(2, 0, 100'000))},
                    grpc::StatusCode::RESOURCE_EXHAUSTED, v1::ERROR_REASON_CREDIT_EXCEEDED,
                    "audio.position");
}

TEST_F(BadInputTest, HalfAFrameInAStreamIsRefused) {
  ExpectPlayRefused({PlayConfig(), Audio(0, std::string(12, '\0'))},
                    grpc::StatusCode::INVALID_ARGUMENT, v1::ERROR_REASON_BAD_FIELD, "audio.data");
}

TEST_F(BadInputTest, AudioAfterTheEndIsOutOfOrder) {
  v1::PlayRequest end;
  end.mutable_end_of_sound();
  ExpectPlayRefused({PlayConfig(), Audio(0, Ramp(2, 0, 10)), end, Audio(10, Ramp(2, 10, 4000))},
                    grpc::StatusCode::FAILED_PRECONDITION, v1::ERROR_REASON_OUT_OF_ORDER, "audio");
}

TEST_F(BadInputTest, UploadThatBeginsElsewhereIsRefusedAndWhatCameStays) {
  const std::string buffer = OpenBuffer(2);
  const grpc::Status status = Upload(
      {UploadConfig(buffer), UploadAudio(0, Ramp(2, 0, 10)), UploadAudio(9, Ramp(2, 9, 10))});
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT) << status.error_message();
  EXPECT_EQ(Detail(status).reason(), v1::ERROR_REASON_BAD_POSITION);
  EXPECT_EQ(Detail(status).limit(), "10");
  v1::GetBufferRequest get;
  get.set_buffer_id(buffer);
  v1::GetBufferResponse got;
  ASSERT_TRUE(buffers_->GetBuffer(Call().get(), get, &got).ok());
  EXPECT_EQ(got.buffer().frames(), 10);
}

TEST_F(BadInputTest, UploadWithoutAConfigurationIsOutOfOrder) {
  const grpc::Status status = Upload({UploadAudio(0, Ramp(2, 0, 10))});
  EXPECT_EQ(status.error_code(), grpc::StatusCode::FAILED_PRECONDITION) << status.error_message();
  EXPECT_EQ(Detail(status).reason(), v1::ERROR_REASON_OUT_OF_ORDER);
}

TEST_F(BadInputTest, BufferDeletedWhilePlayingPlaysOn) {
  const std::string buffer = CompleteBuffer(2, 24000);
  v1::ScheduleActionsRequest request;
  request.add_actions()->mutable_play()->set_buffer_id(buffer);
  v1::ScheduleActionsResponse scheduled;
  ASSERT_TRUE(actions_->ScheduleActions(Call().get(), request, &scheduled).ok());
  v1::DeleteBufferRequest remove;
  remove.set_buffer_id(buffer);
  v1::DeleteBufferResponse removed;
  ASSERT_TRUE(buffers_->DeleteBuffer(Call().get(), remove, &removed).ok());
  v1::WaitActionsRequest wait;
  wait.add_action_ids(scheduled.actions(0).action_id());
  v1::WaitActionsResponse waited;
  ASSERT_TRUE(actions_->WaitActions(Call().get(), wait, &waited).ok());
  ASSERT_EQ(waited.ended_size(), 1);
  EXPECT_EQ(waited.ended(0).end_reason(), v1::END_REASON_COMPLETED);
  EXPECT_EQ(waited.ended(0).done_frames(), 24000);
  v1::ListSessionsResponse sessions;
  ASSERT_TRUE(sessions_->ListSessions(Call().get(), {}, &sessions).ok());
  EXPECT_EQ(sessions.sessions(0).buffer_bytes(), 0);
}

}  // namespace
}  // namespace rtmixd
