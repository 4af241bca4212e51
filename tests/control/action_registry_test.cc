#include "server/control/action_registry.h"

#include <memory>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/base/error_info.h"

namespace rtmixd {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

Limits SmallLimits() {
  Limits limits;
  limits.max_actions = 5;
  limits.max_actions_per_session = 3;
  limits.max_kept_reports_per_session = 2;
  return limits;
}

std::vector<std::string> Ids(const std::vector<std::shared_ptr<Action>>& actions) {
  std::vector<std::string> ids;
  for (const auto& action : actions) ids.push_back(action->id());
  return ids;
}

class ActionRegistryTest : public testing::Test {
 protected:
  std::shared_ptr<Action> Add(const std::string& session_id) { return AddToBatch(session_id, ""); }
  std::shared_ptr<Action> AddToBatch(const std::string& session_id, const std::string& batch_id) {
    auto action = std::make_shared<Action>();
    action->common = std::make_shared<ActionCommon>();
    action->common->session_id = session_id;
    action->common->batch_id = batch_id;
    action->number = registry_.TakeNumber();
    registry_.Add(action);
    return action;
  }
  void End(const std::shared_ptr<Action>& action) {
    action->state = ActionState::kEnded;
    registry_.NoteEnded(*action);
  }
  std::string IdOf(const std::shared_ptr<Action>& action) { return action->id(); }
  absl::Status FindStatus(const std::string& session_id, const std::string& action_id) {
    return registry_.Find(session_id, action_id, "action_id").status();
  }

