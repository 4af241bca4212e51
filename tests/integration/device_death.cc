#include "tests/integration/device_death.h"

#include <signal.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "absl/types/span.h"
#include "client_cpp/action.h"
#include "client_cpp/duration.h"
#include "tests/integration/recordings.h"
#include "tests/support/event_watch.h"
#include "tests/support/polling.h"

namespace rtmixd {
namespace {

constexpr absl::Duration kNoticeLimit = absl::Seconds(2);

int deaths_wanted = 0;  // NOLINT(cppcoreguidelines-avoid-non-const-global-variables): a flag

absl::Duration OfFrames(double frames) { return absl::Seconds(frames / 48000); }

}  // namespace

int DeathsWanted() { return deaths_wanted; }

int RunDeviceDeathTests(int argc, char** argv, int deaths) {
  deaths_wanted = deaths;
  testing::InitGoogleTest(&argc, argv);
  for (int i = 1; i < argc; ++i) {
    absl::string_view text = argv[i];
    if (!absl::ConsumePrefix(&text, "--deaths=") || !absl::SimpleAtoi(text, &deaths_wanted)) {
      std::fprintf(stderr, "unknown: %s\n", argv[i]);
      return 2;
    }
  }
  return RUN_ALL_TESTS();
}

void DeviceDeathTest::Range::Add(absl::Duration value) {
  least = std::min(least, value);
  most = std::max(most, value);
}

void DeviceDeathTest::StartServer(const std::vector<std::string>& flags) {
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

void DeviceDeathTest::StartRecording() {
  v1::ScheduleActionsRequest request;
  request.add_actions()->mutable_record()->mutable_channel_map()->add_channels(1);
  const auto scheduled = client::ScheduleActions(*session_, request);
  ASSERT_TRUE(scheduled.ok()) << scheduled.status();
  recording_ = scheduled->actions(0).action_id();
  gap_count_ = 0;
  gap_frames_ = 0;
}

void DeviceDeathTest::DropRecording() {
  const auto report = client::Action(session_, recording_).Cancel();
  ASSERT_TRUE(report.ok()) << report.status();
  auto recorded = client::Buffer::Open(session_, report->buffer_id());
  ASSERT_TRUE(recorded.ok()) << recorded.status();
  ASSERT_TRUE((*recorded)->Delete().ok());
}

void DeviceDeathTest::ExpectSurvival(const std::function<void()>& die,
                                     const std::function<void()>& come_back) {
  ASSERT_NO_FATAL_FAILURE(StartRecording());
  const auto late = ScheduleLate(NextFrame() + std::llround(absl::ToDoubleSeconds(margin_) *
                                                            static_cast<double>(kSecondFrames)));
  const absl::Time died_at = absl::Now();
  die();
  Await(v1::EVENT_KIND_DEVICE_LOST, deaths_ + 1);
  ASSERT_NO_FATAL_FAILURE(ExpectClientsAreAnswered());
  absl::SleepFor(died_at + margin_ + absl::Milliseconds(300) - absl::Now());
  ASSERT_NO_FATAL_FAILURE(come_back());
  const absl::Time back_at = absl::Now();
  ASSERT_NO_FATAL_FAILURE(ExpectRecovery(died_at, back_at, late));
  ASSERT_NO_FATAL_FAILURE(DropRecording());
}

void DeviceDeathTest::ExpectSurvivals(SoundServer& sound_server,
                                      const std::function<void(int death)>& after) {
  for (int death = 1; death <= DeathsWanted(); ++death) {
    SCOPED_TRACE(death);
    absl::SleepFor(absl::Microseconds(dice_.Between(0, 300'000)));
    const bool freezes = dice_.OneIn(3);
    const bool goes_on = freezes && dice_.OneIn(2);
    if (freezes) ++frozen_deaths_;
    const auto die = [&] { freezes ? sound_server.Freeze() : sound_server.Kill(); };
    const auto come_back = [&] {
      if (goes_on) {
        sound_server.Unfreeze();
      } else {
        sound_server.Kill();
        ASSERT_TRUE(sound_server.Start());
      }
    };
    ASSERT_NO_FATAL_FAILURE(ExpectSurvival(die, come_back));
    after(death);
  }
}

std::vector<std::string> DeviceDeathTest::ScheduleLate(int64_t frame) {
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
  if (scheduled.ok()) {
    for (const auto& action : scheduled->actions()) ids.push_back(action.action_id());
  }
  clock_before_ = ReadClock();
  return ids;
}

std::vector<v1::LogEntry> DeviceDeathTest::Await(v1::EventKind kind, int64_t count) {
  const auto events = AwaitEvents(
      *client_, {kind},
      [&](const std::vector<v1::LogEntry>& log) {
        return static_cast<int64_t>(log.size()) >= count;
      },
      kLongEnough);
  EXPECT_TRUE(events.ok()) << events.status();
  return events.value_or(std::vector<v1::LogEntry>());
}

v1::ClockReading DeviceDeathTest::ReadClock() {
  const auto clock = client_->Call(&client::Stubs::clock, &v1::ClockService::Stub::GetClock,
                                   v1::GetClockRequest(), session_->call());
  EXPECT_TRUE(clock.ok()) << clock.status();
  return clock.ok() ? clock->reading() : v1::ClockReading();
}

void DeviceDeathTest::ExpectClientsAreAnswered() {
  ReadClock();
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

void DeviceDeathTest::ExpectRecovery(absl::Time died_at, absl::Time back_at,
                                     const std::vector<std::string>& late) {
  ++deaths_;
  const auto lost = Await(v1::EVENT_KIND_DEVICE_LOST, deaths_);
  const auto recovered = Await(v1::EVENT_KIND_DEVICE_RECOVERED, deaths_);
  ASSERT_EQ(static_cast<int64_t>(lost.size()), deaths_);
  ASSERT_EQ(static_cast<int64_t>(recovered.size()), deaths_);
  const absl::Time recovered_at = client::FromProto(recovered.back().time());
  const absl::Duration noticed_after = client::FromProto(lost.back().time()) - died_at;
  noticed_after_.Add(noticed_after);
  EXPECT_LE(noticed_after, kNoticeLimit);
  reopened_after_.Add(recovered_at - back_at);
  const int64_t gap_frames = recovered.back().frames();
  EXPECT_GT(gap_frames, 0);
  EXPECT_EQ(recovered.back().frame(), lost.back().frame() + gap_frames);
  gaps_.Add(OfFrames(static_cast<double>(gap_frames)));
  // The gap is as long as the time that passed: the counter has gone on as if nothing had been.
  const v1::ClockReading clock = ReadClock();
  const absl::Duration counter_error =
      OfFrames(clock.frame() - clock_before_.frame()) -
      absl::Nanoseconds(clock.monotonic_nanos() - clock_before_.monotonic_nanos());
  counter_errors_.Add(counter_error);
  EXPECT_LE(absl::AbsDuration(counter_error), max_counter_error_);
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

int64_t DeviceDeathTest::NextFrame() { return GetStream(*client_).value().next_frame(); }

void DeviceDeathTest::PrintSummary() const {
  const auto text = [](const Range& range) {
    return absl::StrCat(absl::FormatDuration(absl::Trunc(range.least, absl::Milliseconds(1))),
                        " to ",
                        absl::FormatDuration(absl::Trunc(range.most, absl::Milliseconds(1))));
  };
  std::printf(
      "%ld deaths: noticed after %s; gaps of %s, which leave the counter off by %s; playing %s "
      "after the device was back\n",
      static_cast<long>(deaths_), text(noticed_after_).c_str(), text(gaps_).c_str(),
      text(counter_errors_).c_str(), text(reopened_after_).c_str());
  std::fflush(stdout);
}

void DeviceDeathTest::ExpectGracefulEnd() {
  buffer_ = nullptr;
  session_ = nullptr;
  server_->process().Signal(SIGTERM);
  EXPECT_EQ(server_->process().Wait(kLongEnough).value_or(-1), 0);
}

}  // namespace rtmixd
