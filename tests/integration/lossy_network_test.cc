// Two hosts joined by a bad cable: packets come late and unevenly, connections overtake each other,
// a rate is limited, one packet in a hundred is lost. What is lost, and when, follows from a fixed
// seed. A sound is streamed through it with a ring of 500 ms, and recorded on the server as it
// comes back. Each underrun must be counted, lie where the report says, and match a stall of TCP
// that the cable has logged: bytes lost and not there again until then. The cable is also cut for
// longer than the ring lasts, so that there is an underrun to find.
//
// --seconds=N streams for so long.

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "client_cpp/action.h"
#include "client_cpp/buffer.h"
#include "client_cpp/duration.h"
#include "client_cpp/play_stream.h"
#include "client_cpp/session.h"
#include "gtest/gtest.h"
#include "tests/integration/recordings.h"
#include "tests/integration/two_hosts.h"

namespace rtmixd {
namespace {

constexpr absl::Duration kLongEnough = absl::Seconds(60);
constexpr int64_t kSecondFrames = 48000;
constexpr int64_t kRingFrames = kSecondFrames / 2;
// A ring that was full runs dry so long after the stall began, at the latest so long after its end:
// what comes then may not be enough at once.
constexpr absl::Duration kStallMatters = absl::Seconds(3);

int seconds_wanted = 10;  // NOLINT(cppcoreguidelines-avoid-non-const-global-variables): a flag

class LossyNetworkTest : public TwoHostsTest {
 protected:
  // Streams for `seconds_wanted`; cuts the cable once for `cut`.
  void StreamThrough(const PacketRelay::Options& options, absl::Duration cut) {
    ASSERT_NO_FATAL_FAILURE(ConnectByRelay(options));
    ASSERT_NO_FATAL_FAILURE(StartServer({"--history", "30"}));
    auto client = client::Client::Connect(server().target());
    ASSERT_TRUE(client.ok()) << client.status();
    auto session = client::Session::Create(*client, {.label = "far", .ttl = absl::Seconds(30)});
    ASSERT_TRUE(session.ok()) << session.status();
    const auto stream = GetStream(**client);
    ASSERT_TRUE(stream.ok()) << stream.status();
    const int64_t frames = seconds_wanted * kSecondFrames;
    const auto sound = LongSpeech(frames);
    ASSERT_TRUE(sound.ok()) << sound.status();
    const int64_t latency_frames = stream->input_latency_frames() + stream->output_latency_frames();
    const int64_t start_frame = GetStream(**client)->next_frame() + 3 * kSecondFrames;

    v1::ScheduleActionsRequest request;
    v1::ActionSpec& record = *request.add_actions();
    record.mutable_start()->set_frame(start_frame + latency_frames);
    record.mutable_record()->set_frames(frames);
    record.mutable_record()->mutable_channel_map()->add_channels(1);
    const auto scheduled = client::ScheduleActions(**session, request);
    ASSERT_TRUE(scheduled.ok()) << scheduled.status();
    v1::PlayConfig config;
    config.set_channels(1);
    config.mutable_start()->set_frame(start_frame);
    config.mutable_channel_map()->add_channels(1);
    config.set_ring_frames(kRingFrames);
    config.set_underrun_policy(v1::UNDERRUN_POLICY_KEEP_TIMELINE);
    auto play = client::PlayStream::Open(*session, config);
    ASSERT_TRUE(play.ok()) << play.status();
    std::thread cutter([&] {
      if (cut == absl::ZeroDuration()) return;
      absl::SleepFor(absl::Seconds(3 + seconds_wanted / 2));
      relay().SetCut(true);
      absl::SleepFor(cut);
      relay().SetCut(false);
    });
    const auto written = (*play)->Write(*sound, kLongEnough + absl::Seconds(seconds_wanted));
    (*play)->Finish();
    cutter.join();
    ASSERT_EQ(written.value_or(-1), frames) << written.status();
    const auto report = (*play)->Wait(kLongEnough);
    ASSERT_TRUE(report.ok() && report->has_value()) << report.status();
    const v1::ActionReport& told = **report;
    SCOPED_TRACE(told.ShortDebugString());
    EXPECT_EQ(told.end_reason(), v1::END_REASON_COMPLETED);
    EXPECT_EQ(told.start_frame(), start_frame);
    EXPECT_EQ(told.underruns(), told.gap_count());

    ExpectRecordedBetweenGaps(*session, scheduled->actions(0).action_id(), told, *sound);
    const auto stalls = relay().stalls();
    absl::Duration longest;
    for (const TcpStallLog::Stall& stall : stalls) {
      longest = std::max(longest, std::min(stall.end, absl::Now()) - stall.begin);
    }
    const auto events = ReadEvents(**client);
    ASSERT_TRUE(events.ok()) << events.status();
    const auto underruns = EventsOf(*events, v1::EVENT_KIND_UNDERRUN, told.action_id());
    EXPECT_EQ(static_cast<int64_t>(underruns.size()), told.underruns());
    for (const v1::LogEntry& underrun : underruns) {
      const absl::Time at = client::FromProto(underrun.time());
      EXPECT_TRUE(std::any_of(stalls.begin(), stalls.end(),
                              [&](const TcpStallLog::Stall& stall) {
                                return stall.begin <= at && stall.end + kStallMatters >= at;
                              }))
          << "no stall of TCP explains " << underrun.ShortDebugString();
    }
    std::printf("%d s: %ld packets lost of %ld, %ld stalls of TCP, the longest %s; %ld underruns\n",
                seconds_wanted, static_cast<long>(relay().lost()),
                static_cast<long>(relay().lost() + relay().delivered()),
                static_cast<long>(stalls.size()), absl::FormatDuration(longest).c_str(),
                static_cast<long>(told.underruns()));
    underruns_ = told.underruns();
  }

