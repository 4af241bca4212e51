#include "client_cpp/rtmixctl/fade_option.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace rtmixd::rtmixctl {
namespace {

using ::testing::HasSubstr;

TEST(FadeOptionTest, LengthAloneLeavesTheShapeToTheServer) {
  const auto option = FadeOption::Parse("480");
  ASSERT_TRUE(option.ok()) << option.status();
  EXPECT_FALSE(option->needs_rate());
  EXPECT_EQ(option->At(44100).frames(), 480);
  EXPECT_EQ(option->At(44100).shape(), v1::FADE_SHAPE_UNSPECIFIED);
}

TEST(FadeOptionTest, ShapeComesBehindAColon) {
  EXPECT_EQ(FadeOption::Parse("10ms:linear")->At(48000).shape(), v1::FADE_SHAPE_LINEAR);
  const auto option = FadeOption::Parse("10ms:equal-power");
  ASSERT_TRUE(option.ok()) << option.status();
  EXPECT_TRUE(option->needs_rate());
  EXPECT_EQ(option->At(48000).frames(), 480);
  EXPECT_EQ(option->At(48000).shape(), v1::FADE_SHAPE_EQUAL_POWER);
}

TEST(FadeOptionTest, EverythingElseIsRefusedWithWhatItMayBe) {
  const auto refusal = [](const std::string& text) {
    const auto option = FadeOption::Parse(text);
    EXPECT_TRUE(absl::IsInvalidArgument(option.status())) << text;
    return std::string(option.status().message());
  };
  EXPECT_THAT(refusal("soon"), HasSubstr("'soon' is not a length"));
  EXPECT_THAT(refusal(":linear"), HasSubstr("'' is not a length"));
  for (const std::string shape : {"", "round", "linear:linear", "LINEAR"}) {
    EXPECT_THAT(refusal("480:" + shape),
                HasSubstr("the shape '" + shape + "' is not one of equal-power, linear"));
  }
}

}  // namespace
}  // namespace rtmixd::rtmixctl
