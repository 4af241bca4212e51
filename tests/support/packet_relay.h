#ifndef RTMIXD_TESTS_SUPPORT_PACKET_RELAY_H_
#define RTMIXD_TESTS_SUPPORT_PACKET_RELAY_H_

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "tests/support/network_namespace.h"
#include "tests/support/tcp_stall_log.h"

namespace rtmixd {

// A long cable between two hosts: every packet arrives after a delay, or gets lost. Exists because
// not every kernel can delay packets itself. Which packets are lost, and how much later than others
// they come, follows from the seed and the order in which they come.
//
// Threading: any thread; packets are carried by a thread of its own.
class PacketRelay {
 public:
  struct Options {
    absl::Duration one_way_delay = absl::ZeroDuration();
    // Each packet takes up to so much longer, any time equally likely: packets of different
    // connections overtake each other. Those of one connection do not, each way.
    absl::Duration jitter = absl::ZeroDuration();
    // What passes in a second, each way; the rest waits in a queue of so much time, and is lost if
    // that is full. 0: all.
    int64_t bytes_per_second = 0;
    absl::Duration queue = absl::Milliseconds(200);
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
  // Packets that were lost, both ways, those of a cut included.
  int64_t lost() const { return lost_.load(); }
  // What receivers waited for because of those.
  std::vector<TcpStallLog::Stall> stalls() const ABSL_LOCKS_EXCLUDED(mu_);

 private:
  PacketRelay(const Options& options, std::array<int, 2> tun_fds, int stop_fd);

  void Carry();
  void NoteLost(int from, const std::vector<char>& bytes);

  const Options options_;
  const std::array<int, 2> tun_fds_;
  const int stop_fd_;
  std::atomic<bool> cut_{false};
  std::atomic<int64_t> delivered_{0};
  std::atomic<int64_t> lost_{0};
  mutable absl::Mutex mu_;
  TcpStallLog log_ ABSL_GUARDED_BY(mu_);
  std::thread thread_;
};

}  // namespace rtmixd

#endif  // RTMIXD_TESTS_SUPPORT_PACKET_RELAY_H_
