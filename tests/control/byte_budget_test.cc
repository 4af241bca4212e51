#include "server/control/byte_budget.h"

#include <memory>
#include <thread>
#include <vector>

#include "gtest/gtest.h"
#include "server/base/error_info.h"

namespace rtmixd {
namespace {

TEST(ByteBudgetTest, HoldsUpToItsLimit) {
  ByteBudget budget("max_buffer_bytes", 100);
  EXPECT_TRUE(budget.Reserve(60).ok());
  EXPECT_TRUE(budget.Reserve(40).ok());
  EXPECT_TRUE(budget.Reserve(0).ok());
  const absl::Status status = budget.Reserve(1);
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(GetErrorInfo(status)->reason, ErrorReason::kLimitExceeded);
  EXPECT_EQ(GetErrorInfo(status)->field, "max_buffer_bytes");
  EXPECT_EQ(GetErrorInfo(status)->value, "101");
  EXPECT_EQ(GetErrorInfo(status)->limit, "100");
  EXPECT_EQ(budget.used_bytes(), 100);
  budget.Release(1);
  EXPECT_TRUE(budget.Reserve(1).ok());
}

TEST(ByteBudgetTest, WiderLimitCountsToo) {
  const auto total = std::make_shared<ByteBudget>("max_buffer_bytes", 100);
  ByteBudget one("max_buffer_bytes_per_session", 80, total);
  ByteBudget two("max_buffer_bytes_per_session", 80, total);
  EXPECT_TRUE(one.Reserve(70).ok());
  EXPECT_EQ(total->used_bytes(), 70);
  const absl::Status status = two.Reserve(40);
  EXPECT_EQ(GetErrorInfo(status)->field, "max_buffer_bytes");
  EXPECT_EQ(two.used_bytes(), 0);
  EXPECT_EQ(total->used_bytes(), 70);
  EXPECT_EQ(GetErrorInfo(two.Reserve(81))->field, "max_buffer_bytes_per_session");
  one.Release(70);
  EXPECT_TRUE(two.Reserve(80).ok());
  EXPECT_EQ(total->used_bytes(), 80);
}

TEST(ByteBudgetTest, HugeWishesDoNotOverflow) {
  ByteBudget budget("max_buffer_bytes", INT64_MAX);
  EXPECT_TRUE(budget.Reserve(int64_t{1} << 62).ok());
  const auto refused = budget.Reserve(int64_t{1} << 62);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(GetErrorInfo(refused)->value, "9223372036854775808");
}

TEST(ByteBudgetTest, ThreadsNeverExceedIt) {
  const auto total = std::make_shared<ByteBudget>("max_buffer_bytes", 1000);
  std::vector<std::thread> threads;
  std::atomic<int> exceeded{0};
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      ByteBudget own("max_buffer_bytes_per_session", 600, total);
      for (int i = 0; i < 20000; ++i) {
        const int64_t bytes = 1 + i % 500;
        if (!own.Reserve(bytes).ok()) continue;
        exceeded += total->used_bytes() > 1000;
        own.Release(bytes);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(exceeded.load(), 0);
  EXPECT_EQ(total->used_bytes(), 0);
}

}  // namespace
}  // namespace rtmixd
