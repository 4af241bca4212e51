#include "client_cpp/rtmixctl/validators.h"

#include <cmath>

#include "absl/strings/numbers.h"
#include "absl/strings/str_format.h"

namespace rtmixd::rtmixctl {

CLI::Validator Number(double low, double high, const std::string& what) {
  return CLI::Validator(
      [low, high, what](std::string& text) {
        double number = 0;
        // NaN is in no range.
        if (absl::SimpleAtod(text, &number) && number >= low && number <= high) {
          return std::string();
        }
        return absl::StrFormat("'%s' is not a %s from %.12g to %.12g", text, what, low, high);
      },
      "");
}

CLI::Validator Seconds(double low, double high) { return Number(low, high, "number of seconds"); }

CLI::Validator WholeNumber(int64_t low, int64_t high, const std::string& what) {
  return CLI::Validator(
      [low, high, what](std::string& text) {
        int64_t number = 0;
        if (absl::SimpleAtoi(text, &number) && number >= low && number <= high) {
          return std::string();
        }
        return absl::StrFormat("'%s' is not a %s from %d to %d", text, what, low, high);
      },
      "");
}

CLI::Validator Frames() { return WholeNumber(0, kMaxFrame, "whole number"); }

}  // namespace rtmixd::rtmixctl
