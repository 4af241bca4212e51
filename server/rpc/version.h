#ifndef RTMIXD_SERVER_RPC_VERSION_H_
#define RTMIXD_SERVER_RPC_VERSION_H_

namespace rtmixd {

// As in CHANGELOG.md.
inline constexpr char kServerVersion[] = "0.1.0";

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_RPC_VERSION_H_
