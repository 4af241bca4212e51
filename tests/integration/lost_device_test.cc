// The device of a running server dies again and again, at random moments of a fixed seed: a JACK
// server that is killed, frozen, or both, reached through PortAudio, and the virtual device by a
// script. What must be true of each death is DeviceDeathTest's.
//
// A dead JACK server costs memory, since the copy of PortAudio that talked to it can be neither
// stopped nor unloaded. The growth per death is measured after the first two and bounded.
//
// --deaths=N makes it die N times instead of a few.

#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "client_cpp/action.h"
#include "client_cpp/audio.h"
#include "client_cpp/buffer.h"
#include "client_cpp/duration.h"
#include "gtest/gtest.h"
#include "tests/device/jack_server.h"
#include "tests/integration/device_death.h"
#include "tests/integration/recordings.h"
#include "tests/integration/server_process.h"
#include "tests/support/dice.h"

namespace rtmixd {
namespace {

// A copy of PortAudio, its JACK client and its threads; measured were some 0.3 MiB.
constexpr double kMaxKibPerDeath = 1024;
// What a JACK server of 2048 ports shares with its clients. It stays mapped if the server dies
// again while the client that it left behind when it was frozen is given back.
constexpr double kMaxSharedKibPerFrozenDeath = 112 * 1024;
constexpr int kWarmUpDeaths = 2;

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

using LostDeviceTest = DeviceDeathTest;

TEST_F(LostDeviceTest, JackServerThatDiesAgainAndAgain) {
  JackServer jack(256);
  ASSERT_TRUE(jack.Start()) << "jackd does not start";
  ASSERT_NO_FATAL_FAILURE(StartServer({"--device", "portaudio", "--input-device", "jack/loopback",
                                       "--output-device", "jack/loopback"}));
  const pid_t pid = server_->process().pid();
  int64_t warm_kib = 0;
  int64_t warm_shared_kib = 0;
  ASSERT_NO_FATAL_FAILURE(ExpectSurvivals(jack, [&](int death) {
    if (death == kWarmUpDeaths) {
      warm_kib = StatusOf(pid, "RssAnon");
      warm_shared_kib = StatusOf(pid, "RssShmem");
    }
    if (death % 10 == 0 || death == DeathsWanted()) {
      std::printf("%d deaths, %d of them frozen: %ld KiB of its own, %ld KiB shared, %ld threads\n",
                  death, frozen_deaths(), static_cast<long>(StatusOf(pid, "RssAnon")),
                  static_cast<long>(StatusOf(pid, "RssShmem")),
                  static_cast<long>(StatusOf(pid, "Threads")));
      std::fflush(stdout);
    }
  }));
  const double kib_per_death = static_cast<double>(StatusOf(pid, "RssAnon") - warm_kib) /
                               std::max(1, DeathsWanted() - kWarmUpDeaths);
  PrintSummary();
  std::printf("%.0f KiB per death\n", kib_per_death);
  EXPECT_LE(kib_per_death, kMaxKibPerDeath);
  EXPECT_LE(static_cast<double>(StatusOf(pid, "RssShmem") - warm_shared_kib),
            kMaxSharedKibPerFrozenDeath * (1 + frozen_deaths()));
  ExpectGracefulEnd();
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

  for (int death = 1; death <= DeathsWanted(); ++death) {
    SCOPED_TRACE(death);
    const int64_t now_frame = NextFrame();
    const absl::Time now = absl::Now();
    // Far enough ahead for a machine that stalls.
    const int64_t ahead_frames = kSecondFrames / 2 + dice_.Between(0, kSecondFrames / 4);
    const auto late = ScheduleLate(now_frame + ahead_frames + kSecondFrames / 20);
    v1::LoadScriptRequest script;
    v1::Fault& fault = *script.add_faults();
    // As each kind of host: says that it is gone or falls silent, and is closed or hangs.
    fault.set_kind(death % 2 == 0 ? v1::FAULT_KIND_DIE : v1::FAULT_KIND_CALLBACKS_STOP);
    fault.set_frame(now_frame + ahead_frames);
    if (death % 4 < 2) {
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
    const absl::Time died_at =
        now + absl::Seconds(static_cast<double>(ahead_frames) / kSecondFrames);
    ASSERT_NO_FATAL_FAILURE(ExpectRecovery(died_at, died_at, late));
  }
  PrintSummary();

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
  ASSERT_EQ(ended->gaps_size(), DeathsWanted());
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

int main(int argc, char** argv) { return rtmixd::RunDeviceDeathTests(argc, argv, 4); }
