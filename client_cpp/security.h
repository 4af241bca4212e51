#ifndef RTMIXD_CLIENT_CPP_SECURITY_H_
#define RTMIXD_CLIENT_CPP_SECURITY_H_

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace rtmixd::client {

// How to prove to a server who one is, and it to us. All are names of files; "" where not needed.
struct Security {
  std::string ca = {};          // in PEM: whose certificates servers must have; with it, TLS
  std::string cert = {};        // in PEM: our own certificate, for servers that want one
  std::string key = {};         // in PEM: its key
  std::string token_file = {};  // its first line is our bearer token
};

// A channel with TLS if there is a CA, plain text otherwise, on which every call has the token. The
// files are read now: a channel made later finds what has changed. INVALID_ARGUMENT if one cannot
// be read, or if they do not belong together.
absl::StatusOr<std::shared_ptr<grpc::Channel>> MakeChannel(const std::string& target,
                                                           const Security& security,
                                                           const grpc::ChannelArguments& arguments);

}  // namespace rtmixd::client

#endif  // RTMIXD_CLIENT_CPP_SECURITY_H_
