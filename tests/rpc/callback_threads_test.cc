#include "server/rpc/callback_threads.h"

#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>

#include "gtest/gtest.h"

namespace rtmixd {
namespace {

// Answers every call at once, and notes which threads it was called on.
class ThreadNotes final : public grpc::CallbackGenericService {
 public:
  std::set<std::thread::id> threads() {
    const std::lock_guard lock(mutex_);
    return threads_;
  }

 private:
  class Call final : public grpc::ServerGenericBidiReactor {
   public:
    Call() { Finish(grpc::Status::OK); }
    void OnDone() override { delete this; }
  };

  grpc::ServerGenericBidiReactor* CreateReactor(grpc::GenericCallbackServerContext*) override {
    const std::lock_guard lock(mutex_);
    threads_.insert(std::this_thread::get_id());
    return new Call();
  }

  std::mutex mutex_;
  std::set<std::thread::id> threads_;
};

class CallbackThreadsTest : public testing::Test {
 protected:
  CallbackThreadsTest() {
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port_);
    builder.RegisterCallbackGenericService(&service_);
    server_ = builder.BuildAndStart();
  }

  // Makes calls, several at a time, and waits for their ends.
  void MakeCalls(int calls) {
    grpc::GenericStub stub(grpc::CreateChannel("127.0.0.1:" + std::to_string(port_),
                                               grpc::InsecureChannelCredentials()));
    grpc::CompletionQueue queue;
    struct Pending {
      grpc::ClientContext context;
      grpc::Status status;
      std::unique_ptr<grpc::GenericClientAsyncReaderWriter> call;
    };
    std::vector<std::unique_ptr<Pending>> all;
    for (int i = 0; i < calls; ++i) {
      all.push_back(std::make_unique<Pending>());
      Pending& pending = *all.back();
      pending.call = stub.PrepareCall(&pending.context, "/any/method", &queue);
      pending.call->StartCall(nullptr);
    }
    for (int i = 0; i < calls; ++i) {
      void* tag = nullptr;
      bool ok = false;
      ASSERT_TRUE(queue.Next(&tag, &ok));
    }
    for (const auto& pending : all) pending->call->Finish(&pending->status, nullptr);
    for (int i = 0; i < calls; ++i) {
      void* tag = nullptr;
      bool ok = false;
      ASSERT_TRUE(queue.Next(&tag, &ok));
    }
    for (const auto& pending : all) EXPECT_TRUE(pending->status.ok());
  }

  ThreadNotes service_;
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

TEST_F(CallbackThreadsTest, CallsAreHandledByThoseThatAreLeft) {
  const CallbackThreads one;
  const CallbackThreads another;
  for (int round = 0; round < 50; ++round) MakeCalls(40);
  EXPECT_GE(service_.threads().size(), 1U);
  EXPECT_LE(static_cast<int>(service_.threads().size()),
            CallbackThreads::All() - CallbackThreads::Kept());
}

TEST_F(CallbackThreadsTest, TheyCanBeTakenAgainAndAgain) {
  for (int round = 0; round < 20; ++round) {
    const CallbackThreads threads;
    MakeCalls(3);
  }
  MakeCalls(3);
}

}  // namespace
}  // namespace rtmixd
