// A server that more is asked of than it should be: thousands of connections that say nothing, and
// clients that call every method that streams and never read. It must answer others meanwhile, and
// what that costs it in memory is bounded.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "client_cpp/action.h"
#include "client_cpp/buffer.h"
#include "client_cpp/play_rec.h"
#include "client_cpp/session.h"
#include "grpcpp/grpcpp.h"
#include "gtest/gtest.h"
#include "rtmixd/v1/action.grpc.pb.h"
#include "rtmixd/v1/audio.grpc.pb.h"
#include "rtmixd/v1/buffer.grpc.pb.h"
#include "rtmixd/v1/clock.grpc.pb.h"
#include "rtmixd/v1/event.grpc.pb.h"
#include "tests/integration/recordings.h"
#include "tests/integration/server_process.h"

namespace rtmixd {
namespace {

constexpr absl::Duration kLongEnough = absl::Seconds(60);
constexpr int kConnections = 10'000;
constexpr int kFilesWanted = 20'000;
constexpr int64_t kMaxKibPerConnection = 64;
constexpr int64_t kMaxKibPerCall = 8 * 1024;
constexpr int kCallsPerMethod = 4;
constexpr int kChannels = 32;
constexpr int64_t kSecondFrames = 48000;

int64_t ResidentKib(pid_t pid) {
  std::ifstream file(absl::StrCat("/proc/", pid, "/status"));
  for (std::string line; std::getline(file, line);) {
    absl::string_view rest = line;
    if (!absl::ConsumePrefix(&rest, "RssAnon:") || !absl::ConsumeSuffix(&rest, " kB")) continue;
    int64_t kib = -1;
    return absl::SimpleAtoi(rest, &kib) ? kib : -1;
  }
  return -1;
}

class OverloadTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    // The server inherits it.
    rlimit files = {};
    ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &files), 0);
    files.rlim_cur = std::max<rlim_t>(files.rlim_cur, kFilesWanted);
    files.rlim_max = std::max(files.rlim_max, files.rlim_cur);
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &files), 0);
  }

  void SetUp() override {
    auto server =
        ServerProcess::Start({"--device", "virtual", "--virtual-inputs", absl::StrCat(kChannels),
                              "--virtual-outputs", absl::StrCat(kChannels)});
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    auto client = client::Client::Connect(server_->target());
    ASSERT_TRUE(client.ok()) << client.status();
    client_ = *client;
    auto session = client::Session::Create(client_, {.label = "well behaved"});
    ASSERT_TRUE(session.ok()) << session.status();
    session_ = *session;
    const auto speech = LongSpeech(kSecondFrames);
    ASSERT_TRUE(speech.ok()) << speech.status();
    sound_ = {.channels = 1, .sample_rate_hz = 48000, .samples = *speech};
  }

  // That others are served.
  void ExpectSoundComesBack() {
    client::PlayRecOptions options;
    options.outputs = {1};
    options.inputs = {1};
    options.timeout = kLongEnough;
    const auto result = client::PlayRec(session_, sound_, options);
    ASSERT_TRUE(result.ok()) << result.status();
    EXPECT_EQ(result->record.touched(), v1::TOUCHED_NO);
    EXPECT_EQ(FirstDifference(result->recording.samples, sound_.samples), -1);
  }

  // Some megabytes of them.
  void MakeEvents() {
    for (int round = 0; round < 30; ++round) {
      v1::ScheduleActionsRequest request;
      for (int i = 0; i < 200; ++i) {
        request.add_actions()->mutable_start()->set_frame(int64_t{1} << 40);
        request.mutable_actions(i)->mutable_stats();
      }
      const auto scheduled = client::ScheduleActions(*session_, request);
      ASSERT_TRUE(scheduled.ok()) << scheduled.status();
      v1::CancelActionsRequest cancel;
      for (const auto& action : scheduled->actions()) cancel.add_action_ids(action.action_id());
      ASSERT_TRUE(client::CancelActions(*session_, cancel).ok());
    }
  }

  int64_t ServerKib() { return ResidentKib(server_->process().pid()); }

  std::unique_ptr<ServerProcess> server_;
  std::shared_ptr<client::Client> client_;
  std::shared_ptr<client::Session> session_;
  client::Audio sound_;
};

