#ifndef RTMIXD_SERVER_RPC_ACCESS_RULES_H_
#define RTMIXD_SERVER_RPC_ACCESS_RULES_H_

#include <optional>
#include <string_view>

namespace rtmixd {

// What the bearer of a token may do; each role includes those before it.
enum class Role {
  kObserve = 1,     // look: server, devices, stream, clock, events, meters, who is there
  kPlay = 2,        // have sessions, and with them buffers, actions and audio
  kAdminister = 3,  // the device's stream, the master gain, calibrations, scripts, others' sessions
};

// "observe", "play", "administer".
std::string_view RoleName(Role role);
std::optional<Role> RoleOfName(std::string_view name);

// The role that a method needs, by its full name, "/rtmixd.v1.StreamService/GetStream". A method
// without a rule needs kAdminister.
Role RequiredRole(std::string_view method);
// Whether there is a rule. Every method that the server has has one: a test walks them all.
bool HasRule(std::string_view method);

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_RPC_ACCESS_RULES_H_
