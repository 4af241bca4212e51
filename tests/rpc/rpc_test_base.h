#ifndef RTMIXD_TESTS_RPC_RPC_TEST_BASE_H_
#define RTMIXD_TESTS_RPC_RPC_TEST_BASE_H_

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "rtmixd/v1/action.grpc.pb.h"
#include "rtmixd/v1/audio.grpc.pb.h"
#include "rtmixd/v1/buffer.grpc.pb.h"
#include "rtmixd/v1/clock.grpc.pb.h"
#include "rtmixd/v1/device.grpc.pb.h"
#include "rtmixd/v1/error.pb.h"
#include "rtmixd/v1/event.grpc.pb.h"
#include "rtmixd/v1/server_info.grpc.pb.h"
#include "rtmixd/v1/session.grpc.pb.h"
#include "rtmixd/v1/spool.grpc.pb.h"
#include "rtmixd/v1/stream.grpc.pb.h"
#include "rtmixd/v1/virtual_device.grpc.pb.h"
#include "server/server.h"

namespace rtmixd {

// A whole server on a virtual device of 4 channels at 48 kHz, reached through a socket of loopback
// by the stubs that protoc generates: what a client in any language does. Two sessions exist.
class RpcTest : public testing::Test {
 protected:
  static constexpr int kChannels = 4;
  static constexpr double kRateHz = 48000;

  void SetUp() override;
  void TearDown() override;

  // Before SetUp: what the server is started with.
  Server::Options options_;

  // A context with the first session's token and a deadline that ends a hung test.
  std::unique_ptr<grpc::ClientContext> Call() { return Call(token_); }
  static std::unique_ptr<grpc::ClientContext> Call(const std::string& token);
  std::string NewSession(const std::string& label, bool exclusive = false);

  // What must not change when a request is refused: actions, buffers, bytes and stream of the first
  // session, as text.
  std::string Footprint();

  // An uploaded buffer of `frames` frames of silence, complete.
  std::string CompleteBuffer(int channels, int64_t frames);

  std::unique_ptr<Server> server_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::ServerInfoService::Stub> server_info_;
  std::unique_ptr<v1::DeviceService::Stub> devices_;
  std::unique_ptr<v1::StreamService::Stub> stream_;
  std::unique_ptr<v1::ClockService::Stub> clock_;
  std::unique_ptr<v1::SessionService::Stub> sessions_;
  std::unique_ptr<v1::BufferService::Stub> buffers_;
  std::unique_ptr<v1::ActionService::Stub> actions_;
  std::unique_ptr<v1::AudioService::Stub> audio_;
  std::unique_ptr<v1::EventService::Stub> events_;
  std::unique_ptr<v1::SpoolService::Stub> spool_;
  std::unique_ptr<v1::VirtualDeviceService::Stub> virtual_device_;
  std::string token_;
  std::string other_token_;
};

// The details that a refused call carries; a default message if it carries none.
v1::ErrorDetail Detail(const grpc::Status& status);

// `frames` frames of a ramp in float32, interleaved: sample i of the sound is i / 2^16.
std::string Ramp(int channels, int64_t first_frame, int64_t frames);

}  // namespace rtmixd

#endif  // RTMIXD_TESTS_RPC_RPC_TEST_BASE_H_
