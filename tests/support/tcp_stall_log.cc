#include "tests/support/tcp_stall_log.h"

#include <arpa/inet.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>

#include <cstring>

namespace rtmixd {
namespace {

// Sequence numbers go round.
bool Before(uint32_t a, uint32_t b) { return static_cast<int32_t>(a - b) < 0; }

}  // namespace

bool TcpStallLog::Parse(int way, absl::Span<const char> packet, Segment* segment) {
  iphdr ip = {};
  tcphdr tcp = {};
  if (packet.size() < sizeof(ip)) return false;
  std::memcpy(&ip, packet.data(), sizeof(ip));
  const size_t ip_bytes = size_t{ip.ihl} * 4;
  if (ip.version != 4 || ip.protocol != IPPROTO_TCP || packet.size() < ip_bytes + sizeof(tcp))
    return false;
  std::memcpy(&tcp, packet.data() + ip_bytes, sizeof(tcp));
  const size_t header_bytes = ip_bytes + size_t{tcp.doff} * 4;
  const size_t total_bytes = ntohs(ip.tot_len);
  if (total_bytes <= header_bytes) return false;  // no data
  segment->flow = {way, uint32_t{ntohs(tcp.source)} << 16 | ntohs(tcp.dest)};
  segment->begin = ntohl(tcp.seq);
  segment->end = segment->begin + static_cast<uint32_t>(total_bytes - header_bytes);
  return true;
}

void TcpStallLog::Lost(int way, absl::Span<const char> packet, absl::Time at) {
  Segment segment;
  if (!Parse(way, packet, &segment)) return;
  Flow& flow = flows_[segment.flow];
  if (!flow.known) flow = {.known = true, .arrived = segment.begin, .ahead = {}};
  if (!Before(flow.arrived, segment.end)) return;  // it has been there already
  if (flow.stall < 0) {
    flow.stall = static_cast<int64_t>(stalls_.size());
    flow.lost_end = segment.end;
    stalls_.push_back({.begin = at, .end = absl::InfiniteFuture()});
  } else if (Before(flow.lost_end, segment.end)) {
    flow.lost_end = segment.end;
  }
}

void TcpStallLog::Delivered(int way, absl::Span<const char> packet, absl::Time at) {
  Segment segment;
  if (!Parse(way, packet, &segment)) return;
  Flow& flow = flows_[segment.flow];
  if (!flow.known) flow = {.known = true, .arrived = segment.begin, .ahead = {}};
  flow.ahead.push_back(segment);
  for (size_t i = 0; i < flow.ahead.size();) {
    const Segment next = flow.ahead[i];
    if (Before(flow.arrived, next.begin)) {
      ++i;
      continue;
    }
    if (Before(flow.arrived, next.end)) flow.arrived = next.end;
    flow.ahead.erase(flow.ahead.begin() + static_cast<int64_t>(i));
    i = 0;
  }
  if (flow.stall < 0 || Before(flow.arrived, flow.lost_end)) return;
  stalls_[flow.stall].end = at;
  flow.stall = -1;
}

}  // namespace rtmixd
