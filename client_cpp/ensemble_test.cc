#include "client_cpp/ensemble.h"

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "client_cpp/duration.h"
#include "gtest/gtest.h"

namespace rtmixd::client {
namespace {

const absl::Time kMoment = absl::FromUnixSeconds(1'900'000'000);

EnsemblePart Started(const std::string& target, absl::Duration after) {
  EnsemblePart part{.target = target};
  v1::ActionReport& report = part.reports.emplace_back();
  report.set_state(v1::ACTION_STATE_ENDED);
  report.set_start_frame(1000);
  *report.mutable_start_wall_time() = ToProto(kMoment + after);
  return part;
}

EnsemblePart NeverStarted(const std::string& target, v1::ActionState state) {
  EnsemblePart part{.target = target};
  part.reports.emplace_back().set_state(state);
  return part;
}

TEST(EnsembleReportTest, SpreadIsFromTheFirstStartToTheLast) {
  EnsembleReport report;
  EXPECT_FALSE(report.Spread().has_value());
  report.parts.push_back(Started("a", absl::Microseconds(30)));
  EXPECT_EQ(report.Spread(), absl::ZeroDuration());
  report.parts.push_back(Started("b", absl::Microseconds(-20)));
  report.parts.push_back(Started("c", absl::ZeroDuration()));
  EXPECT_EQ(report.Spread(), absl::Microseconds(50));
  report.parts.push_back(NeverStarted("d", v1::ACTION_STATE_ENDED));
  EXPECT_FALSE(report.Spread().has_value());
}

TEST(EnsembleReportTest, SilentIsOnlyWhatHasEndedWithoutAStart) {
  EnsembleReport report;
  report.parts.push_back({.target = "refused"});
  report.parts.push_back(NeverStarted("cancelled", v1::ACTION_STATE_ENDED));
  EXPECT_TRUE(report.Silent());
  report.parts.push_back(NeverStarted("waits", v1::ACTION_STATE_PENDING));
  EXPECT_FALSE(report.Silent());
  report.parts.back() = Started("sounded", absl::ZeroDuration());
  EXPECT_FALSE(report.Silent());
}

TEST(EnsembleReportTest, InDoubtIsWhoWasLostAndIsNotKnownToBeSilent) {
  EnsembleReport report;
  report.parts.push_back(NeverStarted("silent", v1::ACTION_STATE_ENDED));
  report.parts.back().status = absl::FailedPreconditionError("too late");
  report.parts.push_back(NeverStarted("lost", v1::ACTION_STATE_PENDING));
  report.parts.back().status = absl::UnavailableError("gone");
  report.parts.push_back(Started("well", absl::ZeroDuration()));
  EXPECT_EQ(report.InDoubt(), std::vector<std::string>{"lost"});
}

TEST(EnsembleReportTest, PartStartsWithItsFirstAction) {
  EnsemblePart part = Started("a", absl::Seconds(2));
  part.reports.push_back(Started("a", absl::Seconds(1)).reports[0]);
  part.reports.emplace_back();
  EXPECT_EQ(part.StartWallTime(), kMoment + absl::Seconds(1));
}

TEST(EnsembleTest, NothingCanBeCommittedThatWasNotPrepared) {
  Ensemble ensemble({});
  EXPECT_EQ(ensemble.Commit().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(ensemble.Prepare(kMoment).ok());
  EXPECT_EQ(ensemble.Prepare(kMoment).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(ensemble.Commit().ok());
}

}  // namespace
}  // namespace rtmixd::client
