#include "server/server.h"

#include <grpc/grpc.h>
#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/resource_quota.h>

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "server/rpc/access.h"
#include "server/rpc/action_service.h"
#include "server/rpc/audio_service.h"
#include "server/rpc/buffer_service.h"
#include "server/rpc/calibration_file.h"
#include "server/rpc/calibration_service.h"
#include "server/rpc/callback_threads.h"
#include "server/rpc/clock_service.h"
#include "server/rpc/device_service.h"
#include "server/rpc/event_service.h"
#include "server/rpc/listen_address.h"
#include "server/rpc/listen_credentials.h"
#include "server/rpc/server_info_service.h"
#include "server/rpc/session_service.h"
#include "server/rpc/spool_service.h"
#include "server/rpc/stream_service.h"
#include "server/rpc/virtual_device_service.h"
#include "server/rpc/worker.h"

namespace rtmixd {
namespace {

// A client that is gone is noticed after the two together.
constexpr int kKeepaliveMillis = 1000;
constexpr int kKeepaliveTimeoutMillis = 1000;
// Clients may ping every 5 s; a little less, for pings that come early.
constexpr int kMinClientPingMillis = 4500;
// What a client may send before it hears that it was read: one of the longest chunks of audio.
// Only reflection is synchronous; it gets no more than these.
constexpr int kMaxSyncThreads = 8;
// Of one connection at once: more than one client has use for, and each costs some kilobytes.
constexpr int kMaxCallsPerConnection = 2048;
// Of one call; two tokens and what gRPC adds take less than 1 KiB.
constexpr int kMaxMetadataBytes = 8192;
// For calls to end after they have been told to.
constexpr absl::Duration kCallEndTime = absl::Seconds(2);
constexpr std::chrono::milliseconds kHurryPollInterval(50);

class ServerImpl final : public Server {
 public:
  ServerImpl(std::unique_ptr<Engine> engine, const std::shared_ptr<Spool>& spool)
      : engine_(std::move(engine)),
        server_info_(*engine_, spool),
        devices_(*engine_),
        stream_(*engine_),
        clock_(*engine_),
        calibrations_(*engine_),
        sessions_(*engine_),
        buffers_(*engine_, worker_),
        actions_(*engine_, worker_),
        audio_(*engine_),
        events_(*engine_),
        virtual_device_(*engine_),
        spool_(*engine_, spool) {}

  ~ServerImpl() override {
    Stop(absl::ZeroDuration(), [] { return true; });
  }

