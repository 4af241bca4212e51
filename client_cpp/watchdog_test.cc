#include "client_cpp/watchdog.h"

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>

#include "absl/time/time.h"

namespace rtmixd::client {
namespace {

// A call that nobody answers: it ends when it is cancelled.
class UnansweredCall {
 public:
  UnansweredCall()
      : stub_(grpc::CreateChannel("unix:/nonexistent/socket", grpc::InsecureChannelCredentials())) {
    context_.set_wait_for_ready(true);
    call_ = stub_.PrepareUnaryCall(&context_, "/none/None", grpc::ByteBuffer(), &queue_);
    call_->StartCall();
    call_->Finish(&answer_, &status_, nullptr);
  }
  UnansweredCall(const UnansweredCall&) = delete;
  UnansweredCall& operator=(const UnansweredCall&) = delete;
  ~UnansweredCall() {
    context_.TryCancel();
    queue_.Shutdown();
    void* tag = nullptr;
    bool ok = false;
    while (queue_.Next(&tag, &ok)) {
    }
  }

  grpc::ClientContext& context() { return context_; }
  // Waits for its end; how it ended.
  grpc::StatusCode AwaitEnd() {
    void* tag = nullptr;
    bool ok = false;
    const auto deadline = std::chrono::system_clock::now() + std::chrono::seconds(30);
    const bool ended = queue_.AsyncNext(&tag, &ok, deadline) == grpc::CompletionQueue::GOT_EVENT;
    return ended ? status_.error_code() : grpc::StatusCode::DEADLINE_EXCEEDED;
  }

 private:
  grpc::ClientContext context_;
  grpc::CompletionQueue queue_;
  grpc::GenericStub stub_;
  std::unique_ptr<grpc::ClientAsyncResponseReader<grpc::ByteBuffer>> call_;
  grpc::ByteBuffer answer_;
  grpc::Status status_;
};

TEST(WatchdogTest, CallWithoutProgressIsCancelled) {
  UnansweredCall call;
  const Watchdog watchdog(call.context(), absl::Milliseconds(20));
  EXPECT_EQ(call.AwaitEnd(), grpc::StatusCode::CANCELLED);
  EXPECT_TRUE(watchdog.expired());
}

TEST(WatchdogTest, PausedTimeDoesNotCount) {
  UnansweredCall call;
  // Far more than the machine may stall before the pause.
  Watchdog watchdog(call.context(), absl::Seconds(1));
  watchdog.Pause();
  UnansweredCall later_call;
  const Watchdog later(later_call.context(), absl::Milliseconds(1500));
  ASSERT_EQ(later_call.AwaitEnd(), grpc::StatusCode::CANCELLED);
  EXPECT_FALSE(watchdog.expired());
  watchdog.Kick();
  EXPECT_EQ(call.AwaitEnd(), grpc::StatusCode::CANCELLED);
  EXPECT_TRUE(watchdog.expired());
}

}  // namespace
}  // namespace rtmixd::client
