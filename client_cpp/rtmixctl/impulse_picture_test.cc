#include "client_cpp/rtmixctl/impulse_picture.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>
#include <vector>

namespace rtmixd::rtmixctl {
namespace {

struct Stem {
  double x;
  double zero;
  double y;
};

// The number behind `mark`, with which `text` begins; `*end` is what comes after it, null if there
// is none.
double NumberAt(const char* text, char mark, const char** end) {
  *end = nullptr;
  if (text == nullptr || *text != mark) return 0;
  char* after = nullptr;
  const double number = std::strtod(text + 1, &after);
  if (after != text + 1) *end = after;
  return number;
}

// The stems of the path with this id, as the picture has them.
std::vector<Stem> Stems(const std::string& svg) {
  std::vector<Stem> stems;
  size_t at = svg.find("id=\"response\"");
  at = svg.find("d=\"M", at + 13);
  while ((at = svg.find('M', at)) != std::string::npos) {
    const char* end = nullptr;
    const double x = NumberAt(svg.c_str() + at, 'M', &end);
    const double zero = NumberAt(end, ' ', &end);
    const double y = NumberAt(end, 'V', &end);
    if (end == nullptr) break;
    stems.push_back({x, zero, y});
    ++at;
  }
  return stems;
}

TEST(ImpulsePictureTest, EverySampleHasItsStem) {
  std::vector<double> response(1024);
  response[500] = -0.5;
  response[510] = 0.25;
  const std::vector<Stem> stems = Stems(ImpulsePicture(response, 500, "a title"));
  ASSERT_EQ(stems.size(), 129U);
  const double length = stems[64].y - stems[64].zero;  // downwards: it is negative
  EXPECT_GT(length, 100);
  for (size_t i = 0; i < stems.size(); ++i) {
    const double expected = i == 64 ? length : i == 74 ? -length / 2 : 0;
    EXPECT_NEAR(stems[i].y - stems[i].zero, expected, 0.02) << i;
    if (i == 0) continue;
    EXPECT_NEAR(stems[i].x - stems[i - 1].x, stems[1].x - stems[0].x, 0.02) << i;
  }
}

TEST(ImpulsePictureTest, DelayIsBetweenTheStems) {
  std::vector<double> response(1024);
  response[0] = 1;  // the frames before it are at the end of the circle
  response[1023] = 0.5;
  const std::string svg = ImpulsePicture(response, 0.5, "");
  const std::vector<Stem> stems = Stems(svg);
  ASSERT_EQ(stems.size(), 129U);
  const size_t at = svg.find("id=\"delay\"");
  const char* end = nullptr;
  const double x = NumberAt(svg.c_str() + svg.find("d=\"M", at + 9) + 3, 'M', &end);
  ASSERT_NE(end, nullptr);
  EXPECT_NEAR(x, (stems[64].x + stems[65].x) / 2, 0.02);
  EXPECT_NEAR(stems[63].zero - stems[63].y, (stems[64].zero - stems[64].y) / 2, 0.02);
}

TEST(ImpulsePictureTest, TitleIsEscaped) {
  const std::string svg = ImpulsePicture(std::vector<double>(256), 0, "1>2 & <b>");
  EXPECT_NE(svg.find("1&gt;2 &amp; &lt;b&gt;"), std::string::npos);
}

}  // namespace
}  // namespace rtmixd::rtmixctl
