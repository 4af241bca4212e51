#include "client_cpp/rtmixctl/exit_code.h"

#include <gtest/gtest.h>

#include "client_cpp/error.h"

namespace rtmixd::rtmixctl {
namespace {

absl::Status WithReason(absl::StatusCode code, v1::ErrorReason reason) {
  absl::Status status(code, "text");
  v1::ErrorDetail detail;
  detail.set_reason(reason);
  client::SetErrorDetail(detail, status);
  return status;
}

v1::ActionReport Report(v1::EndReason reason) {
  v1::ActionReport report;
  report.set_end_reason(reason);
  report.set_touched(v1::TOUCHED_NO);
  return report;
}

TEST(ExitCodeTest, StatusCodesAreTold) {
  EXPECT_EQ(ExitCodeOf(absl::OkStatus()), ExitCode::kOk);
  EXPECT_EQ(ExitCodeOf(absl::UnavailableError("")), ExitCode::kUnreachable);
  EXPECT_EQ(ExitCodeOf(absl::InvalidArgumentError("")), ExitCode::kRefused);
  EXPECT_EQ(ExitCodeOf(absl::NotFoundError("")), ExitCode::kRefused);
  EXPECT_EQ(ExitCodeOf(absl::ResourceExhaustedError("")), ExitCode::kBusy);
  EXPECT_EQ(ExitCodeOf(absl::DeadlineExceededError("")), ExitCode::kTimeout);
  EXPECT_EQ(ExitCodeOf(absl::CancelledError("")), ExitCode::kInterrupted);
  EXPECT_EQ(ExitCodeOf(absl::InternalError("")), ExitCode::kFailed);
}

TEST(ExitCodeTest, ReasonOfTheServerTellsMoreThanTheCode) {
  constexpr auto kCode = absl::StatusCode::kFailedPrecondition;
  EXPECT_EQ(ExitCodeOf(WithReason(kCode, v1::ERROR_REASON_NO_STREAM)), ExitCode::kRefused);
  EXPECT_EQ(ExitCodeOf(WithReason(kCode, v1::ERROR_REASON_BUSY)), ExitCode::kBusy);
  EXPECT_EQ(ExitCodeOf(WithReason(kCode, v1::ERROR_REASON_DEVICE_ERROR)), ExitCode::kDeviceError);
}

TEST(ExitCodeTest, CleanReportIsOk) {
  EXPECT_EQ(ExitCodeOf(Report(v1::END_REASON_COMPLETED), {}), ExitCode::kOk);
}

TEST(ExitCodeTest, EndBeforeItsTimeIsTold) {
  EXPECT_EQ(ExitCodeOf(Report(v1::END_REASON_SKIPPED), {}), ExitCode::kLate);
  EXPECT_EQ(ExitCodeOf(Report(v1::END_REASON_UNDERRUN), {}), ExitCode::kLate);
  EXPECT_EQ(ExitCodeOf(Report(v1::END_REASON_TARGET_ENDED), {}), ExitCode::kLate);
  EXPECT_EQ(ExitCodeOf(Report(v1::END_REASON_STREAM_CLOSED), {}), ExitCode::kDeviceError);
  EXPECT_EQ(ExitCodeOf(Report(v1::END_REASON_LIMIT_EXCEEDED), {}), ExitCode::kBusy);
  EXPECT_EQ(ExitCodeOf(Report(v1::END_REASON_SHUTDOWN), {}), ExitCode::kUnreachable);
  EXPECT_EQ(ExitCodeOf(Report(v1::END_REASON_SESSION_ENDED), {}), ExitCode::kFailed);
}

TEST(ExitCodeTest, CancelIsOkOnlyIfWanted) {
  EXPECT_EQ(ExitCodeOf(Report(v1::END_REASON_CANCELLED), {}), ExitCode::kFailed);
  EXPECT_EQ(ExitCodeOf(Report(v1::END_REASON_CANCELLED), {.cancel_is_ok = true}), ExitCode::kOk);
}

TEST(ExitCodeTest, XrunMattersMoreThanLateness) {
  v1::ActionReport report = Report(v1::END_REASON_COMPLETED);
  report.set_late_frames(5);
  EXPECT_EQ(ExitCodeOf(report, {}), ExitCode::kLate);
  report.set_touched(v1::TOUCHED_YES);
  EXPECT_EQ(ExitCodeOf(report, {}), ExitCode::kXrun);
}

TEST(ExitCodeTest, CannotTellCountsOnlyWhenStrict) {
  v1::ActionReport report = Report(v1::END_REASON_COMPLETED);
  report.set_touched(v1::TOUCHED_CANNOT_TELL);
  EXPECT_EQ(ExitCodeOf(report, {}), ExitCode::kOk);
  EXPECT_EQ(ExitCodeOf(report, {.strict = true}), ExitCode::kXrun);
}

TEST(ExitCodeTest, GapsAndUnderrunsAreLateness) {
  v1::ActionReport gap = Report(v1::END_REASON_COMPLETED);
  gap.set_gap_frames(1);
  EXPECT_EQ(ExitCodeOf(gap, {}), ExitCode::kLate);
  v1::ActionReport underrun = Report(v1::END_REASON_COMPLETED);
  underrun.set_underruns(1);
  EXPECT_EQ(ExitCodeOf(underrun, {}), ExitCode::kLate);
}

TEST(ExitCodeTest, WorseOfTwoDoesNotDependOnTheirOrder) {
  EXPECT_EQ(Worse(ExitCode::kOk, ExitCode::kLate), ExitCode::kLate);
  EXPECT_EQ(Worse(ExitCode::kXrun, ExitCode::kLate), ExitCode::kXrun);
  EXPECT_EQ(Worse(ExitCode::kLate, ExitCode::kXrun), ExitCode::kXrun);
  EXPECT_EQ(Worse(ExitCode::kDeviceError, ExitCode::kFailed), ExitCode::kDeviceError);
}

}  // namespace
}  // namespace rtmixd::rtmixctl
