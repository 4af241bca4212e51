#ifndef RTMIXD_SERVER_RPC_TLS_FILES_H_
#define RTMIXD_SERVER_RPC_TLS_FILES_H_

#include <string>

#include "absl/status/statusor.h"
#include "server/rpc/file_stamp.h"

namespace rtmixd {

// What TLS is made with: files in PEM, or what is in them.
struct TlsMaterial {
  std::string certificate;  // of the server, then those between it and its CA
  std::string key;
  std::string client_ca;  // whose certificates clients must have; "": they need none
};

// The content of these files, if it can be used together. Otherwise an error that names the file:
// INVALID_ARGUMENT if it has no certificate or key, if the key is not that of the certificate, or
// if the certificate is not valid now.
absl::StatusOr<TlsMaterial> ReadTlsFiles(const TlsMaterial& paths);

// Which content the files have.
struct TlsStamps {
  FileStamp certificate;
  FileStamp key;
  FileStamp client_ca;

  friend bool operator==(const TlsStamps&, const TlsStamps&) = default;
};
TlsStamps StampsOf(const TlsMaterial& paths);

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_RPC_TLS_FILES_H_
