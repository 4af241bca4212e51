#include "server/mixer/stream_time.h"

#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <string>

#include "absl/status/status.h"
#include "gtest/gtest.h"

namespace rtmixd {
namespace {

// mantissa * 2^exponent == value, exactly.
struct Parts {
  __int128 mantissa;
  int exponent;
};
Parts PartsOf(double value) {
  int exponent = 0;
  const double fraction = std::frexp(value, &exponent);
  return {static_cast<__int128>(std::ldexp(fraction, 53)), exponent - 53};
}

// The product rounded half to even, in integers: for results below 2^53 and exponents that fit.
int64_t ReferenceFrame(double seconds, double rate_hz) {
  const Parts a = PartsOf(seconds);
  const Parts b = PartsOf(rate_hz);
  const __int128 product = a.mantissa * b.mantissa;
  const int shift = -(a.exponent + b.exponent);
  if (shift <= 0) return static_cast<int64_t>(product << -shift);
  if (shift > 120) return 0;
  const __int128 below = product >> shift;  // towards minus infinity
  const __int128 rest = product - (below << shift);
  const __int128 half = __int128{1} << (shift - 1);
  int64_t frame = static_cast<int64_t>(below);
  if (rest > half || (rest == half && frame % 2 != 0)) ++frame;
  return frame;
}

TEST(StreamTimeTest, WholeSecondsGiveWholeFrames) {
  EXPECT_EQ(FrameAtStreamTime(0, 48000).value(), 0);
  EXPECT_EQ(FrameAtStreamTime(1, 48000).value(), 48000);
  EXPECT_EQ(FrameAtStreamTime(-2, 44100).value(), -88200);
  EXPECT_EQ(FrameAtStreamTime(0.1, 44100).value(), 4410);
}

TEST(StreamTimeTest, HalvesGoToEven) {
  EXPECT_EQ(FrameAtStreamTime(0.5, 1).value(), 0);
  EXPECT_EQ(FrameAtStreamTime(1.5, 1).value(), 2);
  EXPECT_EQ(FrameAtStreamTime(2.5, 1).value(), 2);
  EXPECT_EQ(FrameAtStreamTime(-0.5, 1).value(), 0);
  EXPECT_EQ(FrameAtStreamTime(-1.5, 1).value(), -2);
  EXPECT_EQ(FrameAtStreamTime(4503599627370495.5, 1).value(), 4503599627370496);
}

// 1/3 as a double is less than 1/3: times 1.5 that is less than a half, though the product of the
// doubles, rounded, is a half.
TEST(StreamTimeTest, ProductThatOnlyRoundsToAHalfIsRoundedByWhatItIs) {
  const double third = 1.0 / 3;
  ASSERT_EQ(third * 4.5, 1.5);
  EXPECT_EQ(FrameAtStreamTime(third, 4.5).value(), 1);
  EXPECT_EQ(FrameAtStreamTime(-third, 4.5).value(), -1);
}

TEST(StreamTimeTest, AgreesWithIntegerArithmetic) {
  std::mt19937_64 random(1);
  std::uniform_real_distribution<double> exponent(-12, 36);
  std::uniform_real_distribution<double> sign(-1, 1);
  const double rates[] = {8000, 11025, 44100, 48000, 96000, 192000, 44100.0 * 1000 / 1001, 47999.7};
  for (int i = 0; i < 200000; ++i) {
    const double rate_hz = rates[i % 8];
    double seconds = std::copysign(std::exp2(exponent(random)), sign(random));
    if (i % 4 == 0) {  // close to a half
      seconds = (std::floor(seconds * rate_hz) + 0.5) / rate_hz;
    }
    if (std::abs(seconds) * rate_hz > 9e15) continue;
    ASSERT_EQ(FrameAtStreamTime(seconds, rate_hz).value(), ReferenceFrame(seconds, rate_hz))
        << seconds << " s at " << rate_hz << " Hz";
  }
}

TEST(StreamTimeTest, FramesComeBackFromTheirTimes) {
  std::mt19937_64 random(2);
  std::uniform_int_distribution<int64_t> frames(-(int64_t{1} << 51), int64_t{1} << 51);
  for (const double rate_hz : {44100.0, 48000.0, 192000.0, 47999.7}) {
    for (int i = 0; i < 20000; ++i) {
      const int64_t frame = frames(random) >> (i % 50);
      ASSERT_EQ(FrameAtStreamTime(StreamTimeAtFrame(frame, rate_hz), rate_hz).value(), frame);
    }
  }
}

TEST(StreamTimeTest, LimitIsIncluded) {
  EXPECT_EQ(FrameAtStreamTime(0x1p53, 1).value(), int64_t{1} << 53);
  EXPECT_EQ(FrameAtStreamTime(-0x1p53, 1).value(), -(int64_t{1} << 53));
}

TEST(StreamTimeTest, BeyondTheLimitIsRefusedByName) {
  for (const double seconds : {1e12, -1e12, std::numeric_limits<double>::max()}) {
    const absl::Status status = FrameAtStreamTime(seconds, 48000).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kOutOfRange);
    EXPECT_NE(status.message().find("seconds is "), std::string::npos) << status.message();
    EXPECT_NE(status.message().find("9007199254740992"), std::string::npos) << status.message();
  }
}

TEST(StreamTimeTest, WhatIsNoNumberIsRefusedByName) {
  const double kInfinity = std::numeric_limits<double>::infinity();
  for (const double bad : {std::nan(""), kInfinity, -kInfinity}) {
    const absl::Status seconds = FrameAtStreamTime(bad, 48000).status();
    EXPECT_EQ(seconds.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(seconds.message().substr(0, 7), "seconds");
    EXPECT_FALSE(FrameAtStreamTime(1, bad).ok());
  }
  for (const double rate_hz : {0.0, -48000.0}) {
    const absl::Status rate = FrameAtStreamTime(1, rate_hz).status();
    EXPECT_EQ(rate.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(rate.message().substr(0, 15), "nominal_rate_hz");
  }
}

}  // namespace
}  // namespace rtmixd
