// Calibrations over the wire: what a client in any language stores, lists and deletes, and what is
// refused by name and changes nothing.

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <memory>
#include <string>

#include "rtmixd/v1/calibration.grpc.pb.h"
#include "tests/rpc/rpc_test_base.h"

namespace rtmixd {
namespace {

class CalibrationTest : public RpcTest {
 protected:
  void SetUp() override {
    RpcTest::SetUp();
    calibrations_ = v1::CalibrationService::NewStub(channel_);
    v1::GetStreamResponse response;
    ASSERT_TRUE(stream_->GetStream(Call("").get(), {}, &response).ok());
    stream_info_ = response.stream();
  }

  v1::SetCalibrationRequest Measured(double round_trip_frames) {
    v1::SetCalibrationRequest request;
    v1::LatencyMeasurement& measurement = *request.mutable_measurement();
    measurement.set_verdict(v1::LATENCY_VERDICT_FOUND);
    measurement.set_stream_id(stream_info_.stream_id());
    measurement.set_output_channel(1);
    measurement.set_input_channel(4);
    measurement.set_round_trip_frames(round_trip_frames);
    measurement.set_repeats(3);
    measurement.set_confidence(0.99);
    measurement.mutable_measure_time()->set_seconds(1'700'000'000);
    return request;
  }

  grpc::Status Set(const v1::SetCalibrationRequest& request, v1::SetCalibrationResponse* response) {
    return calibrations_->SetCalibration(Call().get(), request, response);
  }

  v1::ListCalibrationsResponse List() {
    v1::ListCalibrationsResponse response;
    const grpc::Status status =
        calibrations_->ListCalibrations(Call("").get(), v1::ListCalibrationsRequest(), &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response;
  }

  std::unique_ptr<v1::CalibrationService::Stub> calibrations_;
  v1::AudioStream stream_info_;
};

TEST_F(CalibrationTest, IsStoredShownListedAndDeleted) {
  const double claimed = static_cast<double>(stream_info_.input_latency_frames() +
                                             stream_info_.output_latency_frames());
  v1::SetCalibrationResponse stored;
  const grpc::Status status = Set(Measured(claimed + 100.25), &stored);
  ASSERT_TRUE(status.ok()) << status.error_message();
  const v1::Calibration& calibration = stored.calibration();
  EXPECT_EQ(calibration.excess_frames(), 100.25);
  EXPECT_EQ(calibration.used_frames(), 100);
  EXPECT_EQ(calibration.settings().input_channels(), kChannels);
  EXPECT_EQ(calibration.settings().sample_rate_hz(), kRateHz);
  EXPECT_EQ(calibration.measurement().measure_time().seconds(), 1'700'000'000);
  EXPECT_TRUE(calibration.has_age());

  v1::GetStreamResponse shown;
  ASSERT_TRUE(stream_->GetStream(Call("").get(), {}, &shown).ok());
  EXPECT_EQ(shown.stream().calibration().calibration_id(), calibration.calibration_id());
  ASSERT_EQ(List().calibrations_size(), 1);

  v1::DeleteCalibrationRequest forget;
  forget.set_calibration_id(calibration.calibration_id());
  v1::DeleteCalibrationResponse forgotten;
  ASSERT_TRUE(calibrations_->DeleteCalibration(Call().get(), forget, &forgotten).ok());
  EXPECT_EQ(List().calibrations_size(), 0);
  const grpc::Status again = calibrations_->DeleteCalibration(Call().get(), forget, &forgotten);
  EXPECT_EQ(again.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(Detail(again).field(), "calibration_id");
}

TEST_F(CalibrationTest, WhatCannotBeIsRefusedByName) {
  const auto refused = [this](const std::function<void(v1::LatencyMeasurement&)>& spoil) {
    v1::SetCalibrationRequest request = Measured(600);
    spoil(*request.mutable_measurement());
    v1::SetCalibrationResponse response;
    const grpc::Status status = Set(request, &response);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT) << status.error_message();
    EXPECT_EQ(List().calibrations_size(), 0);
    return Detail(status).field();
  };
  EXPECT_EQ(refused([](auto& m) { m.set_verdict(v1::LATENCY_VERDICT_FAINT); }),
            "measurement.verdict");
  EXPECT_EQ(refused([](auto& m) { m.set_stream_id("gone"); }), "measurement.stream_id");
  EXPECT_EQ(refused([](auto& m) { m.set_output_channel(5); }), "measurement.output_channel");
  EXPECT_EQ(refused([](auto& m) { m.set_input_channel(0); }), "measurement.input_channel");
  EXPECT_EQ(refused([](auto& m) { m.set_round_trip_frames(-1); }), "measurement.round_trip_frames");
  EXPECT_EQ(refused([](auto& m) { m.set_gain(std::nan("")); }), "measurement.gain");
  EXPECT_EQ(refused([](auto& m) { m.set_confidence(1.5); }), "measurement.confidence");
  EXPECT_EQ(refused([](auto& m) { m.mutable_measure_time()->set_nanos(-1); }),
            "measurement.measure_time");
}

TEST_F(CalibrationTest, ChangingNeedsASession) {
  v1::SetCalibrationResponse response;
  const grpc::Status status =
      calibrations_->SetCalibration(Call("").get(), Measured(600), &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAUTHENTICATED);
}

TEST_F(CalibrationTest, BadPagesAreRefused) {
  v1::ListCalibrationsRequest request;
  request.set_page_size(1001);
  v1::ListCalibrationsResponse response;
  const grpc::Status status = calibrations_->ListCalibrations(Call("").get(), request, &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(Detail(status).field(), "page_size");
}

}  // namespace
}  // namespace rtmixd