  ActionRegistry registry_{SmallLimits()};
};

TEST_F(ActionRegistryTest, EmptyOneKnowsNothing) {
  EXPECT_THAT(registry_.List("s-1", false), IsEmpty());
  EXPECT_THAT(registry_.unfinished(), IsEmpty());
  EXPECT_EQ(registry_.unfinished_count("s-1"), 0);
  EXPECT_THAT(registry_.BusySessions(), IsEmpty());
  EXPECT_TRUE(registry_.CheckRoom("s-1", 0).ok());
  registry_.ForgetSession("s-1");
}

TEST_F(ActionRegistryTest, ActionsOfABatchAreFoundInTheirOrder) {
  std::vector<std::shared_ptr<Action>> batch;
  Add("s-1");
  for (int i = 0; i < 2; ++i) batch.push_back(AddToBatch("s-1", "t-1"));
  Add("s-1");
  const auto found = registry_.FindBatch("s-1", "t-1");
  ASSERT_TRUE(found.ok());
  EXPECT_EQ(*found, batch);
  EXPECT_EQ(registry_.FindBatch("s-2", "t-1").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(registry_.FindBatch("s-1", "t-2").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(registry_.FindBatch("s-1", "").status().code(), absl::StatusCode::kNotFound);
}

TEST_F(ActionRegistryTest, UnknownIdIsNamed) {
  const absl::Status status = registry_.Find("s-1", "a-7", "target.action_id").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  const auto info = GetErrorInfo(status);
  ASSERT_TRUE(info.has_value());
  EXPECT_EQ(info->reason, ErrorReason::kNotFound);
  EXPECT_EQ(info->field, "target.action_id");
  EXPECT_EQ(info->value, "a-7");
}

TEST_F(ActionRegistryTest, AddedOneIsFoundByItsId) {
  const auto action = Add("s-1");
  const auto found = registry_.Find("s-1", IdOf(action), "action_id");
  ASSERT_TRUE(found.ok());
  EXPECT_EQ(*found, action);
  EXPECT_EQ(registry_.unfinished_count("s-1"), 1);
  EXPECT_EQ(registry_.unfinished().at(action->number), action.get());
  EXPECT_THAT(registry_.BusySessions(), ElementsAre("s-1"));
}

TEST_F(ActionRegistryTest, NumbersGrowOverAllSessionsAndIdsDiffer) {
  const auto first = Add("s-1");
  const auto second = Add("s-2");
  const auto third = Add("s-1");
  EXPECT_LT(first->number, second->number);
  EXPECT_LT(second->number, third->number);
  EXPECT_THAT(Ids(registry_.List("s-1", false)), ElementsAre(IdOf(first), IdOf(third)));
  EXPECT_THAT(Ids(registry_.List("s-2", false)), ElementsAre(IdOf(second)));
  EXPECT_NE(IdOf(first), IdOf(second));
  EXPECT_THAT(registry_.BusySessions(), UnorderedElementsAre("s-1", "s-2"));
}

TEST_F(ActionRegistryTest, OneThatWasNumberedOnlyIsNotThere) {
  const int64_t refused = registry_.TakeNumber();
  EXPECT_FALSE(FindStatus("s-1", InstanceIds().Make('a', refused)).ok());
  EXPECT_NE(Add("s-1")->number, refused);
}

TEST_F(ActionRegistryTest, AnotherSessionsActionIsForeign) {
  const auto action = Add("s-1");
  const absl::Status status = FindStatus("s-2", IdOf(action));
  EXPECT_EQ(status.code(), absl::StatusCode::kPermissionDenied);
  const auto info = GetErrorInfo(status);
  ASSERT_TRUE(info.has_value());
  EXPECT_EQ(info->reason, ErrorReason::kForeignSession);
  EXPECT_EQ(info->field, "action_id");
  EXPECT_EQ(info->value, IdOf(action));
}

TEST_F(ActionRegistryTest, EndedOneIsFoundButNotUnfinished) {
  const auto first = Add("s-1");
  const auto second = Add("s-1");
  End(first);
  EXPECT_TRUE(FindStatus("s-1", IdOf(first)).ok());
  EXPECT_THAT(Ids(registry_.List("s-1", false)), ElementsAre(IdOf(first), IdOf(second)));
  EXPECT_THAT(Ids(registry_.List("s-1", true)), ElementsAre(IdOf(second)));
  EXPECT_EQ(registry_.unfinished_count("s-1"), 1);
  EXPECT_EQ(registry_.unfinished().count(first->number), 0u);
  End(second);
  EXPECT_THAT(registry_.BusySessions(), IsEmpty());
}

TEST_F(ActionRegistryTest, OldestEndIsForgottenFirstWhateverTheOrderOfAdmission) {
  const auto first = Add("s-1");
  const auto second = Add("s-1");
  const auto third = Add("s-1");
  End(third);
  End(first);
  EXPECT_TRUE(FindStatus("s-1", IdOf(third)).ok());
  End(second);
  EXPECT_EQ(FindStatus("s-1", IdOf(third)).code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(Ids(registry_.List("s-1", false)), ElementsAre(IdOf(first), IdOf(second)));
}

TEST_F(ActionRegistryTest, ReportsAreKeptPerSession) {
  for (int i = 0; i < 2; ++i) End(Add("s-1"));
  for (int i = 0; i < 3; ++i) End(Add("s-2"));
  EXPECT_EQ(registry_.List("s-1", false).size(), 2u);
  EXPECT_EQ(registry_.List("s-2", false).size(), 2u);
}

TEST_F(ActionRegistryTest, UnfinishedOnesAreNeverForgotten) {
  const auto running = Add("s-1");
  for (int i = 0; i < 10; ++i) End(Add("s-1"));
  EXPECT_TRUE(FindStatus("s-1", IdOf(running)).ok());
  EXPECT_THAT(Ids(registry_.List("s-1", true)), ElementsAre(IdOf(running)));
}

TEST_F(ActionRegistryTest, RoomIsLimitedPerSessionAndNothingIsTakenByAsking) {
  Add("s-1");
  EXPECT_TRUE(registry_.CheckRoom("s-1", 2).ok());
  EXPECT_TRUE(registry_.CheckRoom("s-1", 2).ok());
  const absl::Status status = registry_.CheckRoom("s-1", 3);
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  const auto info = GetErrorInfo(status);
  ASSERT_TRUE(info.has_value());
  EXPECT_EQ(info->field, "max_actions_per_session");
  EXPECT_EQ(info->value, "4");
  EXPECT_EQ(info->limit, "3");
}

TEST_F(ActionRegistryTest, RoomIsLimitedOverAllSessions) {
  for (int i = 0; i < 2; ++i) Add("s-1");
  for (int i = 0; i < 2; ++i) Add("s-2");
  EXPECT_TRUE(registry_.CheckRoom("s-3", 1).ok());
  const auto info = GetErrorInfo(registry_.CheckRoom("s-3", 2));
  ASSERT_TRUE(info.has_value());
  EXPECT_EQ(info->field, "max_actions");
  EXPECT_EQ(info->value, "6");
  EXPECT_EQ(info->limit, "5");
}

TEST_F(ActionRegistryTest, EndsMakeRoom) {
  std::vector<std::shared_ptr<Action>> actions;
  for (int i = 0; i < 3; ++i) actions.push_back(Add("s-1"));
  EXPECT_FALSE(registry_.CheckRoom("s-1", 1).ok());
  End(actions[1]);
  EXPECT_TRUE(registry_.CheckRoom("s-1", 1).ok());
  EXPECT_FALSE(registry_.CheckRoom("s-1", 2).ok());
}

TEST_F(ActionRegistryTest, ForgottenSessionsReportsAreGoneAtOnce) {
  const auto action = Add("s-1");
  const auto other = Add("s-2");
  End(action);
  registry_.ForgetSession("s-1");
  EXPECT_EQ(FindStatus("s-1", IdOf(action)).code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(registry_.List("s-1", false), IsEmpty());
  EXPECT_TRUE(FindStatus("s-2", IdOf(other)).ok());
}

TEST_F(ActionRegistryTest, ForgottenSessionsUnfinishedOnesGoWhenTheyEnd) {
  const auto first = Add("s-1");
  const auto second = Add("s-1");
  registry_.ForgetSession("s-1");
  EXPECT_TRUE(FindStatus("s-1", IdOf(first)).ok());
  EXPECT_EQ(registry_.unfinished_count("s-1"), 2);
  End(first);
  EXPECT_EQ(FindStatus("s-1", IdOf(first)).code(), absl::StatusCode::kNotFound);
  EXPECT_TRUE(FindStatus("s-1", IdOf(second)).ok());
  EXPECT_THAT(registry_.BusySessions(), ElementsAre("s-1"));
  End(second);
  EXPECT_EQ(FindStatus("s-1", IdOf(second)).code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(registry_.unfinished(), IsEmpty());
  EXPECT_THAT(registry_.BusySessions(), IsEmpty());
}

}  // namespace
}  // namespace rtmixd
