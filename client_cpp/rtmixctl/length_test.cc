#include "client_cpp/rtmixctl/length.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace rtmixd::rtmixctl {
namespace {

using ::testing::StartsWith;

TEST(LengthTest, NumberAloneIsFramesAtEveryRate) {
  const auto length = Length::Parse("480");
  ASSERT_TRUE(length.ok()) << length.status();
  EXPECT_FALSE(length->needs_rate());
  EXPECT_EQ(length->FramesAt(48000), 480);
  EXPECT_EQ(length->FramesAt(44100), 480);
}

TEST(LengthTest, TimeBecomesTheNearestFrame) {
  EXPECT_TRUE(Length::Parse("10ms")->needs_rate());
  EXPECT_EQ(Length::Parse("10ms")->FramesAt(48000), 480);
  EXPECT_EQ(Length::Parse("0.01ms")->FramesAt(44100), 0);
  EXPECT_EQ(Length::Parse("0.02ms")->FramesAt(44100), 1);
  EXPECT_EQ(Length::Parse("1.5s")->FramesAt(44100), 66150);
  EXPECT_EQ(Length::Parse("2min")->FramesAt(8000), 960000);
}

TEST(LengthTest, LimitsThemselvesAreTaken) {
  EXPECT_EQ(Length::Parse("0")->FramesAt(48000), 0);
  EXPECT_EQ(Length::Parse("0s")->FramesAt(48000), 0);
  EXPECT_EQ(Length::Parse("9007199254740991")->FramesAt(48000), 9007199254740991);
  EXPECT_EQ(Length::Parse("1000000000s")->FramesAt(48000), 48000000000000);
}

TEST(LengthTest, EverythingElseIsRefusedWithTheLimits) {
  for (const std::string text : {"", "-1", "1.5", "9007199254740992", "ms", "-1ms", "nans", "infs",
                                 "1e300s", "1000000001s", "10 m", "10h", "10ms:linear"}) {
    const auto length = Length::Parse(text);
    EXPECT_TRUE(absl::IsInvalidArgument(length.status())) << text;
    EXPECT_THAT(std::string(length.status().message()),
                StartsWith("'" + text +
                           "' is not a length: a whole number of frames from 0 to "
                           "9007199254740991, or a time from 0 to 1000000000 s"));
  }
}

}  // namespace
}  // namespace rtmixd::rtmixctl