TEST_F(OverloadTest, TenThousandConnectionsThatSayNothing) {
  ASSERT_NO_FATAL_FAILURE(ExpectSoundComesBack());
  const int64_t before_kib = ServerKib();
  absl::string_view port_text = server_->target();
  int port = 0;
  ASSERT_TRUE(absl::ConsumePrefix(&port_text, "127.0.0.1:") && absl::SimpleAtoi(port_text, &port));
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<uint16_t>(port));
  // Every other one says what an HTTP/2 client begins with, and no more.
  constexpr char kGreeting[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0";
  std::vector<int> connections;
  for (int i = 0; i < kConnections; ++i) {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ASSERT_GE(fd, 0);
    connections.push_back(fd);
    ASSERT_EQ(connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0) << i;
    if (i % 2 == 0) {
      ASSERT_EQ(send(fd, kGreeting, sizeof(kGreeting) - 1, MSG_NOSIGNAL),
                ssize_t{sizeof(kGreeting) - 1});
    }
  }
  // A new client is served when those before it have been let in.
  const absl::Time give_up = absl::Now() + kLongEnough;
  while (!client::Client::Connect(server_->target()).ok()) ASSERT_LT(absl::Now(), give_up);
  for (int i = 0; i < 3; ++i) ASSERT_NO_FATAL_FAILURE(ExpectSoundComesBack());
  const int64_t during_kib = ServerKib();
  std::printf("%d connections: %ld KiB each\n", kConnections,
              static_cast<long>((during_kib - before_kib) / kConnections));
  EXPECT_LE((during_kib - before_kib) / kConnections, kMaxKibPerConnection);
  for (const int fd : connections) close(fd);
  ASSERT_NO_FATAL_FAILURE(ExpectSoundComesBack());
}

// A call that is open, and of which nothing is read.
class UnreadCall {
 public:
  explicit UnreadCall(const std::string& target) {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);  // a connection of its own
    channel = grpc::CreateCustomChannel(target, grpc::InsecureChannelCredentials(), arguments);
  }
  ~UnreadCall() {
    context.TryCancel();
    if (finish) finish();
  }

  std::shared_ptr<grpc::Channel> channel;
  grpc::ClientContext context;
  std::function<void()> finish;
};

