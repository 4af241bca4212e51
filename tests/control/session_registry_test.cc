#include "server/control/session_registry.h"

#include <set>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/base/error_info.h"

namespace rtmixd {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

const absl::Time kWallStart = absl::FromUnixSeconds(1700000000);

// Seconds after the start, on both clocks.
Moment At(double seconds) {
  return {absl::Seconds(5000) + absl::Seconds(seconds), kWallStart + absl::Seconds(seconds)};
}

SessionSpec Spec(const std::string& label, double ttl_seconds = 15, bool exclusive = false) {
  SessionSpec spec;
  spec.label = label;
  spec.ttl = absl::Seconds(ttl_seconds);
  spec.exclusive = exclusive;
  return spec;
}

std::vector<std::string> Ids(const std::vector<SessionInfo>& infos) {
  std::vector<std::string> ids;
  for (const SessionInfo& info : infos) ids.push_back(info.session_id);
  return ids;
}

class SessionRegistryTest : public testing::Test {
 protected:
  std::string Make(const SessionSpec& spec, double seconds = 0) {
    auto created = registry_.Create(spec, At(seconds));
    EXPECT_TRUE(created.ok()) << created.status();
    tokens_[created->info.session_id] = created->token;
    return created->info.session_id;
  }
  // Grants while the sessions in busy_ have unfinished actions.
  std::string Grant(double seconds = 0) {
    return registry_.GrantNext([this](const std::string& id) { return busy_.count(id) > 0; },
                               At(seconds));
  }

  Limits limits_ = [] {
    Limits limits;
    limits.max_sessions = 4;
    return limits;
  }();
  SessionRegistry registry_{limits_};
  std::map<std::string, std::string> tokens_;
  std::set<std::string> busy_;
};

TEST_F(SessionRegistryTest, NewSessionIsAsAskedFor) {
  const auto created = registry_.Create(Spec("CI job 812", 20), At(0));
  ASSERT_TRUE(created.ok());
  const SessionInfo& info = created->info;
  EXPECT_EQ(info.label, "CI job 812");
  EXPECT_EQ(info.state, SessionState::kShared);
  EXPECT_EQ(info.ttl, absl::Seconds(20));
  EXPECT_EQ(info.create_time, kWallStart);
  EXPECT_EQ(info.expire_time, kWallStart + absl::Seconds(20));
  EXPECT_EQ(info.end_time, absl::InfiniteFuture());
  EXPECT_EQ(info.queue_position, 0);
  EXPECT_FALSE(created->repeated);
  EXPECT_EQ(registry_.Label(info.session_id), "CI job 812");
  EXPECT_TRUE(registry_.Exists(info.session_id));
}

TEST_F(SessionRegistryTest, TokensAreLongAndDiffer) {
  std::set<std::string> tokens;
  for (int i = 0; i < 200; ++i) {
    const auto created = registry_.Create(Spec("x"), At(0));
    ASSERT_TRUE(created.ok());
    EXPECT_EQ(created->token.size(), 32u);  // 128 bits in hexadecimal
    EXPECT_EQ(created->token.find_first_not_of("0123456789abcdef"), std::string::npos);
    tokens.insert(created->token);
    ASSERT_TRUE(registry_.End(created->info.session_id, At(0)).ok());
  }
  EXPECT_EQ(tokens.size(), 200u);
}

TEST_F(SessionRegistryTest, TokenNamesItsSession) {
  const std::string one = Make(Spec("one"));
  const std::string two = Make(Spec("two"));
  EXPECT_NE(one, two);
  EXPECT_EQ(*registry_.Authenticate(tokens_[one], At(1)), one);
  EXPECT_EQ(*registry_.Authenticate(tokens_[two], At(1)), two);
}

TEST_F(SessionRegistryTest, OtherTokensAreRefused) {
  const std::string one = Make(Spec("one"));
  const absl::Status none = registry_.Authenticate("", At(0)).status();
  EXPECT_EQ(none.code(), absl::StatusCode::kUnauthenticated);
  EXPECT_EQ(GetErrorInfo(none)->reason, ErrorReason::kSessionRequired);
  for (const std::string& token :
       {std::string("x"), one, tokens_[one] + "0", tokens_[one].substr(1), std::string(32, '\0')}) {
    const absl::Status status = registry_.Authenticate(token, At(0)).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kUnauthenticated);
    EXPECT_EQ(GetErrorInfo(status)->reason, ErrorReason::kSessionExpired);
  }
}

