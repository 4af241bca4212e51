#include "client_cpp/error.h"

#include <gtest/gtest.h>

#include "google/rpc/status.pb.h"

namespace rtmixd::client {
namespace {

grpc::Status WithDetail(grpc::StatusCode code, const v1::ErrorDetail& detail) {
  google::rpc::Status rich;
  rich.set_code(code);
  rich.set_message("text");
  rich.add_details()->PackFrom(detail);
  return grpc::Status(code, "text", rich.SerializeAsString());
}

TEST(ErrorTest, OkStaysOk) { EXPECT_TRUE(FromGrpc(grpc::Status::OK).ok()); }

TEST(ErrorTest, CodeAndMessageAreKept) {
  const absl::Status status = FromGrpc(grpc::Status(grpc::StatusCode::NOT_FOUND, "no buffer b7"));
  EXPECT_TRUE(absl::IsNotFound(status));
  EXPECT_EQ(status.message(), "no buffer b7");
  EXPECT_FALSE(ErrorDetailOf(status).has_value());
  EXPECT_EQ(ErrorReasonOf(status), v1::ERROR_REASON_UNSPECIFIED);
}

TEST(ErrorTest, DetailOfTheServerIsDecoded) {
  v1::ErrorDetail detail;
  detail.set_reason(v1::ERROR_REASON_BAD_FIELD);
  detail.set_field("actions[2].play.gain");
  detail.set_value("nan");
  detail.set_limit("finite");
  const absl::Status status = FromGrpc(WithDetail(grpc::StatusCode::INVALID_ARGUMENT, detail));
  EXPECT_TRUE(absl::IsInvalidArgument(status));
  const auto decoded = ErrorDetailOf(status);
  ASSERT_TRUE(decoded.has_value());
  EXPECT_EQ(decoded->reason(), v1::ERROR_REASON_BAD_FIELD);
  EXPECT_EQ(decoded->field(), "actions[2].play.gain");
  EXPECT_EQ(decoded->value(), "nan");
  EXPECT_EQ(decoded->limit(), "finite");
}

TEST(ErrorTest, GarbageInTheTrailerIsIgnored) {
  const absl::Status status =
      FromGrpc(grpc::Status(grpc::StatusCode::INTERNAL, "text", "\xff\xff not a message"));
  EXPECT_TRUE(absl::IsInternal(status));
  EXPECT_FALSE(ErrorDetailOf(status).has_value());
}

TEST(ErrorTest, OnlyAMissingAnswerIsAConnectionFailure) {
  EXPECT_TRUE(IsConnectionFailure(absl::UnavailableError("")));
  EXPECT_TRUE(IsConnectionFailure(absl::DeadlineExceededError("")));
  EXPECT_FALSE(IsConnectionFailure(absl::NotFoundError("")));
  EXPECT_FALSE(IsConnectionFailure(absl::OkStatus()));
}

}  // namespace
}  // namespace rtmixd::client
