// The path of a person or a script at a terminal: the real rtmixctl against a real server on its
// virtual device, whose outputs come back at its inputs. Each exit code of the help is provoked.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <fstream>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/time.h"
#include "client_cpp/client.h"
#include "client_cpp/rtmixctl/audio_file.h"
#include "client_cpp/rtmixctl/json.h"
#include "tests/client_cpp/tool.h"
#include "tests/support/event_watch.h"

namespace rtmixd {
namespace {

using rtmixctl::AudioFileWriter;
using rtmixctl::FileEncoding;
using rtmixctl::ReadAudioFile;
using ::testing::HasSubstr;

constexpr int kRateHz = 48000;

// Noise that every encoding from 16 bits on holds exactly, below full scale.
std::vector<float> Noise(int64_t samples, unsigned seed) {
  std::mt19937 generator(seed);
  std::uniform_int_distribution<int> distribution(-16000, 16000);
  std::vector<float> noise(static_cast<size_t>(samples));
  for (float& sample : noise) sample = static_cast<float>(distribution(generator)) / 32768.0F;
  return noise;
}

// Writes a file; its path.
std::string WriteSound(const std::string& name, int channels, const std::vector<float>& samples,
                       int rate_hz = kRateHz) {
  const std::string path = TestPath(name);
  auto writer = AudioFileWriter::Create(path, channels, rate_hz, FileEncoding::kDefault);
  EXPECT_TRUE(writer.ok()) << writer.status();
  EXPECT_TRUE((*writer)->Write(samples).ok());
  EXPECT_TRUE((*writer)->Close().ok());
  return path;
}

void WriteText(const std::string& path, const std::string& text) { std::ofstream(path) << text; }

template <typename Message>
Message Parse(const std::string& json) {
  Message message;
  const absl::Status status = rtmixctl::FromJson(json, "the answer", message);
  EXPECT_TRUE(status.ok()) << status << "\n" << json;
  return message;
}

class RtmixctlTest : public testing::Test {
 protected:
  void StartServer(const std::vector<std::string>& flags) {
    auto tool = Tool::Start(flags);
    ASSERT_TRUE(tool.ok()) << tool.status();
    tool_ = *std::move(tool);
    auto client = client::Client::Connect(tool_->target());
    ASSERT_TRUE(client.ok()) << client.status();
    client_ = *client;
  }
  void SetUp() override { StartServer({}); }

  // Waits until so many actions have begun to sound or record.
  void AwaitActive(int actions) {
    const auto started = AwaitEvents(
        *client_, {v1::EVENT_KIND_ACTION_STARTED},
        [actions](const std::vector<v1::LogEntry>& events) {
          return static_cast<int>(events.size()) >= actions;
        },
        absl::Seconds(30));
    ASSERT_TRUE(started.ok()) << started.status();
  }
  int SessionCount() {
    const auto sessions =
        client_->Call(&client::Stubs::sessions, &v1::SessionService::Stub::ListSessions,
                      v1::ListSessionsRequest(), {});
    EXPECT_TRUE(sessions.ok()) << sessions.status();
    return sessions.ok() ? sessions->sessions_size() : -1;
  }
  void LoadScript(const std::string& json) {
    WriteText(TestPath("script.json"), json);
    const auto loaded = tool_->Run({"script", TestPath("script.json"), "--from-now"});
    ASSERT_EQ(loaded.exit_code, 0) << loaded.err;
  }

