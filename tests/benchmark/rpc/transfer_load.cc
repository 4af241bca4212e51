// Uploads and downloads, at the pace that the server takes. Usage: transfer_load TARGET ours|bare
// FRAMES. Each line of its input, "upload" or "download", is done once, and answered by the seconds
// that it took; what is downloaded is what was uploaded last.

#include <condition_variable>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "rtmixd/v1/buffer.grpc.pb.h"
#include "tests/benchmark/rpc/raw_calls.h"

namespace rtmixd::load {
namespace {

constexpr int kChannels = 2;
constexpr int64_t kFrameBytes = kChannels * sizeof(float);
// Of one message, as the server's downloads have it.
constexpr int64_t kMessageFrames = (256 << 10) / kFrameBytes;

// Sends messages one after the other as soon as it may, and counts the bytes of what comes.
class Transfer final : public grpc::ClientBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer> {
 public:
  // `next` fills the next message, or returns false after the last one.
  using Next = std::function<bool(grpc::ByteBuffer*)>;
  Transfer(grpc::GenericStub* stub, const Session& session, const std::string& method, Next next)
      : next_(std::move(next)) {
    session.Prepare(&context_);
    stub->PrepareBidiStreamingCall(&context_, method, {}, this);
    StartRead(&response_);
    Write();
    StartCall();
  }

  // Waits for the end; returns the bytes that came.
  int64_t Wait() {
    std::unique_lock lock(mutex_);
    done_changed_.wait(lock, [this] { return status_.has_value(); });
    Check(*status_, "transfer");
    return bytes_;
  }

 private:
  void OnWriteDone(bool ok) override {
    if (ok) Write();
  }
  void OnReadDone(bool ok) override {
    if (!ok) return;
    bytes_ += static_cast<int64_t>(response_.Length());
    StartRead(&response_);
  }
  void OnDone(const grpc::Status& status) override {
    const std::lock_guard lock(mutex_);
    status_ = status;
    done_changed_.notify_all();
  }
  void Write() {
    if (next_(&request_)) return StartWrite(&request_);
    StartWritesDone();
  }

  const Next next_;
  grpc::ClientContext context_;
  grpc::ByteBuffer request_;
  grpc::ByteBuffer response_;
  int64_t bytes_ = 0;
  std::mutex mutex_;
  std::condition_variable done_changed_;
  std::optional<grpc::Status> status_;
};

class Load {
 public:
  Load(const std::string& target, bool bare, int64_t frames)
      : channel_(Connect(target)),
        session_(channel_, bare),
        stub_(channel_),
        buffers_(v1::BufferService::NewStub(channel_)),
        bare_(bare),
        frames_(frames) {
    std::vector<float> samples(kMessageFrames * kChannels);
    for (size_t i = 0; i < samples.size(); ++i) samples[i] = static_cast<float>(i % 1000) / 1000;
    samples_ = grpc::Slice(samples.data(), samples.size() * sizeof(float));
  }

  double Upload() {
    NewBuffer();
    const double begin = Now();
    int64_t position = -1;
    Transfer(&stub_, session_, "/rtmixd.v1.BufferService/UploadBuffer",
             [&](grpc::ByteBuffer* message) {
               if (position < 0) {
                 position = 0;
                 v1::UploadBufferRequest config;
                 config.mutable_config()->set_buffer_id(buffer_id_);
                 *message = Serialize(config);
                 return true;
               }
               if (position >= frames_) return false;
               *message = AudioMessage(position, samples_);
               position += kMessageFrames;
               return true;
             })
        .Wait();
    return Now() - begin;
  }

  double Download() {
    const double begin = Now();
    bool asked = false;
    const int64_t bytes = Transfer(&stub_, session_, "/rtmixd.v1.BufferService/DownloadBuffer",
                                   [&](grpc::ByteBuffer* message) {
                                     if (asked) return false;
                                     asked = true;
                                     v1::DownloadBufferRequest request;
                                     request.set_buffer_id(buffer_id_);
                                     *message = Serialize(request);
                                     return true;
                                   })
                              .Wait();
    const double taken = Now() - begin;
    if (bytes < frames_ * kFrameBytes) Die("the download is too short");
    return taken;
  }

 private:
  // One that has all its memory, as the bare server's pool.
  void NewBuffer() {
    if (bare_) return;
    if (!buffer_id_.empty()) {
      v1::DeleteBufferRequest request;
      request.set_buffer_id(buffer_id_);
      v1::DeleteBufferResponse response;
      grpc::ClientContext context;
      session_.Prepare(&context);
      Check(buffers_->DeleteBuffer(&context, request, &response), "DeleteBuffer");
    }
    v1::CreateBufferRequest request;
    request.set_channels(kChannels);
    request.set_sample_rate_hz(48000);
    request.set_expected_frames(frames_);
    v1::CreateBufferResponse response;
    grpc::ClientContext context;
    session_.Prepare(&context);
    Check(buffers_->CreateBuffer(&context, request, &response), "CreateBuffer");
    buffer_id_ = response.buffer().buffer_id();
  }

  const std::shared_ptr<grpc::Channel> channel_;
  const Session session_;
  grpc::GenericStub stub_;
  const std::unique_ptr<v1::BufferService::Stub> buffers_;
  const bool bare_;
  const int64_t frames_;
  grpc::Slice samples_;
  std::string buffer_id_;
};

int Main(int argc, char** argv) {
  if (argc != 4) Die("usage: transfer_load TARGET ours|bare FRAMES");
  // Whole messages only.
  const int64_t frames = std::strtoll(argv[3], nullptr, 10) / kMessageFrames * kMessageFrames;
  Load load(argv[1], std::string(argv[2]) == "bare", frames);
  std::string what;
  while (std::getline(std::cin, what)) {
    if (what != "upload" && what != "download") Die("upload or download, not " + what);
    std::cout << (what == "upload" ? load.Upload() : load.Download()) << '\n' << std::flush;
  }
  return EXIT_SUCCESS;
}

}  // namespace
}  // namespace rtmixd::load

int main(int argc, char** argv) { return rtmixd::load::Main(argc, argv); }
