#ifndef RTMIXD_SERVER_RPC_TOKEN_FILE_H_
#define RTMIXD_SERVER_RPC_TOKEN_FILE_H_

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "server/rpc/access_rules.h"

namespace rtmixd {

// Of a token only its SHA-256 is kept. Tokens are random, so that a plain hash cannot be turned
// back.
using TokenHash = std::array<uint8_t, 32>;
TokenHash HashToken(std::string_view token);

// Who a token makes of its bearer.
struct TokenHolder {
  Role role = Role::kObserve;
  std::string name;  // for people: in refusals and logs
  TokenHash hash{};
};

// Reads a file with one token per line, ROLE NAME SECRET, separated by blanks:
//
//   # the farm's CI
//   play        ci     sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
//   administer  alice  fIPsLbN6xwHs4CsxEWUbDcS5xSaDkxPT
//
// SECRET is the token's SHA-256 in hexadecimal, or the token itself, of 16 to 512 printable
// characters; a file with such must not be readable by everyone. Empty lines and lines that begin
// with # mean nothing. INVALID_ARGUMENT with the line, without what is secret in it; NOT_FOUND or
// another code if it cannot be read; PERMISSION_DENIED if others can read what is secret.
absl::StatusOr<std::vector<TokenHolder>> ReadTokenFile(const std::string& path);

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_RPC_TOKEN_FILE_H_
