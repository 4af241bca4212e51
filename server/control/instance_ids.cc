#include "server/control/instance_ids.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "server/base/error_info.h"

namespace rtmixd {
namespace {

constexpr size_t kMarkSize = 6;

}  // namespace

InstanceIds::InstanceIds(std::string_view instance_id)
    : suffix_(absl::StrCat(".", std::string(instance_id.substr(0, kMarkSize)))) {}

std::string InstanceIds::Make(char kind, int64_t number) const {
  return absl::StrCat(std::string(1, kind), "-", number, suffix_);
}

std::optional<int64_t> InstanceIds::NumberOf(char kind, std::string_view id) const {
  if (id.size() < 2 + suffix_.size()) return std::nullopt;
  const absl::string_view digits(id.data() + 2, id.size() - 2 - suffix_.size());
  int64_t number = 0;
  if (!absl::SimpleAtoi(digits, &number)) return std::nullopt;
  // There is one way to write an id.
  if (Make(kind, number) != id) return std::nullopt;
  return number;
}

bool InstanceIds::IsForeign(std::string_view id) const {
  if (suffix_.empty() || id.size() <= kMarkSize) return false;
  const std::string_view end = id.substr(id.size() - kMarkSize - 1);
  return end != suffix_ && end[0] == '.' &&
         std::all_of(end.begin() + 1, end.end(), [](char c) { return absl::ascii_isxdigit(c); });
}

absl::Status InstanceIds::NotFound(const std::string& field, const std::string& id,
                                   const std::string& what) const {
  if (!IsForeign(id)) return rtmixd::NotFound(field, id, what);
  return MakeError(
      absl::StatusCode::kNotFound, {.reason = ErrorReason::kNotFound, .field = field, .value = id},
      absl::StrCat(field, " ", id, ": no such ", what,
                   "; it was one of an earlier run of the server, which was restarted"));
}

}  // namespace rtmixd
