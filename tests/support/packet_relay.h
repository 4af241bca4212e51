#ifndef RTMIXD_TESTS_SUPPORT_PACKET_RELAY_H_
#define RTMIXD_TESTS_SUPPORT_PACKET_RELAY_H_

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "tests/support/network_namespace.h"

namespace rtmixd {

// A long cable between two hosts: every packet arrives after the same delay, or gets lost. Exists
// because not every kernel can delay packets itself. Which packets are lost follows from the seed
// and the order in which they come.
//
// Threading: any thread; packets are carried by a thread of its own.
class PacketRelay {
 public:
  struct Options {
    absl::Duration one_way_delay = absl::ZeroDuration();
    double loss = 0;  // part of all packets, 0 to 1
    uint32_t seed = 1;
  };

  // Joins two hosts; `address` is like "10.1.0.1/24". The cable is there until the destructor.
  static absl::StatusOr<std::unique_ptr<PacketRelay>> Create(const NetworkNamespace& a,
                                                             const std::string& address_a,
                                                             const NetworkNamespace& b,
                                                             const std::string& address_b,
                                                             const Options& options);

  PacketRelay(const PacketRelay&) = delete;
  PacketRelay& operator=(const PacketRelay&) = delete;
  ~PacketRelay();

  // A cut cable swallows every packet, those on their way too, and neither end can tell.
  void SetCut(bool cut) { cut_.store(cut); }
  // Packets that arrived, both ways.
  int64_t delivered() const { return delivered_.load(); }

 private:
  PacketRelay(const Options& options, std::array<int, 2> tun_fds, int stop_fd);

  void Carry();

  const Options options_;
  const std::array<int, 2> tun_fds_;
  const int stop_fd_;
  std::atomic<bool> cut_{false};
  std::atomic<int64_t> delivered_{0};
  std::thread thread_;
};

}  // namespace rtmixd

#endif  // RTMIXD_TESTS_SUPPORT_PACKET_RELAY_H_