TEST_F(OverloadTest, ClientThatNeverReadsCostsAtMost8MiB) {
  // A buffer of 64 MiB to download.
  const client::Audio large = {
      .channels = 1, .sample_rate_hz = 48000, .samples = std::vector<float>(16 << 20)};
  auto buffer = client::Buffer::Upload(session_, large, {});
  ASSERT_TRUE(buffer.ok()) << buffer.status();

  const auto server_streams = [](auto* call, auto stub, auto method, const auto& request) {
    auto stream = ((*stub).*method)(&call->context, request);
    // The reader keeps the stub's channel.
    auto shared = std::shared_ptr<std::decay_t<decltype(*stream)>>(stream.release());
    call->finish = [shared] { shared->Finish(); };
  };
  v1::RecordConfig record_config;
  record_config.set_granted_position(int64_t{1} << 40);
  using Begin = std::function<void(UnreadCall*)>;
  const std::vector<std::pair<std::string, Begin>> methods = {
      {"StreamEvents",
       [&](UnreadCall* call) {
         v1::StreamEventsRequest request;
         request.set_from_sequence(1);
         server_streams(call, v1::EventService::NewStub(call->channel),
                        &v1::EventService::Stub::StreamEvents, request);
       }},
      {"StreamMeters",
       [&](UnreadCall* call) {
         server_streams(call, v1::EventService::NewStub(call->channel),
                        &v1::EventService::Stub::StreamMeters, v1::StreamMetersRequest());
       }},
      {"StreamClock",
       [&](UnreadCall* call) {
         server_streams(call, v1::ClockService::NewStub(call->channel),
                        &v1::ClockService::Stub::StreamClock, v1::StreamClockRequest());
       }},
      {"WatchActions",
       [&](UnreadCall* call) {
         server_streams(call, v1::ActionService::NewStub(call->channel),
                        &v1::ActionService::Stub::WatchActions, v1::WatchActionsRequest());
       }},
      {"DownloadBuffer",
       [&](UnreadCall* call) {
         v1::DownloadBufferRequest request;
         request.set_buffer_id((*buffer)->id());
         server_streams(call, v1::BufferService::NewStub(call->channel),
                        &v1::BufferService::Stub::DownloadBuffer, request);
       }},
      {"StreamRecording",
       [&](UnreadCall* call) {
         v1::StreamRecordingRequest request;
         *request.mutable_config() = record_config;
         server_streams(call, v1::AudioService::NewStub(call->channel),
                        &v1::AudioService::Stub::StreamRecording, request);
       }},
      {"Record",
       [&](UnreadCall* call) {
         auto stream =
             std::shared_ptr<grpc::ClientReaderWriter<v1::RecordRequest, v1::RecordResponse>>(
                 v1::AudioService::NewStub(call->channel)->Record(&call->context));
         v1::RecordRequest request;
         *request.mutable_config() = record_config;
         stream->Write(request);
         call->finish = [stream] { stream->Finish(); };
       }},
      {"Duplex",
       [&](UnreadCall* call) {
         auto stream =
             std::shared_ptr<grpc::ClientReaderWriter<v1::DuplexRequest, v1::DuplexResponse>>(
                 v1::AudioService::NewStub(call->channel)->Duplex(&call->context));
         v1::DuplexRequest request;
         *request.mutable_config()->mutable_record() = record_config;
         request.mutable_config()->mutable_play()->set_channels(kChannels);
         stream->Write(request);
         call->finish = [stream] { stream->Finish(); };
       }},
      {"Play",
       [&](UnreadCall* call) {
         auto stream = std::shared_ptr<grpc::ClientReaderWriter<v1::PlayRequest, v1::PlayResponse>>(
             v1::AudioService::NewStub(call->channel)->Play(&call->context));
         v1::PlayRequest request;
         request.mutable_config()->set_channels(kChannels);
         stream->Write(request);
         call->finish = [stream] { stream->Finish(); };
       }},
  };
  for (const auto& [name, begin] : methods) {
    SCOPED_TRACE(name);
    ASSERT_NO_FATAL_FAILURE(ExpectSoundComesBack());
    const int64_t before_load_kib = ServerKib();
    int64_t load_kib = 0;
    if (name == "StreamEvents" || name == "WatchActions") {
      // The log and the reports are kept, whoever reads.
      ASSERT_NO_FATAL_FAILURE(MakeEvents());
      load_kib = ServerKib() - before_load_kib;
    }
    const int64_t before_kib = ServerKib();
    std::vector<std::unique_ptr<UnreadCall>> calls;
    for (int i = 0; i < kCallsPerMethod; ++i) {
      calls.push_back(std::make_unique<UnreadCall>(server_->target()));
      calls.back()->context.AddMetadata("rtmixd-session-token", session_->token());
      begin(calls.back().get());
    }
    if (name == "StreamEvents" || name == "WatchActions") {
      ASSERT_NO_FATAL_FAILURE(MakeEvents());
    } else {
      absl::SleepFor(absl::Seconds(4));  // recordings bring 6 MB/s
    }
    const int64_t kib = (ServerKib() - before_kib - load_kib) / kCallsPerMethod;
    std::printf("%s: %ld KiB for a client that never reads\n", name.c_str(),
                static_cast<long>(kib));
    EXPECT_LE(kib, kMaxKibPerCall);
    ASSERT_NO_FATAL_FAILURE(ExpectSoundComesBack());
  }
}

}  // namespace
}  // namespace rtmixd
