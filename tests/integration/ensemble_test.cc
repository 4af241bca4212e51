// Three hosts with a server each, and a fourth with this client: four network namespaces, joined by
// three veth pairs. The client has all three play at one moment of the wall clock. On one machine
// their wall clocks are the same, so that what remains between them is what each server made of its
// own device clock, of which one runs 100 ppm fast and one 100 ppm slow. Starts are compared
// through the servers' own answers of what time it is.

#include "client_cpp/ensemble.h"

#include <signal.h>

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "client_cpp/action.h"
#include "client_cpp/duration.h"
#include "client_cpp/session.h"
#include "gtest/gtest.h"
#include "tests/integration/server_process.h"
#include "tests/support/network_namespace.h"

namespace rtmixd {
namespace {

constexpr int kServers = 3;
constexpr const char* kClockErrorsPpm[kServers] = {"0", "100", "-100"};
// So long before the moment everything has to be prepared and committed, also on a machine that
// stalls.
constexpr absl::Duration kAhead = absl::Seconds(8);
constexpr absl::Duration kLongEnough = absl::Seconds(60);
constexpr int64_t kSoundFrames = 4800;

class EnsembleTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    for (auto& host : hosts_) {
      auto made = NetworkNamespace::Create();
      ASSERT_TRUE(made.ok()) << made.status();
      host = made->release();
    }
    ASSERT_TRUE(hosts_[kServers]->Enter().ok());
  }

  void SetUp() override {
    for (int i = 0; i < kServers; ++i) {
      const std::string address = absl::StrCat("10.73.", i + 1, ".1");
      auto cable = VethPair::Create(*hosts_[i], address + "/24", *hosts_[kServers],
                                    absl::StrCat("10.73.", i + 1, ".2/24"));
      ASSERT_TRUE(cable.ok()) << cable.status();
      cables_.push_back(*std::move(cable));
      const ScopedNetworkNamespace inside(*hosts_[i]);
      auto server = ServerProcess::Start(
          {"--device", "virtual", "--clock-error-ppm", kClockErrorsPpm[i]}, address);
      ASSERT_TRUE(server.ok()) << server.status();
      servers_.push_back(*std::move(server));
    }
    for (const auto& server : servers_) {
      auto client = client::Client::Connect(server->target(), kLongEnough);
      ASSERT_TRUE(client.ok()) << client.status();
      auto session =
          client::Session::Create(*client, {.label = "ensemble", .ttl = absl::Minutes(2)});
      ASSERT_TRUE(session.ok()) << session.status();
      sessions_.push_back(*session);
    }
  }

  // What each is to do: a sound on output 1, of its own length.
  std::vector<client::Ensemble::Member> Members() {
    std::vector<client::Ensemble::Member> members;
    for (const auto& session : sessions_) {
      v1::ScheduleActionsRequest request;
      v1::ActionSpec& action = *request.add_actions();
      action.set_key("sound");
      action.set_late_policy(v1::LATE_POLICY_SKIP);
      v1::InlineAudio& audio = *action.mutable_play()->mutable_inline_audio();
      audio.set_channels(1);
      audio.set_sample_format(v1::SAMPLE_FORMAT_INT16);
      audio.set_data(std::string(kSoundFrames * 2, '\x11'));
      members.push_back({session, std::move(request)});
    }
    return members;
  }

  // When a frame was or will be at the output converter, by what the server says of its clock.
  static absl::Time ConverterTime(client::Session& session, int64_t frame, double* error_frames) {
    const auto clock =
        session.client().Call(&client::Stubs::clock, &v1::ClockService::Stub::GetClock,
                              v1::GetClockRequest(), {.timeout = kLongEnough});
    const auto stream = GetStream(session.client());
    EXPECT_TRUE(clock.ok() && stream.ok());
    const v1::ClockReading& reading = clock->reading();
    EXPECT_TRUE(reading.locked());
    *error_frames = reading.uncertainty_frames();
    const double ahead_frames =
        static_cast<double>(frame + stream->output_latency_frames()) - reading.frame();
    return client::FromProto(reading.wall_time()) + absl::Seconds(ahead_frames / reading.rate_hz());
  }

  int64_t ActionsOf(client::Session& session) {
    const auto listed =
        session.client().Call(&client::Stubs::actions, &v1::ActionService::Stub::ListActions,
                              v1::ListActionsRequest(), session.call(kLongEnough, /*retry=*/true));
    EXPECT_TRUE(listed.ok()) << listed.status();
    for (const v1::ActionReport& report : listed->reports()) EXPECT_FALSE(report.has_start_frame());
    return listed->reports_size();
  }

  // Never freed: gRPC's threads are in them to the end.
  static const NetworkNamespace* hosts_[kServers + 1];

  std::vector<std::unique_ptr<VethPair>> cables_;
  std::vector<std::unique_ptr<ServerProcess>> servers_;
  std::vector<std::shared_ptr<client::Session>> sessions_;
};

const NetworkNamespace* EnsembleTest::hosts_[kServers + 1] = {};

