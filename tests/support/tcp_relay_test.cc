#include "tests/support/tcp_relay.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace rtmixd {
namespace {

// One end of a connection; no call of it hangs for more than 30 s.
class Socket {
 public:
  explicit Socket(int fd) : fd_(fd) {
    const timeval patience = {.tv_sec = 30, .tv_usec = 0};
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  }
  ~Socket() { close(fd_); }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;

  void Send(const std::string& text) const {
    EXPECT_EQ(send(fd_, text.data(), text.size(), MSG_NOSIGNAL), static_cast<ssize_t>(text.size()));
  }
  // Up to `count` bytes; fewer if the connection has ended.
  std::string Receive(size_t count) const {
    std::string text;
    char byte = 0;
    while (text.size() < count) {
      const ssize_t got = recv(fd_, &byte, 1, 0);
      EXPECT_GE(got, 0);
      if (got <= 0) break;
      text += byte;
    }
    return text;
  }
  int fd() const { return fd_; }

 private:
  const int fd_;
};

class TcpRelayTest : public testing::Test {
 protected:
  TcpRelayTest() {
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof(address);
    EXPECT_EQ(bind(listener_.fd(), reinterpret_cast<sockaddr*>(&address), length), 0);
    EXPECT_EQ(listen(listener_.fd(), 8), 0);
    EXPECT_EQ(getsockname(listener_.fd(), reinterpret_cast<sockaddr*>(&address), &length), 0);
    relay_ = *TcpRelay::Start(absl::StrCat("127.0.0.1:", ntohs(address.sin_port)));
  }

  // Both ends of a connection through the relay.
  void Connect() {
    client_ = std::make_unique<Socket>(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    int port = 0;
    ASSERT_TRUE(absl::SimpleAtoi(relay_->target().substr(sizeof("127.0.0.1:") - 1), &port));
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<uint16_t>(port));
    ASSERT_EQ(connect(client_->fd(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    server_ = std::make_unique<Socket>(accept4(listener_.fd(), nullptr, nullptr, SOCK_CLOEXEC));
  }

  Socket listener_{socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  std::unique_ptr<TcpRelay> relay_;
  std::unique_ptr<Socket> client_;
  std::unique_ptr<Socket> server_;
};

TEST_F(TcpRelayTest, BytesPassBothWaysAndAreCounted) {
  Connect();
  client_->Send("question");
  EXPECT_EQ(server_->Receive(8), "question");
  server_->Send("yes");
  EXPECT_EQ(client_->Receive(3), "yes");
  EXPECT_EQ(relay_->carried_bytes(TcpRelay::Way::kToServer), 8);
  EXPECT_EQ(relay_->carried_bytes(TcpRelay::Way::kToClient), 3);
  EXPECT_EQ(relay_->cuts(), 0);
}

TEST_F(TcpRelayTest, EndOfOneSideIsTheEndOfTheOther) {
  Connect();
  client_->Send("bye");
  client_.reset();
  EXPECT_EQ(server_->Receive(100), "bye");
}

TEST_F(TcpRelayTest, ConnectionsAreCutAfterTheBytesAskedFor) {
  relay_->CutAfter(TcpRelay::Way::kToServer, {4, 6});
  Connect();
  client_->Send("0123456789");
  EXPECT_EQ(server_->Receive(100), "0123");
  EXPECT_EQ(client_->Receive(100), "");
  EXPECT_EQ(relay_->cuts(), 1);
  Connect();
  client_->Send("abc");
  EXPECT_EQ(server_->Receive(3), "abc");
  client_->Send("defghi");
  EXPECT_EQ(server_->Receive(100), "def");
  EXPECT_EQ(relay_->cuts(), 2);
  Connect();
  client_->Send("whole");
  EXPECT_EQ(server_->Receive(5), "whole");
}

TEST_F(TcpRelayTest, CutCountsOneWayOnly) {
  relay_->CutAfter(TcpRelay::Way::kToClient, {2});
  Connect();
  client_->Send("question");
  EXPECT_EQ(server_->Receive(8), "question");
  server_->Send("yes");
  EXPECT_EQ(client_->Receive(100), "ye");
}

TEST(TcpRelayStartTest, OtherHostsAreRefused) {
  EXPECT_TRUE(absl::IsInvalidArgument(TcpRelay::Start("rig7:47110").status()));
}

}  // namespace
}  // namespace rtmixd
