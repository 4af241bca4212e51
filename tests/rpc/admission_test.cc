// Who may come in, as any client meets it: every method of the server, called by its name, with and
// without tokens of each role, over plain text.

#include <gmock/gmock.h>
#include <google/protobuf/descriptor.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <chrono>
#include <fstream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "server/device/virtual_device.h"
#include "server/rpc/access_rules.h"
#include "server/server.h"
#include "tests/rpc/rpc_test_base.h"

namespace rtmixd {
namespace {

using ::testing::HasSubstr;

constexpr char kObserver[] = "token-of-an-observer";
constexpr char kPlayer[] = "token-of-a-player-01";
constexpr char kAdministrator[] = "token-of-an-administrator";

// Every service that the server registers, as far as a client could find out.
std::vector<std::string> AllMethods() {
  std::vector<std::string> methods = {
      "/grpc.health.v1.Health/Check", "/grpc.health.v1.Health/Watch",
      "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", "/no.such.Service/Method"};
  const auto* const pool = google::protobuf::DescriptorPool::generated_pool();
  for (const char* const name :
       {"ActionService", "AudioService", "BufferService", "CalibrationService", "ClockService",
        "DeviceService", "EventService", "ServerInfoService", "SessionService", "SpoolService",
        "StreamService", "VirtualDeviceService"}) {
    const auto* const service = pool->FindServiceByName(std::string("rtmixd.v1.") + name);
    EXPECT_NE(service, nullptr) << name;
    for (int i = 0; service != nullptr && i < service->method_count(); ++i) {
      methods.push_back("/" + service->full_name() + "/" + service->method(i)->name());
    }
  }
  return methods;
}

class AdmissionTest : public testing::Test {
 protected:
  void SetUp() override {
    std::ofstream(tokens_) << "observe watcher " << kObserver << "\nplay ci " << kPlayer
                           << "\nadminister alice " << kAdministrator << "\n";
    chmod(tokens_.c_str(), 0600);
    options_.listen_address = "127.0.0.1:0";
    options_.token_file = tokens_;
    options_.engine.default_stream.emplace();
    auto device = VirtualDevice::Create({});
    ASSERT_TRUE(device.ok()) << device.status();
    auto server = Server::Create(options_, *std::move(device));
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    channel_ = grpc::CreateChannel(server_->address(), grpc::InsecureChannelCredentials());
  }
  void TearDown() override {
    server_->Stop(absl::ZeroDuration(), [] { return true; });
  }

  static std::unique_ptr<grpc::ClientContext> Call(const std::string& token) {
    auto context = std::make_unique<grpc::ClientContext>();
    if (!token.empty()) context->AddMetadata("authorization", "Bearer " + token);
    context->set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(30));
    return context;
  }

  // Calls a method with bytes that are no message; it goes no further than that, if so far. What
  // streams is given no time.
  grpc::Status Raw(const std::string& method, const std::string& token) {
    const auto context = Call(token);
    grpc::CompletionQueue queue;
    grpc::GenericStub stub(channel_);
    const grpc::Slice garbage(std::string(64, '\xff'));
    const grpc::ByteBuffer request(&garbage, 1);
    const auto call = stub.PrepareUnaryCall(context.get(), method, request, &queue);
    call->StartCall();
    grpc::ByteBuffer answer;
    grpc::Status status;
    call->Finish(&answer, &status, nullptr);
    void* tag = nullptr;
    bool ok = false;
    queue.Next(&tag, &ok);
    queue.Shutdown();
    return status;
  }

  const std::string tokens_ = testing::TempDir() + "/admission-tokens";
  Server::Options options_;
  std::unique_ptr<Server> server_;
  std::shared_ptr<grpc::Channel> channel_;
};

TEST_F(AdmissionTest, NoMethodAnswersWithoutAToken) {
  for (const std::string& method : AllMethods()) {
    for (const char* const token : {"", "a-token-that-nobody-has"}) {
      const grpc::Status status = Raw(method, token);
      EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAUTHENTICATED) << method;
      EXPECT_THAT(status.error_message(), HasSubstr(method));
    }
  }
}

