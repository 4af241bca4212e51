#include "tests/rpc/rpc_test_base.h"

#include <chrono>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "google/rpc/status.pb.h"
#include "server/device/virtual_device.h"

namespace rtmixd {
namespace {

constexpr char kTokenKey[] = "rtmixd-session-token";
constexpr std::chrono::seconds kDeadline(60);
constexpr absl::Duration kNoGrace = absl::ZeroDuration();

}  // namespace

void RpcTest::SetUp() {
  options_.listen_address = "127.0.0.1:0";
  StreamSettings stream;
  stream.input.channels = kChannels;
  stream.output.channels = kChannels;
  stream.sample_rate_hz = kRateHz;
  options_.engine.default_stream = stream;
  VirtualDevice::Options device_options;
  device_options.input_channels = kChannels;
  device_options.output_channels = kChannels;
  auto device = VirtualDevice::Create(device_options);
  ASSERT_TRUE(device.ok()) << device.status();
  auto server = Server::Create(options_, *std::move(device));
  ASSERT_TRUE(server.ok()) << server.status();
  server_ = *std::move(server);
  ASSERT_TRUE(server_->device_status().ok()) << server_->device_status();
  channel_ = grpc::CreateChannel(server_->address(), grpc::InsecureChannelCredentials());
  server_info_ = v1::ServerInfoService::NewStub(channel_);
  devices_ = v1::DeviceService::NewStub(channel_);
  stream_ = v1::StreamService::NewStub(channel_);
  clock_ = v1::ClockService::NewStub(channel_);
  sessions_ = v1::SessionService::NewStub(channel_);
  buffers_ = v1::BufferService::NewStub(channel_);
  actions_ = v1::ActionService::NewStub(channel_);
  audio_ = v1::AudioService::NewStub(channel_);
  events_ = v1::EventService::NewStub(channel_);
  spool_ = v1::SpoolService::NewStub(channel_);
  virtual_device_ = v1::VirtualDeviceService::NewStub(channel_);
  token_ = NewSession("first");
  other_token_ = NewSession("other");
}

void RpcTest::TearDown() {
  if (server_ != nullptr) server_->Stop(kNoGrace, [] { return true; });
}

std::unique_ptr<grpc::ClientContext> RpcTest::Call(const std::string& token) {
  auto context = std::make_unique<grpc::ClientContext>();
  if (!token.empty()) context->AddMetadata(kTokenKey, token);
  context->set_deadline(std::chrono::system_clock::now() + kDeadline);
  return context;
}

std::string RpcTest::NewSession(const std::string& label, bool exclusive) {
  v1::CreateSessionRequest request;
  request.set_label(label);
  request.set_exclusive(exclusive);
  request.mutable_ttl()->set_seconds(60);
  v1::CreateSessionResponse response;
  const grpc::Status status = sessions_->CreateSession(Call("").get(), request, &response);
  EXPECT_TRUE(status.ok()) << status.error_message();
  return response.token();
}

std::string RpcTest::Footprint() {
  v1::ListActionsResponse actions;
  EXPECT_TRUE(actions_->ListActions(Call().get(), {}, &actions).ok());
  v1::ListBuffersResponse buffers;
  EXPECT_TRUE(buffers_->ListBuffers(Call().get(), {}, &buffers).ok());
  v1::GetStreamResponse stream;
  EXPECT_TRUE(stream_->GetStream(Call().get(), {}, &stream).ok());
  stream.mutable_stream()->clear_next_frame();
  stream.mutable_stream()->clear_cpu_load();
  for (v1::ActionReport& report : *actions.mutable_reports()) {  // what grows while it runs
    report.clear_blocks();
    report.clear_done_frames();
    report.clear_gaps();
    report.clear_gap_count();
    report.clear_gap_frames();
    report.clear_underruns();
    report.clear_xruns();
    report.clear_xrun_count();
    report.clear_touched();
    report.clear_shortest_detectable_loss_frames();
    report.clear_state();
    report.clear_start_frame();
  }
  return absl::StrCat(actions.DebugString(), buffers.DebugString(), stream.DebugString());
}

std::string RpcTest::CompleteBuffer(int channels, int64_t frames) {
  v1::CreateBufferRequest create;
  create.set_channels(channels);
  v1::CreateBufferResponse created;
  EXPECT_TRUE(buffers_->CreateBuffer(Call().get(), create, &created).ok());
  v1::UploadBufferResponse uploaded;
  const auto call = Call();
  auto upload = buffers_->UploadBuffer(call.get(), &uploaded);
  v1::UploadBufferRequest message;
  message.mutable_config()->set_buffer_id(created.buffer().buffer_id());
  upload->Write(message);
  message.mutable_audio()->set_data(std::string(frames * channels * sizeof(float), '\0'));
  upload->Write(message);
  message.mutable_complete();
  upload->Write(message);
  upload->WritesDone();
  const grpc::Status status = upload->Finish();
  EXPECT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(uploaded.buffer().frames(), frames);
  EXPECT_EQ(uploaded.buffer().state(), v1::BUFFER_STATE_COMPLETE);
  return created.buffer().buffer_id();
}

v1::ErrorDetail Detail(const grpc::Status& status) {
  google::rpc::Status rich;
  v1::ErrorDetail detail;
  if (rich.ParseFromString(status.error_details()) && rich.details_size() == 1)
    rich.details(0).UnpackTo(&detail);
  return detail;
}

std::string Ramp(int channels, int64_t first_frame, int64_t frames) {
  constexpr float kStep = 1.0F / (1 << 16);
  std::vector<float> samples;
  samples.reserve(frames * channels);
  for (int64_t i = first_frame * channels; i < (first_frame + frames) * channels; ++i) {
    samples.push_back(static_cast<float>(i % (1 << 16)) * kStep);
  }
  std::string bytes(samples.size() * sizeof(float), '\0');
  std::memcpy(bytes.data(), samples.data(), bytes.size());
  return bytes;
}

}  // namespace rtmixd
