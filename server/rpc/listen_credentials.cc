#include "server/rpc/listen_credentials.h"

#include <grpc/grpc_security.h>
#include <grpc/slice.h>

#include <string_view>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "server/base/mutex.h"

namespace rtmixd {
namespace {

std::string_view Text(const grpc_slice& slice) {
  return {reinterpret_cast<const char*>(GRPC_SLICE_START_PTR(slice)), GRPC_SLICE_LENGTH(slice)};
}

// The one place that every call comes through.
void Admit(void* access, grpc_auth_context* /*context*/, const grpc_metadata* metadata,
           size_t count, grpc_process_auth_metadata_done_cb done, void* user_data) {
  std::string_view method;
  const grpc_metadata* authorization = nullptr;
  bool twice = false;
  for (size_t i = 0; i < count; ++i) {
    const std::string_view key = Text(metadata[i].key);
    if (key == ":path") method = Text(metadata[i].value);
    if (key != "authorization") continue;
    twice = authorization != nullptr;
    authorization = &metadata[i];
  }
  const absl::Status status =
      twice
          ? absl::UnauthenticatedError("the metadata key authorization was sent more than once")
          : static_cast<Access*>(access)->Admit(
                method, authorization == nullptr ? std::string_view() : Text(authorization->value));
  // The token is taken out of the metadata: no method sees it.
  done(user_data, authorization, authorization == nullptr ? 0 : 1, nullptr, 0,
       static_cast<grpc_status_code>(status.code()),
       status.ok() ? nullptr : std::string(status.message()).c_str());
}

// Gives core the certificates, again when they change.
class TlsSource {
 public:
  TlsSource(TlsMaterial paths, TlsMaterial material, TlsStamps stamps,
            std::function<void(const std::string& line)> log)
      : paths_(std::move(paths)),
        log_(std::move(log)),
        stamps_(stamps),
        next_(std::move(material)) {}

  // Called by core at the start and for every connection.
  static grpc_ssl_certificate_config_reload_status Fetch(
      void* self, grpc_ssl_server_certificate_config** config) {
    return static_cast<TlsSource*>(self)->Fetch(config);
  }

 private:
  grpc_ssl_certificate_config_reload_status Fetch(grpc_ssl_server_certificate_config** config) {
    const MutexLock lock(&mutex_);
    LookAgain();
    if (!next_.has_value()) return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_UNCHANGED;
    const grpc_ssl_pem_key_cert_pair pair = {next_->key.c_str(), next_->certificate.c_str()};
    // Core aborts without any, although nothing is verified with them unless clients are asked.
    const std::string& roots = next_->client_ca.empty() ? next_->certificate : next_->client_ca;
    *config = grpc_ssl_server_certificate_config_create(roots.c_str(), &pair, 1);
    next_.reset();
    return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_NEW;
  }

  void LookAgain() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    const TlsStamps stamps = StampsOf(paths_);
    if (stamps == stamps_) return;
    stamps_ = stamps;
    absl::StatusOr<TlsMaterial> read = ReadTlsFiles(paths_);
    if (log_) {
      log_(read.ok() ? absl::StrCat("certificates read again from ", paths_.certificate)
                     : absl::StrCat("certificates stay as they were: ", read.status().message()));
    }
    if (read.ok()) next_ = *std::move(read);
  }

  const TlsMaterial paths_;
  const std::function<void(const std::string& line)> log_;
  Mutex mutex_;
  TlsStamps stamps_ ABSL_GUARDED_BY(mutex_);
  std::optional<TlsMaterial> next_ ABSL_GUARDED_BY(mutex_);  // that core has not got yet
};

class ListenCredentials final : public grpc::ServerCredentials {
 public:
  ListenCredentials(std::unique_ptr<TlsSource> tls, bool asks_clients, Access* access)
      : tls_(std::move(tls)),
        core_(tls_ == nullptr ? grpc_insecure_server_credentials_create() : Tls(asks_clients)) {
    grpc_auth_metadata_processor processor{};
    processor.process = Admit;
    processor.state = access;
    grpc_server_credentials_set_auth_metadata_processor(core_, processor);
  }
  ~ListenCredentials() override { grpc_server_credentials_release(core_); }

  void SetAuthMetadataProcessor(
      const std::shared_ptr<grpc::AuthMetadataProcessor>& /*processor*/) override {}

 private:
  grpc_server_credentials* Tls(bool asks_clients) {
    return grpc_ssl_server_credentials_create_with_options(
        grpc_ssl_server_credentials_create_options_using_config_fetcher(
            asks_clients ? GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY
                         : GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE,
            TlsSource::Fetch, tls_.get()));
  }

  int AddPortToServer(const std::string& address, grpc_server* server) override {
    return grpc_server_add_http2_port(server, address.c_str(), core_);
  }

  const std::unique_ptr<TlsSource> tls_;
  grpc_server_credentials* const core_;
};

}  // namespace

absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> MakeListenCredentials(
    const std::optional<TlsMaterial>& tls_paths, Access* access,
    std::function<void(const std::string& line)> log) {
  std::unique_ptr<TlsSource> source;
  if (tls_paths.has_value()) {
    const TlsStamps stamps = StampsOf(*tls_paths);
    absl::StatusOr<TlsMaterial> material = ReadTlsFiles(*tls_paths);
    if (!material.ok()) return material.status();
    source = std::make_unique<TlsSource>(*tls_paths, *std::move(material), stamps, std::move(log));
  }
  const bool asks_clients = tls_paths.has_value() && !tls_paths->client_ca.empty();
  return std::make_shared<ListenCredentials>(std::move(source), asks_clients, access);
}

}  // namespace rtmixd
