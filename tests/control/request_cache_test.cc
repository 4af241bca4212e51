#include "server/control/request_cache.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace rtmixd {
namespace {

using Cache = RequestCache<std::string>;
using Kind = Cache::Kind;

constexpr absl::Duration kRetention = absl::Minutes(10);

absl::Duration At(double seconds) { return absl::Seconds(seconds); }

// Begins a request that nobody waits for.
absl::StatusOr<Cache::Begun> Begin(Cache* cache, const std::string& id, absl::Duration now = At(0),
                                   const std::string& fingerprint = "f") {
  return cache->Begin("s-1", id, fingerprint, now, nullptr);
}

TEST(RequestCacheTest, RepeatedRequestGetsTheAnswer) {
  Cache cache(kRetention, 100);
  EXPECT_EQ(Begin(&cache, "r")->kind, Kind::kNew);
  EXPECT_THAT(cache.Finish("s-1", "r", "answer", At(0)), testing::IsEmpty());
  for (int i = 0; i < 3; ++i) {
    const auto begun = Begin(&cache, "r");
    EXPECT_EQ(begun->kind, Kind::kAnswered);
    EXPECT_EQ(begun->answer, "answer");
  }
}

TEST(RequestCacheTest, OtherScopesAndIdsAreOtherRequests) {
  Cache cache(kRetention, 100);
  ASSERT_TRUE(Begin(&cache, "r").ok());
  (void)cache.Finish("s-1", "r", "answer", At(0));
  EXPECT_EQ(cache.Begin("s-2", "r", "f", At(0), nullptr)->kind, Kind::kNew);
  EXPECT_EQ(Begin(&cache, "R")->kind, Kind::kNew);
}

TEST(RequestCacheTest, RequestWithoutIdIsAlwaysNew) {
  Cache cache(kRetention, 100);
  EXPECT_EQ(Begin(&cache, "")->kind, Kind::kNew);
  EXPECT_EQ(Begin(&cache, "")->kind, Kind::kNew);
  EXPECT_THAT(cache.Finish("s-1", "", "answer", At(0)), testing::IsEmpty());
  EXPECT_EQ(Begin(&cache, "")->kind, Kind::kNew);
}

TEST(RequestCacheTest, IdWithAnotherRequestIsRefused) {
  Cache cache(kRetention, 100);
  ASSERT_TRUE(Begin(&cache, "r", At(0), "one").ok());
  const absl::Status waiting = Begin(&cache, "r", At(0), "two").status();
  EXPECT_EQ(waiting.code(), absl::StatusCode::kAlreadyExists);
  (void)cache.Finish("s-1", "r", "answer", At(0));
  const absl::Status answered = Begin(&cache, "r", At(0), "two").status();
  EXPECT_EQ(answered.code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(GetErrorInfo(answered)->reason, ErrorReason::kRequestIdReused);
  EXPECT_EQ(GetErrorInfo(answered)->field, "request_id");
  EXPECT_EQ(Begin(&cache, "r", At(0), "one")->answer, "answer");
}

TEST(RequestCacheTest, LongIdIsRefused) {
  Cache cache(kRetention, 100);
  EXPECT_TRUE(Begin(&cache, std::string(128, 'x')).ok());
  const absl::Status status = Begin(&cache, std::string(129, 'x')).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(status.message(), "request_id is 129 bytes long; must be at most 128 bytes");
}

TEST(RequestCacheTest, DuplicateInFlightGetsTheSameAnswerOnce) {
  Cache cache(kRetention, 100);
  std::vector<std::string> got;
  const auto callback = [&](const absl::StatusOr<std::string>& answer) { got.push_back(*answer); };
  ASSERT_EQ(Begin(&cache, "r")->kind, Kind::kNew);
  EXPECT_EQ(cache.Begin("s-1", "r", "f", At(1), callback)->kind, Kind::kWaiting);
  EXPECT_EQ(cache.Begin("s-1", "r", "f", At(2), callback)->kind, Kind::kWaiting);
  const auto waiting = cache.Finish("s-1", "r", "answer", At(3));
  ASSERT_EQ(waiting.size(), 2u);
  for (const auto& call : waiting) call("answer");
  EXPECT_THAT(got, testing::ElementsAre("answer", "answer"));
  EXPECT_THAT(cache.Finish("s-1", "r", "answer", At(3)), testing::IsEmpty());
}

TEST(RequestCacheTest, RefusalIsNotRemembered) {
  Cache cache(kRetention, 100);
  ASSERT_EQ(Begin(&cache, "r")->kind, Kind::kNew);
  EXPECT_EQ(cache.Begin("s-1", "r", "f", At(0), [](const auto&) {})->kind, Kind::kWaiting);
  EXPECT_EQ(cache.Finish("s-1", "r", absl::ResourceExhaustedError("full"), At(0)).size(), 1u);
  EXPECT_EQ(Begin(&cache, "r")->kind, Kind::kNew);
  // Even another request may use the id now.
  (void)cache.Finish("s-1", "r", absl::ResourceExhaustedError("full"), At(0));
  EXPECT_EQ(Begin(&cache, "r", At(0), "other")->kind, Kind::kNew);
}

TEST(RequestCacheTest, AnswerIsKeptForTheRetentionAfterIt) {
  Cache cache(kRetention, 100);
  ASSERT_TRUE(Begin(&cache, "r", At(0)).ok());
  (void)cache.Finish("s-1", "r", "answer", At(100));
  EXPECT_EQ(Begin(&cache, "r", At(699))->kind, Kind::kAnswered);
  EXPECT_EQ(Begin(&cache, "r", At(700))->kind, Kind::kNew);
}

TEST(RequestCacheTest, OldestAnswersGoFirst) {
  Cache cache(kRetention, 3);
  for (int i = 0; i < 5; ++i) {
    const std::string id = std::to_string(i);
    ASSERT_TRUE(Begin(&cache, id).ok());
    (void)cache.Finish("s-1", id, id, At(i));
  }
  EXPECT_EQ(Begin(&cache, "2")->kind, Kind::kAnswered);
  EXPECT_EQ(Begin(&cache, "4")->kind, Kind::kAnswered);
  EXPECT_EQ(Begin(&cache, "0")->kind, Kind::kNew);
  EXPECT_EQ(Begin(&cache, "1")->kind, Kind::kNew);
}

TEST(RequestCacheTest, UnansweredRequestsAreNeverDropped) {
  Cache cache(kRetention, 1);
  ASSERT_EQ(Begin(&cache, "slow", At(0))->kind, Kind::kNew);
  for (int i = 0; i < 5; ++i) {
    const std::string id = std::to_string(i);
    ASSERT_TRUE(Begin(&cache, id, At(10000 + i)).ok());
    (void)cache.Finish("s-1", id, id, At(10000 + i));
  }
  EXPECT_EQ(cache.Begin("s-1", "slow", "f", At(20000), [](const auto&) {})->kind, Kind::kWaiting);
  EXPECT_EQ(cache.Finish("s-1", "slow", "at last", At(20000)).size(), 1u);
}

}  // namespace
}  // namespace rtmixd
