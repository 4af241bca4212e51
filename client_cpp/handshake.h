#ifndef RTMIXD_CLIENT_CPP_HANDSHAKE_H_
#define RTMIXD_CLIENT_CPP_HANDSHAKE_H_

#include <string>

#include "absl/time/time.h"
#include "client_cpp/security.h"

namespace rtmixd::client {

// Why no connection to `target` comes about, if that is for reasons of TLS: tries a handshake of
// its own and tells what is wrong with it in words. Exists because gRPC only says that it failed.
// "" if nothing is wrong with the handshake, there is nobody to shake hands with, or `target` is no
// HOST:PORT.
//
// Takes up to `timeout` for each of three steps.
std::string ExplainHandshake(const std::string& target, const Security& security,
                             absl::Duration timeout);

}  // namespace rtmixd::client

#endif  // RTMIXD_CLIENT_CPP_HANDSHAKE_H_
