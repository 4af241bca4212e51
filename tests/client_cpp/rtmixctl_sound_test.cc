// The path of a person at a terminal who shapes what plays: the options of rtmixctl play, and the
// commands that change a play while it sounds, against a real server on its virtual device. What
// the server sent to its outputs is compared sample by sample with what was asked for.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client_cpp/client.h"
#include "client_cpp/rtmixctl/audio_file.h"
#include "client_cpp/rtmixctl/json.h"
#include "client_cpp/session.h"
#include "tests/client_cpp/score.h"
#include "tests/client_cpp/tool.h"

namespace rtmixd {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr int kRateHz = 48000;
constexpr int64_t kSoundFrames = 6000;

// Noise that every encoding from 16 bits on holds exactly, below half of full scale.
std::vector<float> Noise(int64_t samples, unsigned seed) {
  std::mt19937 generator(seed);
  std::uniform_int_distribution<int> distribution(-16000, 16000);
  std::vector<float> noise(static_cast<size_t>(samples));
  for (float& sample : noise) sample = static_cast<float>(distribution(generator)) / 32768.0F;
  return noise;
}

std::vector<int64_t> Range(int64_t begin, int64_t end) {
  std::vector<int64_t> numbers;
  for (int64_t number = begin; number < end; ++number) numbers.push_back(number);
  return numbers;
}

template <typename Message>
Message Parse(const std::string& json) {
  Message message;
  const absl::Status status = rtmixctl::FromJson(json, "the answer", message);
  EXPECT_TRUE(status.ok()) << status << "\n" << json;
  return message;
}

class RtmixctlSoundTest : public testing::Test {
 protected:
  void SetUp() override {
    auto tool = Tool::Start({});
    ASSERT_TRUE(tool.ok()) << tool.status();
    tool_ = *std::move(tool);
    auto client = client::Client::Connect(tool_->target());
    ASSERT_TRUE(client.ok()) << client.status();
    auto session = client::Session::Create(*client, {.label = "rtmixctl_sound_test"});
    ASSERT_TRUE(session.ok()) << session.status();
    session_ = *session;
    path_ = TestPath("sound.wav");
    auto writer =
        rtmixctl::AudioFileWriter::Create(path_, 1, kRateHz, rtmixctl::FileEncoding::kDefault);
    ASSERT_TRUE(writer.ok()) << writer.status();
    ASSERT_TRUE((*writer)->Write(sound_).ok());
    ASSERT_TRUE((*writer)->Close().ok());
  }

  // Runs a command in the session of the test, as inside a lease; what it said.
  std::string Do(const std::vector<std::string>& arguments) {
    const auto run = tool_->Run(
        arguments, {.stdin_path = "",
                    .environment = {absl::StrCat("RTMIXD_SESSION_TOKEN=", session_->token())}});
    EXPECT_EQ(run.exit_code, 0) << arguments.front() << ": " << run.out << run.err;
    return run.out;
  }
  // Stops the stream, so that every order comes in time; a frame that is still to come.
  int64_t Stop() {
    Do({"stop"});
    const auto response = session_->client().Call(
        &client::Stubs::stream, &v1::StreamService::Stub::GetStream, v1::GetStreamRequest(), {});
    EXPECT_TRUE(response.ok()) << response.status();
    return response.ok() ? response->stream().next_frame() + 4800 : 0;
  }
  // Schedules a batch and does not wait for it; the ids of its actions.
  std::vector<std::string> Schedule(int64_t origin_frame, const std::string& actions) {
    const std::string path = TestPath("batch.json");
    std::ofstream(path) << "{\"origin_frame\": " << origin_frame << ", \"actions\": [" << actions
                        << "]}";
    const auto answer =
        Parse<v1::ScheduleActionsResponse>(Do({"schedule", path, "--no-wait", "--json"}));
    std::vector<std::string> ids;
    for (const auto& action : answer.actions()) ids.push_back(action.action_id());
    return ids;
  }
  // A play of the sound on an output, with more fields.
  std::string Play(const std::string& key, int64_t offset_frames, int output,
                   const std::string& more = "") {
    return absl::StrCat(R"({"key": ")", key, R"(", "start": {"offset_frames": )", offset_frames,
                        R"(}, "play": {"file": ")", path_, R"(", "channel_map": {"channels": [)",
                        output, "]}", more, "}}");
  }
  // What sounded on an output: frames of the past, from the history.
  std::vector<float> Heard(int64_t first_frame, int64_t frames, int output) {
    const std::string path = TestPath("heard.wav");
    Do({"record", path, "--start-frame", absl::StrCat(first_frame), "--frames",
        absl::StrCat(frames), "--source", "output", "--inputs", absl::StrCat(output)});
    const auto heard = rtmixctl::ReadAudioFile(path);
    EXPECT_TRUE(heard.ok()) << heard.status();
    return heard.ok() ? heard->samples : std::vector<float>();
  }

