// The short form of the soak: half an hour or less, but busier than the month by far.

#include "tests/soak/soak.h"

#include <cstdio>

#include "gtest/gtest.h"
#ifndef RTMIXD_SANITIZED
#include "tests/soak/guarded_device.h"
#endif

namespace rtmixd {
namespace {

TEST(SoakTest, NothingIsLostAndNothingIsLeft) {
  Soak::Options options;
#ifdef RTMIXD_SANITIZED
  options.days = 0.01;
  options.actions = 1000;
  options.sessions = 100;
#else
  options.days = 0.02;
  options.actions = 3000;
  options.sessions = 300;
  options.wrap_device = GuardDevice;
  // In so short a life tables still grow to the room that they will need.
  options.heap_noise_bytes = 512 << 10;
#endif
  options.looks = 4;
  options.xruns_per_hour = 60;
  options.deaths_per_hour = 30;
  Soak soak(options);
  const Soak::Result result = soak.Run();
  std::printf("%s", Describe(result).c_str());
  EXPECT_EQ(result.looks.size(), 4U);
  EXPECT_GT(result.xruns, 0);
  EXPECT_GT(result.deaths, 0);
  EXPECT_EQ(result.recoveries, result.deaths);
  for (const ActionEnd end : {ActionEnd::kCompleted, ActionEnd::kCancelled, ActionEnd::kSkipped,
                              ActionEnd::kSessionEnded}) {
    EXPECT_TRUE(result.ends.contains(end)) << static_cast<int>(end);
  }
}

}  // namespace
}  // namespace rtmixd
