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

TEST_F(UsageTest, WrongLengthsAndFadesAreRefusedByName) {
  const std::string length =
      " is not a length: a whole number of frames from 0 to 9007199254740991, or a time from 0 to "
      "1000000000 s such as 10ms, 1.5s or 2min\n";
  ExpectRefused({
      {{"play", "x.wav", "--offset", "-1"}, "--offset: '-1'" + length},
      {{"play", "x.wav", "--max-length", "1.5"}, "--max-length: '1.5'" + length},
      {{"play", "x.wav", "--loop", "2", "--loop-begin", "1h"}, "--loop-begin: '1h'" + length},
      {{"play", "x.wav", "--loop", "2", "--loop-end", "nans"}, "--loop-end: 'nans'" + length},
      {{"play", "x.wav", "--fade-in", "soon"}, "--fade-in: 'soon'" + length},
      {{"play", "x.wav", "--fade-out", "480:round"},
       "--fade-out: the shape 'round' is not one of equal-power, linear\n"},
      {{"playrec", "x.wav", "y.wav", "--fade-in", "-1ms"}, "--fade-in: '-1ms'" + length},
      {{"stream", "--play", "--max-length", "x"}, "--max-length: 'x'" + length},
      {{"gain", "0.5", "a1", "--fade", "-1"}, "--fade: '-1'" + length},
      {{"cancel", "a1", "--fade", "1e300s"}, "--fade: '1e300s'" + length},
      {{"session-gain", "0.5", "--fade", ""}, "--fade: ''" + length},
      {{"master-gain", "0.5", "--fade", "1s:"},
       "--fade: the shape '' is not one of equal-power, linear\n"},
  });
}

TEST_F(UsageTest, WrongChangesAreRefusedByName) {
  const std::string passes =
      " is neither 'forever' nor a whole number from 1 to 9007199254740991\n";
  ExpectRefused({
      {{"play", "x.wav", "--loop", "0"}, "--loop: '0'" + passes},
      {{"play", "--loop", "x.wav", "y.wav"}, "--loop: 'x.wav'" + passes},
      {{"play", "x.wav", "--loop-begin", "1s"}, "--loop-begin requires --loop\n"},
      {{"stream", "--play", "--fade-out", "1s"}, "--fade-out requires --max-length\n"},
      {{"play", "x.wav", "--after", "a1", "--start-frame", "0"},
       "--start-frame excludes --after\n"},
      {{"play", "x.wav", "--no-wait"}, "--no-wait: the plays would end"},
      {{"pause"}, "ACTION or --all is required\n"},
      {{"resume", "a1", "--all"}, "ACTION excludes --all\n"},
      {{"pause", "a1", "--at", "-1"}, std::string("--at: '-1'") + kFrames},
      {{"leave-loop", "a1", "--in", "-1"}, std::string("--in: '-1'") + kSeconds},
      {{"gain", "loud", "a1"}, "FACTOR: 'loud' is not a factor from -1000000 to 1000000\n"},
      {{"gain", "0.5"}, "ACTION or --all is required\n"},
      {{"session-gain", "nan"}, "FACTOR: 'nan' is not a factor from -1000000 to 1000000\n"},
      {{"master-gain", "1e7"}, "FACTOR: '1e7' is not a factor from -1000000 to 1000000\n"},
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
