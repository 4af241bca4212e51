#include "server/rpc/access.h"

#include <openssl/crypto.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "server/rpc/access_rules.h"

namespace rtmixd {
namespace {

constexpr absl::Duration kLookInterval = absl::Seconds(1);
constexpr absl::string_view kScheme = "Bearer ";

absl::Duration SystemMonotonic() {
  return absl::FromChrono(std::chrono::steady_clock::now().time_since_epoch());
}

}  // namespace

absl::StatusOr<std::unique_ptr<Access>> Access::Create(Options options) {
  if (!options.monotonic) options.monotonic = SystemMonotonic;
  auto access = std::unique_ptr<Access>(new Access(std::move(options)));
  if (access->options_.token_file.empty()) return access;
  const MutexLock lock(&access->mutex_);
  access->stamp_ = StampOf(access->options_.token_file);
  absl::StatusOr<std::vector<TokenHolder>> holders = ReadTokenFile(access->options_.token_file);
  if (!holders.ok()) return holders.status();
  access->holders_ = *std::move(holders);
  return access;
}

Access::Access(Options options) : options_(std::move(options)) {}

void Access::Reload(absl::Duration now) {
  if (now - looked_ < kLookInterval) return;
  looked_ = now;
  const FileStamp stamp = StampOf(options_.token_file);
  if (stamp == stamp_) return;
  stamp_ = stamp;
  absl::StatusOr<std::vector<TokenHolder>> holders = ReadTokenFile(options_.token_file);
  std::string told = absl::StrCat("tokens read again from ", options_.token_file);
  if (holders.ok()) {
    holders_ = *std::move(holders);
    buckets_.clear();  // so that there are never more than holders
  } else {
    told = absl::StrCat("tokens stay as they were: ", holders.status().message());
  }
  if (options_.log) options_.log(told);
}

const TokenHolder* Access::Find(std::string_view authorization) const {
  const absl::string_view text(authorization.data(), authorization.size());
  if (!absl::StartsWithIgnoreCase(text, kScheme)) return nullptr;
  const TokenHash hash = HashToken(authorization.substr(kScheme.size()));
  const TokenHolder* found = nullptr;
  // All of them, each in constant time: how long it takes tells nothing.
  for (const TokenHolder& holder : holders_) {
    if (CRYPTO_memcmp(holder.hash.data(), hash.data(), hash.size()) == 0) found = &holder;
  }
  return found;
}

bool Access::TakeOne(const std::string& name, absl::Duration now) {
  const double most = options_.max_calls_per_second;
  Bucket& bucket = buckets_[name];
  bucket.calls = std::min(most, bucket.calls + most * absl::ToDoubleSeconds(now - bucket.filled));
  bucket.filled = now;
  if (bucket.calls < 1) return false;
  bucket.calls -= 1;
  return true;
}

absl::Status Access::Admit(std::string_view method_name, std::string_view authorization) {
  const absl::Duration now = options_.monotonic();
  const absl::string_view method(method_name.data(), method_name.size());
  const bool asks = !options_.token_file.empty();
  std::optional<Role> role;
  std::string name;
  {
    const MutexLock lock(&mutex_);
    if (asks) {
      Reload(now);
      if (const TokenHolder* const holder = Find(authorization); holder != nullptr) {
        role = holder->role;
        name = holder->name;
      }
    }
    if (!TakeOne(name, now)) {
      const std::string who = !asks          ? "all clients together make"
                              : name.empty() ? "those without a known token together make"
                                             : absl::StrCat("the token of ", name, " makes");
      return absl::ResourceExhaustedError(absl::StrCat("max_calls_per_second is ",
                                                       options_.max_calls_per_second, "; ", who,
                                                       " more calls than that"));
    }
  }
  if (!asks) return absl::OkStatus();
  const Role needed = RequiredRole(method_name);
  const absl::string_view needed_name(RoleName(needed).data(), RoleName(needed).size());
  if (!role.has_value()) {
    return absl::UnauthenticatedError(
        absl::StrCat(method, " needs a token of role ", needed_name, "; ",
                     authorization.empty()
                         ? "none was sent: put \"Bearer TOKEN\" into the metadata key authorization"
                         : "this server does not know the one that was sent"));
  }
  if (*role < needed) {
    return absl::PermissionDeniedError(absl::StrCat(method, " needs the role ", needed_name,
                                                    "; the token of ", name, " has the role ",
                                                    std::string(RoleName(*role))));
  }
  return absl::OkStatus();
}

}  // namespace rtmixd
