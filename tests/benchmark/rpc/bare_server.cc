// What gRPC alone can do, for the server to be measured against: the server's methods of the same
// names, on raw byte buffers, without sessions, checks, conversion or sound. It answers the same
// load generators with messages of the same sizes.
//
//   ScheduleActions  answers with what was asked
//   UploadBuffer     copies every message into a pool that was touched before
//   DownloadBuffer   copies messages out of that pool, as many as the last upload brought
//   Duplex           sends every message back
//
// Usage: bare_server POOL_MIB

#include <grpcpp/grpcpp.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/server_callback.h>
#include <signal.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <iostream>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "rtmixd/v1/action.grpc.pb.h"
#include "rtmixd/v1/audio.grpc.pb.h"
#include "rtmixd/v1/buffer.grpc.pb.h"

namespace rtmixd {
namespace {

constexpr size_t kMiB = size_t{1} << 20;

// Where uploads go and downloads come from.
class Pool {
 public:
  explicit Pool(size_t bytes) : bytes_(bytes, '\1') {}

  void Rewind() { used_ = 0; }
  size_t used() const { return used_; }
  void Append(const grpc::ByteBuffer& message) {
    std::vector<grpc::Slice> slices;
    if (!message.Dump(&slices).ok()) std::abort();
    for (const grpc::Slice& slice : slices) {
      const size_t size = std::min(slice.size(), bytes_.size() - used_);
      std::memcpy(bytes_.data() + used_, slice.begin(), size);
      used_ += size;
    }
  }
  grpc::Slice Copy(size_t begin, size_t size) const {
    return grpc::Slice(bytes_.data() + begin, std::min(size, used_ - begin));
  }

 private:
  std::vector<char> bytes_;
  size_t used_ = 0;
};

class Upload final : public grpc::ServerReadReactor<grpc::ByteBuffer> {
 public:
  explicit Upload(Pool* pool) : pool_(pool) {
    pool_->Rewind();
    StartRead(&message_);
  }
  void OnReadDone(bool ok) override {
    if (!ok) return Finish(grpc::Status::OK);
    pool_->Append(message_);
    StartRead(&message_);
  }
  void OnDone() override { delete this; }

 private:
  Pool* const pool_;
  grpc::ByteBuffer message_;
};

class Download final : public grpc::ServerWriteReactor<grpc::ByteBuffer> {
 public:
  explicit Download(const Pool* pool) : pool_(pool) { Next(); }
  void OnWriteDone(bool ok) override {
    if (ok) return Next();
    Finish(grpc::Status::CANCELLED);
  }
  void OnDone() override { delete this; }

 private:
  static constexpr size_t kMessageBytes = 256 << 10;  // as the server's

  void Next() {
    if (position_ >= pool_->used()) return Finish(grpc::Status::OK);
    const grpc::Slice slice = pool_->Copy(position_, kMessageBytes);
    position_ += slice.size();
    message_ = grpc::ByteBuffer(&slice, 1);
    StartWrite(&message_);
  }

  const Pool* const pool_;
  size_t position_ = 0;
  grpc::ByteBuffer message_;
};

// Sends messages back, several on their way at once.
class Echo final : public grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer> {
 public:
  Echo() { StartRead(&request_); }

  void OnReadDone(bool ok) override {
    bool finish = false;
    {
      const std::lock_guard lock(mutex_);
      if (ok) {
        waiting_.push_back(std::move(request_));
        if (!writing_) Write();
      } else {
        closed_ = true;
        finish = !writing_;
      }
    }
    if (finish) return Finish(grpc::Status::OK);
    if (ok) StartRead(&request_);
  }
  void OnWriteDone(bool ok) override {
    bool finish = false;
    {
      const std::lock_guard lock(mutex_);
      writing_ = false;
      if (!ok) waiting_.clear();
      if (!waiting_.empty()) {
        Write();
      } else {
        finish = closed_;
      }
    }
    if (finish) Finish(grpc::Status::OK);
  }
  void OnDone() override { delete this; }

 private:
  void Write() {
    writing_ = true;
    response_ = waiting_.front();
    waiting_.pop_front();
    StartWrite(&response_);
  }

  grpc::ByteBuffer request_;
  grpc::ByteBuffer response_;  // of the write under way
  std::mutex mutex_;
  std::deque<grpc::ByteBuffer> waiting_;
  bool writing_ = false;
  bool closed_ = false;
};

class Actions final
    : public v1::ActionService::WithRawCallbackMethod_ScheduleActions<v1::ActionService::Service> {
 public:
  grpc::ServerUnaryReactor* ScheduleActions(grpc::CallbackServerContext* context,
                                            const grpc::ByteBuffer* request,
                                            grpc::ByteBuffer* response) override {
    *response = *request;
    grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }
};

class Buffers final
    : public v1::BufferService::WithRawCallbackMethod_UploadBuffer<
          v1::BufferService::WithRawCallbackMethod_DownloadBuffer<v1::BufferService::Service>> {
 public:
  explicit Buffers(size_t pool_bytes) : pool_(pool_bytes) {}

  grpc::ServerReadReactor<grpc::ByteBuffer>* UploadBuffer(grpc::CallbackServerContext* /*context*/,
                                                          grpc::ByteBuffer* response) override {
    *response = grpc::ByteBuffer(&empty_, 1);
    return new Upload(&pool_);
  }
  grpc::ServerWriteReactor<grpc::ByteBuffer>* DownloadBuffer(
      grpc::CallbackServerContext* /*context*/, const grpc::ByteBuffer* /*request*/) override {
    return new Download(&pool_);
  }

 private:
  const grpc::Slice empty_;
  Pool pool_;
};

class Audio final
    : public v1::AudioService::WithRawCallbackMethod_Duplex<v1::AudioService::Service> {
 public:
  grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* Duplex(
      grpc::CallbackServerContext* /*context*/) override {
    return new Echo();
  }
};

int Main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: bare_server POOL_MIB\n";
    return EXIT_FAILURE;
  }
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);

  Actions actions;
  Buffers buffers(std::strtoull(argv[1], nullptr, 10) * kMiB);
  Audio audio;
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  builder.SetMaxReceiveMessageSize(16 << 20);
  builder.RegisterService(&actions);
  builder.RegisterService(&buffers);
  builder.RegisterService(&audio);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr) return EXIT_FAILURE;
  std::cout << "listening on 127.0.0.1:" << port << '\n' << std::flush;
  int received = 0;
  sigwait(&signals, &received);
  server->Shutdown(std::chrono::system_clock::now());
  return EXIT_SUCCESS;
}

}  // namespace
}  // namespace rtmixd

int main(int argc, char** argv) { return rtmixd::Main(argc, argv); }
