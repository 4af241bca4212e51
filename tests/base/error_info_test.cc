#include "server/base/error_info.h"

#include <string>

#include "absl/strings/cord.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace rtmixd {
namespace {

TEST(ErrorInfoTest, AllFieldsComeBack) {
  const absl::Status status =
      MakeError(absl::StatusCode::kFailedPrecondition, {.reason = ErrorReason::kDeviceError,
                                                        .field = "settings.output",
                                                        .value = "hw:0",
                                                        .limit = "a device",
                                                        .holder_label = "CI job 812",
                                                        .host_error_code = -9996,
                                                        .host_error_text = "Invalid device"});
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  const std::optional<ErrorInfo> info = GetErrorInfo(status);
  ASSERT_TRUE(info.has_value());
  EXPECT_EQ(info->reason, ErrorReason::kDeviceError);
  EXPECT_EQ(info->field, "settings.output");
  EXPECT_EQ(info->value, "hw:0");
  EXPECT_EQ(info->limit, "a device");
  EXPECT_EQ(info->holder_label, "CI job 812");
  EXPECT_EQ(info->host_error_code, -9996);
  EXPECT_EQ(info->host_error_text, "Invalid device");
}

TEST(ErrorInfoTest, AnyBytesComeBack) {
  const std::string bytes("12:\0\n:3:\xff|%s", 12);
  const std::optional<ErrorInfo> info = GetErrorInfo(MakeError(
      absl::StatusCode::kInternal,
      {.field = bytes, .value = "", .limit = ":", .holder_label = std::string(100000, 'x')}));
  ASSERT_TRUE(info.has_value());
  EXPECT_EQ(info->field, bytes);
  EXPECT_EQ(info->value, "");
  EXPECT_EQ(info->limit, ":");
  EXPECT_EQ(info->holder_label, std::string(100000, 'x'));
}

TEST(ErrorInfoTest, OtherStatusesHaveNone) {
  EXPECT_FALSE(GetErrorInfo(absl::OkStatus()).has_value());
  EXPECT_FALSE(GetErrorInfo(absl::NotFoundError("x")).has_value());
  absl::Status other = absl::NotFoundError("x");
  other.SetPayload("other", absl::Cord("1:1"));
  EXPECT_FALSE(GetErrorInfo(other).has_value());
}

TEST(ErrorInfoTest, CutPayloadIsNone) {
  absl::Status status = BadField("gain", "inf", "finite");
  std::string payload;
  std::string url;
  status.ForEachPayload([&](absl::string_view name, const absl::Cord& cord) {
    url = std::string(name);
    payload = std::string(cord);
  });
  for (size_t size = 0; size < payload.size(); ++size) {
    status.SetPayload(url, absl::Cord(payload.substr(0, size)));
    EXPECT_FALSE(GetErrorInfo(status).has_value()) << size;
  }
}

TEST(ErrorInfoTest, TextIsMadeOfTheFields) {
  EXPECT_EQ(BadField("actions[2].play.gain", "inf", "finite").message(),
            "actions[2].play.gain is inf; must be finite");
  EXPECT_EQ(BadField("label", "", "some text").message(), "label is empty; must be some text");
  EXPECT_EQ(
      MakeError(
          absl::StatusCode::kFailedPrecondition,
          {.reason = ErrorReason::kBusy, .field = "stream", .value = "busy", .holder_label = "CI"})
          .message(),
      "stream is busy; held by CI");
}

TEST(ErrorInfoTest, OwnTextIsKept) {
  EXPECT_EQ(MakeError(absl::StatusCode::kInternal, {.field = "a"}, "so it is").message(),
            "so it is");
}

TEST(ErrorInfoTest, LimitNamesTheLimit) {
  const absl::Status status = LimitExceeded("max_sessions", "257", "256");
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(status.message(), "max_sessions is 256; this would take 257");
  EXPECT_EQ(GetErrorInfo(status)->reason, ErrorReason::kLimitExceeded);
  EXPECT_EQ(GetErrorInfo(status)->field, "max_sessions");
  EXPECT_EQ(GetErrorInfo(status)->limit, "256");
}

TEST(ErrorInfoTest, NotFoundNamesTheThing) {
  const absl::Status status = NotFound("buffer_id", "b-17", "buffer");
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(status.message(), "buffer_id b-17: no such buffer");
  EXPECT_EQ(GetErrorInfo(status)->reason, ErrorReason::kNotFound);
  EXPECT_EQ(GetErrorInfo(status)->value, "b-17");
}

TEST(PrefixFieldTest, FieldAndTextGetThePrefix) {
  const absl::Status status = PrefixField(BadField("gain", "inf", "finite"), "actions[2].play.");
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(status.message(), "actions[2].play.gain is inf; must be finite");
  EXPECT_EQ(GetErrorInfo(status)->field, "actions[2].play.gain");
  EXPECT_EQ(GetErrorInfo(status)->value, "inf");
}

TEST(PrefixFieldTest, TextThatDoesNotBeginWithTheFieldIsKept) {
  const absl::Status status = PrefixField(
      MakeError(absl::StatusCode::kNotFound, {.field = "device"}, "no such device"), "input.");
  EXPECT_EQ(status.message(), "no such device");
  EXPECT_EQ(GetErrorInfo(status)->field, "input.device");
}

TEST(PrefixFieldTest, NamesThatAreNoFieldsOfTheRequestStay) {
  const absl::Status limit = LimitExceeded("max_sessions", "2", "1");
  EXPECT_EQ(PrefixField(limit, "a."), limit);
  const absl::Status flag =
      MakeError(absl::StatusCode::kFailedPrecondition,
                {.reason = ErrorReason::kNotEnabled, .field = "enable_device_scripts"});
  EXPECT_EQ(PrefixField(flag, "a."), flag);
}

TEST(PrefixFieldTest, StatusWithoutFieldStays) {
  EXPECT_TRUE(PrefixField(absl::OkStatus(), "a.").ok());
  EXPECT_EQ(PrefixField(absl::InternalError("x"), "a."), absl::InternalError("x"));
  const absl::Status busy =
      MakeError(absl::StatusCode::kFailedPrecondition, {.reason = ErrorReason::kBusy}, "busy");
  EXPECT_EQ(PrefixField(busy, "a."), busy);
}

}  // namespace
}  // namespace rtmixd
