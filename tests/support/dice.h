#ifndef RTMIXD_TESTS_SUPPORT_DICE_H_
#define RTMIXD_TESTS_SUPPORT_DICE_H_

#include <cstdint>
#include <initializer_list>
#include <random>

namespace rtmixd {

// Random choices that are the same for the same seed.
//
// Threading: one thread.
class Dice {
 public:
  explicit Dice(uint64_t seed) : engine_(seed) {}

  // Uniform in [low, high].
  int64_t Between(int64_t low, int64_t high) {
    return std::uniform_int_distribution<int64_t>(low, high)(engine_);
  }
  bool OneIn(int n) { return Between(1, n) == 1; }
  float Uniform(float low, float high) {
    return std::uniform_real_distribution<float>(low, high)(engine_);
  }
  template <typename T>
  T OneOf(std::initializer_list<T> values) {
    return values.begin()[Between(0, static_cast<int64_t>(values.size()) - 1)];
  }

 private:
  std::mt19937_64 engine_;
};

}  // namespace rtmixd

#endif  // RTMIXD_TESTS_SUPPORT_DICE_H_
