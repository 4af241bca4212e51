// The path of somebody who begins with the C++ that README shows: it is what a program that is
// built here says, and that program works.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <string>

#include "absl/time/time.h"
#include "tests/client_cpp/tool.h"
#include "tests/support/child_process.h"

namespace rtmixd {
namespace {

std::string Contents(const std::string& path) {
  std::ifstream file(path);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

// What stands between two marks; empty if they are not there.
std::string Between(const std::string& text, const std::string& begin, const std::string& end) {
  const size_t from = text.find(begin);
  const size_t to = text.find(end, from + begin.size());
  if (from == std::string::npos || to == std::string::npos) return "";
  return text.substr(from + begin.size(), to - from - begin.size());
}

TEST(ExampleTest, ReadmeQuotesIt) {
  const std::string quoted = Between(Contents("README.md"), "```cpp\n", "```");
  ASSERT_NE(quoted, "");
  EXPECT_EQ(quoted, Between(Contents("client_cpp/examples/play_rec_example.cc"),
                            "// README begins.\n", "// README ends.\n"));
}

TEST(ExampleTest, PlaysAndRecords) {
  const auto tool = Tool::Start({});
  ASSERT_TRUE(tool.ok()) << tool.status();
  const auto said =
      RunCommand({"client_cpp/examples/play_rec_example", (*tool)->target()}, absl::Seconds(60));
  ASSERT_TRUE(said.ok()) << said.status();
  // The tone and half a second after it.
  EXPECT_THAT(*said, testing::MatchesRegex("played from frame [0-9]+, recorded 48000 frames of 4 "
                                           "inputs\n"));
}

}  // namespace
}  // namespace rtmixd
