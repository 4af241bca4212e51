#ifndef RTMIXD_SERVER_RPC_LISTEN_CREDENTIALS_H_
#define RTMIXD_SERVER_RPC_LISTEN_CREDENTIALS_H_

#include <grpcpp/security/server_credentials.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "server/rpc/access.h"
#include "server/rpc/tls_files.h"

namespace rtmixd {

// What the server listens with: TLS of at least 1.2 with `tls_paths`, plain text without, and
// `access` in front of every call either way: all methods, health, reflection and unknown ones
// included, before any message is parsed. Exists because grpc::InsecureServerCredentials cannot ask
// anyone; the core below it can.
//
// With `client_ca` clients must have a certificate of that CA. The files are looked after at each
// new connection: changed ones are read again, and if they cannot be used the old ones stay and
// `log` is told. Connections that are there go on. `access` must live as long as the server.
//
// Errors are those of ReadTlsFiles.
absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> MakeListenCredentials(
    const std::optional<TlsMaterial>& tls_paths, Access* access,
    std::function<void(const std::string& line)> log);

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_RPC_LISTEN_CREDENTIALS_H_
