// The path of a new user: wrong values for the options of rtmixctl. Each is refused before anything
// happens, in words that name the option, the value and the limit.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_join.h"
#include "tests/client_cpp/tool.h"

namespace rtmixd {
namespace {

using ::testing::StartsWith;

constexpr char kSeconds[] = " is not a number of seconds from 0 to 1000000000";
constexpr char kFrames[] = " is not a whole number from 0 to 9007199254740991";

struct Wrong {
  std::vector<std::string> arguments;
  std::string message;
};

class UsageTest : public testing::Test {
 protected:
  void SetUp() override {
    auto tool = Tool::Start({});
    ASSERT_TRUE(tool.ok()) << tool.status();
    tool_ = *std::move(tool);
  }
  void ExpectRefused(const std::vector<Wrong>& cases) {
    for (const Wrong& wrong : cases) {
      const auto run = tool_->Run(wrong.arguments);
      EXPECT_EQ(run.exit_code, 2) << absl::StrJoin(wrong.arguments, " ");
      EXPECT_THAT(run.err, StartsWith(wrong.message)) << absl::StrJoin(wrong.arguments, " ");
      EXPECT_EQ(run.out, "");
    }
  }

  std::unique_ptr<Tool> tool_;
};

TEST_F(UsageTest, WrongTimesAreRefusedByName) {
  ExpectRefused({
      {{"record", "x.wav", "--seconds", "-1"}, std::string("--seconds: '-1'") + kSeconds},
      {{"record", "x.wav", "--seconds", "nan"}, std::string("--seconds: 'nan'") + kSeconds},
      {{"record", "x.wav", "--seconds", "inf"}, std::string("--seconds: 'inf'") + kSeconds},
      {{"record", "x.wav", "--seconds", "1e300"}, std::string("--seconds: '1e300'") + kSeconds},
      {{"record", "x.wav", "--seconds", "1s"}, std::string("--seconds: '1s'") + kSeconds},
      {{"record", "x.wav", "--seconds", ""}, std::string("--seconds: ''") + kSeconds},
      {{"record", "x.wav", "--ago", "-1"}, std::string("--ago: '-1'") + kSeconds},
      {{"record", "x.wav", "--ago", "nan"}, std::string("--ago: 'nan'") + kSeconds},
      {{"record", "x.wav", "--timeout", "-1"}, std::string("--timeout: '-1'") + kSeconds},
      {{"play", "x.wav", "--in", "-1"}, std::string("--in: '-1'") + kSeconds},
      {{"playrec", "x.wav", "y.wav", "--tail", "-1"}, std::string("--tail: '-1'") + kSeconds},
      {{"stream", "--play", "--prebuffer", "-1"}, std::string("--prebuffer: '-1'") + kSeconds},
      {{"stream", "--record", "--seconds", "-1"}, std::string("--seconds: '-1'") + kSeconds},
      {{"schedule", "x.json", "--in", "-1"}, std::string("--in: '-1'") + kSeconds},
      {{"wait", "--timeout", "-1"}, std::string("--timeout: '-1'") + kSeconds},
      {{"lease", "--wait", "-1", "--", "true"}, std::string("--wait: '-1'") + kSeconds},
      {{"lease", "--ttl", "nan", "--", "true"}, std::string("--ttl: 'nan'") + kSeconds},
      {{"lease", "--max", "-1", "--", "true"}, std::string("--max: '-1'") + kSeconds},
      {{"open", "--latency", "-1"}, std::string("--latency: '-1'") + kSeconds},
      {{"watch", "--seconds", "-1"}, std::string("--seconds: '-1'") + kSeconds},
      {{"watch", "--interval", "0"},
       "--interval: '0' is not a number of seconds from 0.02 to 10\n"},
  });
}

TEST_F(UsageTest, WrongNumbersAreRefusedByName) {
  ExpectRefused({
      {{"record", "x.wav", "--frames", "-5"}, std::string("--frames: '-5'") + kFrames},
      {{"record", "x.wav", "--frames", "1.5"}, std::string("--frames: '1.5'") + kFrames},
      {{"record", "x.wav", "--frames", "9007199254740992"},
       std::string("--frames: '9007199254740992'") + kFrames},
      {{"record", "x.wav", "--start-frame", "-1"}, std::string("--start-frame: '-1'") + kFrames},
      {{"cancel", "a1", "--frame", "-1"}, std::string("--frame: '-1'") + kFrames},
      {{"play", "x.wav", "--gain", "nan"},
       "--gain: 'nan' is not a factor from -1000000 to 1000000\n"},
      {{"play", "x.wav", "--gain", "loud"},
       "--gain: 'loud' is not a factor from -1000000 to 1000000\n"},
      {{"stream", "--play", "--raw", "--channels", "0"},
       "--channels: '0' is not a number of channels from 1 to 1024\n"},
      {{"open", "--rate", "-1"}, "--rate: '-1' is not a number of Hz from 1 to 10000000\n"},
      {{"open", "--block", "-1"}, "--block: '-1' is not a number of frames from 0 to 2147483647\n"},
      {{"open", "--input-channels", "-1"},
       "--input-channels: '-1' is not a number of channels from 0 to 1024\n"},
      {{"watch", "--from-sequence", "-1"},
       "--from-sequence: '-1' is not a sequence number from 0 to 9223372036854775807\n"},
  });
}

TEST_F(UsageTest, WrongWordsAreRefusedByName) {
  ExpectRefused({
      {{"frobnicate"}, "'frobnicate' is no command\n"},
      {{"play", "x.wav", "--late", "maybe"}, "--late: 'maybe' is not one of play, skip, trim\n"},
      // The numbers of the API are no words.
      {{"play", "x.wav", "--late", "1"}, "--late: '1' is not one of play, skip, trim\n"},
      {{"record", "x.wav", "--source", "both"}, "--source: 'both' is not one of input, output\n"},
      {{"record", "x.wav", "--format", "int8"},
       "--format: 'int8' is not one of float32, int16, int24, int32\n"},
      {{"record", "x.wav", "--inputs", "1-"}, "--inputs: '1-' is no list of channels"},
      {{"stream", "--play", "--underrun", "wait"},
       "--underrun: 'wait' is not one of end, keep-timeline, silence\n"},
  });
}

TEST_F(UsageTest, LimitsThemselvesAreTaken) {
  // The server is asked, and has no such action; nothing is wrong with the frame.
  EXPECT_EQ(tool_->Run({"cancel", "a1", "--frame", "9007199254740991"}).exit_code, 4);
  EXPECT_EQ(tool_->Run({"watch", "--seconds", "0", "--interval", "0.02"}).exit_code, 0);
  EXPECT_EQ(tool_->Run({"wait", "--timeout", "1000000000"}).exit_code, 0);
}

TEST_F(UsageTest, FilesThatAreNotThereAreNamedWithTheReason) {
  const auto play = tool_->Run({"play", TestPath("missing.wav")});
  EXPECT_EQ(play.err,
            "rtmixctl: cannot read " + TestPath("missing.wav") + ": No such file or directory\n");
  const auto schedule = tool_->Run({"schedule", "-"});
  EXPECT_THAT(schedule.err, StartsWith("rtmixctl: stdin is no object in JSON: "));
}

}  // namespace
}  // namespace rtmixd
