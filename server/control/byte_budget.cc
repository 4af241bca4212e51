#include "server/control/byte_budget.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "server/base/error_info.h"

namespace rtmixd {

ByteBudget::ByteBudget(std::string limit_name, int64_t limit_bytes,
                       std::shared_ptr<ByteBudget> parent)
    : limit_name_(std::move(limit_name)), limit_bytes_(limit_bytes), parent_(std::move(parent)) {}

absl::Status ByteBudget::Reserve(int64_t bytes) {
  int64_t used = used_bytes_.load(std::memory_order_relaxed);
  do {
    if (bytes > limit_bytes_ - used) {
      // Together they may be more than the type of both holds.
      const uint64_t wanted = static_cast<uint64_t>(used) + static_cast<uint64_t>(bytes);
      return LimitExceeded(limit_name_, absl::StrCat(wanted), absl::StrCat(limit_bytes_));
    }
  } while (!used_bytes_.compare_exchange_weak(used, used + bytes, std::memory_order_relaxed));
  if (parent_ == nullptr) return absl::OkStatus();
  absl::Status status = parent_->Reserve(bytes);
  if (!status.ok()) used_bytes_.fetch_sub(bytes, std::memory_order_relaxed);
  return status;
}

void ByteBudget::Release(int64_t bytes) {
  used_bytes_.fetch_sub(bytes, std::memory_order_relaxed);
  if (parent_ != nullptr) parent_->Release(bytes);
}

}  // namespace rtmixd