TEST_F(EnsembleTest, ThreeHostsStartAtOneMoment) {
  const absl::Time moment = absl::Now() + kAhead;
  client::Ensemble ensemble(Members());
  const absl::Status prepared = ensemble.Prepare(moment);
  ASSERT_TRUE(prepared.ok()) << prepared;
  const absl::Status committed = ensemble.Commit();
  ASSERT_TRUE(committed.ok()) << committed;
  const client::EnsembleReport report = ensemble.Wait(kLongEnough);

  ASSERT_EQ(report.parts.size(), static_cast<size_t>(kServers));
  for (int i = 0; i < kServers; ++i) {
    const client::EnsemblePart& part = report.parts[i];
    ASSERT_TRUE(part.status.ok()) << part.status;
    ASSERT_EQ(part.reports.size(), 1u);
    const v1::ActionReport& sound = part.reports[0];
    ASSERT_EQ(sound.end_reason(), v1::END_REASON_COMPLETED);
    EXPECT_EQ(sound.start_frame(), sound.origin_frame());
    double clock_error_frames = 0;
    const absl::Time sounded =
        ConverterTime(*sessions_[i], sound.start_frame(), &clock_error_frames);
    const double off_frames = absl::ToDoubleSeconds(sounded - moment) * 48000;
    EXPECT_LE(std::abs(off_frames), sound.origin_uncertainty_frames() + clock_error_frames)
        << part.target;
    std::printf(
        "%s: frame %lld, %+.3f frames from the moment by its clock, +-%.3f when it was fixed\n",
        part.target.c_str(), static_cast<long long>(sound.start_frame()), off_frames,
        sound.origin_uncertainty_frames());
  }
  ASSERT_TRUE(report.Spread().has_value());
  std::printf("from the first to the last: %.1f us\n",
              absl::ToDoubleMicroseconds(*report.Spread()));
  EXPECT_FALSE(report.Silent());
  EXPECT_TRUE(report.InDoubt().empty());
}

TEST_F(EnsembleTest, OneRefusalAndNothingSoundsAnywhere) {
  std::vector<client::Ensemble::Member> members = Members();
  members[1].request.mutable_actions(0)->mutable_play()->mutable_channel_map()->add_channels(99);
  client::Ensemble ensemble(std::move(members));
  const absl::Status prepared = ensemble.Prepare(absl::Now() + kAhead);
  ASSERT_FALSE(prepared.ok());
  EXPECT_NE(prepared.message().find(servers_[1]->target()), std::string::npos) << prepared;
  EXPECT_FALSE(ensemble.Commit().ok());
  EXPECT_TRUE(ensemble.report().Silent());
  EXPECT_TRUE(ensemble.report().InDoubt().empty());
  EXPECT_EQ(ActionsOf(*sessions_[0]), 1);
  EXPECT_EQ(ActionsOf(*sessions_[1]), 0);
  EXPECT_EQ(ActionsOf(*sessions_[2]), 1);
  EXPECT_EQ(ensemble.report().parts[0].reports[0].end_reason(), v1::END_REASON_CANCELLED);
}

TEST_F(EnsembleTest, ServerThatIsGoneBeforeTheCommitsLeavesTheOthersSilent) {
  client::Ensemble ensemble(Members());
  const absl::Status prepared = ensemble.Prepare(absl::Now() + 2 * kAhead);
  ASSERT_TRUE(prepared.ok()) << prepared;
  servers_[2]->process().Signal(SIGKILL);
  const absl::Status committed = ensemble.Commit();
  ASSERT_FALSE(committed.ok());
  EXPECT_NE(committed.message().find(servers_[2]->target()), std::string::npos) << committed;
  const client::EnsembleReport& report = ensemble.report();
  EXPECT_TRUE(report.parts[0].Silent());
  EXPECT_TRUE(report.parts[1].Silent());
  // It might have heard, for all that the client can know.
  EXPECT_FALSE(report.Silent());
  EXPECT_EQ(report.InDoubt(), std::vector<std::string>{servers_[2]->target()});
  EXPECT_EQ(ActionsOf(*sessions_[0]), 1);
  EXPECT_EQ(ActionsOf(*sessions_[1]), 1);
}

TEST_F(EnsembleTest, WhatIsPreparedAndNotCommittedEndsByItself) {
  const absl::Time moment = absl::Now() + kAhead;
  std::vector<std::string> ids;
  for (const auto& member : Members()) {
    v1::ScheduleActionsRequest request = member.request;
    *request.mutable_origin_wall_time() = client::ToProto(moment);
    request.set_prepare(true);
    const auto scheduled = client::ScheduleActions(*member.session, request);
    ASSERT_TRUE(scheduled.ok()) << scheduled.status();
    ids.push_back(scheduled->actions(0).action_id());
  }
  for (int i = 0; i < kServers; ++i) {
    const auto report = client::Action(sessions_[i], ids[i]).Wait(kLongEnough);
    ASSERT_TRUE(report.ok()) << report.status();
    EXPECT_EQ(report->end_reason(), v1::END_REASON_NOT_COMMITTED);
    EXPECT_FALSE(report->has_start_frame());
  }
}

}  // namespace
}  // namespace rtmixd
