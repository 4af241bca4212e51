#include "client_cpp/rtmixctl/channel_list.h"

#include <cstdlib>
#include <string>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace rtmixd::rtmixctl {
namespace {

constexpr int kMaxChannels = 1024;

absl::Status Bad(absl::string_view text, absl::string_view why) {
  return absl::InvalidArgumentError(
      absl::StrCat("'", text, "' is no list of channels: ", why, ", as in 1,2 or 1-4,7"));
}

}  // namespace

absl::StatusOr<std::vector<int>> ParseChannelList(absl::string_view text) {
  std::vector<int> channels;
  for (const absl::string_view part : absl::StrSplit(text, ',')) {
    const std::pair<absl::string_view, absl::string_view> ends =
        absl::StrSplit(part, absl::MaxSplits('-', 1));
    int first = 0;
    int last = 0;
    if (!absl::SimpleAtoi(ends.first, &first)) return Bad(text, "numbers and commas are needed");
    last = first;
    if (part.size() != ends.first.size() && !absl::SimpleAtoi(ends.second, &last)) {
      return Bad(text, "a range needs two numbers");
    }
    if (first < 1 || last < 1) return Bad(text, "channels are numbered from 1");
    if (first > kMaxChannels || last > kMaxChannels ||
        static_cast<int>(channels.size()) + std::abs(last - first) + 1 > kMaxChannels) {
      return Bad(text, "1024 channels are the most");
    }
    const int step = last < first ? -1 : 1;
    for (int channel = first; channel != last + step; channel += step) channels.push_back(channel);
  }
  return channels;
}

}  // namespace rtmixd::rtmixctl
