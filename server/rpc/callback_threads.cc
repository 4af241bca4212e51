#include "server/rpc/callback_threads.h"

#include <grpc/support/cpu.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/support/byte_buffer.h>

#include <algorithm>
#include <vector>

#include "absl/synchronization/blocking_counter.h"
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
  explicit Keeper(int threads) : returned_(threads), calls_(static_cast<size_t>(threads)) {
    // Calls that are over before they begin, on a channel that never connects: their callbacks come
    // on as many threads, and stay.
    grpc::GenericStub stub(
        grpc::CreateChannel("unix:/nowhere", grpc::InsecureChannelCredentials()));
    const grpc::Slice nothing;
    for (Call& call : calls_) {
      call.context.TryCancel();
      call.request = grpc::ByteBuffer(&nothing, 1);
      stub.UnaryCall(&call.context, "/", {}, &call.request, &call.response,
                     [this](const grpc::Status& /*status*/) {
                       over_.WaitForNotification();
                       returned_.DecrementCount();
                     });
    }
  }
  // Calls hold the channel, which, if it is the last of the process, takes gRPC's threads down with
  // it. That must not happen on one of them: so not in a callback.
  ~Keeper() {
    over_.Notify();
    returned_.Wait();
  }
  Keeper(const Keeper&) = delete;
  Keeper& operator=(const Keeper&) = delete;

 private:
  absl::Notification over_;
  absl::BlockingCounter returned_;
  std::vector<Call> calls_;
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
