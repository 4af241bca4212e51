#include "client_cpp/session.h"

#include <algorithm>
#include <utility>

#include "absl/time/clock.h"
#include "client_cpp/duration.h"
#include "client_cpp/random_id.h"

namespace rtmixd::client {
namespace {

template <typename Request>
void FillGain(float gain, const v1::Fade& fade, std::optional<int64_t> frame, Request& request) {
  request.mutable_gain()->set_gain(gain);
  *request.mutable_gain()->mutable_fade() = fade;
  if (frame.has_value()) request.set_frame(*frame);
}

}  // namespace

absl::StatusOr<std::shared_ptr<Session>> Session::Create(std::shared_ptr<Client> client,
                                                         const SessionOptions& options) {
  v1::CreateSessionRequest request;
  request.set_label(options.label);
  *request.mutable_ttl() = ToProto(options.ttl);
  if (options.max_lifetime.has_value()) {
    *request.mutable_max_lifetime() = ToProto(*options.max_lifetime);
  }
  request.set_exclusive(options.exclusive);
  request.set_request_id(RandomId());
  auto response = client->Call(&Stubs::sessions, &v1::SessionService::Stub::CreateSession, request,
                               {.retry = true});
  if (!response.ok()) return response.status();
  return std::shared_ptr<Session>(new Session(std::move(client),
                                              std::move(*response->mutable_session()),
                                              std::move(*response->mutable_token()), true));
}

absl::StatusOr<std::shared_ptr<Session>> Session::Adopt(std::shared_ptr<Client> client,
                                                        std::string token) {
  auto response = client->Call(&Stubs::sessions, &v1::SessionService::Stub::KeepSession,
                               v1::KeepSessionRequest(), {.token = token, .retry = true});
  if (!response.ok()) return response.status();
  return std::shared_ptr<Session>(new Session(
      std::move(client), std::move(*response->mutable_session()), std::move(token), false));
}

Session::Session(std::shared_ptr<Client> client, v1::Session info, std::string token, bool owned)
    : client_(std::move(client)),
      info_(std::move(info)),
      token_(std::move(token)),
      owned_(owned),
      heartbeat_([this] { KeepAlive(); }) {}

Session::~Session() {
  {
    absl::MutexLock lock(&mu_);
    stopping_ = true;
  }
  heartbeat_.join();
  if (!owned_ || !status().ok()) return;
  // Nobody is left to be told of an error, and the TTL ends the session anyway.
  client_
      ->Call(&Stubs::sessions, &v1::SessionService::Stub::EndSession, v1::EndSessionRequest(),
             call(absl::Seconds(1)))
      .IgnoreError();
}

absl::Duration Session::ttl() const { return FromProto(info_.ttl()); }

CallOptions Session::call(absl::Duration timeout, bool retry) const {
  return {.token = token_, .timeout = timeout, .retry = retry};
}

absl::Status Session::status() const {
  absl::MutexLock lock(&mu_);
  return status_;
}

absl::StatusOr<v1::AwaitExclusiveResponse> Session::AwaitExclusive(absl::Duration timeout) {
  const absl::Time deadline = absl::Now() + timeout;
  while (true) {
    // In slices of a second, so that a server that is gone is noticed.
    const absl::Duration slice =
        std::clamp(deadline - absl::Now(), absl::ZeroDuration(), absl::Seconds(1));
    v1::AwaitExclusiveRequest request;
    *request.mutable_timeout() = ToProto(slice);
    auto response = client_->Call(&Stubs::sessions, &v1::SessionService::Stub::AwaitExclusive,
                                  request, call(slice + absl::Seconds(2)));
    if (!response.ok() || response->session().state() == v1::SESSION_STATE_EXCLUSIVE ||
        absl::Now() >= deadline) {
      return response;
    }
  }
}

absl::StatusOr<std::optional<int64_t>> Session::SetGain(float gain, const v1::Fade& fade,
                                                        std::optional<int64_t> frame) {
  v1::SetSessionGainRequest request;
  FillGain(gain, fade, frame, request);
  const auto response =
      client_->Call(&Stubs::sessions, &v1::SessionService::Stub::SetSessionGain, request, call());
  if (!response.ok()) return response.status();
  if (!response->has_frame()) return std::optional<int64_t>();
  return std::optional<int64_t>(response->frame());
}

absl::StatusOr<int64_t> Session::SetMasterGain(float gain, const v1::Fade& fade,
                                               std::optional<int64_t> frame) {
  v1::SetMasterGainRequest request;
  FillGain(gain, fade, frame, request);
  const auto response =
      client_->Call(&Stubs::stream, &v1::StreamService::Stub::SetMasterGain, request, call());
  if (!response.ok()) return response.status();
  return response->frame();
}

void Session::KeepAlive() {
  const absl::Duration interval = ttl() / 3;
  while (true) {
    {
      absl::MutexLock lock(&mu_);
      if (mu_.AwaitWithTimeout(absl::Condition(&stopping_), interval)) return;
    }
    const auto response =
        client_->Call(&Stubs::sessions, &v1::SessionService::Stub::KeepSession,
                      v1::KeepSessionRequest(), call(std::min(interval, kSilenceLimit), true));
    // A server that cannot be reached may be back in time.
    if (response.ok() || absl::IsUnavailable(response.status())) continue;
    absl::MutexLock lock(&mu_);
    status_ = response.status();
    return;
  }
}

}  // namespace rtmixd::client
