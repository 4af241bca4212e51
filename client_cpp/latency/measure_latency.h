#ifndef RTMIXD_CLIENT_CPP_LATENCY_MEASURE_LATENCY_H_
#define RTMIXD_CLIENT_CPP_LATENCY_MEASURE_LATENCY_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client_cpp/action.h"
#include "client_cpp/latency/delay_estimator.h"
#include "client_cpp/session.h"
#include "rtmixd/v1/calibration.pb.h"

namespace rtmixd::client {

// How to measure.
struct LatencyOptions {
  // Channels, from 1.
  int output = 1;
  int input = 1;
  // 1 to 8. Repeats that an xrun touched, or that were late, do not count and are done again, three
  // times as many at most.
  int repeats = 3;
  // Of the highest peak, over 0 and up to 1; the RMS is 12 dB less.
  double amplitude = 0.25;
  // The longest delay that is listened for; 0.001 to 5.
  double max_delay_seconds = 0.5;
  // As in DelayCriteria; the confidence 0.85 to 1.
  double min_confidence = 0.9;
  double min_gain = 0.01;
  // Of the first excitation; absent: another one every time.
  std::optional<uint64_t> seed;
  // How long it may take, after which it is cancelled.
  absl::Duration timeout = absl::Minutes(2);
  // Asked a few times per second; false cancels.
  KeepWaiting keep_waiting;
};

// What came of it.
struct MeasuredLatency {
  v1::LatencyMeasurement measurement;
  // The repeats that counted, in their order.
  std::vector<DelayEstimate> repeats;
  double sample_rate_hz = 0;
};

// Measures the delay from an output to an input by playing noise and recording it: ordinary
// actions, placed by frames, so that what is found is in frames of the stream. Audible on the
// output. INVALID_ARGUMENT names an option that cannot be, DEADLINE_EXCEEDED after the timeout,
// CANCELLED if keep_waiting said so. No answer is no error: see the measurement's verdict.
absl::StatusOr<MeasuredLatency> MeasureLatency(const std::shared_ptr<Session>& session,
                                               const LatencyOptions& options);

// The part of it that is only numbers: several repeats to one measurement.
v1::LatencyMeasurement CombineRepeats(const std::vector<DelayEstimate>& repeats);

}  // namespace rtmixd::client

#endif  // RTMIXD_CLIENT_CPP_LATENCY_MEASURE_LATENCY_H_
