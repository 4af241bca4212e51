#ifndef RTMIXD_TESTS_FUZZ_REQUIRE_H_
#define RTMIXD_TESTS_FUZZ_REQUIRE_H_

#include <cstdio>
#include <cstdlib>
#include <string>

// Aborts, which a fuzzer takes for a find, if `condition` does not hold.
#define RTMIXD_REQUIRE(condition, message)                                                \
  do {                                                                                    \
    if (!(condition)) ::rtmixd::FailRequirement(__FILE__, __LINE__, #condition, message); \
  } while (false)

namespace rtmixd {

template <typename Text>
[[noreturn]] void FailRequirement(const char* file, int line, const char* condition,
                                  const Text& message) {
  std::fprintf(stderr, "%s:%d: requires %s: %s\n", file, line, condition,
               std::string(message).c_str());
  std::abort();
}

}  // namespace rtmixd

#endif  // RTMIXD_TESTS_FUZZ_REQUIRE_H_
