#include "server/rpc/access_rules.h"

#include <algorithm>
#include <array>
#include <string>

namespace rtmixd {
namespace {

struct Rule {
  std::string_view method;
  Role role;
};

// In order of their names, for a binary search.
constexpr std::array kRules = {
    Rule{"/grpc.health.v1.Health/Check", Role::kObserve},
    Rule{"/grpc.health.v1.Health/Watch", Role::kObserve},
    Rule{"/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", Role::kObserve},
    Rule{"/rtmixd.v1.ActionService/CancelActions", Role::kPlay},
    Rule{"/rtmixd.v1.ActionService/ChangeActions", Role::kPlay},
    Rule{"/rtmixd.v1.ActionService/CommitBatch", Role::kPlay},
    Rule{"/rtmixd.v1.ActionService/GetAction", Role::kPlay},
    Rule{"/rtmixd.v1.ActionService/GetBatch", Role::kPlay},
    Rule{"/rtmixd.v1.ActionService/GetStats", Role::kObserve},
    Rule{"/rtmixd.v1.ActionService/ListActions", Role::kPlay},
    Rule{"/rtmixd.v1.ActionService/ScheduleActions", Role::kPlay},
    Rule{"/rtmixd.v1.ActionService/WaitActions", Role::kPlay},
    Rule{"/rtmixd.v1.ActionService/WaitBatch", Role::kPlay},
    Rule{"/rtmixd.v1.ActionService/WatchActions", Role::kPlay},
    Rule{"/rtmixd.v1.AudioService/Duplex", Role::kPlay},
    Rule{"/rtmixd.v1.AudioService/Play", Role::kPlay},
    Rule{"/rtmixd.v1.AudioService/Record", Role::kPlay},
    Rule{"/rtmixd.v1.AudioService/StreamRecording", Role::kPlay},
    Rule{"/rtmixd.v1.BufferService/CreateBuffer", Role::kPlay},
    Rule{"/rtmixd.v1.BufferService/DeleteBuffer", Role::kPlay},
    Rule{"/rtmixd.v1.BufferService/DownloadBuffer", Role::kPlay},
    Rule{"/rtmixd.v1.BufferService/GetBuffer", Role::kPlay},
    Rule{"/rtmixd.v1.BufferService/ListBuffers", Role::kPlay},
    Rule{"/rtmixd.v1.BufferService/UploadBuffer", Role::kPlay},
    Rule{"/rtmixd.v1.CalibrationService/DeleteCalibration", Role::kAdminister},
    Rule{"/rtmixd.v1.CalibrationService/ListCalibrations", Role::kObserve},
    Rule{"/rtmixd.v1.CalibrationService/SetCalibration", Role::kAdminister},
    Rule{"/rtmixd.v1.ClockService/GetClock", Role::kObserve},
    Rule{"/rtmixd.v1.ClockService/StreamClock", Role::kObserve},
    Rule{"/rtmixd.v1.DeviceService/CheckSettings", Role::kPlay},
    Rule{"/rtmixd.v1.DeviceService/ListDevices", Role::kObserve},
    Rule{"/rtmixd.v1.DeviceService/ListHostApis", Role::kObserve},
    Rule{"/rtmixd.v1.EventService/ListEvents", Role::kObserve},
    Rule{"/rtmixd.v1.EventService/StreamEvents", Role::kObserve},
    Rule{"/rtmixd.v1.EventService/StreamMeters", Role::kObserve},
    Rule{"/rtmixd.v1.ServerInfoService/GetServerInfo", Role::kObserve},
    Rule{"/rtmixd.v1.SessionService/AwaitExclusive", Role::kPlay},
    Rule{"/rtmixd.v1.SessionService/BreakSession", Role::kAdminister},
    Rule{"/rtmixd.v1.SessionService/CreateSession", Role::kPlay},
    Rule{"/rtmixd.v1.SessionService/EndSession", Role::kPlay},
    Rule{"/rtmixd.v1.SessionService/GetSession", Role::kPlay},
    Rule{"/rtmixd.v1.SessionService/KeepSession", Role::kPlay},
    Rule{"/rtmixd.v1.SessionService/ListSessions", Role::kObserve},
    Rule{"/rtmixd.v1.SessionService/SetSessionGain", Role::kPlay},
    Rule{"/rtmixd.v1.SpoolService/DeleteSpooledRecording", Role::kPlay},
    Rule{"/rtmixd.v1.SpoolService/DownloadSpooledRecording", Role::kPlay},
    Rule{"/rtmixd.v1.SpoolService/ListSpooledRecordings", Role::kPlay},
    Rule{"/rtmixd.v1.StreamService/CloseStream", Role::kAdminister},
    Rule{"/rtmixd.v1.StreamService/GetStream", Role::kObserve},
    Rule{"/rtmixd.v1.StreamService/OpenStream", Role::kAdminister},
    Rule{"/rtmixd.v1.StreamService/RestoreStream", Role::kAdminister},
    Rule{"/rtmixd.v1.StreamService/SetMasterGain", Role::kAdminister},
    Rule{"/rtmixd.v1.StreamService/StartStream", Role::kAdminister},
    Rule{"/rtmixd.v1.StreamService/StopStream", Role::kAdminister},
    Rule{"/rtmixd.v1.VirtualDeviceService/LoadScript", Role::kAdminister},
};

constexpr bool ByMethod(const Rule& rule, std::string_view method) { return rule.method < method; }

static_assert(std::is_sorted(kRules.begin(), kRules.end(),
                             [](const Rule& a, const Rule& b) { return a.method < b.method; }));

const Rule* Find(std::string_view method) {
  const auto* const found = std::lower_bound(kRules.begin(), kRules.end(), method, ByMethod);
  return found != kRules.end() && found->method == method ? found : nullptr;
}

constexpr std::array kRoles = {Role::kObserve, Role::kPlay, Role::kAdminister};

}  // namespace

std::string_view RoleName(Role role) {
  switch (role) {
    case Role::kObserve:
      return "observe";
    case Role::kPlay:
      return "play";
    case Role::kAdminister:
      break;
  }
  return "administer";
}

std::optional<Role> RoleOfName(std::string_view name) {
  for (const Role role : kRoles) {
    if (RoleName(role) == name) return role;
  }
  return std::nullopt;
}

Role RequiredRole(std::string_view method) {
  const Rule* const rule = Find(method);
  return rule == nullptr ? Role::kAdminister : rule->role;
}

bool HasRule(std::string_view method) { return Find(method) != nullptr; }

}  // namespace rtmixd
