// The path of a person who follows a server that falls silent without closing its connections: a
// host that hangs, a cable that is pulled. The real rtmixctl against a real server that is stopped
// in its tracks.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "tests/client_cpp/tool.h"

namespace rtmixd {
namespace {

using ::testing::HasSubstr;

class SilentServerTest : public testing::TestWithParam<std::vector<std::string>> {};

TEST_P(SilentServerTest, IsToldAndIsExitCode3) {
  auto tool = Tool::Start({});
  ASSERT_TRUE(tool.ok()) << tool.status();
  const auto follower = (*tool)->Begin(GetParam());
  // It hears the server.
  const auto line = follower->ReadLine(absl::Seconds(30));
  ASSERT_TRUE(line.ok()) << line.status();
  (*tool)->server().Signal(SIGSTOP);
  const auto run = (*tool)->Finish(*follower);
  EXPECT_EQ(run.exit_code, 3) << run.out << run.err;
  // Not the keepalive of the connection, which takes longer.
  EXPECT_THAT(run.err, HasSubstr(absl::StrCat("the server at ", (*tool)->target(),
                                              " is gone: it said nothing for 3s")));
}

INSTANTIATE_TEST_SUITE_P(Followers, SilentServerTest,
                         testing::Values(std::vector<std::string>{"clock", "--follow", "--json"},
                                         std::vector<std::string>{"watch", "--from-sequence", "0"},
                                         std::vector<std::string>{"watch", "--meters"}),
                         [](const auto& info) {
                           return info.param.back() == "--json"     ? "Clock"
                                  : info.param.back() == "--meters" ? "Meters"
                                                                    : "Events";
                         });

}  // namespace
}  // namespace rtmixd