TEST_F(SessionRegistryTest, BadSpecsAreRefusedByField) {
  const auto field = [this](const SessionSpec& spec) {
    const absl::Status status = registry_.Create(spec, At(0)).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    return GetErrorInfo(status)->field;
  };
  EXPECT_EQ(field(Spec(std::string(201, 'x'))), "label");
  EXPECT_EQ(field(Spec("x", 0.999)), "ttl");
  EXPECT_EQ(field(Spec("x", 0)), "ttl");
  EXPECT_EQ(field(Spec("x", -1)), "ttl");
  EXPECT_EQ(field(Spec("x", 3600.001)), "ttl");
  SessionSpec spec = Spec("x");
  spec.max_lifetime = absl::ZeroDuration();
  EXPECT_EQ(field(spec), "max_lifetime");
  spec = Spec("x");
  spec.request_id = std::string(129, 'x');
  EXPECT_EQ(field(spec), "request_id");
  EXPECT_THAT(registry_.List(At(0)), IsEmpty());

  EXPECT_TRUE(registry_.Create(Spec(std::string(200, 'x'), 1), At(0)).ok());
  EXPECT_TRUE(registry_.Create(Spec("", 3600), At(0)).ok());
}

TEST_F(SessionRegistryTest, SessionsAreLimited) {
  std::vector<std::string> ids;
  for (int i = 0; i < 4; ++i) ids.push_back(Make(Spec("x")));
  const absl::Status status = registry_.Create(Spec("x"), At(0)).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(GetErrorInfo(status)->field, "max_sessions");
  EXPECT_EQ(GetErrorInfo(status)->limit, "4");
  ASSERT_TRUE(registry_.End(ids[1], At(0)).ok());
  EXPECT_TRUE(registry_.Create(Spec("x"), At(0)).ok());
}

TEST_F(SessionRegistryTest, SessionEndsWithoutSignsOfLife) {
  const std::string one = Make(Spec("one", 10));
  EXPECT_EQ(registry_.NextExpiry(), At(10).monotonic);
  EXPECT_THAT(registry_.TakeExpired(At(9.999)), IsEmpty());
  const auto expired = registry_.TakeExpired(At(10));
  ASSERT_THAT(Ids(expired), ElementsAre(one));
  EXPECT_EQ(expired[0].state, SessionState::kEnded);
  EXPECT_EQ(expired[0].label, "one");
  EXPECT_FALSE(registry_.Exists(one));
  EXPECT_THAT(registry_.TakeExpired(At(11)), IsEmpty());
  EXPECT_EQ(registry_.NextExpiry(), absl::InfiniteDuration());
  EXPECT_EQ(registry_.Authenticate(tokens_[one], At(11)).status().code(),
            absl::StatusCode::kUnauthenticated);
}

TEST_F(SessionRegistryTest, SignsOfLifeProlongIt) {
  const std::string one = Make(Spec("one", 10));
  EXPECT_TRUE(registry_.Authenticate(tokens_[one], At(9)).ok());
  EXPECT_THAT(registry_.TakeExpired(At(18)), IsEmpty());
  // An open call says that it lived 2 s ago.
  registry_.Touch(one, At(10));
  EXPECT_EQ(registry_.Get(one, At(10))->expire_time, kWallStart + absl::Seconds(19));
  registry_.Touch(one, At(18));
  EXPECT_EQ(registry_.Get(one, At(18))->expire_time, kWallStart + absl::Seconds(26));
  EXPECT_THAT(registry_.TakeExpired(At(25.9)), IsEmpty());
  EXPECT_THAT(Ids(registry_.TakeExpired(At(26))), ElementsAre(one));
  registry_.Touch("s-99", At(28));
}

