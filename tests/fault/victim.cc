// A client that is inside one RPC when something happens to it: what the fault test kills, stops
// and cuts off.
//
//   victim TARGET LABEL METHOD CHANNEL [exclusive|until-told]
//
// It makes a session, which waits for the server to be its own if asked to, with a TTL of 2 s and
// what a session can hold: a sound that never ends on output CHANNEL, a recording, an open buffer.
// When it sounds it says "in METHOD" and makes that call until its end: again and again, or for
// ever if it streams. When it is told that its session is gone it says "gone".
//
// until-told: it ends when there is no server any more, with the line "told" or, if a call that had
// been under way broke off without a word of the server, "cut off".

#include <google/protobuf/descriptor.h>
#include <google/protobuf/dynamic_message.h>
#include <google/protobuf/text_format.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "client_cpp/client.h"

namespace rtmixd {
namespace {

constexpr int kTtlSeconds = 2;
constexpr int kChunkFrames = 800;
constexpr std::chrono::milliseconds kChunkPace(50);
constexpr std::chrono::milliseconds kKeepPace(500);
constexpr std::chrono::milliseconds kLookPace(20);
// A call that has lasted so long did not come when the server was gone already.
constexpr std::chrono::milliseconds kUnderWay(300);
// Between two short calls, so that a dozen victims are not all that two cores do.
constexpr std::chrono::milliseconds kCallPace(2);

[[noreturn]] void Fail(const std::string& what) {
  std::printf("failed: %s\n", what.c_str());
  std::fflush(stdout);
  std::_Exit(1);  // the keeper is still at work
}

// What requests need that would be refused if they were empty. Words in braces are what the victim
// has.
const std::map<std::string, std::string>& Requests() {
  static const auto* const requests = new std::map<std::string, std::string>{
      {"ScheduleActions",
       "request_id: '{label}' actions { play { buffer_id: '{buffer}' loop {} "
       "channel_map { channels: {channel} } } }"},
      {"GetAction", "action_id: '{action}'"},
      {"CommitBatch", "batch_id: 'none'"},
      {"GetBatch", "batch_id: '{batch}'"},
      {"WaitBatch", "batch_id: '{batch}' timeout { seconds: 1 }"},
      {"CancelActions", "action_ids: '{recording}'"},
      {"ChangeActions", "action_ids: '{action}' gain { gain: 0.5 }"},
      {"WaitActions", "action_ids: '{action}' timeout { seconds: 1 }"},
      {"StreamRecording",
       "config { source: RECORD_SOURCE_OUTPUT sample_format: SAMPLE_FORMAT_FLOAT32 "
       "channel_map { channels: 1 } }"},
      {"CreateBuffer", "request_id: '{label}' channels: 1"},
      {"DownloadBuffer",
       "buffer_id: '{recorded}' follow: true sample_format: SAMPLE_FORMAT_FLOAT32"},
      {"GetBuffer", "buffer_id: '{buffer}'"},
      {"DeleteBuffer", "buffer_id: '{buffer}'"},
      {"DownloadSpooledRecording", "recording_id: 'none' sample_format: SAMPLE_FORMAT_FLOAT32"},
      {"DeleteSpooledRecording", "recording_id: 'none'"},
      {"CreateSession", "request_id: '{label}' label: '{label}' ttl { seconds: 2 }"},
      {"AwaitExclusive", "timeout { seconds: 1 }"},
      {"SetSessionGain", "gain { gain: 1 }"},
      {"SetMasterGain", "gain { gain: 1 }"},
      {"StreamClock", "interval { nanos: 20000000 }"},
      {"StreamMeters", "interval { nanos: 20000000 }"},
  };
  return *requests;
}

class Victim {
 public:
  Victim(const std::string& target, std::string label, int output)
      : channel_(grpc::CreateChannel(target, grpc::InsecureChannelCredentials())),
        stubs_(channel_),
        stub_(channel_),
        output_(output),
        words_{{"{label}", std::move(label)}, {"{channel}", absl::StrCat(output)}} {}

