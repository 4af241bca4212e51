#ifndef RTMIXD_TESTS_SUPPORT_TCP_STALL_LOG_H_
#define RTMIXD_TESTS_SUPPORT_TCP_STALL_LOG_H_

#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "absl/types/span.h"

namespace rtmixd {

// What the receivers of TCP connections wait for, told by the packets that a cable loses and
// delivers: from the loss of bytes until they, and all before them, have arrived, none of what
// comes behind them reaches the receiver's program.
//
// Threading: one thread.
class TcpStallLog {
 public:
  struct Stall {
    absl::Time begin;
    absl::Time end;  // InfiniteFuture: it lasts
  };

  // IPv4 packets, as they are; `way` tells the directions of a cable apart. Others are passed over.
  void Lost(int way, absl::Span<const char> packet, absl::Time at);
  void Delivered(int way, absl::Span<const char> packet, absl::Time at);

  // Of all connections, in the order of their beginnings.
  const std::vector<Stall>& stalls() const { return stalls_; }

 private:
  struct Segment {
    std::pair<int, uint32_t> flow;  // way, both ports
    uint32_t begin = 0;             // sequence numbers
    uint32_t end = 0;
  };
  struct Flow {
    bool known = false;
    uint32_t arrived = 0;        // all before it has
    std::vector<Segment> ahead;  // arrived, behind a hole
    uint32_t lost_end = 0;       // of what was lost, if it stalls
    int64_t stall = -1;          // where in stalls_; -1: it does not stall
  };

  static bool Parse(int way, absl::Span<const char> packet, Segment* segment);

  std::map<std::pair<int, uint32_t>, Flow> flows_;
  std::vector<Stall> stalls_;
};

}  // namespace rtmixd

#endif  // RTMIXD_TESTS_SUPPORT_TCP_STALL_LOG_H_
