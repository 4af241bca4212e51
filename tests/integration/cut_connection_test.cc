// The network between two hosts swallows everything for four seconds, and neither end is told: a
// cut cable, a switch that restarts. Meanwhile a client plays two sounds through streams, one with
// a ring buffer that bridges the gap and one without, and records both as they come back. Once
// packets pass again the library reattaches all three by itself. The first sound must not have a
// hole, the second must have just the holes its report tells, with the rest in its place, and the
// recording must have every frame.

#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "client_cpp/duration.h"
#include "client_cpp/play_stream.h"
#include "client_cpp/record_stream.h"
#include "client_cpp/session.h"
#include "gtest/gtest.h"
#include "tests/integration/recordings.h"
#include "tests/integration/two_hosts.h"

namespace rtmixd {
namespace {

constexpr absl::Duration kLongEnough = absl::Seconds(60);
constexpr absl::Duration kCut = absl::Seconds(4);
constexpr int64_t kSecondFrames = 48000;
constexpr int64_t kSoundFrames = 16 * kSecondFrames;
// Cut when so much has sounded: after the start, long before the end.
constexpr int64_t kCutPosition = 3 * kSecondFrames;

using CutConnectionTest = TwoHostsTest;

TEST_F(CutConnectionTest, StreamsReattachAndTheRecordingHasEveryFrame) {
  ASSERT_NO_FATAL_FAILURE(ConnectByRelay({.one_way_delay = absl::Milliseconds(5)}));
  ASSERT_NO_FATAL_FAILURE(StartServer({"--history", "30"}));
  auto client = client::Client::Connect(server().target());
  ASSERT_TRUE(client.ok()) << client.status();
  auto session = client::Session::Create(*client, {.label = "cut off", .ttl = absl::Seconds(30)});
  ASSERT_TRUE(session.ok()) << session.status();
  const auto stream = GetStream(**client);
  ASSERT_TRUE(stream.ok()) << stream.status();
  auto speech = LongSpeech(2 * kSoundFrames);
  ASSERT_TRUE(speech.ok()) << speech.status();
  const std::vector<float> bridged(speech->begin(), speech->begin() + kSoundFrames);
  const std::vector<float> starved(speech->begin() + kSoundFrames, speech->end());
  // Far enough ahead for a machine that stalls to open three streams and to send what sounds first.
  const int64_t start_frame = stream->next_frame() + 6 * kSecondFrames;

  v1::RecordConfig record_config;
  record_config.mutable_start()->set_frame(start_frame + stream->input_latency_frames() +
                                           stream->output_latency_frames());
  record_config.set_frames(kSoundFrames);
  record_config.mutable_channel_map()->add_channels(1);
  record_config.mutable_channel_map()->add_channels(2);
  auto record = client::RecordStream::Open(*session, record_config);
  ASSERT_TRUE(record.ok()) << record.status();

  const auto open_play = [&](int output, int64_t ring_frames) {
    v1::PlayConfig config;
    config.set_channels(1);
    config.mutable_start()->set_frame(start_frame);
    config.mutable_channel_map()->add_channels(output);
    config.set_ring_frames(ring_frames);
    config.set_underrun_policy(v1::UNDERRUN_POLICY_KEEP_TIMELINE);
    return client::PlayStream::Open(*session, config);
  };
  auto with_bridge = open_play(1, 10 * kSecondFrames);
  ASSERT_TRUE(with_bridge.ok()) << with_bridge.status();
  auto without = open_play(2, kSecondFrames);
  ASSERT_TRUE(without.ok()) << without.status();

  const auto write = [](client::PlayStream& play, const std::vector<float>& sound) {
    EXPECT_EQ(play.Write(sound, kLongEnough).value_or(-1), kSoundFrames);
    play.Finish();
  };
  std::thread bridged_writer([&] { write(**with_bridge, bridged); });
  std::thread starved_writer([&] { write(**without, starved); });
  int64_t lost_frames = 0;
  std::vector<float> recorded;
  absl::Time cut_at = absl::InfiniteFuture();
  absl::Duration longest_pause;
  std::thread mender;
  absl::Time last = absl::Now();
  while (static_cast<int64_t>(recorded.size()) < 2 * kSoundFrames) {
    const auto audio = (*record)->Read(kSecondFrames, kLongEnough);
    if (!audio.ok() || audio->samples.empty()) {
      ADD_FAILURE() << "after " << recorded.size() / 2 << " frames: " << audio.status();
      break;
    }
    longest_pause = std::max(longest_pause, absl::Now() - last);
    last = absl::Now();
    lost_frames += audio->lost_frames;
    recorded.insert(recorded.end(), audio->samples.begin(), audio->samples.end());
    if (cut_at == absl::InfiniteFuture() &&
        static_cast<int64_t>(recorded.size()) >= 2 * kCutPosition) {
      cut_at = absl::Now();
      relay().SetCut(true);
      mender = std::thread([this] {
        absl::SleepFor(kCut);
        relay().SetCut(false);
      });
    }
  }
  if (mender.joinable()) mender.join();
  bridged_writer.join();
  starved_writer.join();
  ASSERT_FALSE(HasFailure());
  std::printf("cut for %s; the recording went on after %s\n", absl::FormatDuration(kCut).c_str(),
              absl::FormatDuration(longest_pause).c_str());

  EXPECT_EQ(lost_frames, 0);
  EXPECT_EQ(FirstDifference(Channel(recorded, 2, 0), bridged), -1);
  const auto bridged_report = (*with_bridge)->Wait(kLongEnough);
  ASSERT_TRUE(bridged_report.ok() && bridged_report->has_value()) << bridged_report.status();
  EXPECT_EQ((*bridged_report)->start_frame(), start_frame);
  EXPECT_EQ((*bridged_report)->gap_count(), 0);
  EXPECT_EQ((*bridged_report)->end_reason(), v1::END_REASON_COMPLETED);

  const auto starved_report = (*without)->Wait(kLongEnough);
  ASSERT_TRUE(starved_report.ok() && starved_report->has_value()) << starved_report.status();
  EXPECT_EQ((*starved_report)->end_reason(), v1::END_REASON_COMPLETED);
  SCOPED_TRACE((*starved_report)->ShortDebugString());
  std::vector<float> expected = starved;
  int64_t gap_frames = 0;
  for (const v1::Gap& gap : (*starved_report)->gaps()) {
    const int64_t begin = gap.frame() - start_frame;
    ASSERT_GE(begin, 0);
    ASSERT_LE(begin + gap.frames(), kSoundFrames);
    std::fill_n(expected.begin() + begin, gap.frames(), 0.0F);
    gap_frames += gap.frames();
  }
  EXPECT_EQ(gap_frames, (*starved_report)->gap_frames());
  // Its ring holds a second of the four.
  EXPECT_GE(gap_frames, 2 * kSecondFrames);
  EXPECT_EQ(FirstDifference(Channel(recorded, 2, 1), expected), -1);

  const auto events = ReadEvents(**client);
  ASSERT_TRUE(events.ok()) << events.status();
  for (const std::string& action_id :
       {(*record)->action_id(), (*with_bridge)->action_id(), (*without)->action_id()}) {
    const auto detached = EventsOf(*events, v1::EVENT_KIND_CALL_DETACHED, action_id);
    const auto reattached = EventsOf(*events, v1::EVENT_KIND_CALL_REATTACHED, action_id);
    EXPECT_GE(detached.size(), 1) << action_id;
    EXPECT_EQ(detached.size(), reattached.size()) << action_id;
  }
}

}  // namespace
}  // namespace rtmixd