  std::unique_ptr<Tool> tool_;
  std::shared_ptr<client::Client> client_;
};

TEST_F(RtmixctlTest, PlayrecBringsBackTheSameBits) {
  const std::vector<float> sound = Noise(2 * 30000, 1);
  const std::string in = WriteSound("in.wav", 2, sound);
  const std::string out = TestPath("out.wav");
  const auto run = tool_->Run({"playrec", in, out, "--tail", "0.1", "--inputs", "1,2", "--report",
                               TestPath("report.json")});
  ASSERT_EQ(run.exit_code, 0) << run.out << run.err;
  EXPECT_THAT(run.out, HasSubstr("play (play): completed"));
  EXPECT_THAT(run.out, HasSubstr("started on frame"));
  const auto recorded = ReadAudioFile(out);
  ASSERT_TRUE(recorded.ok()) << recorded.status();
  EXPECT_EQ(recorded->channels, 2);
  std::vector<float> expected = sound;
  expected.resize(expected.size() + 2 * kRateHz / 10);
  EXPECT_TRUE(recorded->samples == expected) << "the recording differs from what was played";

  std::ifstream file(TestPath("report.json"));
  const auto report =
      Parse<v1::WaitActionsResponse>(std::string(std::istreambuf_iterator<char>(file), {}));
  ASSERT_EQ(report.ended_size(), 2);
  EXPECT_EQ(report.ended(0).key(), "play");
  EXPECT_EQ(report.ended(0).done_frames(), 30000);
  EXPECT_EQ(report.ended(1).done_frames(), 34800);
  EXPECT_EQ(SessionCount(), 0);
}

TEST_F(RtmixctlTest, PlayrecTakesChannelMapsAndGain) {
  const std::vector<float> sound = Noise(10000, 2);
  const std::string in = WriteSound("in.flac", 1, sound);
  const std::string out = TestPath("out.wav");
  const auto run = tool_->Run(
      {"playrec", in, out, "--outputs", "2", "--inputs", "2,1", "--gain", "0.5", "--json"});
  ASSERT_EQ(run.exit_code, 0) << run.out << run.err;
  EXPECT_EQ(Parse<v1::WaitActionsResponse>(run.out).ended_size(), 2);
  const auto recorded = ReadAudioFile(out);
  ASSERT_TRUE(recorded.ok()) << recorded.status();
  ASSERT_EQ(recorded->samples.size(), 2 * sound.size());
  for (size_t i = 0; i < sound.size(); ++i) {
    ASSERT_EQ(recorded->samples[2 * i], sound[i] * 0.5F) << i;
    ASSERT_EQ(recorded->samples[2 * i + 1], 0) << i;
  }
}

TEST_F(RtmixctlTest, PlayPutsFilesBehindEachOtherWithoutAGap) {
  const std::string a = WriteSound("a.wav", 1, Noise(5000, 3));
  const std::string b = WriteSound("b.wav", 1, Noise(6000, 4));
  const auto run = tool_->Run({"play", a, b, "--json"});
  ASSERT_EQ(run.exit_code, 0) << run.out << run.err;
  auto answer = Parse<v1::WaitActionsResponse>(run.out);
  ASSERT_EQ(answer.ended_size(), 2);
  if (answer.ended(0).start_frame() > answer.ended(1).start_frame()) {
    answer.mutable_ended()->SwapElements(0, 1);
  }
  EXPECT_EQ(answer.ended(0).start_frame() + 5000, answer.ended(1).start_frame());
}

TEST_F(RtmixctlTest, OtherRateIsRefusedWithAdviceAndResampledOnRequest) {
  const std::string path = WriteSound("cd.wav", 1, Noise(4410, 5), 44100);
  const auto refused = tool_->Run({"play", path});
  EXPECT_EQ(refused.exit_code, 4);
  EXPECT_THAT(refused.err, HasSubstr("--resample"));
  const auto played = tool_->Run({"play", path, "--resample", "--json"});
  ASSERT_EQ(played.exit_code, 0) << played.err;
  EXPECT_NEAR(
      static_cast<double>(Parse<v1::WaitActionsResponse>(played.out).ended(0).done_frames()), 4800,
      1);
}

TEST_F(RtmixctlTest, RecordTakesWhatWasHeardBefore) {
  const std::string out = TestPath("out.wav");
  // Time to look back to.
  ASSERT_EQ(tool_->Run({"play", WriteSound("a.wav", 1, Noise(24000, 6))}).exit_code, 0);
  const auto run = tool_->Run({"record", out, "--ago", "0.3", "--seconds", "0.2", "--source",
                               "output", "--inputs", "1", "--json"});
  ASSERT_EQ(run.exit_code, 0) << run.out << run.err;
  const auto recorded = ReadAudioFile(out);
  ASSERT_TRUE(recorded.ok());
  EXPECT_EQ(recorded->frames(), kRateHz / 5);
  EXPECT_EQ(recorded->channels, 1);
  EXPECT_EQ(Parse<v1::WaitActionsResponse>(run.out).ended(0).late_frames(), 0);
}

TEST_F(RtmixctlTest, StreamCarriesStdinToTheDeviceAndTheInputToStdout) {
  const std::vector<float> sound = Noise(24000, 7);
  const std::string in = WriteSound("in.wav", 1, sound);
  const auto run = tool_->Run(
      {"stream", "--play", "--record", "--inputs", "1", "--tail", "0.1", "--prebuffer", "0.5"},
      {.stdin_path = in, .environment = {}});
  ASSERT_EQ(run.exit_code, 0) << run.err;
  std::ofstream(TestPath("piped.wav"), std::ios::binary) << run.out;
  const auto recorded = ReadAudioFile(TestPath("piped.wav"));
  ASSERT_TRUE(recorded.ok()) << recorded.status();
  EXPECT_EQ(recorded->channels, 1);
  // The play waits for its prebuffer, the recording does not; so the sound is somewhere in it,
  // whole.
  const auto found =
      std::search(recorded->samples.begin(), recorded->samples.end(), sound.begin(), sound.end());
  EXPECT_TRUE(found != recorded->samples.end());
}

TEST_F(RtmixctlTest, RawStreamHasWholeFramesAndNothingElse) {
  const auto run = tool_->Run(
      {"stream", "--record", "--raw", "--format", "int16", "--inputs", "1,2", "--seconds", "0.25"});
  ASSERT_EQ(run.exit_code, 0) << run.err;
  EXPECT_EQ(run.out.size(), 2U * 2U * kRateHz / 4);
}

TEST_F(RtmixctlTest, ScheduleTakesFilesAndLabelsAndTellsTheFrames) {
  WriteSound("beep.wav", 1, Noise(4800, 8));
  WriteText(TestPath("batch.json"), absl::StrCat(R"({"actions": [
      {"key": "a", "play": {"file": ")",
                                                 TestPath("beep.wav"), R"(", "gain": 0.5}},
      {"key": "b", "start": {"offset_frames": 2400}, "cancel": {"key": "a"}},
      {"key": "c", "start": {"offset_frames": 1200}, "record": {"frames": 4800}}]})"));
  const auto run = tool_->Run({"schedule", TestPath("batch.json"), "--in", "0.2", "--json"});
  ASSERT_EQ(run.exit_code, 0) << run.out << run.err;
  const auto answer = Parse<v1::WaitActionsResponse>(run.out);
  ASSERT_EQ(answer.ended_size(), 3);
  for (const auto& report : answer.ended()) {
    if (report.key() == "b") continue;
    EXPECT_EQ(report.done_frames(), report.key() == "a" ? 2400 : 4800);
  }

