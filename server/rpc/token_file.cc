#include "server/rpc/token_file.h"

#include <openssl/sha.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <sstream>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace rtmixd {
namespace {

constexpr int64_t kMaxFileBytes = 1 << 20;
constexpr size_t kMaxHolders = 1000;  // each call is compared with all
constexpr size_t kMinTokenBytes = 16;
constexpr size_t kMaxTokenBytes = 512;
constexpr size_t kMaxNameBytes = 100;
constexpr absl::string_view kHashPrefix = "sha256:";

absl::Status BadLine(const std::string& path, size_t line, const std::string& what) {
  return absl::InvalidArgumentError(absl::StrCat(path, ", line ", line, ": ", what));
}

// The hash that is written as `hexadecimal`; false if it is none.
bool ParseHash(absl::string_view hexadecimal, TokenHash* hash) {
  if (hexadecimal.size() != 2 * hash->size() ||
      !std::all_of(hexadecimal.begin(), hexadecimal.end(), absl::ascii_isxdigit)) {
    return false;
  }
  const std::string bytes = absl::HexStringToBytes(hexadecimal);
  std::copy(bytes.begin(), bytes.end(), hash->begin());
  return true;
}

}  // namespace

TokenHash HashToken(std::string_view token) {
  TokenHash hash{};
  SHA256(reinterpret_cast<const unsigned char*>(token.data()), token.size(), hash.data());
  return hash;
}

absl::StatusOr<std::vector<TokenHolder>> ReadTokenFile(const std::string& path) {
  struct stat info {};
  if (stat(path.c_str(), &info) != 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat("cannot read the tokens in ", path));
  }
  if (!S_ISREG(info.st_mode) || info.st_size > kMaxFileBytes) {
    return absl::InvalidArgumentError(absl::StrCat(path, " is no file of at most 1 MiB"));
  }
  std::ifstream file(path);
  std::stringstream content;
  if (!(content << file.rdbuf()) && info.st_size > 0) {
    return absl::UnavailableError(absl::StrCat("cannot read the tokens in ", path));
  }

  std::vector<TokenHolder> holders;
  bool has_plain = false;
  size_t number = 0;
  for (const absl::string_view line : absl::StrSplit(content.str(), '\n')) {
    ++number;
    const std::vector<absl::string_view> words =
        absl::StrSplit(line, absl::ByAnyChar(" \t\r"), absl::SkipEmpty());
    if (words.empty() || absl::StartsWith(words[0], "#")) continue;
    if (words.size() != 3) return BadLine(path, number, "must be ROLE NAME SECRET");
    TokenHolder holder;
    const std::optional<Role> role = RoleOfName({words[0].data(), words[0].size()});
    if (!role.has_value()) {
      return BadLine(path, number, "the role must be observe, play or administer");
    }
    holder.role = *role;
    holder.name = std::string(words[1]);
    if (holder.name.size() > kMaxNameBytes) {
      return BadLine(path, number, absl::StrCat("the name is longer than ", kMaxNameBytes));
    }
    const absl::string_view secret = words[2];
    if (absl::StartsWith(secret, kHashPrefix)) {
      if (!ParseHash(secret.substr(kHashPrefix.size()), &holder.hash)) {
        return BadLine(path, number, "sha256: must be followed by 64 hexadecimal digits");
      }
    } else {
      if (secret.size() < kMinTokenBytes || secret.size() > kMaxTokenBytes ||
          !std::all_of(secret.begin(), secret.end(), absl::ascii_isgraph)) {
        return BadLine(path, number,
                       absl::StrCat("a token must have ", kMinTokenBytes, " to ", kMaxTokenBytes,
                                    " printable characters"));
      }
      holder.hash = HashToken({secret.data(), secret.size()});
      has_plain = true;
    }
    for (const TokenHolder& other : holders) {
      if (other.hash == holder.hash) {
        return BadLine(path, number, absl::StrCat("the token is that of ", other.name));
      }
    }
    holders.push_back(std::move(holder));
    if (holders.size() > kMaxHolders) {
      return BadLine(path, number, absl::StrCat("more than ", kMaxHolders, " tokens"));
    }
  }
  if (has_plain && (info.st_mode & S_IROTH) != 0) {
    return absl::PermissionDeniedError(
        absl::StrCat(path,
                     " has tokens in plain and can be read by everyone: chmod o-r it, or write "
                     "their SHA-256 instead"));
  }
  if (holders.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, " has no tokens: nobody could do anything"));
  }
  return holders;
}

}  // namespace rtmixd
