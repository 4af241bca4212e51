#include "server/rpc/access_rules.h"

#include <google/protobuf/descriptor.h>
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "rtmixd/v1/action.pb.h"
#include "rtmixd/v1/audio.pb.h"
#include "rtmixd/v1/buffer.pb.h"
#include "rtmixd/v1/calibration.pb.h"
#include "rtmixd/v1/clock.pb.h"
#include "rtmixd/v1/device.pb.h"
#include "rtmixd/v1/event.pb.h"
#include "rtmixd/v1/server_info.pb.h"
#include "rtmixd/v1/session.pb.h"
#include "rtmixd/v1/spool.pb.h"
#include "rtmixd/v1/stream.pb.h"
#include "rtmixd/v1/virtual_device.pb.h"

namespace rtmixd {
namespace {

std::vector<std::string> AllMethods() {
  std::vector<std::string> methods = {
      "/grpc.health.v1.Health/Check",
      "/grpc.health.v1.Health/Watch",
      "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
  };
  for (const google::protobuf::FileDescriptor* file :
       {v1::ActionReport::descriptor()->file(), v1::PlayRequest::descriptor()->file(),
        v1::AudioBuffer::descriptor()->file(), v1::Calibration::descriptor()->file(),
        v1::ClockReading::descriptor()->file(), v1::Device::descriptor()->file(),
        v1::LogEntry::descriptor()->file(), v1::ServerLimits::descriptor()->file(),
        v1::Session::descriptor()->file(), v1::AudioStream::descriptor()->file(),
        v1::ListSpooledRecordingsRequest::descriptor()->file(),
        v1::LoadScriptRequest::descriptor()->file()}) {
    for (int i = 0; i < file->service_count(); ++i) {
      const google::protobuf::ServiceDescriptor& service = *file->service(i);
      for (int j = 0; j < service.method_count(); ++j) {
        methods.push_back("/" + service.full_name() + "/" + service.method(j)->name());
      }
    }
  }
  return methods;
}

TEST(AccessRulesTest, EveryMethodHasARule) {
  const std::vector<std::string> methods = AllMethods();
  EXPECT_GT(methods.size(), 40U);
  for (const std::string& method : methods) EXPECT_TRUE(HasRule(method)) << method;
}

TEST(AccessRulesTest, WhatHasNoRuleNeedsTheHighestRole) {
  for (const char* const method :
       {"", "/", "/rtmixd.v1.StreamService/GetStreamX", "/rtmixd.v1.StreamService/GetStrea",
        "rtmixd.v1.StreamService/GetStream", "/RTMIXD.v1.StreamService/GetStream",
        "/rtmixd.v1.StreamService/GetStream/", "/zzz"}) {
    EXPECT_FALSE(HasRule(method)) << method;
    EXPECT_EQ(RequiredRole(method), Role::kAdminister) << method;
  }
}

// Who may look must not be able to make a sound, and who may play not to take the device away.
TEST(AccessRulesTest, RolesAreWhatTheyAreCalled) {
  std::set<std::string> observe;
  std::set<std::string> administer;
  for (const std::string& method : AllMethods()) {
    if (RequiredRole(method) == Role::kObserve)
      observe.insert(method.substr(method.rfind('/') + 1));
    if (RequiredRole(method) == Role::kAdminister) {
      administer.insert(method.substr(method.rfind('/') + 1));
    }
  }
  EXPECT_EQ(observe,
            (std::set<std::string>{"Check", "Watch", "ServerReflectionInfo", "GetStats",
                                   "ListCalibrations", "GetClock", "StreamClock", "ListDevices",
                                   "ListHostApis", "ListEvents", "StreamEvents", "StreamMeters",
                                   "GetServerInfo", "ListSessions", "GetStream"}));
  EXPECT_EQ(administer,
            (std::set<std::string>{"OpenStream", "StartStream", "StopStream", "CloseStream",
                                   "RestoreStream", "SetMasterGain", "SetCalibration",
                                   "DeleteCalibration", "LoadScript", "BreakSession"}));
}

TEST(AccessRulesTest, NamesOfRolesReadBack) {
  for (const Role role : {Role::kObserve, Role::kPlay, Role::kAdminister}) {
    EXPECT_EQ(RoleOfName(RoleName(role)), role);
  }
  EXPECT_EQ(RoleOfName("Play"), std::nullopt);
  EXPECT_EQ(RoleOfName(""), std::nullopt);
}

}  // namespace
}  // namespace rtmixd
