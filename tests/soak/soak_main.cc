// The long form of the soak: soak_program [DAYS [SEED]]. Prints what was simulated and what was
// found; what is wrong aborts.

#include <cstdint>
#include <cstdio>

#include "absl/strings/numbers.h"
#include "tests/soak/guarded_device.h"
#include "tests/soak/soak.h"

namespace rtmixd {
namespace {

int Main(int argc, char** argv) {
  double days = 30;
  uint64_t seed = 1;
  if (argc > 3 || (argc > 1 && !absl::SimpleAtod(argv[1], &days)) ||
      (argc > 2 && !absl::SimpleAtoi(argv[2], &seed)) || !(days > 0)) {
    std::fprintf(stderr, "usage: %s [DAYS [SEED]]\n", argv[0]);
    return 2;
  }
  Soak::Options options = Soak::Options::Month(days);
  options.seed = seed;
  options.wrap_device = GuardDevice;
  Soak soak(options);
  std::printf("  days  heap KiB  resident KiB  files  threads  clock off  stated  rate off ppm\n");
  const Soak::Result result = soak.Run([](const Soak::Look& look) {
    std::printf("%6.2f %9.1f %13.1f %6d %8d %10.3f %7.3f %13.4f\n", look.days,
                static_cast<double>(look.heap_bytes) / 1024,
                static_cast<double>(look.resident_bytes) / 1024, look.files, look.threads,
                look.clock_off_frames, look.clock_stated_frames, look.rate_off_ppm);
    std::fflush(stdout);
  });
  std::printf("%s", Describe(result).c_str());
  return 0;
}

}  // namespace
}  // namespace rtmixd

int main(int argc, char** argv) { return rtmixd::Main(argc, argv); }
