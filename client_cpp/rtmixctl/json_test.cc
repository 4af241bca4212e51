#include "client_cpp/rtmixctl/json.h"

#include <gtest/gtest.h>

#include "rtmixd/v1/action.pb.h"

namespace rtmixd::rtmixctl {
namespace {

TEST(JsonTest, HasTheNamesOfTheProtoAndZeros) {
  v1::ActionReport report;
  report.set_action_id("a1");
  const std::string text = ToJson(report);
  EXPECT_NE(text.find("\"action_id\": \"a1\""), std::string::npos) << text;
  EXPECT_NE(text.find("\"late_frames\": \"0\""), std::string::npos) << text;
}

TEST(JsonTest, LineIsOneLine) {
  v1::ActionReport report;
  report.add_gaps()->set_frames(3);
  const std::string text = ToJsonLine(report);
  EXPECT_EQ(text.find('\n'), text.size() - 1);
}

TEST(JsonTest, ComesBackAsItWas) {
  v1::ScheduleActionsRequest request;
  request.set_origin_frame((1LL << 53) - 1);
  request.add_actions()->mutable_play()->set_gain(0);
  v1::ScheduleActionsRequest parsed;
  ASSERT_TRUE(FromJson(ToJson(request), "test", parsed).ok());
  EXPECT_EQ(parsed.SerializeAsString(), request.SerializeAsString());
}

TEST(JsonTest, ErrorNamesSourceAndMessage) {
  v1::ScheduleActionsRequest request;
  const absl::Status status = FromJson("{\"nonsense\": 1}", "batch.json", request);
  EXPECT_TRUE(absl::IsInvalidArgument(status));
  EXPECT_NE(status.message().find("batch.json"), absl::string_view::npos);
  EXPECT_NE(status.message().find("ScheduleActionsRequest"), absl::string_view::npos);
}

TEST(JsonTest, MembersMakeOneObject) {
  v1::GetActionRequest a;
  a.set_action_id("x");
  const std::string text = ToJson({{"one", &a}, {"two", &a}});
  EXPECT_EQ(text.find("{\"one\": {"), 0U) << text;
  EXPECT_NE(text.find("\"two\": {"), std::string::npos) << text;
}

}  // namespace
}  // namespace rtmixd::rtmixctl
