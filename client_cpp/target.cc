#include "client_cpp/target.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace rtmixd::client {

std::string CompleteTarget(absl::string_view text) {
  if (text.empty()) return absl::StrCat("localhost:", kDefaultPort);
  const bool has_scheme = absl::StrContains(text, "://") || absl::StartsWith(text, "unix:") ||
                          absl::StartsWith(text, "dns:") || absl::StartsWith(text, "ipv4:") ||
                          absl::StartsWith(text, "ipv6:");
  if (has_scheme) return std::string(text);
  const auto colons = std::count(text.begin(), text.end(), ':');
  if (absl::StartsWith(text, "[")) {
    return absl::EndsWith(text, "]") ? absl::StrCat(text, ":", kDefaultPort) : std::string(text);
  }
  if (colons == 0) return absl::StrCat(text, ":", kDefaultPort);
  if (colons == 1) return std::string(text);
  // More than one colon without brackets can only be an IPv6 address.
  return absl::StrCat("[", text, "]:", kDefaultPort);
}

}  // namespace rtmixd::client
