#include "client_cpp/rtmixctl/impulse_picture.h"

#include <gtest/gtest.h>

#include <cstdio>
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

// The stems of the path with this id, as the picture has them.
std::vector<Stem> Stems(const std::string& svg) {
  std::vector<Stem> stems;
  size_t at = svg.find("id=\"response\"");
  at = svg.find("d=\"M", at + 13);
  while ((at = svg.find('M', at)) != std::string::npos) {
    Stem stem{};
    if (std::sscanf(svg.c_str() + at, "M%lf %lfV%lf", &stem.x, &stem.zero, &stem.y) != 3) break;
    stems.push_back(stem);
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
  double x = 0;
  const size_t at = svg.find("id=\"delay\"");
  ASSERT_EQ(std::sscanf(svg.c_str() + svg.find("d=\"M", at + 9), "d=\"M%lf", &x), 1);
  EXPECT_NEAR(x, (stems[64].x + stems[65].x) / 2, 0.02);
  EXPECT_NEAR(stems[63].zero - stems[63].y, (stems[64].zero - stems[64].y) / 2, 0.02);
}

TEST(ImpulsePictureTest, TitleIsEscaped) {
  const std::string svg = ImpulsePicture(std::vector<double>(256), 0, "1>2 & <b>");
  EXPECT_NE(svg.find("1&gt;2 &amp; &lt;b&gt;"), std::string::npos);
}

}  // namespace
}  // namespace rtmixd::rtmixctl
