#ifndef RTMIXD_CLIENT_CPP_RTMIXCTL_VALIDATORS_H_
#define RTMIXD_CLIENT_CPP_RTMIXCTL_VALIDATORS_H_

#include <CLI/CLI.hpp>
#include <cstdint>
#include <map>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace rtmixd::rtmixctl {

// What options may be set to. A refusal says the value and the limits, and the library puts the
// option's name before it. They say nothing in the help, where the type names the unit.

// The longest time that makes sense: 31 years, whose frames can still be counted at every rate.
inline constexpr double kMaxSeconds = 1e9;
// As the API has it.
inline constexpr int64_t kMaxFrame = (int64_t{1} << 53) - 1;

// A finite number of this range; `what` it is in words.
CLI::Validator Number(double low, double high, const std::string& what);
// A number of seconds.
CLI::Validator Seconds(double low = 0, double high = kMaxSeconds);
// A number without a fraction.
CLI::Validator WholeNumber(int64_t low, int64_t high, const std::string& what);
// A position or a length on the stream.
CLI::Validator Frames();

// One of the words, which becomes the value that belongs to it.
template <typename Enum>
CLI::Validator OneOf(const std::map<std::string, Enum>& words) {
  return CLI::Validator(
      [words](std::string& text) {
        const auto found = words.find(text);
        if (found == words.end()) {
          return absl::StrCat("'", text, "' is not one of ",
                              absl::StrJoin(words, ", ", [](std::string* out, const auto& word) {
                                absl::StrAppend(out, word.first);
                              }));
        }
        text = absl::StrCat(static_cast<int>(found->second));
        return std::string();
      },
      "");
}

}  // namespace rtmixd::rtmixctl

#endif  // RTMIXD_CLIENT_CPP_RTMIXCTL_VALIDATORS_H_