  void SetUp(bool exclusive, bool waits) {
    token_ = CreateSession(exclusive);
    keeper_ = std::thread([this, token = token_] { KeepAlive(token); });
    if (exclusive) AwaitExclusive();
    words_["{open}"] = MakeBuffer(/*complete=*/false);
    words_["{buffer}"] = MakeBuffer(/*complete=*/true);
    v1::ScheduleActionsRequest schedule;
    v1::PlaySpec& play = *schedule.add_actions()->mutable_play();
    play.set_buffer_id(words_["{buffer}"]);
    play.mutable_loop();
    play.mutable_channel_map()->add_channels(output_);
    v1::RecordSpec& record = *schedule.add_actions()->mutable_record();
    record.mutable_channel_map()->add_channels(1);
    v1::ScheduleActionsResponse scheduled;
    grpc::ClientContext context;
    Prepare(context);
    const grpc::Status status = stubs_.actions->ScheduleActions(&context, schedule, &scheduled);
    if (!status.ok()) Fail(status.error_message());
    words_["{batch}"] = scheduled.batch_id();
    words_["{action}"] = scheduled.actions(0).action_id();
    words_["{recording}"] = scheduled.actions(1).action_id();
    words_["{recorded}"] = scheduled.actions(1).buffer_id();
    AwaitSound();
    // One that is never granted, since this victim works.
    if (waits) token_ = CreateSession(/*exclusive=*/true);
  }

  void Run(const google::protobuf::MethodDescriptor& method, bool until_told) {
    std::printf("in %s\n", std::string(method.name()).c_str());
    std::fflush(stdout);
    while (true) {
      const bool streams = method.client_streaming() || method.server_streaming();
      const auto began = std::chrono::steady_clock::now();
      const grpc::Status status = streams ? Stream(method) : Unary(method);
      const bool lasted = std::chrono::steady_clock::now() - began >= kUnderWay;
      const bool gone = status.error_code() == grpc::StatusCode::UNAVAILABLE ||
                        status.error_code() == grpc::StatusCode::CANCELLED;
      if (!until_told || !gone) {
        std::this_thread::sleep_for(kCallPace);
        continue;
      }
      const bool cut_off = lasted && status.error_details().empty();
      std::printf("%s: %d, %s\n", cut_off ? "cut off" : "told",
                  static_cast<int>(status.error_code()), status.error_message().c_str());
      std::fflush(stdout);
      std::_Exit(0);  // the keeper is still at work
    }
  }

 private:
  void Prepare(grpc::ClientContext& context) const {
    if (!token_.empty()) context.AddMetadata("rtmixd-session-token", token_);
  }

  std::string CreateSession(bool exclusive) {
    v1::CreateSessionRequest request;
    request.set_label(words_["{label}"]);
    request.mutable_ttl()->set_seconds(kTtlSeconds);
    request.set_exclusive(exclusive);
    v1::CreateSessionResponse response;
    grpc::ClientContext context;
    context.set_wait_for_ready(true);
    const grpc::Status status = stubs_.sessions->CreateSession(&context, request, &response);
    if (!status.ok()) Fail(status.error_message());
    return response.token();
  }

  void AwaitExclusive() {
    v1::AwaitExclusiveRequest request;
    request.mutable_timeout()->set_seconds(30);
    v1::AwaitExclusiveResponse response;
    grpc::ClientContext context;
    Prepare(context);
    const grpc::Status status = stubs_.sessions->AwaitExclusive(&context, request, &response);
    if (!status.ok() || response.session().state() != v1::SESSION_STATE_EXCLUSIVE) {
      Fail(absl::StrCat("not exclusive: ", status.error_message()));
    }
  }

  // A buffer of one chunk.
  std::string MakeBuffer(bool complete) {
    v1::CreateBufferRequest request;
    request.set_channels(1);
    v1::CreateBufferResponse response;
    grpc::ClientContext context;
    Prepare(context);
    const grpc::Status status = stubs_.buffers->CreateBuffer(&context, request, &response);
    if (!status.ok()) Fail(status.error_message());
    Upload(response.buffer().buffer_id(), complete);
    return response.buffer().buffer_id();
  }

