#ifndef RTMIXD_SERVER_RPC_LISTEN_ADDRESS_H_
#define RTMIXD_SERVER_RPC_LISTEN_ADDRESS_H_

#include <string>

namespace rtmixd {

// Whether only this host can reach what listens there: "unix:" sockets, and HOST:PORT with a host
// all of whose addresses are of the loopback interface. What cannot be resolved is taken for
// reachable.
bool IsLocalAddress(const std::string& listen_address);

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_RPC_LISTEN_ADDRESS_H_