  WriteText(TestPath("label.json"), R"({"actions": [{"play": {"buffer": "chime"}}]})");
  const auto leased = tool_->Run(
      {"lease", "--shared", "--", "sh", "-c",
       absl::StrCat(ToolPath(), " buffers put ", TestPath("beep.wav"), " --label chime && ",
                    ToolPath(), " schedule ", TestPath("label.json"), " --no-wait > ",
                    TestPath("batch.txt"), " && ", ToolPath(), " wait --timeout 20 && ", ToolPath(),
                    " actions && ", ToolPath(), " batch $(sed -n 's/^batch \\([^ :]*\\).*/\\1/p' ",
                    TestPath("batch.txt"), ")")});
  EXPECT_EQ(leased.exit_code, 0) << leased.out << leased.err;
  EXPECT_THAT(leased.out, HasSubstr("did 4800 of 4800 frames"));
  EXPECT_THAT(leased.out, HasSubstr(" (1 action): 1 completed\n"));

  const auto words = tool_->Run({"schedule", TestPath("batch.json")});
  ASSERT_EQ(words.exit_code, 0) << words.out << words.err;
  EXPECT_THAT(words.out, HasSubstr(" (3 actions): 2 completed, 1 cancelled\n"));
  EXPECT_EQ(tool_->Run({"batch", "t-9"}).exit_code, 4);
}

TEST_F(RtmixctlTest, BuffersAreSentFetchedListedAndDeleted) {
  const std::vector<float> sound = Noise(2 * 20000, 9);
  const std::string in = WriteSound("in.wav", 2, sound);
  const auto put = tool_->Run({"buffers", "put", in, "--keep", "--json"});
  ASSERT_EQ(put.exit_code, 0) << put.err;
  const std::string id = Parse<v1::AudioBuffer>(put.out).buffer_id();
  const auto list = tool_->Run({"buffers", "--json"});
  ASSERT_EQ(list.exit_code, 0) << list.err;
  EXPECT_EQ(Parse<v1::ListBuffersResponse>(list.out).buffers_size(), 1);
  const auto get = tool_->Run({"buffers", "get", id, TestPath("back.wav")});
  ASSERT_EQ(get.exit_code, 0) << get.err;
  EXPECT_TRUE(ReadAudioFile(TestPath("back.wav"))->samples == sound);
  EXPECT_EQ(tool_->Run({"buffers", "delete", id}).exit_code, 0);
  EXPECT_EQ(tool_->Run({"buffers", "get", id, TestPath("gone.wav")}).exit_code, 4);
}

TEST_F(RtmixctlTest, EveryQuestionHasAnAnswerInWordsAndInJson) {
  for (const std::string command :
       {"status", "devices", "stats", "clock", "sessions", "buffers", "actions"}) {
    const auto words = tool_->Run({command});
    EXPECT_EQ(words.exit_code, 0) << command << ": " << words.err;
    EXPECT_NE(words.out, "") << command;
    const auto json = tool_->Run({command, "--json"});
    EXPECT_EQ(json.exit_code, 0) << command << ": " << json.err;
    EXPECT_EQ(json.out.substr(0, 1), "{") << command;
  }
  const auto stats = tool_->Run({"stats", "--json"});
  EXPECT_GT(Parse<v1::GetStatsResponse>(stats.out).stats().blocks().blocks(), 0);
}

TEST_F(RtmixctlTest, WatchTellsEventsAsJsonLines) {
  const auto run =
      tool_->Run({"watch", "--json", "--from-sequence", "0", "--seconds", "0.2", "--meters"});
  ASSERT_EQ(run.exit_code, 0) << run.err;
  EXPECT_THAT(run.out, HasSubstr("EVENT_KIND_SERVER_STARTED"));
  EXPECT_THAT(run.out, HasSubstr("first_frame"));
  for (const auto line : absl::StrSplit(run.out, '\n', absl::SkipEmpty())) {
    EXPECT_EQ(line.front(), '{');
  }
}

TEST_F(RtmixctlTest, StreamOfTheDeviceIsStoppedStartedClosedOpenedAndRestored) {
  EXPECT_EQ(tool_->Run({"stop"}).exit_code, 0);
  const auto stopped = tool_->Run({"play", WriteSound("a.wav", 1, Noise(480, 10))});
  EXPECT_EQ(stopped.exit_code, 4);
  EXPECT_THAT(stopped.err, HasSubstr("rtmixctl start"));
  EXPECT_EQ(tool_->Run({"start"}).exit_code, 0);
  EXPECT_EQ(tool_->Run({"close"}).exit_code, 0);
  EXPECT_EQ(tool_->Run({"open", "--rate", "44100", "--check"}).exit_code, 0);
  const auto opened = tool_->Run({"open", "--rate", "44100", "--start"});
  EXPECT_EQ(opened.exit_code, 0) << opened.err;
  EXPECT_THAT(opened.out, HasSubstr("running, 44100 Hz"));
  const auto restored = tool_->Run({"restore"});
  EXPECT_EQ(restored.exit_code, 0) << restored.err;
  EXPECT_THAT(restored.out, HasSubstr("48000 Hz"));
}

// Exit codes.

TEST_F(RtmixctlTest, AFileThatCannotBeWrittenIsExitCode1) {
  const auto run = tool_->Run({"record", "/proc/none.wav", "--seconds", "0.1"});
  EXPECT_EQ(run.exit_code, 1) << run.err;
  EXPECT_THAT(run.err, HasSubstr("/proc/none.wav"));
}

TEST_F(RtmixctlTest, WrongUsageIsExitCode2) {
  EXPECT_EQ(tool_->Run({}).exit_code, 2);
  EXPECT_EQ(tool_->Run({"nonsense"}).exit_code, 2);
  EXPECT_EQ(tool_->Run({"play"}).exit_code, 2);
  EXPECT_EQ(tool_->Run({"play", "x.wav", "--outputs", "0"}).exit_code, 2);
  EXPECT_EQ(tool_->Run({"stream"}).exit_code, 2);
  EXPECT_EQ(tool_->Run({"--help"}).exit_code, 0);
  EXPECT_THAT(tool_->Run({"--help"}).out, HasSubstr("130  interrupted"));
}

TEST_F(RtmixctlTest, NoServerIsExitCode3) {
  tool_->server().Signal(SIGKILL);
  ASSERT_TRUE(tool_->server().Wait(absl::Seconds(30)).ok());
  const auto run = tool_->Run({"status"});
  EXPECT_EQ(run.exit_code, 3);
  EXPECT_THAT(run.err, HasSubstr(tool_->target()));
}

TEST_F(RtmixctlTest, ARefusalIsExitCode4AndNamesTheLimit) {
  const std::string path = WriteSound("a.wav", 1, Noise(480, 11));
  EXPECT_EQ(tool_->Run({"play", TestPath("missing.wav")}).exit_code, 4);
  const auto run = tool_->Run({"play", path, "--outputs", "1000"});
  EXPECT_EQ(run.exit_code, 4);
  EXPECT_THAT(run.err, HasSubstr("1000"));
}

TEST_F(RtmixctlTest, ABusyServerIsExitCode5AndNamesItsHolder) {
  const auto holder = tool_->Begin({"lease", "--label", "CI job 812", "--", "sleep", "60"}, {});
  const auto granted = AwaitEvents(
      *client_, {v1::EVENT_KIND_SESSION_GRANTED},
      [](const std::vector<v1::LogEntry>& events) { return !events.empty(); }, absl::Seconds(30));
  ASSERT_TRUE(granted.ok()) << granted.status();
  const auto run = tool_->Run({"lease", "--wait", "0.1", "--", "true"});
  EXPECT_EQ(run.exit_code, 5) << run.err;
  EXPECT_THAT(run.err, HasSubstr("CI job 812"));
  holder->Signal(SIGTERM);
}

TEST_F(RtmixctlTest, ASkippedPlayIsExitCode6) {
  const auto run = tool_->Run(
      {"play", WriteSound("a.wav", 1, Noise(480, 12)), "--start-frame", "0", "--late", "skip"});
  EXPECT_EQ(run.exit_code, 6) << run.out << run.err;
  EXPECT_THAT(run.out, HasSubstr("skipped because it was late"));
}

TEST_F(RtmixctlTest, ALatePlayIsExitCode6) {
  const auto run =
      tool_->Run({"play", WriteSound("a.wav", 1, Noise(480, 13)), "--start-frame", "1"});
  EXPECT_EQ(run.exit_code, 6) << run.out << run.err;
  EXPECT_THAT(run.out, HasSubstr("frames late (asked for 1)"));
}

TEST_F(RtmixctlTest, AnXrunIsExitCode7AndItsFrameIsTold) {
  const std::string path = WriteSound("long.wav", 1, Noise(4 * kRateHz, 14));
  const auto play = tool_->Begin({"play", path});
  AwaitActive(1);
  LoadScript(R"({"faults": [{"kind": "FAULT_KIND_LOSE_OUTPUT", "frame": 24000, "frames": 64}]})");
  const auto run = tool_->Finish(*play);
  EXPECT_EQ(run.exit_code, 7) << run.out << run.err;
  EXPECT_THAT(run.out, HasSubstr("touched it"));
  EXPECT_THAT(run.out, HasSubstr("output lost"));
}

TEST_F(RtmixctlTest, TimeoutIsExitCode8AndLeavesNothingBehind) {
  const std::string path = WriteSound("long.wav", 1, Noise(20 * kRateHz, 15));
  const auto run = tool_->Run({"play", path, "--timeout", "0.2"});
  EXPECT_EQ(run.exit_code, 8) << run.out << run.err;
  EXPECT_THAT(run.out, HasSubstr("still running"));
  EXPECT_EQ(SessionCount(), 0);
}

TEST_F(RtmixctlTest, ARefusalOfTheDeviceIsExitCode9) {
  ASSERT_EQ(tool_->Run({"close"}).exit_code, 0);
  const auto run = tool_->Run({"open", "--rate", "12345"});
  EXPECT_EQ(run.exit_code, 9) << run.err;
  EXPECT_THAT(run.err, HasSubstr("12345"));
}

TEST_F(RtmixctlTest, AStreamClosedUnderAPlayIsExitCode9) {
  const std::string path = WriteSound("long.wav", 1, Noise(20 * kRateHz, 16));
  const auto play =
      tool_->Begin({"lease", "--shared", "--", "sh", "-c",
                    absl::StrCat("echo $RTMIXD_SESSION_TOKEN; exec ", ToolPath(), " play ", path)});
  const auto token = play->ReadLine(absl::Seconds(30));
  ASSERT_TRUE(token.ok()) << token.status();
  AwaitActive(1);
  const auto closed = tool_->Run({"close", "--session-token", *token});
  EXPECT_EQ(closed.exit_code, 0) << closed.err;
  EXPECT_EQ(tool_->Finish(*play).exit_code, 9);
}

TEST_F(RtmixctlTest, CtrlCIsExitCode130AndLeavesNothingBehind) {
  const std::string path = WriteSound("long.wav", 1, Noise(20 * kRateHz, 17));
  const auto play = tool_->Begin({"play", path});
  AwaitActive(1);
  play->Signal(SIGINT);
  EXPECT_EQ(tool_->Finish(*play).exit_code, 130);
  EXPECT_EQ(SessionCount(), 0);
}

TEST_F(RtmixctlTest, CtrlCEndsAnOpenRecordingInOrder) {
  const auto record = tool_->Begin({"record", TestPath("take.wav")});
  AwaitActive(1);
  record->Signal(SIGINT);
  const auto run = tool_->Finish(*record);
  EXPECT_EQ(run.exit_code, 0) << run.err;
  const auto recorded = ReadAudioFile(TestPath("take.wav"));
  ASSERT_TRUE(recorded.ok()) << recorded.status();
}

// Leases.

TEST_F(RtmixctlTest, LeasePassesTheExitCodeAndFreesTheServer) {
  EXPECT_EQ(tool_->Run({"lease", "--", "sh", "-c", "exit 37"}).exit_code, 37);
  EXPECT_EQ(SessionCount(), 0);
  EXPECT_EQ(tool_->Run({"lease", "--", "/nonexistent/program"}).exit_code, 127);
  EXPECT_EQ(SessionCount(), 0);
}

TEST_F(RtmixctlTest, LeasePassesItsSessionToTheCommand) {
  const auto run = tool_->Run({"lease", "--", ToolPath(), "sessions", "--json"});
  ASSERT_EQ(run.exit_code, 0) << run.err;
  const auto sessions = Parse<v1::ListSessionsResponse>(run.out);
  ASSERT_EQ(sessions.sessions_size(), 1);
  EXPECT_EQ(sessions.sessions(0).state(), v1::SESSION_STATE_EXCLUSIVE);
}

TEST_F(RtmixctlTest, LeasePassesSignalsAndFreesTheServerWhenItsCommandIsKilled) {
  const auto lease = tool_->Begin({"lease", "--", "sh", "-c", "echo ready; exec sleep 60"}, {});
  ASSERT_EQ(*lease->ReadLine(absl::Seconds(30)), "ready");
  lease->Signal(SIGTERM);
  const auto code = lease->Wait(absl::Seconds(30));
  ASSERT_TRUE(code.ok()) << code.status();
  EXPECT_EQ(*code, 128 + SIGTERM);
  EXPECT_EQ(SessionCount(), 0);
}

}  // namespace
}  // namespace rtmixd
