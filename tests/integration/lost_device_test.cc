// The device of a running server dies again and again, at random moments of a fixed seed: a JACK
// server that is killed, frozen, or both, reached through PortAudio, and the virtual device by a
// script. Each time the loss must be noticed within 2 s and reported as a gap with its length, the
// device be taken again once it is back, what was to start meanwhile be handled by its late policy,
// and sessions, buffers and what runs be kept. No call of a client waits for the dead device.
//
// A dead JACK server costs memory, since the copy of PortAudio that talked to it can be neither
// stopped nor unloaded. The growth per death is measured after the first two and bounded.
//
// --deaths=N makes it die N times instead of a few.

#include <signal.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "client_cpp/action.h"
#include "client_cpp/audio.h"
#include "client_cpp/buffer.h"
#include "client_cpp/duration.h"
#include "client_cpp/session.h"
#include "gtest/gtest.h"
#include "tests/device/jack_server.h"
#include "tests/integration/recordings.h"
#include "tests/integration/server_process.h"
#include "tests/support/dice.h"
#include "tests/support/event_watch.h"
#include "tests/support/polling.h"

namespace rtmixd {
namespace {

constexpr absl::Duration kLongEnough = absl::Seconds(60);
constexpr absl::Duration kNoticeLimit = absl::Seconds(2);
constexpr int64_t kSecondFrames = 48000;
constexpr uint64_t kSeed = 6;
// A copy of PortAudio, its JACK client and its threads; measured were some 0.3 MiB.
constexpr double kMaxKibPerDeath = 1024;
// What a JACK server of 2048 ports shares with its clients. It stays mapped if the server dies
// again while the client that it left behind when it was frozen is given back.
constexpr double kMaxSharedKibPerFrozenDeath = 112 * 1024;
constexpr int kWarmUpDeaths = 2;

int deaths_wanted = 4;  // NOLINT(cppcoreguidelines-avoid-non-const-global-variables): a flag

// A number of the process's status, like "VmRSS" in KiB.
int64_t StatusOf(pid_t pid, const std::string& key) {
  std::ifstream file(absl::StrCat("/proc/", pid, "/status"));
  for (std::string line; std::getline(file, line);) {
    absl::string_view rest = line;
    if (!absl::ConsumePrefix(&rest, key) || !absl::ConsumePrefix(&rest, ":")) continue;
    absl::ConsumeSuffix(&rest, " kB");
    int64_t number = -1;
    return absl::SimpleAtoi(rest, &number) ? number : -1;
  }
  return -1;
}

class LostDeviceTest : public testing::Test {
 protected:
  void StartServer(const std::vector<std::string>& flags) {
    auto server = ServerProcess::Start(flags);
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    auto client = client::Client::Connect(server_->target());
    ASSERT_TRUE(client.ok()) << client.status();
    client_ = *client;
    auto session = client::Session::Create(client_, {.label = "has a bad device"});
    ASSERT_TRUE(session.ok()) << session.status();
    session_ = *session;
    auto speech = LongSpeech(kSecondFrames);
    ASSERT_TRUE(speech.ok()) << speech.status();
    sound_ = {.channels = 1, .sample_rate_hz = 48000, .samples = *speech};
    auto buffer = client::Buffer::Upload(session_, sound_, {.sample_rate_hz = 48000});
    ASSERT_TRUE(buffer.ok()) << buffer.status();
    buffer_ = *std::move(buffer);
  }

  // Records from now on; gaps are counted from here.
  void StartRecording() {
    v1::ScheduleActionsRequest request;
    request.add_actions()->mutable_record()->mutable_channel_map()->add_channels(1);
    const auto scheduled = client::ScheduleActions(*session_, request);
    ASSERT_TRUE(scheduled.ok()) << scheduled.status();
    recording_ = scheduled->actions(0).action_id();
    gap_count_ = 0;
    gap_frames_ = 0;
  }