  // The recording is the sound, with silence just where the report tells of gaps.
  static void ExpectRecordedBetweenGaps(const std::shared_ptr<client::Session>& session,
                                        const std::string& action_id, const v1::ActionReport& play,
                                        std::vector<float> expected) {
    const auto record = client::Action(session, action_id).Wait(kLongEnough);
    ASSERT_TRUE(record.ok()) << record.status();
    auto buffer = client::Buffer::Open(session, record->buffer_id());
    ASSERT_TRUE(buffer.ok()) << buffer.status();
    std::vector<float> heard;
    const absl::Status fetched =
        (*buffer)->Download({}, [&](int64_t /*position*/, absl::Span<const float> samples) {
          heard.insert(heard.end(), samples.begin(), samples.end());
          return absl::OkStatus();
        });
    ASSERT_TRUE(fetched.ok()) << fetched;
    ASSERT_LE(play.gap_count(), 7) << "more gaps than a report lists one by one";
    for (const v1::Gap& gap : play.gaps()) {
      const int64_t begin = gap.frame() - play.start_frame();
      ASSERT_LE(begin + gap.frames(), static_cast<int64_t>(expected.size()));
      std::fill_n(expected.begin() + begin, gap.frames(), 0.0F);
    }
    EXPECT_EQ(FirstDifference(heard, expected), -1);
  }

  int64_t underruns_ = 0;
};

TEST_F(LossyNetworkTest, OnePercentLossAt20MsRoundTrip) {
  StreamThrough({.one_way_delay = absl::Milliseconds(10), .loss = 0.01, .seed = 20},
                absl::ZeroDuration());
}

TEST_F(LossyNetworkTest, CableThatIsCutForLongerThanTheRingLasts) {
  StreamThrough({.one_way_delay = absl::Milliseconds(10), .loss = 0.01, .seed = 21},
                absl::Milliseconds(900));
  EXPECT_GE(underruns_, 1);
}

// Twice the 192 kB/s that it takes, delivered in any order of connections.
TEST_F(LossyNetworkTest, JitterAndARateLimit) {
  StreamThrough({.one_way_delay = absl::Milliseconds(10),
                 .jitter = absl::Milliseconds(30),
                 .bytes_per_second = 400'000,
                 .queue = absl::Milliseconds(200),
                 .loss = 0.001,
                 .seed = 22},
                absl::ZeroDuration());
}

}  // namespace
}  // namespace rtmixd

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  for (int i = 1; i < argc; ++i) {
    absl::string_view text = argv[i];
    if (!absl::ConsumePrefix(&text, "--seconds=") ||
        !absl::SimpleAtoi(text, &rtmixd::seconds_wanted)) {
      std::fprintf(stderr, "unknown: %s\n", argv[i]);
      return 2;
    }
  }
  return RUN_ALL_TESTS();
}