TEST_F(SessionRegistryTest, AnOpenCallKeepsASessionOfAShortTtlAlive) {
  const std::string one = Make(Spec("one", 1));
  for (int quarter = 0; quarter < 20; ++quarter) {
    const double t = 0.25 * quarter;
    registry_.Touch(one, At(t));
    EXPECT_THAT(registry_.TakeExpired(At(t + 0.25)), IsEmpty());
  }
  // When it breaks, what it proves is old.
  EXPECT_THAT(Ids(registry_.TakeExpired(At(5.3))), ElementsAre(one));
}

TEST(SessionRegistryRestartTest, ATokenOfAnEarlierRunSaysSo) {
  SessionRegistry earlier(Limits(), InstanceIds("0123456789abcdef"));
  SessionRegistry later(Limits(), InstanceIds("fedcba9876543210"));
  const auto old = earlier.Create(Spec("one"), At(0));
  ASSERT_TRUE(old.ok());
  ASSERT_TRUE(later.Create(Spec("one"), At(0)).ok());
  EXPECT_EQ(old->info.session_id, "s-1.012345");
  const absl::Status status = later.Authenticate(old->token, At(0)).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnauthenticated);
  EXPECT_THAT(std::string(status.message()), testing::HasSubstr("restarted"));
  EXPECT_THAT(std::string(later.Authenticate("nonsense", At(0)).status().message()),
              testing::Not(testing::HasSubstr("restarted")));
  const absl::Status gone = later.Get(old->info.session_id, At(0)).status();
  EXPECT_EQ(gone.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(gone.message()), testing::HasSubstr("restarted"));
}

TEST_F(SessionRegistryTest, ExpiredSessionCannotBeRevivedBeforeItIsTaken) {
  const std::string one = Make(Spec("one", 10));
  EXPECT_EQ(registry_.Authenticate(tokens_[one], At(10)).status().code(),
            absl::StatusCode::kUnauthenticated);
  registry_.Touch(one, At(10));
  EXPECT_THAT(Ids(registry_.TakeExpired(At(10))), ElementsAre(one));
}

TEST_F(SessionRegistryTest, LifetimeEndsItWhateverItDoes) {
  SessionSpec spec = Spec("one", 10);
  spec.max_lifetime = absl::Seconds(25);
  const std::string one = Make(spec);
  EXPECT_EQ(registry_.Get(one, At(0))->end_time, kWallStart + absl::Seconds(25));
  for (double t : {8.0, 16.0, 24.0}) EXPECT_TRUE(registry_.Authenticate(tokens_[one], At(t)).ok());
  EXPECT_EQ(registry_.Get(one, At(24))->expire_time, kWallStart + absl::Seconds(25));
  EXPECT_THAT(Ids(registry_.TakeExpired(At(25))), ElementsAre(one));
}

TEST_F(SessionRegistryTest, WallClockMayBeSet) {
  const std::string one = Make(Spec("one", 10));
  const Moment later = {At(5).monotonic, kWallStart + absl::Hours(1000)};
  EXPECT_THAT(registry_.TakeExpired(later), IsEmpty());
  EXPECT_EQ(registry_.Get(one, later)->expire_time, later.wall + absl::Seconds(5));
}

TEST_F(SessionRegistryTest, ExpiredOnesComeInOrderOfTheirEnds) {
  const std::string slow = Make(Spec("slow", 30));
  const std::string fast = Make(Spec("fast", 10));
  const std::string fresh = Make(Spec("fresh", 100));
  EXPECT_EQ(registry_.NextExpiry(), At(10).monotonic);
  EXPECT_THAT(Ids(registry_.TakeExpired(At(50))), ElementsAre(fast, slow));
  EXPECT_THAT(Ids(registry_.List(At(50))), ElementsAre(fresh));
}

TEST_F(SessionRegistryTest, ListIsOldestFirst) {
  std::vector<std::string> ids;
  for (const char* label : {"c", "a", "b"}) ids.push_back(Make(Spec(label)));
  EXPECT_EQ(Ids(registry_.List(At(0))), ids);
}

TEST_F(SessionRegistryTest, EndedSessionIsGone) {
  const std::string one = Make(Spec("one"));
  EXPECT_EQ(registry_.End(one, At(1))->state, SessionState::kEnded);
  for (const absl::Status& status :
       {registry_.End(one, At(1)).status(), registry_.Get(one, At(1)).status()}) {
    EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
    EXPECT_EQ(GetErrorInfo(status)->field, "session_id");
  }
  EXPECT_EQ(registry_.Label(one), "");
  EXPECT_FALSE(registry_.Authenticate(tokens_[one], At(1)).ok());
}