  int64_t NextFrame() { return GetStream(*client_).value().next_frame(); }

  // Plays the buffer from a frame on, once by each policy.
  std::vector<std::string> ScheduleLate(int64_t frame) {
    v1::ScheduleActionsRequest request;
    for (const v1::LatePolicy policy :
         {v1::LATE_POLICY_PLAY, v1::LATE_POLICY_SKIP, v1::LATE_POLICY_TRIM}) {
      v1::ActionSpec& action = *request.add_actions();
      action.mutable_start()->set_frame(frame);
      action.set_late_policy(policy);
      action.mutable_play()->set_buffer_id(buffer_->id());
      action.mutable_play()->mutable_channel_map()->add_channels(2);
    }
    const auto scheduled = client::ScheduleActions(*session_, request);
    EXPECT_TRUE(scheduled.ok()) << scheduled.status();
    std::vector<std::string> ids;
    for (const auto& action : scheduled->actions()) ids.push_back(action.action_id());
    return ids;
  }

  // The events of a kind once there are so many.
  std::vector<v1::LogEntry> Await(v1::EventKind kind, int64_t count) {
    const auto events = AwaitEvents(
        *client_, {kind},
        [&](const std::vector<v1::LogEntry>& log) {
          return static_cast<int64_t>(log.size()) >= count;
        },
        kLongEnough);
    EXPECT_TRUE(events.ok()) << events.status();
    return events.value_or(std::vector<v1::LogEntry>());
  }

  // While the device is away.
  void ExpectClientsAreAnswered() {
    const auto clock = client_->Call(&client::Stubs::clock, &v1::ClockService::Stub::GetClock,
                                     v1::GetClockRequest(), session_->call());
    EXPECT_TRUE(clock.ok()) << clock.status();
    v1::ScheduleActionsRequest request;
    v1::ActionSpec& action = *request.add_actions();
    action.mutable_start()->set_frame(int64_t{1} << 40);
    action.mutable_play()->set_buffer_id(buffer_->id());
    action.mutable_play()->mutable_channel_map()->add_channels(2);
    const auto scheduled = client::ScheduleActions(*session_, request);
    ASSERT_TRUE(scheduled.ok()) << scheduled.status();
    const auto cancelled = client::Action(session_, scheduled->actions(0).action_id()).Cancel();
    ASSERT_TRUE(cancelled.ok()) << cancelled.status();
    EXPECT_EQ(cancelled->end_reason(), v1::END_REASON_CANCELLED);
  }

