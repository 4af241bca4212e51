#ifndef RTMIXD_CLIENT_CPP_LATENCY_FOURIER_H_
#define RTMIXD_CLIENT_CPP_LATENCY_FOURIER_H_

#include <complex>
#include <vector>

#include "absl/types/span.h"

namespace rtmixd::client {

// The discrete Fourier transform of real signals: bin k of `signal.size() / 2 + 1` is the sum of
// signal[n] exp(-2 pi i k n / size). The size must be even.
std::vector<std::complex<double>> RealTransform(absl::Span<const double> signal);

// Its inverse, scaled so that both together change nothing. The imaginary parts of the first and
// the last bin are ignored.
std::vector<double> InverseRealTransform(absl::Span<const std::complex<double>> bins);

}  // namespace rtmixd::client

#endif  // RTMIXD_CLIENT_CPP_LATENCY_FOURIER_H_