  absl::Status Start(const Options& options) {
    if (absl::Status status = PrepareSecurity(options); !status.ok()) return status;
    grpc::EnableDefaultHealthCheckService(true);
    grpc::reflection::InitProtoReflectionServerBuilderPlugin();
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort(options.listen_address, credentials_, &port);
    builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
    builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, kMaxCallsPerConnection);
    builder.AddChannelArgument(GRPC_ARG_MAX_METADATA_SIZE, kMaxMetadataBytes);
    builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMillis);
    builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMillis);
    // A client without a call may be one whose library answers pings only during calls: C++ between
    // two synchronous ones, for up to 5 s. It must not be cut off; nothing of it would be noticed.
    builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 0);
    builder.AddChannelArgument(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
    builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
                               kMinClientPingMillis);
    const int max_message_bytes = options.engine.limits.max_message_bytes;
    builder.SetMaxReceiveMessageSize(max_message_bytes);
    builder.SetMaxSendMessageSize(max_message_bytes);
    builder.SetSyncServerOption(grpc::ServerBuilder::SyncServerOption::NUM_CQS, 1);
    builder.SetSyncServerOption(grpc::ServerBuilder::SyncServerOption::MIN_POLLERS, 1);
    builder.SetSyncServerOption(grpc::ServerBuilder::SyncServerOption::MAX_POLLERS, 1);
    builder.SetResourceQuota(grpc::ResourceQuota("rtmixd").SetMaxThreads(kMaxSyncThreads));
    for (grpc::Service* service : std::initializer_list<grpc::Service*>{
             &server_info_, &devices_, &stream_, &clock_, &sessions_, &buffers_, &actions_, &audio_,
             &events_, &virtual_device_, &calibrations_, &spool_}) {
      builder.RegisterService(service);
    }
    device_status_ = engine_->Start();  // first, so that the first call finds the stream
    server_ = builder.BuildAndStart();
    if (server_ == nullptr || port == 0) {
      return absl::UnavailableError(
          absl::StrCat("cannot listen on ", options.listen_address,
                       ": the address is in use, not of this host, or not HOST:PORT"));
    }
    const size_t colon = options.listen_address.rfind(':');
    address_ = absl::StartsWith(options.listen_address, "unix")
                   ? options.listen_address
                   : absl::StrCat(options.listen_address.substr(0, colon), ":", port);
    return absl::OkStatus();
  }

  const std::string& address() const override { return address_; }
  Engine& engine() override { return *engine_; }
  const absl::Status& device_status() const override { return device_status_; }

  void Stop(absl::Duration grace, const std::function<bool()>& hurry) override {
    if (server_ == nullptr) return;
    server_->GetHealthCheckService()->SetServingStatus(false);
    std::mutex mutex;
    std::condition_variable changed;
    int done = 0;
    const auto shut_down = [&](absl::Duration rest) {
      engine_->Shutdown(rest, [&] {
        const std::lock_guard lock(mutex);
        ++done;
        changed.notify_all();
      });
    };
    shut_down(grace);
    int wanted = 1;
    {
      std::unique_lock lock(mutex);
      while (!changed.wait_for(lock, kHurryPollInterval, [&] { return done == wanted; })) {
        if (wanted == 1 && hurry()) {
          wanted = 2;
          lock.unlock();
          shut_down(absl::ZeroDuration());
          lock.lock();
        }
      }
    }
    server_->Shutdown(absl::ToChronoTime(absl::Now() + kCallEndTime));
    server_->Wait();
    server_ = nullptr;
  }

 private:
  // Who may come in, and how; refuses to listen where anybody could.
  absl::Status PrepareSecurity(const Options& options) {
    const bool local = IsLocalAddress(options.listen_address);
    if (!local && !options.tls.has_value() && !options.insecure) {
      return absl::FailedPreconditionError(
          absl::StrCat("other hosts can reach ", options.listen_address,
                       ": give --tls-cert and --tls-key, or --insecure to do without"));
    }
    absl::StatusOr<std::unique_ptr<Access>> access =
        Access::Create({.token_file = options.token_file,
                        .max_calls_per_second = options.engine.limits.max_calls_per_second,
                        .monotonic = {},
                        .log = options.log});
    if (!access.ok()) return access.status();
    access_ = *std::move(access);
    absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> credentials =
        MakeListenCredentials(options.tls, access_.get(), options.log);
    if (!credentials.ok()) return credentials.status();
    credentials_ = *std::move(credentials);
    if (local || !options.log) return absl::OkStatus();
    if (!options.tls.has_value()) {
      options.log(absl::StrCat("warning: ", options.listen_address,
                               " is open to other hosts without TLS: all that is played, recorded "
                               "and told can be read and changed on the way, tokens too"));
    }
    if (options.token_file.empty() &&
        (!options.tls.has_value() || options.tls->client_ca.empty())) {
      options.log(
          absl::StrCat("warning: whoever reaches ", options.listen_address,
                       " may do everything: there is neither --token-file nor --client-ca"));
    }
    return absl::OkStatus();
  }

  const CallbackThreads callback_threads_;
  std::unique_ptr<Access> access_;
  std::shared_ptr<grpc::ServerCredentials> credentials_;  // outlive server_, which refers to them
  const std::unique_ptr<Engine> engine_;
  Worker worker_;
  ServerInfoService server_info_;
  DeviceService devices_;
  StreamService stream_;
  ClockService clock_;
  CalibrationService calibrations_;
  SessionService sessions_;
  BufferService buffers_;
  ActionService actions_;
  AudioService audio_;
  EventService events_;
  VirtualDeviceService virtual_device_;
  SpoolService spool_;
  std::unique_ptr<grpc::Server> server_;
  std::string address_;
  absl::Status device_status_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Server>> Server::Create(const Options& options,
                                                       std::unique_ptr<AudioDevice> device) {
  Engine::Options engine_options = options.engine;
  if (!options.calibration_file.empty()) {
    auto calibrations = ReadCalibrations(options.calibration_file);
    if (!calibrations.ok()) return calibrations.status();
    engine_options.calibrations = *std::move(calibrations);
    engine_options.save_calibrations =
        [path = options.calibration_file](const std::vector<CalibrationInfo>& all) {
          return WriteCalibrations(path, all);
        };
  }
  std::shared_ptr<Spool> spool;
  if (options.spool.has_value()) {
    auto opened = Spool::Open(*options.spool);
    if (!opened.ok()) return opened.status();
    spool = *std::move(opened);
    engine_options.spool = spool;
  }
  absl::StatusOr<std::unique_ptr<Engine>> engine =
      Engine::Create(std::move(engine_options), std::move(device));
  if (!engine.ok()) return engine.status();
  auto server = std::make_unique<ServerImpl>(*std::move(engine), spool);
  if (absl::Status status = server->Start(options); !status.ok()) return status;
  return server;
}

}  // namespace rtmixd
