#include "server/rpc/listen_address.h"

#include <gtest/gtest.h>

namespace rtmixd {
namespace {

TEST(ListenAddressTest, LoopbackAndSocketsOfThisHostAreLocal) {
  for (const char* const address :
       {"127.0.0.1:47110", "127.0.0.1:0", "127.200.3.4:1", "[::1]:47110", "localhost:47110",
        "[::ffff:127.0.0.1]:1", "unix:/run/rtmixd.sock", "unix:///run/rtmixd.sock",
        "unix-abstract:rtmixd"}) {
    EXPECT_TRUE(IsLocalAddress(address)) << address;
  }
}

TEST(ListenAddressTest, EverythingElseIsNot) {
  for (const char* const address :
       {"0.0.0.0:47110", "[::]:47110", ":47110", "", "10.0.0.1:47110", "128.0.0.1:1",
        "[::ffff:10.0.0.1]:1", "[fe80::1]:1", "no.such.host.invalid:1", "ipv4:127.0.0.1:1",
        "127.0.0.1.example.invalid:1", "*:47110"}) {
    EXPECT_FALSE(IsLocalAddress(address)) << address;
  }
}

}  // namespace
}  // namespace rtmixd