TEST_F(SessionRegistryTest, RepeatedRequestGetsTheSameSession) {
  SessionSpec spec = Spec("one");
  spec.request_id = "r";
  const auto first = registry_.Create(spec, At(0));
  const auto second = registry_.Create(spec, At(1));
  ASSERT_TRUE(second.ok());
  EXPECT_EQ(second->info.session_id, first->info.session_id);
  EXPECT_EQ(second->token, first->token);
  EXPECT_TRUE(second->repeated);
  EXPECT_EQ(registry_.List(At(1)).size(), 1u);
  for (SessionSpec other : {Spec("two"), Spec("one", 16), Spec("one", 15, true)}) {
    other.request_id = "r";
    EXPECT_EQ(GetErrorInfo(registry_.Create(other, At(1)).status())->reason,
              ErrorReason::kRequestIdReused);
  }
}

TEST_F(SessionRegistryTest, RefusedRequestMayBeRepeated) {
  std::vector<std::string> ids;
  for (int i = 0; i < 4; ++i) ids.push_back(Make(Spec("x")));
  SessionSpec spec = Spec("one");
  spec.request_id = "r";
  EXPECT_FALSE(registry_.Create(spec, At(0)).ok());
  ASSERT_TRUE(registry_.End(ids[0], At(0)).ok());
  EXPECT_TRUE(registry_.Create(spec, At(0)).ok());
}

TEST_F(SessionRegistryTest, ExclusiveSessionsAreGrantedInOrder) {
  const std::string one = Make(Spec("one", 15, true));
  const std::string two = Make(Spec("two", 15, true));
  const std::string three = Make(Spec("three", 15, true));
  EXPECT_EQ(registry_.Get(one, At(0))->state, SessionState::kQueued);
  EXPECT_EQ(registry_.Get(one, At(0))->queue_position, 0);
  EXPECT_EQ(registry_.Get(two, At(0))->queue_position, 1);
  EXPECT_EQ(registry_.Get(three, At(0))->queue_position, 2);

  EXPECT_EQ(Grant(), one);
  EXPECT_EQ(registry_.exclusive_session_id(), one);
  EXPECT_EQ(registry_.Get(one, At(0))->state, SessionState::kExclusive);
  EXPECT_EQ(registry_.Get(two, At(0))->queue_position, 0);
  EXPECT_EQ(Grant(), "");

  ASSERT_TRUE(registry_.End(two, At(0)).ok());
  EXPECT_EQ(registry_.Get(three, At(0))->queue_position, 0);
  ASSERT_TRUE(registry_.End(one, At(0)).ok());
  EXPECT_EQ(registry_.exclusive_session_id(), "");
  EXPECT_EQ(Grant(), three);
}

TEST_F(SessionRegistryTest, GrantWaitsForTheWorkOfOthers) {
  const std::string worker = Make(Spec("worker"));
  const std::string one = Make(Spec("one", 15, true));
  busy_ = {worker};
  EXPECT_EQ(Grant(), "");
  busy_ = {one};  // its own is no obstacle
  EXPECT_EQ(Grant(), one);
}

TEST_F(SessionRegistryTest, ExpiryOfTheHolderMakesRoom) {
  const std::string one = Make(Spec("one", 10, true));
  const std::string two = Make(Spec("two", 100, true));
  EXPECT_EQ(Grant(), one);
  EXPECT_THAT(Ids(registry_.TakeExpired(At(10))), ElementsAre(one));
  EXPECT_EQ(Grant(), two);
}

