#include "client_cpp/rtmixctl/impulse_picture.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"

namespace rtmixd::rtmixctl {
namespace {

constexpr int kReachFrames = 64;
// In pixels.
constexpr int kWidth = 900;
constexpr int kHeight = 400;
constexpr int kMargin = 50;
constexpr int kTickFrames = 16;

}  // namespace

std::string ImpulsePicture(absl::Span<const double> response, double delay_frames,
                           const std::string& title) {
  const int size = static_cast<int>(response.size());
  const auto at = [&response, size](int n) {
    return response[static_cast<size_t>(((n % size) + size) % size)];
  };
  int peak = static_cast<int>(
      std::max_element(response.begin(), response.end(),
                       [](double a, double b) { return std::abs(a) < std::abs(b); }) -
      response.begin());
  // The end of the circle is before its beginning.
  if (peak >= size - kReachFrames) peak -= size;
  const double scale = at(peak) == 0 ? 1 : std::abs(at(peak));

  const auto x = [peak](double frame) {
    return kMargin + (frame - peak + kReachFrames) * (kWidth - 2 * kMargin) / (2.0 * kReachFrames);
  };
  const auto y = [scale](double value) {
    return kHeight / 2.0 - value / scale * (kHeight / 2.0 - kMargin);
  };
  std::string svg = absl::StrFormat(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" "
      "font-family=\"sans-serif\" font-size=\"12\">\n"
      "<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n"
      "<text x=\"%d\" y=\"20\">%s</text>\n"
      "<path stroke=\"gray\" d=\"M%d %.1fH%d\"/>\n",
      kWidth, kHeight, kMargin,
      absl::StrReplaceAll(title, {{"&", "&amp;"}, {"<", "&lt;"}, {">", "&gt;"}}), kMargin, y(0),
      kWidth - kMargin);
  for (int n = peak - kReachFrames; n <= peak + kReachFrames; n += kTickFrames) {
    absl::StrAppendFormat(&svg, "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%d</text>\n",
                          x(n), kHeight - kMargin / 3, n);
  }
  for (const double value : {at(peak), 0.0}) {
    absl::StrAppendFormat(&svg, "<text x=\"4\" y=\"%.1f\">%.3g</text>\n", y(value) + 4, value);
  }
  absl::StrAppendFormat(&svg, "<path id=\"delay\" stroke=\"red\" d=\"M%.2f %dV%d\"/>\n",
                        x(delay_frames), kMargin / 2, kHeight - kMargin / 2);
  absl::StrAppend(&svg, "<path id=\"response\" stroke=\"black\" stroke-width=\"2\" d=\"");
  for (int n = peak - kReachFrames; n <= peak + kReachFrames; ++n) {
    absl::StrAppendFormat(&svg, "M%.2f %.2fV%.2f", x(n), y(0), y(at(n)));
  }
  absl::StrAppend(&svg, "\"/>\n</svg>\n");
  return svg;
}

}  // namespace rtmixd::rtmixctl
