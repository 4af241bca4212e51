// The server as its clients meet it: identity, health, reflection, credit, progress, and a graceful
// stop.

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "tests/rpc/rpc_test_base.h"

namespace rtmixd {
namespace {

using ServerTest = RpcTest;

// Calls a unary method by its name with ready-made bytes, as clients without our stubs do.
grpc::Status RawUnary(const std::shared_ptr<grpc::Channel>& channel, const std::string& method,
                      const std::string& request, std::string* response) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(30));
  grpc::CompletionQueue queue;
  grpc::GenericStub stub(channel);
  const grpc::Slice slice(request);
  const grpc::ByteBuffer bytes(&slice, 1);
  auto call = stub.PrepareUnaryCall(&context, method, bytes, &queue);
  call->StartCall();
  grpc::ByteBuffer answer;
  grpc::Status status;
  call->Finish(&answer, &status, nullptr);
  void* tag = nullptr;
  bool ok = false;
  queue.Next(&tag, &ok);
  queue.Shutdown();
  grpc::Slice single;
  if (status.ok() && answer.DumpToSingleSlice(&single).ok()) {
    response->assign(reinterpret_cast<const char*>(single.begin()), single.size());
  }
  return status;
}

TEST_F(ServerTest, InfoTellsIdentityAndLimits) {
  v1::GetServerInfoResponse info;
  ASSERT_TRUE(server_info_->GetServerInfo(Call("").get(), {}, &info).ok());
  EXPECT_FALSE(info.instance_id().empty());
  EXPECT_EQ(info.api_version(), "v1");
  EXPECT_GT(info.limits().max_sessions(), 0);
  EXPECT_EQ(info.limits().max_chunk_bytes(), 1 << 20);
  EXPECT_EQ(info.features_size(), 0);
}

TEST_F(ServerTest, HealthCheckSaysServing) {
  std::string response;
  ASSERT_TRUE(RawUnary(channel_, "/grpc.health.v1.Health/Check", "", &response).ok());
  EXPECT_EQ(response, std::string("\x08\x01", 2));  // HealthCheckResponse{status: SERVING}
}

