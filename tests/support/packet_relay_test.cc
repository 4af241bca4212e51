#include "tests/support/packet_relay.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cstdint>
#include <memory>
#include <optional>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "tests/support/network_namespace.h"

namespace rtmixd {
namespace {

constexpr char kAddressA[] = "10.74.0.1";
constexpr char kAddressB[] = "10.74.0.2";
constexpr uint16_t kPort = 4711;

// A datagram socket in one of the hosts.
class Socket {
 public:
  Socket(const NetworkNamespace& network, const char* address) {
    const ScopedNetworkNamespace inside(network);
    fd_ = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    const sockaddr_in own = Address(address);
    bound_ = bind(fd_, reinterpret_cast<const sockaddr*>(&own), sizeof own) == 0;
  }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  ~Socket() { close(fd_); }

  bool bound() const { return bound_; }
  void Send(const char* address, int value) const {
    const sockaddr_in to = Address(address);
    EXPECT_EQ(
        sendto(fd_, &value, sizeof value, 0, reinterpret_cast<const sockaddr*>(&to), sizeof to),
        static_cast<ssize_t>(sizeof value));
  }
  std::optional<int> Receive(absl::Duration timeout) const {
    const timeval limit = absl::ToTimeval(timeout);
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    int value = 0;
    if (recv(fd_, &value, sizeof value, 0) != sizeof value) return std::nullopt;
    return value;
  }

 private:
  static sockaddr_in Address(const char* text) {
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(kPort);
    inet_pton(AF_INET, text, &address.sin_addr);
    return address;
  }

  int fd_ = -1;
  bool bound_ = false;
};

class PacketRelayTest : public testing::Test {
 protected:
  void Connect(const PacketRelay::Options& options) {
    auto a = NetworkNamespace::Create();
    ASSERT_TRUE(a.ok()) << a.status();
    a_ = *std::move(a);
    auto b = NetworkNamespace::Create();
    ASSERT_TRUE(b.ok()) << b.status();
    b_ = *std::move(b);
    auto relay = PacketRelay::Create(*a_, "10.74.0.1/24", *b_, "10.74.0.2/24", options);
    ASSERT_TRUE(relay.ok()) << relay.status();
    relay_ = *std::move(relay);
    at_a_ = std::make_unique<Socket>(*a_, kAddressA);
    at_b_ = std::make_unique<Socket>(*b_, kAddressB);
    ASSERT_TRUE(at_a_->bound() && at_b_->bound());
  }

  std::unique_ptr<NetworkNamespace> a_;
  std::unique_ptr<NetworkNamespace> b_;
  std::unique_ptr<PacketRelay> relay_;
  std::unique_ptr<Socket> at_a_;
  std::unique_ptr<Socket> at_b_;
};

TEST_F(PacketRelayTest, PacketsArriveInOrderAfterTheDelay) {
  constexpr absl::Duration kDelay = absl::Milliseconds(50);
  ASSERT_NO_FATAL_FAILURE(Connect({.one_way_delay = kDelay}));
  const absl::Time before = absl::Now();
  for (int i = 0; i < 100; ++i) at_a_->Send(kAddressB, i);
  for (int i = 0; i < 100; ++i) ASSERT_EQ(at_b_->Receive(absl::Seconds(10)), i);
  EXPECT_GE(absl::Now() - before, kDelay);
  at_b_->Send(kAddressA, 7);
  EXPECT_EQ(at_a_->Receive(absl::Seconds(10)), 7);
  EXPECT_GE(absl::Now() - before, 2 * kDelay);
}

TEST_F(PacketRelayTest, CutCableSwallowsEverythingUntilItIsMended) {
  ASSERT_NO_FATAL_FAILURE(Connect({}));
  relay_->SetCut(true);
  at_a_->Send(kAddressB, 1);
  EXPECT_EQ(at_b_->Receive(absl::Milliseconds(100)), std::nullopt);
  relay_->SetCut(false);
  at_a_->Send(kAddressB, 2);
  EXPECT_EQ(at_b_->Receive(absl::Seconds(10)), 2);
}

TEST_F(PacketRelayTest, LossIsAboutWhatWasAskedFor) {
  ASSERT_NO_FATAL_FAILURE(Connect({.loss = 0.5}));
  constexpr int kPackets = 400;
  for (int i = 0; i < kPackets; ++i) at_a_->Send(kAddressB, i);
  int arrived = 0;
  while (at_b_->Receive(absl::Milliseconds(200)).has_value()) ++arrived;
  // Ten standard deviations.
  EXPECT_NEAR(arrived, kPackets / 2.0, 100);
  EXPECT_GE(relay_->delivered(), arrived);
}

}  // namespace
}  // namespace rtmixd
