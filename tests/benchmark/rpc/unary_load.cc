// Schedules one action per call, one call after the other. Usage: unary_load TARGET ours|bare. Each
// line of its input, a number of calls, is answered by the microseconds that each of them took.

#include <grpcpp/impl/codegen/client_unary_call.h>

#include <cstdlib>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "rtmixd/v1/action.grpc.pb.h"
#include "rtmixd/v1/buffer.grpc.pb.h"
#include "tests/benchmark/rpc/raw_calls.h"

namespace rtmixd::load {
namespace {

// Nothing is to sound while it is measured.
constexpr int64_t kFarFrame = int64_t{1} << 50;

class Load {
 public:
  Load(const std::string& target, bool bare)
      : channel_(Connect(target)),
        session_(channel_, bare),
        actions_(v1::ActionService::NewStub(channel_)),
        bare_(bare),
        method_("/rtmixd.v1.ActionService/ScheduleActions", grpc::internal::RpcMethod::NORMAL_RPC,
                channel_) {
    v1::ScheduleActionsRequest request;
    request.set_origin_frame(kFarFrame);
    v1::ActionSpec& action = *request.add_actions();
    action.mutable_play()->set_buffer_id(MakeBuffer());
    action.mutable_play()->mutable_channel_map()->add_channels(1);
    request_ = Serialize(request);
  }

  std::vector<double> Run(int calls) {
    std::vector<double> seconds;
    seconds.reserve(static_cast<size_t>(calls));
    for (int i = 0; i < calls; ++i) {
      grpc::ClientContext context;
      session_.Prepare(&context);
      grpc::ByteBuffer response;
      const double begin = Now();
      Check(
          grpc::internal::BlockingUnaryCall(channel_.get(), method_, &context, request_, &response),
          "ScheduleActions");
      seconds.push_back(Now() - begin);
    }
    CancelAll();
    return seconds;
  }

 private:
  std::string MakeBuffer() {
    if (bare_) return "b-1";
    const auto buffers = v1::BufferService::NewStub(channel_);
    v1::CreateBufferRequest request;
    request.set_channels(1);
    request.set_sample_rate_hz(48000);
    v1::CreateBufferResponse response;
    grpc::ClientContext create;
    session_.Prepare(&create);
    Check(buffers->CreateBuffer(&create, request, &response), "CreateBuffer");
    grpc::ClientContext upload;
    session_.Prepare(&upload);
    v1::UploadBufferResponse uploaded;
    const auto writer = buffers->UploadBuffer(&upload, &uploaded);
    v1::UploadBufferRequest message;
    message.mutable_config()->set_buffer_id(response.buffer().buffer_id());
    writer->Write(message);
    message.mutable_audio()->set_data(std::string(4, '\0'));
    writer->Write(message);
    message.mutable_complete();
    writer->Write(message);
    writer->WritesDone();
    Check(writer->Finish(), "UploadBuffer");
    return response.buffer().buffer_id();
  }

  void CancelAll() {
    if (bare_) return;
    v1::CancelActionsRequest request;
    request.set_all(true);
    v1::CancelActionsResponse response;
    grpc::ClientContext context;
    session_.Prepare(&context);
    Check(actions_->CancelActions(&context, request, &response), "CancelActions");
  }

  const std::shared_ptr<grpc::Channel> channel_;
  const Session session_;
  const std::unique_ptr<v1::ActionService::Stub> actions_;
  const bool bare_;
  const grpc::internal::RpcMethod method_;
  grpc::ByteBuffer request_;
};

int Main(int argc, char** argv) {
  if (argc != 3) Die("usage: unary_load TARGET ours|bare");
  Load load(argv[1], std::string(argv[2]) == "bare");
  std::string line;
  while (std::getline(std::cin, line)) {
    for (const double seconds : load.Run(static_cast<int>(Number(line))))
      std::cout << seconds * 1e6 << ' ';
    std::cout << '\n' << std::flush;
  }
  return EXIT_SUCCESS;
}

}  // namespace
}  // namespace rtmixd::load

int main(int argc, char** argv) { return rtmixd::load::Main(argc, argv); }