  const std::vector<float> sound_ = Noise(kSoundFrames, 1);
  std::string path_;
  std::unique_ptr<Tool> tool_;
  std::shared_ptr<client::Session> session_;
};

TEST_F(RtmixctlSoundTest, OptionsShapeTheSound) {
  const std::string out = TestPath("out.wav");
  const auto run = tool_->Run({"playrec",
                               path_,
                               out,
                               "--inputs",
                               "1",
                               "--tail",
                               "0.01",
                               "--fade-in",
                               "10ms",
                               "--fade-out",
                               "1000:equal-power",
                               "--offset",
                               "100",
                               "--max-length",
                               "8000",
                               "--loop",
                               "3",
                               "--loop-begin",
                               "20.833333ms",
                               "--loop-end",
                               "3000",
                               "--gain",
                               "0.5"});
  ASSERT_EQ(run.exit_code, 0) << run.out << run.err;
  // The loop alone would take 5900 + 2 * 2000 frames.
  const std::vector<int64_t> numbers = Numbers(
      kSoundFrames, {.offset = 100, .max_frames = 8000, .begin = 1000, .end = 3000, .passes = 3});
  ASSERT_EQ(numbers.size(), 8000U);
  std::vector<double> gains;
  for (int64_t i = 0; i < 8000; ++i) {
    gains.push_back(i < 7000 ? FadeGain(0, 0.5, i, 480, v1::FADE_SHAPE_LINEAR)
                             : FadeGain(0.5, 0, i - 7000, 1000, v1::FADE_SHAPE_EQUAL_POWER));
  }
  Score score(8480);
  score.Put(0, sound_, numbers, gains);
  const auto recorded = rtmixctl::ReadAudioFile(out);
  ASSERT_TRUE(recorded.ok()) << recorded.status();
  EXPECT_EQ(score.Compare(recorded->samples), "");
}

TEST_F(RtmixctlSoundTest, FilesFollowEachOtherAndWhatWasThereBefore) {
  const int64_t origin = Stop();
  const auto ids = Schedule(origin, Play("a", 0, 2, R"(, "loop": {})"));
  Do({"start"});
  const auto answer = Parse<v1::ScheduleActionsResponse>(
      Do({"play", path_, path_, "--max-length", "1500", "--outputs", "2", "--loop", "--after",
          ids[0], "--no-wait", "--json"}));
  ASSERT_EQ(answer.actions_size(), 2);
  Do({"leave-loop", ids[0], "--at-once"});
  const auto waited = Parse<v1::WaitActionsResponse>(Do(
      {"wait", answer.actions(0).action_id(), answer.actions(1).action_id(), "--done", "--json"}));
  ASSERT_EQ(waited.ended_size(), 2);
  const bool in_order = waited.ended(0).action_id() == answer.actions(0).action_id();
  const v1::ActionReport& first = waited.ended(in_order ? 0 : 1);
  const v1::ActionReport& second = waited.ended(in_order ? 1 : 0);
  EXPECT_EQ(first.after_action_id(), ids[0]);
  EXPECT_EQ(first.start_frame(), first.requested_start_frame());
  EXPECT_EQ(second.after_action_id(), first.action_id());
  EXPECT_EQ(second.start_frame(), first.start_frame() + 1500);
  Score score(3100);
  score.Put(0, sound_, Range(0, 1500));
  score.Put(1500, sound_, Range(0, 1500));
  EXPECT_EQ(score.Compare(Heard(first.start_frame(), 3100, 2)), "");
  EXPECT_THAT(Do({"actions"}), HasSubstr(absl::StrCat("  follows ", ids[0], "\n")));
}

TEST_F(RtmixctlSoundTest, PlaysAreChangedAtTheirFrames) {
  const int64_t origin = Stop();
  const auto ids = Schedule(
      origin, absl::StrCat(Play("a", 0, 1), ",", Play("b", 0, 2), ",",
                           Play("c", 0, 3, R"(, "loop": {"begin_frame": 1000, "end_frame": 2000})"),
                           ",", Play("d", 0, 4, R"(, "loop": {"end_frame": "1000"})")));
  const auto at = [origin](int64_t frame) { return absl::StrCat(origin + frame); };
  const std::string paused = Do({"pause", ids[0], ids[1], "--at", at(1000)});
  EXPECT_THAT(paused, StartsWith(absl::StrCat("from frame ", origin + 1000, " on:\na (play): ")));
  EXPECT_EQ(Parse<v1::ChangeActionsResponse>(Do({"resume", ids[0], "--at", at(1200), "--json"}))
                .reports_size(),
            1);
  Do({"resume", ids[1], "--at", at(1500)});
  Do({"gain", "0.25", ids[0], "--at", at(2000), "--fade", "10ms:equal-power"});
  Do({"gain", "--at", at(5000), "--all", "--", "-1"});
  Do({"leave-loop", ids[2], "--at", at(4500)});
  Do({"leave-loop", ids[3], "--at-once", "--at", at(4600)});
  Do({"cancel", ids[1], "--at", at(3000), "--fade", "700"});
  Do({"start"});
  Do({"wait", "--done"});

  Score a(7000);
  for (int64_t i = 0; i < kSoundFrames; ++i) {
    const int64_t frame = i < 1000 ? i : i + 200;
    double gain = 1;
    if (frame >= 2000) gain = FadeGain(1, 0.25, frame - 2000, 480, v1::FADE_SHAPE_EQUAL_POWER);
    if (frame >= 5000) gain = -1;
    a.Put(frame, sound_[static_cast<size_t>(i)], gain);
  }
  EXPECT_EQ(a.Compare(Heard(origin, 7000, 1)), "");
  Score b(7000);
  for (int64_t frame = 0; frame < 3700; ++frame) {
    if (frame >= 1000 && frame < 1500) continue;
    const int64_t number = frame < 1000 ? frame : frame - 500;
    b.Put(frame, sound_[static_cast<size_t>(number)],
          frame < 3000 ? 1 : FadeGain(1, 0, frame - 3000, 700, v1::FADE_SHAPE_LINEAR));
  }
  EXPECT_EQ(b.Compare(Heard(origin, 7000, 2)), "");
  // 4500 frames: the first 1000, and the middle of the fourth pass.
  const std::vector<int64_t> left =
      Numbers(kSoundFrames, {.begin = 1000, .end = 2000, .passes = 4});
  Score c(9000);
  for (size_t i = 0; i < left.size(); ++i) {
    c.Put(static_cast<int64_t>(i), sound_[static_cast<size_t>(left[i])], i < 5000 ? 1 : -1);
  }
  EXPECT_EQ(c.Compare(Heard(origin, 9000, 3)), "");
  Score d(9600);
  for (int64_t i = 0; i < 9600; ++i) {
    const int64_t number = i < 4600 ? i % 1000 : 1000 + (i - 4600);
    d.Put(i, sound_[static_cast<size_t>(number)], i < 5000 ? 1 : -1);
  }
  EXPECT_EQ(d.Compare(Heard(origin, 9600, 4)), "");

  const auto watched = tool_->Run({"watch", "--from-sequence", "0", "--seconds", "0"});
  EXPECT_THAT(watched.out, HasSubstr(absl::StrCat("frame ", origin + 1000, "  ACTION_CHANGED ")));
}

TEST_F(RtmixctlSoundTest, GainsOfTheSessionAndOfAllAreSetAndTold) {
  EXPECT_EQ(Do({"session-gain"}), "1\n");
  EXPECT_EQ(Do({"master-gain"}), "1\n");
  const int64_t origin = Stop();
  Schedule(origin, Play("a", 0, 1));
  const auto at = [origin](int64_t frame) { return absl::StrCat(origin + frame); };
  EXPECT_EQ(Do({"session-gain", "0.5", "--at", at(1000), "--fade", "1000"}),
            absl::StrCat("0.5 from frame ", origin + 1000, " on\n"));
  const auto master =
      Parse<v1::SetMasterGainResponse>(Do({"master-gain", "0.25", "--at", at(4000), "--json"}));
  EXPECT_EQ(master.frame(), origin + 4000);
  Do({"start"});
  Do({"wait", "--done"});
  EXPECT_EQ(Do({"session-gain"}), "0.5\n");
  EXPECT_EQ(Do({"master-gain"}), "0.25\n");
  EXPECT_EQ(Parse<v1::Session>(Do({"session-gain", "--json"})).gain(), 0.5F);
  EXPECT_THAT(Do({"status"}), HasSubstr("  master gain 0.25\n"));
  EXPECT_THAT(Do({"sessions"}), HasSubstr(", gain 0.5, "));

  Score score(7000);
  for (int64_t i = 0; i < kSoundFrames; ++i) {
    const double session = i < 1000 ? 1 : FadeGain(1, 0.5, i - 1000, 1000, v1::FADE_SHAPE_LINEAR);
    score.Put(i, sound_[static_cast<size_t>(i)], session * (i < 4000 ? 1 : 0.25));
  }
  EXPECT_EQ(score.Compare(Heard(origin, 7000, 1)), "");
  const auto watched = tool_->Run({"watch", "--from-sequence", "0", "--seconds", "0"});
  EXPECT_THAT(watched.out, HasSubstr(absl::StrCat("frame ", origin + 1000, "  GAIN_CHANGED")));
  EXPECT_THAT(watched.out, HasSubstr(absl::StrCat("frame ", origin + 4000, "  GAIN_CHANGED")));
}

TEST_F(RtmixctlSoundTest, PausedPlayTellsItsPosition) {
  const int64_t origin = Stop();
  const auto ids =
      Schedule(origin, absl::StrCat(Play("a", 0, 1), R"(, {"start": {"offset_frames": 1234},
          "change": {"key": "a", "pause": {}}})"));
  Do({"start"});
  Do({"wait", ids[1], "--done"});
  const std::string actions = Do({"actions", "--active"});
  EXPECT_THAT(actions, HasSubstr("a (play): paused\n"));
  EXPECT_THAT(actions, HasSubstr("  is at frame 1234 of the sound\n"));
  Do({"resume", "--all"});
  Do({"wait", ids[0], "--done"});
}

TEST_F(RtmixctlSoundTest, ChangeOfWhatIsOverIsExitCode6) {
  const std::string path = TestPath("late.json");
  std::ofstream(path) << R"({"actions": [{"key": "a", "play": {"file": ")" << path_ << R"("}},
      {"key": "b", "start": {"offset_frames": 6000}, "change": {"key": "a", "pause": {}}}]})";
  const auto run = tool_->Run({"schedule", path});
  EXPECT_EQ(run.exit_code, 6) << run.out << run.err;
  EXPECT_THAT(run.out, HasSubstr("b (change): too late: what it was to change had ended\n"));
  EXPECT_THAT(run.out, HasSubstr("a (play): completed\n"));
}

