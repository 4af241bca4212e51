// The engine with its threads, on a virtual device in real time, used by many at once: for the
// thread sanitizer as much as for what it asserts.

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "server/control/engine.h"
#include "server/device/virtual_device.h"
#include "tests/control/engine_rig.h"
#include "tests/device/stepped_device.h"

namespace rtmixd {
namespace {

// What a callback brings, waited for.
template <typename T>
class Awaited {
 public:
  void Set(T value) {
    const std::lock_guard<std::mutex> lock(mutex_);
    value_ = std::move(value);
    changed_.notify_all();
  }
  T Get() {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [this] { return value_.has_value(); });
    return *value_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<T> value_;
};

// A wake that may come many times.
class Bell {
 public:
  void Ring() {
    const std::lock_guard<std::mutex> lock(mutex_);
    rung_ = true;
    changed_.notify_all();
  }
  void Wait() {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [this] { return rung_; });
    rung_ = false;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool rung_ = false;
};

std::unique_ptr<Engine> MakeEngine() {
  auto device = VirtualDevice::Create({});
  EXPECT_TRUE(device.ok()) << device.status();
  Engine::Options options;
  options.limits.max_actions = 1000;
  options.default_stream = StreamSettings();
  options.default_stream->input.channels = 8;
  options.default_stream->output.channels = 8;
  auto engine = Engine::Create(std::move(options), *std::move(device));
  EXPECT_TRUE(engine.ok()) << engine.status();
  EXPECT_TRUE((*engine)->Start().ok());
  return *std::move(engine);
}

std::string NewSession(Engine* engine) {
  SessionSpec spec;
  spec.label = "threads";
  spec.ttl = absl::Minutes(10);
  return engine->CreateSession(spec)->info.session_id;
}

// Plays and records back on one channel, and compares every sample.
void PlayAndRecord(Engine* engine, int channel) {
  const std::string session = NewSession(engine);
  for (int round = 0; round < 3; ++round) {
    ActionSpec play = PlayInline("p", channel + round, 1, 700, 100);
    std::get<PlaySpec>(play.what).channel_map = std::vector<int>{channel + 1};
    ActionSpec record = RecordNew("r", 900, 0);
    std::get<RecordSpec>(record.what).channel_map = std::vector<int>{channel + 1};
    BatchSpec batch = NowBatch({play, record});
    batch.align_at_converters = true;
    Awaited<absl::StatusOr<BatchAdmitted>> admitted;
    engine->Schedule(session, batch, [&](absl::StatusOr<BatchAdmitted> answer) {
      admitted.Set(std::move(answer));
    });
    const absl::StatusOr<BatchAdmitted> answer = admitted.Get();
    ASSERT_TRUE(answer.ok()) << answer.status();
    Awaited<absl::StatusOr<Engine::WaitAnswer>> ended;
    engine->WaitActions(session, {}, false, /*until_done=*/false, absl::Minutes(2),
                        [&](absl::StatusOr<Engine::WaitAnswer> got) { ended.Set(std::move(got)); });
    ASSERT_EQ(ended.Get()->ended.size(), 2u);
    auto reader = engine->OpenDownload(session, answer->actions[1].buffer_id, [] {});
    ASSERT_TRUE(reader.ok());
    std::string bytes;
    ASSERT_EQ((*reader)->Read(0, 900, SampleFormat::kFloat32, &bytes), 900);
    const std::vector<float> samples = Floats(bytes);
    for (int f = 0; f < 900; ++f) {
      const bool sounds = f >= 100 && f < 800;
      ASSERT_EQ(samples[f], sounds ? TestSample(channel + round, 0, f - 100) : 0.0f)
          << channel << " " << round << " " << f;
    }
  }
  EXPECT_TRUE(engine->EndSession(session).ok());
}

void StreamBothWays(Engine* engine, int channel) {
  const std::string session = NewSession(engine);
  constexpr int64_t kFrames = 10000;
  PlayStreamSpec play;
  play.channels = 1;
  play.channel_map = std::vector<int>{channel + 1};
  play.ring_frames = 4096;
  play.prebuffer_frames = 2048;
  RecordStreamSpec record;
  record.channel_map = std::vector<int>{channel + 1};
  record.granted_position = 1 << 30;
  Bell bell;
  auto duplex = engine->OpenDuplex(session, play, record, true, [&] { bell.Ring(); });
  ASSERT_TRUE(duplex.ok()) << duplex.status();
  std::vector<float> recorded;
  int64_t sent = 0;
  bool stopped = false;
  while (true) {
    const PlayStreamProgress progress = duplex->play->Progress();
    const int64_t room = std::min<int64_t>(progress.granted_position - sent, kFrames - sent);
    if (room > 0) {
      ASSERT_TRUE(duplex->play->Push(sent, TestBytes(channel, 1, sent, room)).ok());
      sent += room;
      if (sent == kFrames) {
        ASSERT_TRUE(duplex->play->EndOfSound().ok());
      }
    }
    RecordStream::Item item = duplex->record->Read();
    if (const auto* chunk = std::get_if<RecordStream::Chunk>(&item)) {
      const std::vector<float> samples = Floats(chunk->bytes);
      recorded.insert(recorded.end(), samples.begin(), samples.end());
      continue;
    }
    ASSERT_FALSE(std::holds_alternative<GapInfo>(item));
    if (std::holds_alternative<RecordStream::Ended>(item)) break;
    if (!stopped && duplex->play->FinalReport().has_value()) {
      stopped = true;
      ASSERT_TRUE(duplex->record->Stop(std::nullopt).ok());
      continue;
    }
    bell.Wait();
  }
  const ActionReport report = *duplex->play->FinalReport();
  EXPECT_EQ(report.done_frames, kFrames);
  // Where the machine stalled, silence was inserted: what sounded is the sound, in order.
  int64_t position = 0;
  for (const float sample : recorded) {
    if (position < kFrames && sample == TestSample(channel, 0, position)) {
      ++position;
    } else {
      ASSERT_EQ(sample, 0.0f) << position;
    }
  }
  EXPECT_EQ(position, kFrames);
}

TEST(EngineThreadsTest, ManyClientsAtOnce) {
  const std::unique_ptr<Engine> engine = MakeEngine();
  std::atomic<bool> done{false};
  std::atomic<int> events{0};
  const auto watch = engine->Watch([&] { ++events; });
  ASSERT_TRUE(watch.ok());
  std::vector<std::thread> clients;
  for (int i = 0; i < 3; ++i) {
    clients.emplace_back([&, i] { PlayAndRecord(engine.get(), i); });
    clients.emplace_back([&, i] { StreamBothWays(engine.get(), 3 + i); });
  }
  std::thread onlooker([&] {
    const std::string session = NewSession(engine.get());
    int64_t cursor = 0;
    // On a channel that nobody else listens to.
    ActionSpec noise = PlayInline("", 1, 1, 1 << 14, 0);
    std::get<PlaySpec>(noise.what).channel_map = std::vector<int>{8};
    while (!done) {
      engine->ReadClock();
      engine->ReadMeters(&cursor);
      engine->GetStats(session, true).IgnoreError();
      engine->ListSessions();
      engine->ReadEvents(0, {}, 100);
      engine->Schedule(session, NowBatch({noise}), [](const absl::StatusOr<BatchAdmitted>&) {});
      engine->CancelActions(session, {}, true, std::nullopt, {}).IgnoreError();
    }
  });
  for (std::thread& client : clients) client.join();
  done = true;
  onlooker.join();
  engine->Unwatch(*watch);
  EXPECT_GT(events, 0);
}

TEST(EngineThreadsTest, AHungStopIsGivenUpAndTheStreamComesBack) {
  auto owned = std::make_unique<SteppedDevice>(EngineRig::DefaultOptions().device);
  SteppedDevice* const device = owned.get();
  Engine::Options options;
  options.limits.max_actions = 100;
  options.default_stream = EngineRig::Settings();
  auto engine = Engine::Create(std::move(options), std::move(owned));
  ASSERT_TRUE(engine.ok());
  ASSERT_TRUE((*engine)->Start().ok());
  const std::string session = NewSession(engine->get());
  device->HangStops();
  Awaited<absl::Status> stopped;
  (*engine)->StopStream(session, false, [&](const absl::StatusOr<StreamStatus>& answer) {
    stopped.Set(answer.status());
  });
  const absl::Status status = stopped.Get();
  EXPECT_EQ(ReasonOf(status), ErrorReason::kDeviceError) << status;
  Awaited<bool> recovered;
  const auto look = [&] {
    if (!(*engine)->ReadEvents(0, {EventKind::kDeviceRecovered}, 10).entries.empty()) {
      recovered.Set(true);
    }
  };
  const auto watch = (*engine)->Watch(look);
  look();
  EXPECT_TRUE(recovered.Get());
  (*engine)->Unwatch(*watch);
  device->ReleaseStops();
}

}  // namespace
}  // namespace rtmixd