TEST_F(AdmissionTest, EachMethodAsksForItsRole) {
  for (const std::string& method : AllMethods()) {
    const Role needed = RequiredRole(method);
    for (const auto& [role, token] :
         {std::pair{Role::kObserve, kObserver}, std::pair{Role::kPlay, kPlayer}}) {
      if (role >= needed) continue;
      const grpc::Status status = Raw(method, token);
      EXPECT_EQ(status.error_code(), grpc::StatusCode::PERMISSION_DENIED) << method;
      EXPECT_THAT(status.error_message(), HasSubstr(std::string(RoleName(needed)))) << method;
    }
  }
}

TEST_F(AdmissionTest, WhoMayComeInIsServed) {
  const auto info = v1::ServerInfoService::NewStub(channel_);
  v1::GetServerInfoResponse answer;
  EXPECT_TRUE(info->GetServerInfo(Call(kObserver).get(), {}, &answer).ok());
  const auto stream = v1::StreamService::NewStub(channel_);
  v1::CloseStreamResponse closed;
  const auto sessions = v1::SessionService::NewStub(channel_);
  v1::CreateSessionResponse session;
  ASSERT_TRUE(sessions->CreateSession(Call(kPlayer).get(), {}, &session).ok());
  // The administrator needs a session, too, where one is needed.
  const auto close = [&](const char* token) {
    const auto context = Call(token);
    context->AddMetadata("rtmixd-session-token", session.token());
    return stream->CloseStream(context.get(), {}, &closed).error_code();
  };
  EXPECT_EQ(close(kPlayer), grpc::StatusCode::PERMISSION_DENIED);
  EXPECT_EQ(close(kAdministrator), grpc::StatusCode::OK);
}

TEST_F(AdmissionTest, MoreThanOneTokenIsNone) {
  const auto info = v1::ServerInfoService::NewStub(channel_);
  v1::GetServerInfoResponse answer;
  const auto context = Call(kObserver);
  context->AddMetadata("authorization", std::string("Bearer ") + kAdministrator);
  EXPECT_EQ(info->GetServerInfo(context.get(), {}, &answer).error_code(),
            grpc::StatusCode::UNAUTHENTICATED);
}

TEST_F(AdmissionTest, AnAdministratorBreaksSessionsAndTheOwnerIsTold) {
  const auto sessions = v1::SessionService::NewStub(channel_);
  v1::CreateSessionResponse session;
  v1::CreateSessionRequest create;
  create.set_exclusive(true);
  create.set_label("forgotten");
  ASSERT_TRUE(sessions->CreateSession(Call(kPlayer).get(), create, &session).ok());
  v1::BreakSessionRequest request;
  request.set_session_id(session.session().session_id());
  request.set_reason("needed elsewhere");
  v1::BreakSessionResponse broken;
  EXPECT_EQ(sessions->BreakSession(Call(kPlayer).get(), request, &broken).error_code(),
            grpc::StatusCode::PERMISSION_DENIED);
  const grpc::Status status = sessions->BreakSession(Call(kAdministrator).get(), request, &broken);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(broken.session().state(), v1::SESSION_STATE_ENDED);
  EXPECT_EQ(broken.session().label(), "forgotten");
  const auto context = Call(kPlayer);
  context->AddMetadata("rtmixd-session-token", session.token());
  v1::KeepSessionResponse kept;
  const grpc::Status told = sessions->KeepSession(context.get(), {}, &kept);
  EXPECT_EQ(told.error_code(), grpc::StatusCode::UNAUTHENTICATED);
  EXPECT_EQ(Detail(told).reason(), v1::ERROR_REASON_SESSION_BROKEN);
  EXPECT_EQ(told.error_message(), "session " + session.session().session_id() +
                                      " was ended by an administrator: needed elsewhere");
}

class FewCallsTest : public AdmissionTest {
 protected:
  void SetUp() override {
    options_.engine.limits.max_calls_per_second = 5;
    AdmissionTest::SetUp();
  }
};

TEST_F(FewCallsTest, TheLimitIsNamedAndItsHolderToo) {
  const auto clock = v1::ClockService::NewStub(channel_);
  v1::GetClockResponse answer;
  grpc::Status refused;
  // On a machine that stalls the bucket may fill up meanwhile; not a hundred times over.
  for (int i = 0; i < 500 && refused.ok(); ++i) {
    refused = clock->GetClock(Call(kObserver).get(), {}, &answer);
  }
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(refused.error_message(),
            "max_calls_per_second is 5; the token of watcher makes more calls than that");
  EXPECT_TRUE(clock->GetClock(Call(kPlayer).get(), {}, &answer).ok());
}

}  // namespace
}  // namespace rtmixd
