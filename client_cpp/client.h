#ifndef RTMIXD_CLIENT_CPP_CLIENT_H_
#define RTMIXD_CLIENT_CPP_CLIENT_H_

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "client_cpp/error.h"
#include "client_cpp/security.h"
#include "rtmixd/v1/action.grpc.pb.h"
#include "rtmixd/v1/audio.grpc.pb.h"
#include "rtmixd/v1/buffer.grpc.pb.h"
#include "rtmixd/v1/calibration.grpc.pb.h"
#include "rtmixd/v1/clock.grpc.pb.h"
#include "rtmixd/v1/device.grpc.pb.h"
#include "rtmixd/v1/event.grpc.pb.h"
#include "rtmixd/v1/server_info.grpc.pb.h"
#include "rtmixd/v1/session.grpc.pb.h"
#include "rtmixd/v1/spool.grpc.pb.h"
#include "rtmixd/v1/stream.grpc.pb.h"
#include "rtmixd/v1/virtual_device.grpc.pb.h"

namespace rtmixd::client {

// A server that says nothing for so long is gone. Servers speak at least once a second wherever
// they are listened to, and answer other calls at once.
inline constexpr absl::Duration kSilenceLimit = absl::Seconds(3);

// One connection and the services on it.
struct Stubs {
  explicit Stubs(const std::shared_ptr<grpc::Channel>& channel);

  std::unique_ptr<v1::ActionService::Stub> actions;
  std::unique_ptr<v1::AudioService::Stub> audio;
  std::unique_ptr<v1::BufferService::Stub> buffers;
  std::unique_ptr<v1::CalibrationService::Stub> calibrations;
  std::unique_ptr<v1::ClockService::Stub> clock;
  std::unique_ptr<v1::DeviceService::Stub> devices;
  std::unique_ptr<v1::EventService::Stub> events;
  std::unique_ptr<v1::ServerInfoService::Stub> info;
  std::unique_ptr<v1::SessionService::Stub> sessions;
  std::unique_ptr<v1::SpoolService::Stub> spool;
  std::unique_ptr<v1::StreamService::Stub> stream;
  std::unique_ptr<v1::VirtualDeviceService::Stub> virtual_device;
};

// How to make a call.
struct CallOptions {
  // Token of the session; empty for calls that need none.
  std::string token = {};
  // The longest it may take, retries included.
  absl::Duration timeout = kSilenceLimit;
  // Try again while the server cannot be reached. Only for calls that can be repeated.
  bool retry = false;
};

// A server, reached over the network. Exists so that every call is bounded in time, errors arrive
// as absl::Status with the server's detail, and a connection that died silently is replaced at once
// instead of when TCP gives up.
//
// Threading: any thread.
class Client {
 public:
  // Connects to "host", "host:port" or any gRPC target, and asks the server who it is.
  // UNAVAILABLE, with the target in the message, if it does not answer in time.
  static absl::StatusOr<std::shared_ptr<Client>> Connect(absl::string_view target,
                                                         absl::Duration timeout = kSilenceLimit);
  // The same with TLS or a token. INVALID_ARGUMENT if one of the files cannot be used; UNAVAILABLE
  // with the reason in words if the handshake fails; UNAUTHENTICATED or PERMISSION_DENIED, without
  // detail, if the token does not do.
  static absl::StatusOr<std::shared_ptr<Client>> Connect(absl::string_view target,
                                                         const Security& security,
                                                         absl::Duration timeout = kSilenceLimit);

  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // The completed target.
  const std::string& target() const { return target_; }
  // The server's identity and limits, as they were when it was connected to.
  const v1::GetServerInfoResponse& info() const { return info_; }

  // The present connection.
  std::shared_ptr<const Stubs> stubs() const ABSL_LOCKS_EXCLUDED(mu_);
  // Makes a fresh connection, with certificates and token as their files are now, unless somebody
  // has replaced `broken` already.
  void Reconnect(const std::shared_ptr<const Stubs>& broken) ABSL_LOCKS_EXCLUDED(mu_);

  // Fills in the session's token, and the deadline unless `timeout` is infinite.
  static void Prepare(absl::string_view token, absl::Duration timeout,
                      grpc::ClientContext& context);

  // Makes a unary call:
  //   client.Call(&Stubs::clock, &v1::ClockService::Stub::GetClock, v1::GetClockRequest(), {})
  template <typename Stub, typename Request, typename Response>
  absl::StatusOr<Response> Call(std::unique_ptr<Stub> Stubs::*service,
                                grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&,
                                                             Response*),
                                const Request& request, const CallOptions& options);

 private:
  Client(std::string target, Security security, const std::shared_ptr<grpc::Channel>& channel);

  // What a call that could not be answered means in words.
  absl::Status Explain(const absl::Status& status) const;

  const std::string target_;
  const Security security_;
  v1::GetServerInfoResponse info_;

  mutable absl::Mutex mu_;
  std::shared_ptr<const Stubs> stubs_ ABSL_GUARDED_BY(mu_);
};

template <typename Stub, typename Request, typename Response>
absl::StatusOr<Response> Client::Call(std::unique_ptr<Stub> Stubs::*service,
                                      grpc::Status (Stub::*method)(grpc::ClientContext*,
                                                                   const Request&, Response*),
                                      const Request& request, const CallOptions& options) {
  const absl::Time deadline = absl::Now() + options.timeout;
  while (true) {
    const std::shared_ptr<const Stubs> connection = stubs();
    grpc::ClientContext context;
    Prepare(options.token, deadline - absl::Now(), context);
    Response response;
    absl::Status status =
        FromGrpc(((connection.get()->*service).get()->*method)(&context, request, &response));
    if (status.ok()) return response;
    // With a detail it was the server that refused.
    if (!IsConnectionFailure(status) || ErrorDetailOf(status).has_value()) return status;
    Reconnect(connection);
    constexpr absl::Duration kPause = absl::Milliseconds(100);
    if (!options.retry || absl::Now() + kPause >= deadline) return Explain(status);
    absl::SleepFor(kPause);
  }
}

}  // namespace rtmixd::client

#endif  // RTMIXD_CLIENT_CPP_CLIENT_H_
