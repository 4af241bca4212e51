#include "server/realtime/denormals.h"

#include <gtest/gtest.h>

#include <atomic>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <thread>

namespace rtmixd {
namespace {

constexpr float kSmallestNormal = std::numeric_limits<float>::min();
constexpr float kDenormal = std::numeric_limits<float>::denorm_min() * 1000;

// By its bits: inside a scope, a denormal compares equal to zero.
bool IsZero(float x) { return std::bit_cast<uint32_t>(x) << 1 == 0; }

// Volatile, so that it is computed when it is called.
float Multiply(float a, float b) {
  const volatile float x = a;
  const volatile float y = b;
  return x * y;
}

float MultiplyAdd(float a, float b, float c) {
  const volatile float x = a;
  const volatile float y = b;
  const volatile float z = c;
  return std::fma(x, y, z);
}

TEST(ScopedFlushDenormalsTest, DenormalResultsAreZeroInsideOnly) {
  EXPECT_FALSE(IsZero(Multiply(kSmallestNormal, 0.5f)));
  {
    const ScopedFlushDenormals flush;
    EXPECT_TRUE(IsZero(Multiply(kSmallestNormal, 0.5f)));
    EXPECT_TRUE(IsZero(MultiplyAdd(kSmallestNormal, 0.5f, 0)));
    EXPECT_EQ(Multiply(kSmallestNormal, 1), kSmallestNormal) << "normal numbers stay";
  }
  EXPECT_FALSE(IsZero(Multiply(kSmallestNormal, 0.5f)));
}

TEST(ScopedFlushDenormalsTest, DenormalOperandsAreZeroInsideOnly) {
  constexpr float kLarge = 1e20f;
  EXPECT_FALSE(IsZero(Multiply(kDenormal, kLarge)));
  {
    const ScopedFlushDenormals flush;
    EXPECT_TRUE(IsZero(Multiply(kDenormal, kLarge)));
  }
  EXPECT_FALSE(IsZero(Multiply(kDenormal, kLarge)));
}

TEST(ScopedFlushDenormalsTest, InnerScopeLeavesTheOuterOneInForce) {
  const ScopedFlushDenormals outer;
  { const ScopedFlushDenormals inner; }
  EXPECT_TRUE(IsZero(Multiply(kSmallestNormal, 0.5f)));
}

TEST(ScopedFlushDenormalsTest, OtherThreadsAreLeftAlone) {
  float product = 0;
  std::thread other;
  {
    // Made before the scope: a thread inherits the state of the one that starts it.
    std::atomic<bool> inside{false};
    other = std::thread([&] {
      while (!inside.load()) std::this_thread::yield();
      product = Multiply(kSmallestNormal, 0.5f);
    });
    const ScopedFlushDenormals flush;
    inside.store(true);
    other.join();
  }
  EXPECT_FALSE(IsZero(product));
}

}  // namespace
}  // namespace rtmixd
