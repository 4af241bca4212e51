#ifndef RTMIXD_TESTS_FUZZ_CHOICES_H_
#define RTMIXD_TESTS_FUZZ_CHOICES_H_

#include <fuzzer/FuzzedDataProvider.h>

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <string>
#include <vector>

namespace rtmixd {

// Choices made by bytes, in the words of requests: most make sense, some just do not, a few are
// absurd. When the bytes are used up every choice is the first one.
//
// Threading: one thread.
class Choices {
 public:
  Choices(const uint8_t* bytes, size_t size) : bytes_(bytes, size) {}

  bool done() { return bytes_.remaining_bytes() == 0; }

  int64_t Between(int64_t low, int64_t high) { return bytes_.ConsumeIntegralInRange(low, high); }
  // False when the bytes are used up.
  bool OneIn(int n) { return Between(0, n - 1) == n - 1; }
  template <typename T>
  T OneOf(std::initializer_list<T> values) {
    return values.begin()[Between(0, static_cast<int64_t>(values.size()) - 1)];
  }
  // The last of these are the likelier, since requests are mostly about what is new.
  std::string IdOf(const std::vector<std::string>& ids) {
    if (ids.empty() || OneIn(40))
      return OneOf<const char*>({"", "a-1", "b-1", "nobody", "a-99999"});
    const auto last = static_cast<int64_t>(ids.size()) - 1;
    return ids[OneIn(3) ? Between(0, last) : last - Between(0, last < 3 ? last : 3)];
  }

  // A length.
  int64_t Frames() {
    if (OneIn(50)) return Absurd();
    return OneOf<int64_t>({0, 1, 64, Between(0, 300), Between(0, 5000)});
  }
  // A frame of the stream, whose next one is `now`.
  int64_t FrameNear(int64_t now) {
    if (OneIn(50)) return Absurd();
    return now + OneOf<int64_t>({0, 1, 64, Between(-300, 600), Between(-6000, 6000)});
  }
  int64_t Absurd() {
    constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
    constexpr int64_t k2To53 = int64_t{1} << 53;
    return OneOf<int64_t>({-1, k2To53 - 1, k2To53, kMax, -kMax - 1, kMax - 1, int64_t{1} << 61,
                           (int64_t{1} << 61) - 1, -k2To53, int64_t{1} << 31});
  }
  float Gain() {
    constexpr float kInf = std::numeric_limits<float>::infinity();
    if (OneIn(30)) return OneOf({kInf, -kInf, std::numeric_limits<float>::quiet_NaN()});
    return OneOf({1.0f, 0.0f, -0.0f, -1.0f, 0.5f, 1e-41f, 3.4e38f, -20.0f});
  }
  double Seconds() {
    constexpr double kInf = std::numeric_limits<double>::infinity();
    if (OneIn(30))
      return OneOf({kInf, -kInf, std::numeric_limits<double>::quiet_NaN(), 1e300, -1.0});
    return static_cast<double>(Between(0, 1'000'000)) * 1e-6;
  }
  std::string Bytes(int64_t max_size) {
    return bytes_.ConsumeBytesAsString(static_cast<size_t>(Between(0, max_size)));
  }

 private:
  FuzzedDataProvider bytes_;
};

}  // namespace rtmixd

#endif  // RTMIXD_TESTS_FUZZ_CHOICES_H_
