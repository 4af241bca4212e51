#ifndef RTMIXD_SERVER_CONTROL_BYTE_BUDGET_H_
#define RTMIXD_SERVER_CONTROL_BYTE_BUDGET_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"

namespace rtmixd {

// A limit on bytes of memory, which may itself draw on a wider one: a session's on the server's.
// Memory is reserved before it is allocated and given back when it is freed, whoever frees it last.
//
// Threading: thread-safe, lock-free.
class ByteBudget {
 public:
  // `limit_name` is the limit's name in ServerLimits, for errors.
  ByteBudget(std::string limit_name, int64_t limit_bytes,
             std::shared_ptr<ByteBudget> parent = nullptr);
  ByteBudget(const ByteBudget&) = delete;
  ByteBudget& operator=(const ByteBudget&) = delete;

  // RESOURCE_EXHAUSTED (kLimitExceeded) if this or a wider limit would be exceeded; then nothing is
  // reserved. `bytes` >= 0 and at most 2^62.
  absl::Status Reserve(int64_t bytes);
  void Release(int64_t bytes);
  int64_t used_bytes() const { return used_bytes_.load(std::memory_order_relaxed); }

 private:
  const std::string limit_name_;
  const int64_t limit_bytes_;
  const std::shared_ptr<ByteBudget> parent_;
  // Relaxed throughout: a counter, which orders no other memory.
  std::atomic<int64_t> used_bytes_{0};
};

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_CONTROL_BYTE_BUDGET_H_