  // After the death number `count`, which came at `died_at`, before the frame of `late`.
  void ExpectRecovery(int64_t count, absl::Time died_at, const std::vector<std::string>& late) {
    const auto lost = Await(v1::EVENT_KIND_DEVICE_LOST, count);
    const auto recovered = Await(v1::EVENT_KIND_DEVICE_RECOVERED, count);
    ASSERT_EQ(static_cast<int64_t>(lost.size()), count);
    ASSERT_EQ(static_cast<int64_t>(recovered.size()), count);
    const absl::Duration noticed_after = client::FromProto(lost.back().time()) - died_at;
    longest_notice_ = std::max(longest_notice_, noticed_after);
    EXPECT_LE(noticed_after, kNoticeLimit);
    const int64_t gap_frames = recovered.back().frames();
    EXPECT_GT(gap_frames, 0);
    EXPECT_EQ(recovered.back().frame(), lost.back().frame() + gap_frames);
    // As long as the device was away, give or take what a period and a stalled machine are.
    const absl::Duration away =
        client::FromProto(recovered.back().time()) - client::FromProto(lost.back().time());
    EXPECT_GE(absl::Seconds(static_cast<double>(gap_frames) / kSecondFrames) + absl::Seconds(1),
              away);
    ++gap_count_;
    gap_frames_ += gap_frames;
    // The recording has come over the gap once it has frames from behind it.
    v1::ActionReport report;
    const bool came = PollUntil(
        [&] {
          auto answer = client::Action(session_, recording_).Report();
          if (!answer.ok()) return true;
          report = *std::move(answer);
          return report.gap_frames() >= gap_frames_;
        },
        kLongEnough);
    EXPECT_TRUE(came) << report.ShortDebugString();
    EXPECT_EQ(report.state(), v1::ACTION_STATE_ACTIVE);
    EXPECT_EQ(report.gap_count(), gap_count_);
    EXPECT_EQ(report.gap_frames(), gap_frames_);

    const auto ended =
        client::WaitActions(*session_, late, kLongEnough, nullptr, client::WaitFor::kDone);
    ASSERT_TRUE(ended.ok()) << ended.status();
    for (size_t i = 0; i < late.size(); ++i) {
      const auto late_report = client::Action(session_, late[i]).Report();
      ASSERT_TRUE(late_report.ok()) << late_report.status();
      SCOPED_TRACE(late_report->ShortDebugString());
      EXPECT_GT(late_report->late_frames(), 0);
      EXPECT_EQ(late_report->end_reason(),
                i == 1 ? v1::END_REASON_SKIPPED : v1::END_REASON_COMPLETED);
      EXPECT_EQ(late_report->dropped_frames(),
                i == 2 ? std::min(late_report->late_frames(), sound_.frames()) : 0);
    }
    std::vector<float> kept;
    const absl::Status fetched =
        buffer_->Download({}, [&](int64_t /*position*/, absl::Span<const float> samples) {
          kept.insert(kept.end(), samples.begin(), samples.end());
          return absl::OkStatus();
        });
    EXPECT_TRUE(fetched.ok()) << fetched;
    EXPECT_EQ(FirstDifference(kept, sound_.samples), -1);
    EXPECT_TRUE(session_->status().ok()) << session_->status();
  }

