#ifndef RTMIXD_TESTS_MIXER_BLOCK_SIMULATOR_H_
#define RTMIXD_TESTS_MIXER_BLOCK_SIMULATOR_H_

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <random>

#include "server/mixer/block_log.h"

namespace rtmixd {

// A device clock with known truth: makes the BlockRecords that an audio thread would note.
//
// The callback of the block at frame f is due at start + (f + frames lost so far) / true rate. It
// is entered when it is due, plus a lateness, plus stamp noise, but never before the one before it
// has been (after a stall callbacks come back to back until they have caught up).
class BlockSimulator {
 public:
  struct Options {
    double nominal_rate_hz = 48000;
    double clock_error_ppm = 0;
    int block_frames = 256;
    double gaussian_jitter_nanos = 0;  // of the stamp
    double uniform_jitter_nanos = 0;   // +-
    // One-sided lateness, log-normal; with these two p50 is 0.1 ms, p99 6 ms, p99.9 23 ms.
    double median_lateness_nanos = 0;
    double lateness_sigma = 1.76;
    double most_lateness_nanos = 80e6;
    int64_t start_nanos = 1'000'000'000'000;
    int64_t first_frame = 0;
    uint32_t seed = 1;
  };

  explicit BlockSimulator(const Options& options)
      : options_(options),
        rate_hz_(options.nominal_rate_hz * (1 + options.clock_error_ppm * 1e-6)),
        next_frame_(options.first_frame),
        random_(options.seed) {}

  double rate_hz() const { return rate_hz_; }
  int64_t next_frame() const { return next_frame_; }

  // `frames` are lost before the next block.
  void Lose(int64_t frames) { lost_frames_ += frames; }
  // The device calls nobody for `nanos` from now on; then everything that is due comes.
  void Stall(double nanos) { busy_until_ = std::max(busy_until_, DueNanos(next_frame_) + nanos); }
  // The counter jumps without time passing.
  void JumpFrames(int64_t frames) {
    next_frame_ += frames;
    lost_frames_ -= frames;
  }

  // Nanos from start_nanos at which the callback of a block at `frame` is due.
  double DueNanos(int64_t frame) const {
    return static_cast<double>(frame - options_.first_frame + lost_frames_) * 1e9 / rate_hz_;
  }
  // Frames by which the map's answer for `frame` is after the truth.
  double ErrorFrames(int64_t frame, int64_t nanos) const {
    return (static_cast<double>(nanos - options_.start_nanos) - DueNanos(frame)) * rate_hz_ * 1e-9;
  }

  BlockRecord Next(uint32_t host_flags = 0) {
    double entered = DueNanos(next_frame_);
    if (options_.median_lateness_nanos > 0) {
      entered += std::min(
          options_.most_lateness_nanos,
          options_.median_lateness_nanos * std::exp(options_.lateness_sigma * normal_(random_)));
    }
    entered = std::max(entered, busy_until_);
    busy_until_ = entered + 20e3;
    double stamp = entered;
    if (options_.gaussian_jitter_nanos > 0) {
      stamp += options_.gaussian_jitter_nanos * normal_(random_);
    }
    if (options_.uniform_jitter_nanos > 0) {
      stamp += options_.uniform_jitter_nanos * (2 * uniform_(random_) - 1);
    }
    BlockRecord record{};
    record.first_frame = next_frame_;
    record.frames = options_.block_frames;
    record.callback_nanos = options_.start_nanos + std::llround(stamp);
    record.host_flags = host_flags;
    next_frame_ += options_.block_frames;
    return record;
  }

 private:
  const Options options_;
  const double rate_hz_;
  int64_t next_frame_;
  int64_t lost_frames_ = 0;
  double busy_until_ = -1e18;
  std::mt19937 random_;
  std::normal_distribution<double> normal_;
  std::uniform_real_distribution<double> uniform_;
};

}  // namespace rtmixd

#endif  // RTMIXD_TESTS_MIXER_BLOCK_SIMULATOR_H_
