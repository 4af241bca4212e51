#include "tests/support/packet_relay.h"

#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>
#include <queue>
#include <random>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/clock.h"
#include "tests/support/child_process.h"

namespace rtmixd {
namespace {

constexpr char kDeviceName[] = "relay";
constexpr size_t kMaxPacketBytes = 65536;

struct Packet {
  absl::Time due;
  int to;
  std::vector<char> bytes;
};

struct DueLater {
  bool operator()(const Packet& a, const Packet& b) const { return a.due > b.due; }
};

// Both ports of a packet with TCP or UDP in IPv4 without options, else 0: what is alike keeps its
// order.
uint32_t Ports(const std::vector<char>& packet) {
  constexpr size_t kPortsAt = 20;
  uint32_t ports = 0;
  if (packet.size() >= kPortsAt + sizeof(ports))
    std::memcpy(&ports, &packet[kPortsAt], sizeof(ports));
  return ports;
}

// Makes the end of the cable in one host: packets sent into it can be read from the descriptor.
absl::StatusOr<int> OpenEnd(const NetworkNamespace& network, const std::string& address) {
  const ScopedNetworkNamespace inside(network);
  const int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) return absl::ErrnoToStatus(errno, "/dev/net/tun");
  ifreq request = {};
  std::strncpy(request.ifr_name, kDeviceName, IFNAMSIZ - 1);
  request.ifr_flags = IFF_TUN | IFF_NO_PI;
  absl::Status status;
  if (ioctl(fd, TUNSETIFF, &request) != 0) status = absl::ErrnoToStatus(errno, "TUNSETIFF");
  if (status.ok()) {
    status = RunCommand({"ip", "addr", "add", address, "dev", kDeviceName}).status();
  }
  if (status.ok()) status = RunCommand({"ip", "link", "set", kDeviceName, "up"}).status();
  if (status.ok()) return fd;
  close(fd);
  return status;
}

}  // namespace

absl::StatusOr<std::unique_ptr<PacketRelay>> PacketRelay::Create(const NetworkNamespace& a,
                                                                 const std::string& address_a,
                                                                 const NetworkNamespace& b,
                                                                 const std::string& address_b,
                                                                 const Options& options) {
  const auto end_a = OpenEnd(a, address_a);
  if (!end_a.ok()) return end_a.status();
  const auto end_b = OpenEnd(b, address_b);
  if (!end_b.ok()) {
    close(*end_a);
    return end_b.status();
  }
  const int stop_fd = eventfd(0, EFD_CLOEXEC);
  return std::unique_ptr<PacketRelay>(new PacketRelay(options, {*end_a, *end_b}, stop_fd));
}

PacketRelay::PacketRelay(const Options& options, std::array<int, 2> tun_fds, int stop_fd)
    : options_(options), tun_fds_(tun_fds), stop_fd_(stop_fd), thread_([this] { Carry(); }) {}

PacketRelay::~PacketRelay() {
  eventfd_write(stop_fd_, 1);
  thread_.join();
  for (const int fd : {tun_fds_[0], tun_fds_[1], stop_fd_}) close(fd);
}

std::vector<TcpStallLog::Stall> PacketRelay::stalls() const {
  absl::MutexLock lock(&mu_);
  return log_.stalls();
}

void PacketRelay::NoteLost(int from, const std::vector<char>& bytes) {
  ++lost_;
  absl::MutexLock lock(&mu_);
  log_.Lost(from, bytes, absl::Now());
}

void PacketRelay::Carry() {
  std::mt19937 random(options_.seed);
  std::uniform_real_distribution<double> uniform(0, 1);
  std::priority_queue<Packet, std::vector<Packet>, DueLater> on_their_way;
  std::array<absl::Time, 2> free_at = {absl::InfinitePast(), absl::InfinitePast()};  // each way
  std::map<std::pair<int, uint32_t>, absl::Time> last_due;  // of each connection, each way
  std::vector<char> bytes(kMaxPacketBytes);
  while (true) {
    timespec timeout = {};
    if (!on_their_way.empty()) {
      timeout =
          absl::ToTimespec(std::max(on_their_way.top().due - absl::Now(), absl::ZeroDuration()));
    }
    std::array<pollfd, 3> ready = {{{.fd = tun_fds_[0], .events = POLLIN, .revents = 0},
                                    {.fd = tun_fds_[1], .events = POLLIN, .revents = 0},
                                    {.fd = stop_fd_, .events = POLLIN, .revents = 0}}};
    ppoll(ready.data(), ready.size(), on_their_way.empty() ? nullptr : &timeout, nullptr);
    if (ready[2].revents != 0) return;
    for (int from = 0; from < 2; ++from) {
      ssize_t size = 0;
      while ((size = read(tun_fds_[from], bytes.data(), bytes.size())) > 0) {
        Packet packet = {
            .due = absl::Now(), .to = 1 - from, .bytes = {bytes.begin(), bytes.begin() + size}};
        bool lost = cut_.load() || uniform(random) < options_.loss;
        if (!lost && options_.bytes_per_second > 0) {
          const absl::Time begin = std::max(packet.due, free_at[from]);
          lost = begin - packet.due > options_.queue;
          if (!lost) {
            free_at[from] = begin + absl::Seconds(static_cast<double>(size) /
                                                  static_cast<double>(options_.bytes_per_second));
            packet.due = free_at[from];
          }
        }
        if (lost) {
          NoteLost(from, packet.bytes);
          continue;
        }
        packet.due += options_.one_way_delay;
        if (options_.jitter > absl::ZeroDuration()) packet.due += uniform(random) * options_.jitter;
        absl::Time& last =
            last_due.try_emplace({from, Ports(packet.bytes)}, packet.due).first->second;
        // A nanosecond later, since equal times have no order.
        packet.due = last = std::max(packet.due, last + absl::Nanoseconds(1));
        on_their_way.push(std::move(packet));
      }
    }
    while (!on_their_way.empty() && on_their_way.top().due <= absl::Now()) {
      const Packet packet = on_their_way.top();
      on_their_way.pop();
      if (cut_.load()) {
        NoteLost(1 - packet.to, packet.bytes);
        continue;
      }
      {
        absl::MutexLock lock(&mu_);
        log_.Delivered(1 - packet.to, packet.bytes, absl::Now());
      }
      if (write(tun_fds_[packet.to], packet.bytes.data(), packet.bytes.size()) > 0) ++delivered_;
    }
  }
}

}  // namespace rtmixd
