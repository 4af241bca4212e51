#include "client_cpp/latency/fourier.h"

#include <cstddef>
#include <kissfft/kissfft.hh>

namespace rtmixd::client {

std::vector<std::complex<double>> RealTransform(absl::Span<const double> signal) {
  const size_t half = signal.size() / 2;
  std::vector<std::complex<double>> bins(half + 1);
  // The library leaves the last bin out, and puts it in the imaginary part of the first.
  kissfft<double>(half, /*inverse=*/false).transform_real(signal.data(), bins.data());
  bins[half] = bins[0].imag();
  bins[0] = bins[0].real();
  return bins;
}

std::vector<double> InverseRealTransform(absl::Span<const std::complex<double>> bins) {
  const size_t size = 2 * (bins.size() - 1);
  std::vector<std::complex<double>> all(size);
  all[0] = bins.front().real();
  all[size / 2] = bins.back().real();
  for (size_t k = 1; k < size / 2; ++k) {
    all[k] = bins[k];
    all[size - k] = std::conj(bins[k]);
  }
  std::vector<std::complex<double>> signal(size);
  kissfft<double>(size, /*inverse=*/true).transform(all.data(), signal.data());
  std::vector<double> real(size);
  for (size_t n = 0; n < size; ++n) real[n] = signal[n].real() / static_cast<double>(size);
  return real;
}

}  // namespace rtmixd::client
