#include "tests/support/tcp_relay.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace rtmixd {
namespace {

constexpr absl::string_view kLoopback = "127.0.0.1:";

sockaddr_in Loopback(int port) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<uint16_t>(port));
  return address;
}

bool SendAll(int fd, const char* bytes, int64_t count) {
  while (count > 0) {
    const ssize_t sent = send(fd, bytes, static_cast<size_t>(count), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes += sent;
    count -= sent;
  }
  return true;
}

}  // namespace

absl::StatusOr<std::unique_ptr<TcpRelay>> TcpRelay::Start(const std::string& server) {
  absl::string_view port_text = server;
  int server_port = 0;
  if (!absl::ConsumePrefix(&port_text, kLoopback) || !absl::SimpleAtoi(port_text, &server_port)) {
    return absl::InvalidArgumentError(absl::StrCat(server, " is not on the loopback address"));
  }
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return absl::ErrnoToStatus(errno, "socket");
  sockaddr_in address = Loopback(0);
  socklen_t length = sizeof(address);
  if (bind(fd, reinterpret_cast<const sockaddr*>(&address), length) != 0 || listen(fd, 16) != 0 ||
      getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length) != 0) {
    absl::Status status = absl::ErrnoToStatus(errno, "cannot listen");
    close(fd);
    return status;
  }
  return std::unique_ptr<TcpRelay>(new TcpRelay(fd, ntohs(address.sin_port), server_port));
}

TcpRelay::TcpRelay(int listen_fd, int listen_port, int server_port)
    : listen_fd_(listen_fd),
      server_port_(server_port),
      target_(absl::StrCat(kLoopback, listen_port)),
      acceptor_([this] { Accept(); }) {}

TcpRelay::~TcpRelay() {
  std::list<Connection> connections;
  {
    absl::MutexLock lock(&mu_);
    ending_ = true;
  }
  shutdown(listen_fd_, SHUT_RDWR);  // wakes accept
  acceptor_.join();
  close(listen_fd_);
  {
    absl::MutexLock lock(&mu_);
    connections.swap(connections_);
  }
  for (Connection& connection : connections) {
    shutdown(connection.client_fd, SHUT_RDWR);
    shutdown(connection.server_fd, SHUT_RDWR);
    connection.to_server.join();
    connection.to_client.join();
    close(connection.client_fd);
    close(connection.server_fd);
  }
}

void TcpRelay::CutAfter(Way way, std::vector<int64_t> bytes) {
  absl::MutexLock lock(&mu_);
  traffic(way).counted_from = traffic(way).carried;
  traffic(way).cuts = std::move(bytes);
}

void TcpRelay::TellServer(bool told) {
  absl::MutexLock lock(&mu_);
  server_told_ = told;
}

int64_t TcpRelay::carried_bytes(Way way) const {
  absl::MutexLock lock(&mu_);
  return way == Way::kToServer ? to_server_.carried : to_client_.carried;
}

void TcpRelay::Accept() {
  while (true) {
    const int client_fd = accept4(listen_fd_, nullptr, nullptr, SOCK_CLOEXEC);
    if (client_fd < 0) {
      absl::MutexLock lock(&mu_);
      if (ending_) return;
      continue;
    }
    const int server_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const sockaddr_in address = Loopback(server_port_);
    if (connect(server_fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
      close(client_fd);
      close(server_fd);
      continue;
    }
    absl::MutexLock lock(&mu_);
    Connection& connection = connections_.emplace_back();
    connection.client_fd = client_fd;
    connection.server_fd = server_fd;
    connection.to_server = std::thread([&] { Carry(connection, Way::kToServer); });
    connection.to_client = std::thread([&] { Carry(connection, Way::kToClient); });
  }
}

int64_t TcpRelay::Admit(Way way, int64_t bytes, bool* cut) {
  absl::MutexLock lock(&mu_);
  Traffic& traffic = this->traffic(way);
  *cut = false;
  if (!traffic.cuts.empty()) {
    const int64_t left = traffic.counted_from + traffic.cuts.front() - traffic.carried;
    if (bytes >= left) {
      bytes = left;
      traffic.counted_from = traffic.carried + bytes;
      traffic.cuts.erase(traffic.cuts.begin());
      *cut = true;
    }
  }
  traffic.carried += bytes;
  return bytes;
}

void TcpRelay::Carry(const Connection& connection, Way way) {
  const bool to_server = way == Way::kToServer;
  const int from = to_server ? connection.client_fd : connection.server_fd;
  const int to = to_server ? connection.server_fd : connection.client_fd;
  std::array<char, 16384> bytes = {};
  bool cut = false;
  while (!cut) {
    const ssize_t count = recv(from, bytes.data(), bytes.size(), 0);
    if (count <= 0) break;
    if (!SendAll(to, bytes.data(), Admit(way, count, &cut))) break;
  }
  if (cut) ++cuts_;
  // Wakes the thread of the other way, too. The descriptors stay until the destructor.
  shutdown(connection.client_fd, SHUT_RDWR);
  {
    absl::MutexLock lock(&mu_);
    const auto told = [this] {
      mu_.AssertReaderHeld();
      return server_told_ || ending_;
    };
    mu_.Await(absl::Condition(&told));
  }
  shutdown(connection.server_fd, SHUT_RDWR);
}

}  // namespace rtmixd