TEST_F(ServerTest, RecordingReaderNeverGetsMoreThanItGranted) {
  const auto call = Call();
  auto stream = audio_->Record(call.get());
  v1::RecordRequest request;
  request.mutable_config()->set_granted_position(1000);
  request.mutable_config()->set_chunk_frames(300);
  request.mutable_config()->set_frames(5000);
  stream->Write(request);
  int64_t granted = 1000;
  int64_t received = 0;
  bool reported = false;
  v1::RecordResponse response;
  while (stream->Read(&response)) {
    if (response.has_audio()) {
      EXPECT_EQ(response.audio().position(), received);
      received +=
          static_cast<int64_t>(response.audio().data().size() / (kChannels * sizeof(float)));
      EXPECT_LE(received, granted);
      if (received == granted && granted < 5000) {
        // The recording runs on meanwhile: progress, but no audio, until more is granted.
        while (stream->Read(&response) && !response.has_progress())
          EXPECT_FALSE(response.has_audio());
        EXPECT_GE(response.progress().recorded_position(), granted);
        granted += 1000;
        v1::RecordRequest grant;
        grant.mutable_grant()->set_granted_position(granted);
        stream->Write(grant);
      }
    } else if (response.has_report()) {
      reported = true;
      EXPECT_EQ(response.report().done_frames(), 5000);
      EXPECT_EQ(response.report().end_reason(), v1::END_REASON_COMPLETED);
    }
  }
  EXPECT_EQ(received, 5000);
  EXPECT_TRUE(reported);
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_F(ServerTest, WhatADuplexCallPlaysComesBackBitForBit) {
  constexpr int64_t kFrames = 20000;
  const auto call = Call();
  auto stream = audio_->Duplex(call.get());
  v1::DuplexRequest request;
  v1::DuplexConfig* config = request.mutable_config();
  config->set_align_at_converters(true);
  config->mutable_play()->set_channels(kChannels);
  config->mutable_play()->set_ring_frames(kFrames);
  config->mutable_play()->set_prebuffer_frames(kFrames);
  config->mutable_record()->set_granted_position(kFrames);
  config->mutable_record()->set_frames(kFrames);
  stream->Write(request);
  const std::string sent = Ramp(kChannels, 0, kFrames);
  constexpr int64_t kChunkFrames = 1000;
  for (int64_t position = 0; position < kFrames; position += kChunkFrames) {
    v1::DuplexRequest audio;
    audio.mutable_audio()->set_position(position);
    audio.mutable_audio()->set_data(sent.substr(position * kChannels * sizeof(float),
                                                kChunkFrames * kChannels * sizeof(float)));
    stream->Write(audio);
  }
  v1::DuplexRequest end;
  end.mutable_end_of_sound();
  stream->Write(end);
  std::string received;
  v1::DuplexResponse response;
  v1::ActionReport play;
  v1::ActionReport record;
  while (stream->Read(&response)) {
    if (response.has_audio()) received += response.audio().data();
    if (response.has_play_report()) play = response.play_report();
    if (response.has_record_report()) record = response.record_report();
  }
  const grpc::Status status = stream->Finish();
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(play.done_frames(), kFrames);
  EXPECT_EQ(record.done_frames(), kFrames);
  ASSERT_EQ(received.size(), sent.size());
  EXPECT_TRUE(received == sent);
}

TEST_F(ServerTest, ProgressComesAtLeastEverySecond) {
  const auto call = Call();
  auto stream = audio_->Record(call.get());
  v1::RecordRequest request;
  request.mutable_config();  // nothing granted: only progress can come
  stream->Write(request);
  v1::RecordResponse response;
  ASSERT_TRUE(stream->Read(&response));
  ASSERT_TRUE(response.has_opened());
  int64_t last_frame = -1;
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(stream->Read(&response));
    ASSERT_TRUE(response.has_progress());
    // In frames of the stream, which stand still if the machine does.
    if (last_frame >= 0) {
      EXPECT_LT(response.progress().next_frame() - last_frame, static_cast<int64_t>(3 * kRateHz));
    }
    last_frame = response.progress().next_frame();
  }
  stream->WritesDone();
  while (stream->Read(&response)) {
  }
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_F(ServerTest, EventsOfASessionFollowEachOtherWithoutAHole) {
  const auto call = Call("");
  v1::StreamEventsRequest request;
  request.set_from_sequence(0);
  auto stream = events_->StreamEvents(call.get(), request);
  int64_t next = 1;
  bool created = false;
  v1::StreamEventsResponse response;
  while (!created && stream->Read(&response)) {
    EXPECT_EQ(response.missed(), 0);
    for (const v1::LogEntry& entry : response.entries()) {
      EXPECT_EQ(entry.sequence(), next++);
      created = created || (entry.kind() == v1::EVENT_KIND_SESSION_CREATED &&
                            entry.session_label() == "other");
    }
  }
  EXPECT_TRUE(created);
  call->TryCancel();
  while (stream->Read(&response)) {
  }
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::CANCELLED);
}

TEST_F(ServerTest, StopEndsEveryStreamWithAReason) {
  const auto play_call = Call();
  auto play = audio_->Play(play_call.get());
  v1::PlayRequest config;
  config.mutable_config()->set_channels(2);
  play->Write(config);
  v1::PlayResponse played;
  ASSERT_TRUE(play->Read(&played));
  ASSERT_TRUE(played.has_opened());
  const auto event_call = Call("");
  auto events = events_->StreamEvents(event_call.get(), {});
  v1::StreamEventsResponse event;
  ASSERT_TRUE(events->Read(&event));
  std::thread stopper([&] { server_->Stop(absl::ZeroDuration(), [] { return false; }); });
  v1::ActionReport report;
  while (play->Read(&played)) {
    if (played.has_report()) report = played.report();
  }
  EXPECT_EQ(report.end_reason(), v1::END_REASON_SHUTDOWN);
  EXPECT_TRUE(play->Finish().ok());
  while (events->Read(&event)) {
  }
  const grpc::Status status = events->Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE) << status.error_message();
  EXPECT_EQ(Detail(status).reason(), v1::ERROR_REASON_SHUTTING_DOWN);
  stopper.join();
}

}  // namespace
}  // namespace rtmixd
