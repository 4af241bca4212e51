#ifndef RTMIXD_CLIENT_CPP_LATENCY_DELAY_ESTIMATOR_H_
#define RTMIXD_CLIENT_CPP_LATENCY_DELAY_ESTIMATOR_H_

#include <vector>

#include "absl/types/span.h"
#include "client_cpp/latency/excitation.h"
#include "rtmixd/v1/calibration.pb.h"

namespace rtmixd::client {

// When an answer is one.
struct DelayCriteria {
  // Least part of the recorded energy that has to be what was played: 0.9 is a signal 10 dB above
  // noise and whatever else is heard.
  double min_confidence = 0.9;
  // Weakest gain that is taken for a cable and not for a leak from another channel: -40 dB.
  double min_gain = 0.01;
  // The longest delay that can be.
  int max_delay_frames = 0;
};

// What one period tells.
struct DelayEstimate {
  v1::LatencyVerdict verdict = v1::LATENCY_VERDICT_UNSPECIFIED;
  // With other verdicts than FOUND the rest is what there is of it, and no answer.
  double delay_frames = 0;
  // Linear, at least 0, for a path with the same gain at all frequencies.
  double gain = 0;
  bool inverted = false;
  double confidence = 0;
  // The path's response to one pulse, sample n at delay n, limited to the band; a path that does
  // nothing has 1 at 0. Empty if nothing was heard.
  std::vector<double> impulse_response;
};

// Estimates the delay, gain and polarity with which `recorded` holds `excitation`, played with
// `amplitude`: one period in steady state, recorded from a whole number of periods after the
// excitation began.
//
// The recording is divided by the excitation in the frequency domain, where all magnitudes of that
// are the same: a cross-correlation that is the path's impulse response at once. The peak is found
// between samples on its band-limited interpolation, which is exact. Confidence is the energy of
// the response within +-256 frames of its peak, without what noise puts there, over all of it.
// What clips shows as loud samples that came back weaker than the linear path makes them.
DelayEstimate EstimateDelay(const Excitation& excitation, double amplitude,
                            absl::Span<const float> recorded, const DelayCriteria& criteria);

}  // namespace rtmixd::client

#endif  // RTMIXD_CLIENT_CPP_LATENCY_DELAY_ESTIMATOR_H_