  void Upload(const std::string& buffer_id, bool complete) {
    grpc::ClientContext context;
    Prepare(context);
    v1::UploadBufferResponse response;
    const auto writer = stubs_.buffers->UploadBuffer(&context, &response);
    v1::UploadBufferRequest request;
    request.mutable_config()->set_buffer_id(buffer_id);
    request.mutable_config()->set_sample_format(v1::SAMPLE_FORMAT_FLOAT32);
    writer->Write(request);
    *request.mutable_audio() = Chunk(0);
    writer->Write(request);
    if (complete) {
      request.mutable_complete();
      writer->Write(request);
    }
    writer->WritesDone();
    const grpc::Status status = writer->Finish();
    if (!status.ok()) Fail(status.error_message());
  }

  static v1::AudioChunk Chunk(int64_t position) {
    v1::AudioChunk chunk;
    chunk.set_position(position);
    const std::vector<float> samples(kChunkFrames, 0.25F);
    chunk.set_data(samples.data(), samples.size() * sizeof(float));
    return chunk;
  }

  void AwaitSound() {
    v1::GetActionRequest request;
    request.set_action_id(words_["{action}"]);
    v1::GetActionResponse response;
    while (response.report().done_frames() == 0) {
      std::this_thread::sleep_for(kLookPace);
      grpc::ClientContext context;
      Prepare(context);
      const grpc::Status status = stubs_.actions->GetAction(&context, request, &response);
      if (!status.ok()) Fail(status.error_message());
    }
  }

  // As clients do.
  void KeepAlive(const std::string& token) const {
    grpc::Status status;
    while (status.error_code() != grpc::StatusCode::UNAUTHENTICATED) {
      grpc::ClientContext context;
      context.AddMetadata("rtmixd-session-token", token);
      context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(1));
      v1::KeepSessionResponse response;
      status = stubs_.sessions->KeepSession(&context, v1::KeepSessionRequest(), &response);
      std::this_thread::sleep_for(kKeepPace);
    }
    std::printf("gone\n");
    std::fflush(stdout);
  }

  static std::string Path(const google::protobuf::MethodDescriptor& method) {
    return absl::StrCat("/", std::string(method.service()->full_name()), "/",
                        std::string(method.name()));
  }
  static grpc::ByteBuffer Bytes(const google::protobuf::Message& message) {
    const grpc::Slice slice(message.SerializeAsString());
    return {&slice, 1};
  }

  std::unique_ptr<google::protobuf::Message> Request(
      const google::protobuf::MethodDescriptor& method) {
    std::unique_ptr<google::protobuf::Message> request(
        google::protobuf::MessageFactory::generated_factory()
            ->GetPrototype(method.input_type())
            ->New());
    const auto found = Requests().find(std::string(method.name()));
    if (found == Requests().end()) return request;
    const std::string text = absl::StrReplaceAll(
        found->second,
        std::vector<std::pair<std::string, std::string>>(words_.begin(), words_.end()));
    if (!google::protobuf::TextFormat::ParseFromString(text, request.get())) Fail(text);
    return request;
  }

  grpc::Status Unary(const google::protobuf::MethodDescriptor& method) {
    grpc::ClientContext context;
    Prepare(context);
    grpc::CompletionQueue queue;
    const auto call =
        stub_.PrepareUnaryCall(&context, Path(method), Bytes(*Request(method)), &queue);
    call->StartCall();
    grpc::ByteBuffer response;
    grpc::Status status;
    call->Finish(&response, &status, nullptr);
    void* tag = nullptr;
    bool ok = false;
    queue.Next(&tag, &ok);
    return status;
  }

