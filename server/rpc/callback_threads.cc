#include "server/rpc/callback_threads.h"

#include <grpc/support/cpu.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/support/byte_buffer.h>

#include <algorithm>

#include "absl/synchronization/notification.h"
#include "server/base/mutex.h"

namespace rtmixd {
namespace {

struct Call {
  grpc::ClientContext context;
  grpc::ByteBuffer request;
  grpc::ByteBuffer response;
};

// Keeps threads for as long as it lives.
class Keeper {
 public:
  explicit Keeper(int threads) {
    // Calls that are over before they begin, on a channel that never connects: their callbacks come
    // on as many threads, and stay.
    grpc::GenericStub stub(
        grpc::CreateChannel("unix:/nowhere", grpc::InsecureChannelCredentials()));
    const grpc::Slice nothing;
    for (int i = 0; i < threads; ++i) {
      auto call = std::make_shared<Call>();
      call->context.TryCancel();
      call->request = grpc::ByteBuffer(&nothing, 1);
      stub.UnaryCall(
          &call->context, "/", {}, &call->request, &call->response,
          [call, over = over_](const grpc::Status& /*status*/) { over->WaitForNotification(); });
    }
  }
  ~Keeper() { over_->Notify(); }
  Keeper(const Keeper&) = delete;
  Keeper& operator=(const Keeper&) = delete;

 private:
  const std::shared_ptr<absl::Notification> over_ = std::make_shared<absl::Notification>();
};

std::shared_ptr<void> TheKeeper() {
  static Mutex mutex;
  static std::weak_ptr<Keeper> present;
  const MutexLock lock(&mutex);
  std::shared_ptr<Keeper> keeper = present.lock();
  if (keeper == nullptr) {
    keeper = std::make_shared<Keeper>(CallbackThreads::Kept());
    present = keeper;
  }
  return keeper;
}

}  // namespace

CallbackThreads::CallbackThreads() : kept_(TheKeeper()) {}

// As src/cpp/common/completion_queue_cc.cc of gRPC counts them.
int CallbackThreads::All() {
  return static_cast<int>(std::clamp(gpr_cpu_num_cores() / 2, 2U, 16U));
}

}  // namespace rtmixd
