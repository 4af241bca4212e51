#ifndef RTMIXD_TESTS_BENCHMARK_RPC_COUNTED_SAMPLES_H_
#define RTMIXD_TESTS_BENCHMARK_RPC_COUNTED_SAMPLES_H_

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <vector>

// Samples that say which one they are, so that whoever gets them back knows how long each was under
// way and which are missing.
namespace rtmixd::load {

// A float holds 24 bits exactly. 0 is silence, and stands for no sample.
inline constexpr int64_t kCountModulus = (int64_t{1} << 23) - 1;

inline float CountedSample(int64_t count) {
  return std::ldexp(static_cast<float>(count % kCountModulus + 1), -23);
}
// The count modulo kCountModulus; -1 for silence.
inline int64_t CountOf(float sample) {
  return static_cast<int64_t>(std::lrint(std::ldexp(sample, 23))) - 1;
}

// A count that says when: microseconds of CLOCK_MONOTONIC.
inline int64_t StampNow() {
  return std::chrono::duration_cast<std::chrono::microseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

// What comes back, block by block.
//
// Threading: one thread at a time; allocates only in Print.
class CountWatch {
 public:
  // A block came; the block that goes out at the same time begins with sample `sent`.
  void See(int64_t sent, const float* samples, int frames) {
    for (int i = 0; i < frames; ++i) {
      const int64_t count = CountOf(samples[i]);
      const bool next = expected_ >= 0 && count == expected_;
      if (expected_ >= 0 && !next) ++wrong_;
      if (expected_ >= 0 && !next && was_next_) ++glitches_;
      was_next_ = next;
      if (count < 0 && expected_ < 0) continue;  // not there yet
      expected_ = count < 0 ? (expected_ + 1) % kCountModulus : (count + 1) % kCountModulus;
      if (i > 0 || count < 0) continue;
      const int64_t delay = ((sent - count) % kCountModulus + kCountModulus) % kCountModulus;
      if (delays_seen_ < kMaxDelays) delays_[delays_seen_++] = static_cast<int32_t>(delay);
    }
  }

  // As a line of JSON.
  void Print() {
    std::sort(delays_.begin(), delays_.begin() + delays_seen_);
    const auto at = [this](double part) {
      return delays_seen_ == 0 ? -1 : delays_[static_cast<int>(part * (delays_seen_ - 1))];
    };
    std::printf(
        "{\"blocks\": %d, \"round_trip_frames\": %d, \"low_frames\": %d, \"high_frames\": %d, "
        "\"glitches\": %lld, \"wrong_frames\": %lld}\n",
        delays_seen_, at(0.5), at(0.1), at(0.9), static_cast<long long>(glitches_),
        static_cast<long long>(wrong_));
  }

 private:
  static constexpr int kMaxDelays = 1 << 20;

  int64_t expected_ = -1;  // -1: nothing has come yet
  bool was_next_ = true;
  int64_t glitches_ = 0;
  int64_t wrong_ = 0;
  std::vector<int32_t> delays_ = std::vector<int32_t>(kMaxDelays);
  int delays_seen_ = 0;
};

}  // namespace rtmixd::load

#endif  // RTMIXD_TESTS_BENCHMARK_RPC_COUNTED_SAMPLES_H_