  // The message `number` of a call of a client that streams; empty if it sends no more.
  std::string StreamedRequest(const google::protobuf::MethodDescriptor& method, int number) {
    const std::string& name = method.name();
    const int64_t position = int64_t{number - 1} * kChunkFrames;
    if (name == "UploadBuffer") {
      v1::UploadBufferRequest request;
      if (number == 0) {
        request.mutable_config()->set_buffer_id(words_["{open}"]);
        request.mutable_config()->set_sample_format(v1::SAMPLE_FORMAT_FLOAT32);
      } else {
        // After what the victim has uploaded already.
        *request.mutable_audio() = Chunk(position + kChunkFrames);
      }
      return request.SerializeAsString();
    }
    v1::PlayConfig play;
    play.set_channels(1);
    play.set_sample_format(v1::SAMPLE_FORMAT_FLOAT32);
    play.set_underrun_policy(v1::UNDERRUN_POLICY_SILENCE);
    play.mutable_channel_map()->add_channels(output_);
    play.set_reattachable(true);
    v1::RecordConfig record;
    record.set_sample_format(v1::SAMPLE_FORMAT_FLOAT32);
    record.mutable_channel_map()->add_channels(1);
    record.set_reattachable(true);
    if (name == "Play") {
      v1::PlayRequest request;
      if (number == 0) {
        *request.mutable_config() = play;
      } else {
        *request.mutable_audio() = Chunk(position);
      }
      return request.SerializeAsString();
    }
    if (name == "Record") {
      v1::RecordRequest request;
      if (number == 0) {
        *request.mutable_config() = record;
      } else {
        request.mutable_grant()->set_granted_position(int64_t{number} * 16000);
      }
      return request.SerializeAsString();
    }
    v1::DuplexRequest request;
    if (number == 0) {
      *request.mutable_config()->mutable_play() = play;
      *request.mutable_config()->mutable_record() = record;
    } else {
      *request.mutable_audio() = Chunk(position);
    }
    return request.SerializeAsString();
  }

  grpc::Status Stream(const google::protobuf::MethodDescriptor& method) {
    enum Tag : size_t { kStarted, kRead, kWritten, kFinished };
    std::array<Tag, 4> tags = {kStarted, kRead, kWritten, kFinished};
    const auto tag_of = [&tags](Tag tag) { return static_cast<void*>(&tags[tag]); };
    grpc::ClientContext context;
    Prepare(context);
    grpc::CompletionQueue queue;
    const auto call = stub_.PrepareCall(&context, Path(method), &queue);
    call->StartCall(tag_of(kStarted));
    grpc::ByteBuffer message;
    grpc::Status status;
    int sent = 0;
    bool may_write = false;
    auto next_write = std::chrono::system_clock::now();
    while (true) {
      if (may_write && std::chrono::system_clock::now() >= next_write) {
        may_write = false;
        if (method.client_streaming()) {
          const grpc::Slice slice(StreamedRequest(method, sent));
          call->Write({&slice, 1}, tag_of(kWritten));
        } else {
          call->WriteLast(Bytes(*Request(method)), grpc::WriteOptions(), tag_of(kWritten));
        }
        ++sent;
        next_write = std::chrono::system_clock::now() + kChunkPace;
      }
      void* tag = nullptr;
      bool ok = false;
      if (queue.AsyncNext(&tag, &ok, next_write + kChunkPace) != grpc::CompletionQueue::GOT_EVENT) {
        continue;
      }
      switch (*static_cast<Tag*>(tag)) {
        case kStarted:
          may_write = ok;
          call->Read(&message, tag_of(kRead));
          break;
        case kWritten:
          may_write = ok && method.client_streaming();
          break;
        case kRead:
          if (ok) {
            call->Read(&message, tag_of(kRead));
          } else {
            call->Finish(&status, tag_of(kFinished));
          }
          break;
        case kFinished:
          queue.Shutdown();
          while (queue.Next(&tag, &ok)) {
          }
          return status;
      }
    }
  }

  const std::shared_ptr<grpc::Channel> channel_;
  const client::Stubs stubs_;
  grpc::GenericStub stub_;
  const int output_;
  std::map<std::string, std::string> words_;
  std::string token_;
  std::thread keeper_;
};

const google::protobuf::MethodDescriptor* FindMethod(const std::string& full_name) {
  return google::protobuf::DescriptorPool::generated_pool()->FindMethodByName(full_name);
}

}  // namespace
}  // namespace rtmixd

int main(int argc, char** argv) {
  if (argc != 5 && argc != 6) return 2;
  const auto* const method = rtmixd::FindMethod(argv[3]);
  int output = 0;
  if (method == nullptr || !absl::SimpleAtoi(argv[4], &output)) return 2;
  const std::string mode = argc == 6 ? argv[5] : "";
  rtmixd::Victim victim(argv[1], argv[2], output);
  victim.SetUp(mode == "exclusive", method->name() == "AwaitExclusive");
  victim.Run(*method, mode == "until-told");
  return 0;
}
