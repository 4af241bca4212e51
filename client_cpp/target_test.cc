#include "client_cpp/target.h"

#include <gtest/gtest.h>

namespace rtmixd::client {
namespace {

TEST(TargetTest, NothingIsThisHost) { EXPECT_EQ(CompleteTarget(""), "localhost:47110"); }

TEST(TargetTest, HostGetsTheDefaultPort) {
  EXPECT_EQ(CompleteTarget("rig7"), "rig7:47110");
  EXPECT_EQ(CompleteTarget("10.0.0.7"), "10.0.0.7:47110");
}

TEST(TargetTest, PortIsKept) {
  EXPECT_EQ(CompleteTarget("rig7:5000"), "rig7:5000");
  EXPECT_EQ(CompleteTarget("[::1]:5000"), "[::1]:5000");
}

TEST(TargetTest, Ipv6AddressIsBracketed) {
  EXPECT_EQ(CompleteTarget("::1"), "[::1]:47110");
  EXPECT_EQ(CompleteTarget("fe80::2"), "[fe80::2]:47110");
  EXPECT_EQ(CompleteTarget("[fe80::2]"), "[fe80::2]:47110");
}

TEST(TargetTest, SchemeIsKept) {
  EXPECT_EQ(CompleteTarget("unix:/run/rtmixd"), "unix:/run/rtmixd");
  EXPECT_EQ(CompleteTarget("dns:///rig7:5000"), "dns:///rig7:5000");
}

}  // namespace
}  // namespace rtmixd::client
