#include "client_cpp/rtmixctl/channel_list.h"

#include <gtest/gtest.h>

namespace rtmixd::rtmixctl {
namespace {

using Channels = std::vector<int>;

TEST(ChannelListTest, NumbersAndRanges) {
  EXPECT_EQ(*ParseChannelList("2"), (Channels{2}));
  EXPECT_EQ(*ParseChannelList("1,2"), (Channels{1, 2}));
  EXPECT_EQ(*ParseChannelList("1-3,7"), (Channels{1, 2, 3, 7}));
  EXPECT_EQ(*ParseChannelList("3-1"), (Channels{3, 2, 1}));
  EXPECT_EQ(*ParseChannelList("5,5"), (Channels{5, 5}));
}

TEST(ChannelListTest, OtherTextIsRefused) {
  for (const char* text : {"", ",", "1,", "a", "1-", "-2", "1-2-3", "1;2", "1.5", "0", "2-0",
                           "1025", "99999999999", "1-1024,1"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(ParseChannelList(text).status())) << text;
  }
}

TEST(ChannelListTest, ErrorNamesTheText) {
  EXPECT_NE(ParseChannelList("0,1").status().message().find("'0,1'"), absl::string_view::npos);
}

}  // namespace
}  // namespace rtmixd::rtmixctl