TEST_F(RtmixctlSoundTest, RefusalsNameTheFieldTheValueAndTheLimit) {
  const auto unknown = tool_->Run({"pause", "a999"});
  EXPECT_EQ(unknown.exit_code, 4);
  EXPECT_THAT(unknown.err, HasSubstr("a999"));
  const auto offset = tool_->Run({"play", path_, "--offset", "6001"});
  EXPECT_EQ(offset.exit_code, 4);
  EXPECT_THAT(offset.err, HasSubstr("offset_frames"));
  EXPECT_THAT(offset.err, HasSubstr("6001"));
  EXPECT_THAT(offset.err, HasSubstr("6000"));
  const auto region = tool_->Run({"play", path_, "--loop", "2", "--loop-begin", "10s"});
  EXPECT_EQ(region.exit_code, 4);
  EXPECT_THAT(region.err, HasSubstr("loop"));
  const auto length = tool_->Run({"play", path_, "--max-length", "0"});
  EXPECT_EQ(length.exit_code, 4);
  EXPECT_THAT(length.err, HasSubstr("max_frames"));
  const auto after = tool_->Run({"play", path_, "--after", "a999"});
  EXPECT_EQ(after.exit_code, 4);
  EXPECT_THAT(after.err, HasSubstr("a999"));
}

TEST_F(RtmixctlSoundTest, FadeInTimeNeedsAStream) {
  Do({"close"});
  const auto run =
      tool_->Run({"session-gain", "0.5", "--fade", "10ms", "--session-token", session_->token()});
  EXPECT_EQ(run.exit_code, 4);
  EXPECT_THAT(run.err, HasSubstr("rtmixctl open --start"));
  EXPECT_EQ(Do({"session-gain", "0.5", "--fade", "480"}), "0.5 at once: no stream is open\n");
}

}  // namespace
}  // namespace rtmixd
