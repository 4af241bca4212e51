#include "client_cpp/client.h"

#include <chrono>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "client_cpp/handshake.h"
#include "client_cpp/target.h"

namespace rtmixd::client {
namespace {

// A page of 1000 reports with 64 xruns each is far below this.
constexpr int kMaxReceiveBytes = 64 << 20;

// For each step of finding out what is wrong with a handshake.
constexpr absl::Duration kExplainTime = absl::Milliseconds(500);

absl::StatusOr<std::shared_ptr<grpc::Channel>> NewChannel(const std::string& target,
                                                          const Security& security) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(kMaxReceiveBytes);
  arguments.SetMaxSendMessageSize(-1);
  // Servers allow a ping every 5 s. It is the second line: calls notice silence sooner by
  // themselves.
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 6000);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 2000);
  // The defaults wait for up to two minutes, and for 20 s on an address that swallows everything.
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 1000);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 1000);
  // A new channel must not share the old one's dead connection.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return MakeChannel(target, security, arguments);
}

}  // namespace

Stubs::Stubs(const std::shared_ptr<grpc::Channel>& channel)
    : actions(v1::ActionService::NewStub(channel)),
      audio(v1::AudioService::NewStub(channel)),
      buffers(v1::BufferService::NewStub(channel)),
      calibrations(v1::CalibrationService::NewStub(channel)),
      clock(v1::ClockService::NewStub(channel)),
      devices(v1::DeviceService::NewStub(channel)),
      events(v1::EventService::NewStub(channel)),
      info(v1::ServerInfoService::NewStub(channel)),
      sessions(v1::SessionService::NewStub(channel)),
      spool(v1::SpoolService::NewStub(channel)),
      stream(v1::StreamService::NewStub(channel)),
      virtual_device(v1::VirtualDeviceService::NewStub(channel)) {}

absl::StatusOr<std::shared_ptr<Client>> Client::Connect(absl::string_view target,
                                                        absl::Duration timeout) {
  return Connect(target, Security(), timeout);
}

absl::StatusOr<std::shared_ptr<Client>> Client::Connect(absl::string_view target,
                                                        const Security& security,
                                                        absl::Duration timeout) {
  const std::string complete = CompleteTarget(target);
  auto channel = NewChannel(complete, security);
  if (!channel.ok()) return channel.status();
  std::shared_ptr<Client> client(new Client(complete, security, *channel));
  auto info = client->Call(&Stubs::info, &v1::ServerInfoService::Stub::GetServerInfo,
                           v1::GetServerInfoRequest(), {.timeout = timeout});
  if (!info.ok()) return info.status();
  client->info_ = *std::move(info);
  return client;
}

Client::Client(std::string target, Security security, const std::shared_ptr<grpc::Channel>& channel)
    : target_(std::move(target)),
      security_(std::move(security)),
      stubs_(std::make_shared<const Stubs>(channel)) {}

std::shared_ptr<const Stubs> Client::stubs() const {
  absl::MutexLock lock(&mu_);
  return stubs_;
}

void Client::Reconnect(const std::shared_ptr<const Stubs>& broken) {
  // Channels are made and freed outside the lock: both take time.
  auto channel = NewChannel(target_, security_);
  if (!channel.ok()) return;  // files that are just being replaced: the old connection tries again
  auto fresh = std::make_shared<const Stubs>(*channel);
  absl::MutexLock lock(&mu_);
  if (stubs_ == broken) stubs_.swap(fresh);
}

void Client::Prepare(absl::string_view token, absl::Duration timeout,
                     grpc::ClientContext& context) {
  if (!token.empty()) context.AddMetadata("rtmixd-session-token", std::string(token));
  if (timeout != absl::InfiniteDuration()) {
    context.set_deadline(std::chrono::system_clock::now() + absl::ToChronoNanoseconds(timeout));
  }
}

absl::Status Client::Explain(const absl::Status& status) const {
  if (absl::IsDeadlineExceeded(status)) {
    return absl::UnavailableError(
        absl::StrCat("the server at ", target_, " did not answer in time"));
  }
  // Where names cannot be resolved this would only wait for the same again.
  const std::string handshake = absl::StrContains(status.message(), "DNS")
                                    ? ""
                                    : ExplainHandshake(target_, security_, kExplainTime);
  return absl::UnavailableError(absl::StrCat(
      "the server at ", target_,
      " cannot be reached: ", handshake.empty() ? std::string(status.message()) : handshake));
}

}  // namespace rtmixd::client
