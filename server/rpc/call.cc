#include "server/rpc/call.h"

#include <optional>
#include <string_view>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "server/base/error_info.h"
#include "server/base/mutex.h"
#include "server/rpc/request_check.h"
#include "server/rpc/status_mapping.h"

namespace rtmixd {
namespace {

std::string_view Token(const grpc::CallbackServerContext& context) {
  const auto found = context.client_metadata().find(kSessionTokenKey);
  if (found == context.client_metadata().end()) return {};
  return {found->second.data(), found->second.size()};
}

// The wait of one call. Outlives the reactor while `start` has not returned or the engine still
// holds the callback.
class Wait {
 public:
  explicit Wait(Engine& engine) : engine_(engine) {}

  void Started(Engine::WaitId id) {
    {
      const MutexLock lock(&mutex_);
      id_ = id;
      if (!cancelled_) return;
    }
    CancelNow(id);
  }

  void Cancel() {
    Engine::WaitId id = kNoWait;
    {
      const MutexLock lock(&mutex_);
      cancelled_ = true;
      id = id_;
    }
    CancelNow(id);
  }

 private:
  void CancelNow(Engine::WaitId id) {
    if (id != kNoWait) engine_.CancelWait(id);
  }

  Engine& engine_;
  Mutex mutex_;
  Engine::WaitId id_ ABSL_GUARDED_BY(mutex_) = kNoWait;
  bool cancelled_ ABSL_GUARDED_BY(mutex_) = false;
};

// Deletes itself when gRPC is done with it, which is after Finish and so after the engine's
// callback.
class DeferredReply : public grpc::ServerUnaryReactor {
 public:
  explicit DeferredReply(std::shared_ptr<Wait> wait) : wait_(std::move(wait)) {}

  void OnCancel() override { wait_->Cancel(); }
  void OnDone() override { delete this; }

 private:
  const std::shared_ptr<Wait> wait_;
};

// The answer to one call, which may be there before there is anybody to give it to.
class Answer {
 public:
  void Set(const absl::Status& status) {
    grpc::ServerUnaryReactor* reactor = nullptr;
    {
      const MutexLock lock(&mutex_);
      status_ = status;
      reactor = reactor_;
    }
    if (reactor != nullptr) reactor->Finish(ToGrpcStatus(status));
  }
  std::optional<absl::Status> Now() {
    const MutexLock lock(&mutex_);
    return status_;
  }
  void GiveTo(grpc::ServerUnaryReactor* reactor) {
    std::optional<absl::Status> status;
    {
      const MutexLock lock(&mutex_);
      status = status_;
      reactor_ = reactor;
    }
    if (status.has_value()) reactor->Finish(ToGrpcStatus(*status));
  }

 private:
  Mutex mutex_;
  std::optional<absl::Status> status_ ABSL_GUARDED_BY(mutex_);
  grpc::ServerUnaryReactor* reactor_ ABSL_GUARDED_BY(mutex_) = nullptr;
};

}  // namespace

absl::StatusOr<std::string> RequireSession(Engine& engine,
                                           const grpc::CallbackServerContext& context) {
  return engine.Authenticate(Token(context));
}

absl::StatusOr<std::string> OptionalSession(Engine& engine,
                                            const grpc::CallbackServerContext& context) {
  if (Token(context).empty()) return std::string();
  return engine.Authenticate(Token(context));
}

absl::StatusOr<std::string> BeginCall(Engine& engine, const grpc::CallbackServerContext& context,
                                      const google::protobuf::Message& request) {
  if (absl::Status status = CheckRequest(request); !status.ok()) return status;
  return RequireSession(engine, context);
}

absl::Status OutOfOrder(const std::string& field, const std::string& limit) {
  return MakeError(
      absl::StatusCode::kFailedPrecondition,
      {.reason = ErrorReason::kOutOfOrder, .field = field, .value = "sent", .limit = limit});
}

grpc::ServerUnaryReactor* Reply(grpc::CallbackServerContext* context, const absl::Status& status) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  reactor->Finish(ToGrpcStatus(status));
  return reactor;
}

grpc::ServerUnaryReactor* ReplyLater(grpc::CallbackServerContext* context, Engine& engine,
                                     const std::function<Engine::WaitId(FinishCallback)>& start) {
  auto answer = std::make_shared<Answer>();
  const Engine::WaitId id = start([answer](const absl::Status& status) { answer->Set(status); });
  if (const std::optional<absl::Status> status = answer->Now()) return Reply(context, *status);
  auto wait = std::make_shared<Wait>(engine);
  auto* reactor = new DeferredReply(wait);
  wait->Started(id);
  answer->GiveTo(reactor);
  return reactor;
}

}  // namespace rtmixd