  Dice dice_{kSeed};
  std::unique_ptr<ServerProcess> server_;
  std::shared_ptr<client::Client> client_;
  std::shared_ptr<client::Session> session_;
  client::Audio sound_;
  std::unique_ptr<client::Buffer> buffer_;
  std::string recording_;
  int64_t gap_count_ = 0;
  int64_t gap_frames_ = 0;
  absl::Duration longest_notice_;
};

TEST_F(LostDeviceTest, JackServerThatDiesAgainAndAgain) {
  JackServer jack(256);
  ASSERT_TRUE(jack.Start()) << "jackd does not start";
  ASSERT_NO_FATAL_FAILURE(StartServer({"--device", "portaudio", "--input-device", "jack/loopback",
                                       "--output-device", "jack/loopback"}));
  const pid_t pid = server_->process().pid();
  int64_t warm_kib = 0;
  int64_t warm_shared_kib = 0;
  int frozen_deaths = 0;
  for (int death = 1; death <= deaths_wanted; ++death) {
    SCOPED_TRACE(death);
    absl::SleepFor(absl::Microseconds(dice_.Between(0, 300'000)));
    ASSERT_NO_FATAL_FAILURE(StartRecording());
    const auto late = ScheduleLate(NextFrame() + kSecondFrames / 2);
    const bool frozen_before = dice_.OneIn(3);
    if (frozen_before) ++frozen_deaths;
    const absl::Time died_at = absl::Now();
    frozen_before ? jack.Freeze() : jack.Kill();
    Await(v1::EVENT_KIND_DEVICE_LOST, death);
    ASSERT_NO_FATAL_FAILURE(ExpectClientsAreAnswered());
    // So that the moment at which they should have started has passed.
    absl::SleepFor(died_at + absl::Milliseconds(800) - absl::Now());
    if (frozen_before && dice_.OneIn(2)) {
      jack.Unfreeze();
    } else {
      jack.Kill();
      ASSERT_TRUE(jack.Start());
    }
    ASSERT_NO_FATAL_FAILURE(ExpectRecovery(death, died_at, late));
    const auto report = client::Action(session_, recording_).Cancel();
    ASSERT_TRUE(report.ok()) << report.status();
    auto recorded = client::Buffer::Open(session_, report->buffer_id());
    ASSERT_TRUE(recorded.ok()) << recorded.status();
    ASSERT_TRUE((*recorded)->Delete().ok());
    if (death == kWarmUpDeaths) {
      warm_kib = StatusOf(pid, "RssAnon");
      warm_shared_kib = StatusOf(pid, "RssShmem");
    }
    if (death % 10 == 0 || death == deaths_wanted) {
      std::printf("%d deaths, %d of them frozen: %ld KiB of its own, %ld KiB shared, %ld threads\n",
                  death, frozen_deaths, static_cast<long>(StatusOf(pid, "RssAnon")),
                  static_cast<long>(StatusOf(pid, "RssShmem")),
                  static_cast<long>(StatusOf(pid, "Threads")));
      std::fflush(stdout);
    }
  }
  const double kib_per_death = static_cast<double>(StatusOf(pid, "RssAnon") - warm_kib) /
                               std::max(1, deaths_wanted - kWarmUpDeaths);
  std::printf("noticed after %s at most; %.0f KiB per death\n",
              absl::FormatDuration(longest_notice_).c_str(), kib_per_death);
  EXPECT_LE(kib_per_death, kMaxKibPerDeath);
  EXPECT_LE(static_cast<double>(StatusOf(pid, "RssShmem") - warm_shared_kib),
            kMaxSharedKibPerFrozenDeath * (1 + frozen_deaths));
  // And it ends in peace.
  session_ = nullptr;
  server_->process().Signal(SIGTERM);
  EXPECT_EQ(server_->process().Wait(kLongEnough).value_or(-1), 0);
}

TEST_F(LostDeviceTest, VirtualDeviceThatDiesByItsScript) {
  ASSERT_NO_FATAL_FAILURE(StartServer({"--device", "virtual", "--enable-device-scripts"}));
  const auto stream = GetStream(*client_);
  ASSERT_TRUE(stream.ok()) << stream.status();
  const auto long_sound = LongSpeech(30 * kSecondFrames);
  ASSERT_TRUE(long_sound.ok()) << long_sound.status();
  auto long_buffer = client::Buffer::Upload(
      session_, {.channels = 1, .sample_rate_hz = 48000, .samples = *long_sound},
      {.sample_rate_hz = 48000});
  ASSERT_TRUE(long_buffer.ok()) << long_buffer.status();
  v1::ScheduleActionsRequest play;
  play.add_actions()->mutable_play()->set_buffer_id((*long_buffer)->id());
  play.mutable_actions(0)->mutable_play()->mutable_channel_map()->add_channels(1);
  ASSERT_NO_FATAL_FAILURE(StartRecording());
  const auto scheduled = client::ScheduleActions(*session_, play);
  ASSERT_TRUE(scheduled.ok()) << scheduled.status();

  for (int death = 1; death <= deaths_wanted; ++death) {
    SCOPED_TRACE(death);
    const int64_t now_frame = NextFrame();
    const absl::Time now = absl::Now();
    // Far enough ahead for a machine that stalls.
    const int64_t ahead_frames = kSecondFrames / 2 + dice_.Between(0, kSecondFrames / 4);
    const auto late = ScheduleLate(now_frame + ahead_frames + kSecondFrames / 20);
    v1::LoadScriptRequest script;
    v1::Fault& fault = *script.add_faults();
    fault.set_kind(dice_.OneOf({v1::FAULT_KIND_DIE, v1::FAULT_KIND_CALLBACKS_STOP}));
    fault.set_frame(now_frame + ahead_frames);
    if (dice_.OneIn(2)) {
      v1::Fault& hang = *script.add_faults();
      hang.set_kind(v1::FAULT_KIND_STOP_HANGS);
      hang.set_frame(now_frame + ahead_frames);
      *hang.mutable_time() = client::ToProto(absl::Seconds(20));
    }
    const auto loaded =
        client_->Call(&client::Stubs::virtual_device, &v1::VirtualDeviceService::Stub::LoadScript,
                      script, session_->call());
    ASSERT_TRUE(loaded.ok()) << loaded.status();
    Await(v1::EVENT_KIND_DEVICE_LOST, death);
    ASSERT_NO_FATAL_FAILURE(ExpectClientsAreAnswered());
    ASSERT_NO_FATAL_FAILURE(ExpectRecovery(
        death, now + absl::Seconds(static_cast<double>(ahead_frames) / kSecondFrames), late));
  }
  std::printf("noticed after %s at most\n", absl::FormatDuration(longest_notice_).c_str());

  // Between the gaps every sample is where it belongs: the sound stood still while there was no
  // device. What was on its way through the cable is left out.
  const auto record = client::Action(session_, recording_).Cancel();
  ASSERT_TRUE(record.ok()) << record.status();
  const auto ended = client::Action(session_, recording_).Wait(kLongEnough);
  ASSERT_TRUE(ended.ok()) << ended.status();
  auto recording = client::Buffer::Open(session_, ended->buffer_id());
  ASSERT_TRUE(recording.ok()) << recording.status();
  std::vector<float> heard;
  ASSERT_TRUE((*recording)
                  ->Download({},
                             [&](int64_t /*position*/, absl::Span<const float> samples) {
                               heard.insert(heard.end(), samples.begin(), samples.end());
                               return absl::OkStatus();
                             })
                  .ok());
  const auto sound_report = client::Action(session_, scheduled->actions(0).action_id()).Report();
  ASSERT_TRUE(sound_report.ok()) << sound_report.status();
  constexpr int64_t kOnItsWayFrames = 8192;
  const int64_t latency_frames = stream->input_latency_frames() + stream->output_latency_frames();
  int64_t offset_frames =
      ended->start_frame() - sound_report->start_frame() - latency_frames;  // into the sound
  int64_t begin = std::max<int64_t>(0, -offset_frames);
  int64_t compared_frames = 0;
  ASSERT_EQ(ended->gaps_size(), deaths_wanted);
  for (int i = 0; i <= ended->gaps_size(); ++i) {
    SCOPED_TRACE(i);
    const int64_t end =
        i < ended->gaps_size() ? ended->gaps(i).position() : static_cast<int64_t>(heard.size());
    const int64_t frames =
        std::min(end - kOnItsWayFrames - begin,
                 static_cast<int64_t>(long_sound->size()) - begin - offset_frames);
    if (frames > 0) {
      EXPECT_EQ(
          FirstDifference(absl::MakeConstSpan(heard).subspan(begin, frames),
                          absl::MakeConstSpan(*long_sound).subspan(begin + offset_frames, frames)),
          -1);
      compared_frames += frames;
    }
    if (i == ended->gaps_size()) break;
    const int64_t gap_frames = ended->gaps(i).frames();
    EXPECT_TRUE(std::all_of(heard.begin() + end, heard.begin() + end + gap_frames,
                            [](float sample) { return sample == 0; }));
    begin = end + gap_frames + kOnItsWayFrames;
    offset_frames -= gap_frames;
  }
  EXPECT_GE(compared_frames, kSecondFrames);
}

}  // namespace
}  // namespace rtmixd

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  for (int i = 1; i < argc; ++i) {
    absl::string_view text = argv[i];
    if (!absl::ConsumePrefix(&text, "--deaths=") ||
        !absl::SimpleAtoi(text, &rtmixd::deaths_wanted)) {
      std::fprintf(stderr, "unknown: %s\n", argv[i]);
      return 2;
    }
  }
  return RUN_ALL_TESTS();
}
