#include "tests/support/child_process.h"

#include <signal.h>

#include <fstream>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"

namespace rtmixd {
namespace {

constexpr absl::Duration kLongEnough = absl::Seconds(30);

TEST(ChildProcessTest, LinesAndExitCodeArrive) {
  auto child = ChildProcess::Start({"sh", "-c", "echo one; echo $TWO; printf rest; exit 7"},
                                   {.stdin_path = "", .environment = {"TWO=2"}, .quiet = false});
  ASSERT_TRUE(child.ok()) << child.status();
  EXPECT_EQ((*child)->ReadLine(kLongEnough).value(), "one");
  EXPECT_EQ((*child)->ReadLine(kLongEnough).value(), "2");
  EXPECT_TRUE(absl::IsOutOfRange((*child)->ReadLine(kLongEnough).status()));
  EXPECT_EQ((*child)->Wait(kLongEnough).value(), 7);
  EXPECT_EQ((*child)->output(), "rest");
}

TEST(ChildProcessTest, WhatRunsOnIsReportedAndCanBeSignalled) {
  auto child = ChildProcess::Start({"sleep", "600"});
  ASSERT_TRUE(child.ok()) << child.status();
  EXPECT_TRUE(absl::IsDeadlineExceeded((*child)->ReadLine(absl::Milliseconds(10)).status()));
  EXPECT_TRUE(absl::IsDeadlineExceeded((*child)->Wait(absl::Milliseconds(10)).status()));
  (*child)->Signal(SIGTERM);
  EXPECT_EQ((*child)->Wait(kLongEnough).value(), -SIGTERM);
  EXPECT_FALSE((*child)->GroupIsAlive());
}

TEST(ChildProcessTest, ChildThatClosedItsOutputIsWaitedFor) {
  auto child = ChildProcess::Start({"sh", "-c", "exec >&-; read line; exit 5"}, {});
  ASSERT_TRUE(child.ok()) << child.status();
  EXPECT_EQ((*child)->Wait(kLongEnough).value(), 5);
  auto waiting = ChildProcess::Start({"sh", "-c", "exec sleep 600 >&-"}, {});
  ASSERT_TRUE(waiting.ok()) << waiting.status();
  EXPECT_TRUE(absl::IsDeadlineExceeded((*waiting)->Wait(absl::Milliseconds(10)).status()));
}

TEST(ChildProcessTest, QuietOneSaysNothing) {
  // Far more than a pipe holds, so that it would hang if nobody took it.
  auto child = ChildProcess::Start({"sh", "-c", "yes | head -c 1000000; echo no >&2; exit 4"},
                                   {.stdin_path = "", .environment = {}, .quiet = true});
  ASSERT_TRUE(child.ok()) << child.status();
  EXPECT_TRUE(absl::IsOutOfRange((*child)->ReadLine(kLongEnough).status()));
  EXPECT_EQ((*child)->Wait(kLongEnough).value(), 4);
  EXPECT_EQ((*child)->output(), "");
}

TEST(ChildProcessTest, GrandchildThatWasLeftIsSeenAndEndsWithTheObject) {
  pid_t grandchild = 0;
  {
    auto child = ChildProcess::Start({"sh", "-c", "sleep 600 >/dev/null & echo $!; exit 0"});
    ASSERT_TRUE(child.ok()) << child.status();
    const auto line = (*child)->ReadLine(kLongEnough);
    ASSERT_TRUE(absl::SimpleAtoi(line.value(), &grandchild));
    EXPECT_EQ((*child)->Wait(kLongEnough).value(), 0);
    EXPECT_TRUE((*child)->GroupIsAlive());
  }
  // Whoever inherited it may not have reaped it yet.
  std::string state;
  const absl::Time deadline = absl::Now() + kLongEnough;
  do {
    std::ifstream status(absl::StrCat("/proc/", grandchild, "/stat"));
    if (!(status >> state >> state >> state)) state = "gone";
  } while (state != "gone" && state != "Z" && absl::Now() < deadline);
  EXPECT_TRUE(state == "gone" || state == "Z") << state;
}

TEST(ChildProcessTest, FailingCommandTellsWhatItSaid) {
  const auto said = RunCommand({"sh", "-c", "echo so; exit 3"});
  EXPECT_EQ(said.status().message(), "sh -c echo so; exit 3: exit code 3\nso\n");
  EXPECT_EQ(RunCommand({"echo", "fine"}).value(), "fine\n");
}

}  // namespace
}  // namespace rtmixd