TEST_F(SessionRegistryTest, OnlyTheHolderMayWork) {
  const std::string shared = Make(Spec("shared"));
  const std::string one = Make(Spec("holder", 15, true));
  EXPECT_TRUE(registry_.CheckMayWork(shared).ok());
  const absl::Status queued = registry_.CheckMayWork(one);
  EXPECT_EQ(queued.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(GetErrorInfo(queued)->reason, ErrorReason::kWrongState);

  ASSERT_EQ(Grant(), one);
  EXPECT_TRUE(registry_.CheckMayWork(one).ok());
  const absl::Status busy = registry_.CheckMayWork(shared);
  EXPECT_EQ(busy.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(GetErrorInfo(busy)->reason, ErrorReason::kBusy);
  EXPECT_EQ(GetErrorInfo(busy)->holder_label, "holder");
  EXPECT_THAT(std::string(busy.message()), testing::HasSubstr("holder"));

  ASSERT_TRUE(registry_.End(one, At(0)).ok());
  EXPECT_TRUE(registry_.CheckMayWork(shared).ok());
  const absl::Status gone = registry_.CheckMayWork(one);
  EXPECT_EQ(gone.code(), absl::StatusCode::kUnauthenticated);
  EXPECT_EQ(GetErrorInfo(gone)->reason, ErrorReason::kSessionExpired);
}

TEST_F(SessionRegistryTest, WhoWasBrokenIsToldByWhomAndWhyAndNobodyElseIs) {
  const std::string one = Make(Spec("one"));
  const std::string two = Make(Spec("two"));
  EXPECT_EQ(registry_.Break("s-99", "", At(1)).status().code(), absl::StatusCode::kNotFound);
  const absl::Status too_long = registry_.Break(one, std::string(201, 'x'), At(1)).status();
  EXPECT_EQ(GetErrorInfo(too_long)->field, "reason");
  EXPECT_TRUE(registry_.Exists(one));

  const auto ended = registry_.Break(one, "the rig is needed", At(1));
  ASSERT_TRUE(ended.ok());
  EXPECT_EQ(ended->state, SessionState::kEnded);
  for (const absl::Status& status : {registry_.Authenticate(tokens_[one], At(2)).status(),
                                     registry_.CheckExists(one), registry_.CheckMayWork(one)}) {
    EXPECT_EQ(status.code(), absl::StatusCode::kUnauthenticated);
    EXPECT_EQ(GetErrorInfo(status)->reason, ErrorReason::kSessionBroken);
    EXPECT_EQ(status.message(),
              "session " + one + " was ended by an administrator: the rig is needed");
  }
  EXPECT_TRUE(registry_.Authenticate(tokens_[two], At(2)).ok());
  EXPECT_EQ(GetErrorInfo(registry_.Authenticate("nonsense", At(2)).status())->reason,
            ErrorReason::kSessionExpired);
}

TEST_F(SessionRegistryTest, AnExclusiveSessionEndsAtItsMaximumWhateverItsSignsOfLife) {
  const double max = absl::ToDoubleSeconds(limits_.max_exclusive);
  const std::string waits_first = Make(Spec("one", 15, true));
  const std::string next = Make(Spec("two", 3600, true));
  // Waiting does not count.
  for (int i = 1; i <= 10; ++i)
    ASSERT_TRUE(registry_.Authenticate(tokens_[waits_first], At(i)).ok());
  ASSERT_EQ(Grant(10), waits_first);
  EXPECT_EQ(registry_.Get(waits_first, At(10))->end_time, At(10 + max).wall);
  for (int t = 20; t < 10 + max; t += 10) {
    ASSERT_TRUE(registry_.Authenticate(tokens_[waits_first], At(t)).ok()) << t;
    ASSERT_TRUE(registry_.Authenticate(tokens_[next], At(t)).ok()) << t;
  }
  // Also before somebody has looked after it.
  const absl::Status over = registry_.Authenticate(tokens_[waits_first], At(10 + max)).status();
  EXPECT_EQ(GetErrorInfo(over)->reason, ErrorReason::kSessionBroken);
  EXPECT_THAT(Ids(registry_.TakeExpired(At(10 + max))), ElementsAre(waits_first));
  const absl::Status later = registry_.Authenticate(tokens_[waits_first], At(11 + max)).status();
  EXPECT_EQ(later, over);
  EXPECT_THAT(std::string(later.message()), testing::HasSubstr("9h"));
  EXPECT_THAT(registry_.WhyBroken(waits_first), testing::HasSubstr("max_exclusive"));
  EXPECT_EQ(Grant(10 + max), next);
}

}  // namespace
}  // namespace rtmixd
