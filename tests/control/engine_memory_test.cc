// What is over leaves no memory behind, however often it comes.

#include <malloc.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <variant>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "server/control/engine.h"
#include "tests/control/engine_rig.h"
#include "tests/device/stepped_device.h"

namespace rtmixd {
namespace {

constexpr int kRounds = 300;
// Lists that grow and shrink keep their room; less than 100 bytes a round.
constexpr int64_t kNoiseBytes = 100 * kRounds;

// In use, by malloc's own books. Sanitizers keep books of their own: this runs without.
int64_t HeapBytes() {
  const struct mallinfo2 info = mallinfo2();
  return static_cast<int64_t>(info.uordblks + info.hblkhd);
}

// An engine on a stepped device, where what is remembered on purpose is soon full.
class ForgetfulEngine {
 public:
  ForgetfulEngine() {
    SteppedDevice::Options device_options;
    device_options.block_frames = EngineRig::kBlockFrames;
    device_options.keep_sent = false;
    auto device = std::make_unique<SteppedDevice>(device_options);
    device_ = device.get();
    Engine::Options options;
    options.manual = true;
    options.event_capacity = 100;
    options.limits.max_kept_reports_per_session = 10;
    options.limits.history = absl::Milliseconds(100);
    options.default_stream = EngineRig::Settings();
    options.monotonic_nanos = [this] { return device_->now_nanos(); };
    auto engine = Engine::Create(std::move(options), std::move(device));
    EXPECT_TRUE(engine.ok()) << engine.status();
    engine_ = *std::move(engine);
    EXPECT_TRUE(engine_->Start().ok());
    SessionSpec spec;
    spec.ttl = absl::Minutes(30);
    const auto session = engine_->CreateSession(spec);
    EXPECT_TRUE(session.ok()) << session.status();
    session_ = session->info.session_id;
  }

  Engine& engine() { return *engine_; }
  const std::string& session() const { return session_; }

  void Run(int blocks) {
    for (int i = 0; i < blocks; ++i) {
      device_->Step(EngineRig::kBlockFrames);
      engine_->PumpOnce();
    }
  }

  BatchAdmitted Schedule(const BatchSpec& batch) {
    absl::StatusOr<BatchAdmitted> answer = absl::UnknownError("no answer");
    engine_->Schedule(session_, batch,
                      [&](const absl::StatusOr<BatchAdmitted>& admitted) { answer = admitted; });
    EXPECT_TRUE(answer.ok()) << answer.status();
    return answer.ok() ? *answer : BatchAdmitted();
  }

 private:
  SteppedDevice* device_ = nullptr;
  std::unique_ptr<Engine> engine_;
  std::string session_;
};

void ExpectNothingLeft(const std::function<void()>& round) {
  for (int i = 0; i < kRounds; ++i) round();
  const int64_t before = HeapBytes();
  for (int i = 0; i < kRounds; ++i) round();
  EXPECT_LE(HeapBytes(), before + kNoiseBytes);
}

// Both wait for the first audio, which would be their origin; the play ends before the recording.
TEST(EngineMemoryTest, DuplexesThatEndBeforeTheirFirstAudio) {
  ForgetfulEngine rig;
  PlayStreamSpec play;
  play.channels = 1;
  play.ring_frames = 1024;
  ExpectNothingLeft([&] {
    auto duplex = rig.engine().OpenDuplex(rig.session(), play, RecordStreamSpec(), false, [] {});
    ASSERT_TRUE(duplex.ok()) << duplex.status();
    duplex->play = nullptr;
    rig.Run(1);
    duplex->record = nullptr;
    rig.Run(1);
  });
}

// What they set for long after comes to nothing when they end.
TEST(EngineMemoryTest, MasterGainsOfExclusiveSessions) {
  ForgetfulEngine rig;
  ExpectNothingLeft([&] {
    SessionSpec spec;
    spec.exclusive = true;
    spec.ttl = absl::Minutes(30);
    const auto session = rig.engine().CreateSession(spec);
    ASSERT_TRUE(session.ok()) << session.status();
    rig.Run(1);
    for (int i = 0; i < 4; ++i) {
      const auto set = rig.engine().SetMasterGain(session->info.session_id,
                                                  {.gain = 0.5f, .fade = {}}, int64_t{1} << 50);
      ASSERT_TRUE(set.ok()) << set.status();
    }
    ASSERT_TRUE(rig.engine().EndSession(session->info.session_id).ok());
    rig.Run(2);
  });
}

TEST(EngineMemoryTest, CancelledLongBeforeTheirTime) {
  ForgetfulEngine rig;
  ExpectNothingLeft([&] {
    ActionSpec stats;
    stats.what = StatsSpec();
    const BatchAdmitted admitted =
        rig.Schedule(At(int64_t{1} << 50, {PlayInline("play", 1, 1, 100, 0), RecordNew("", 100, 0),
                                           CancelKey("cancel", "play", 50), stats}));
    ASSERT_TRUE(rig.engine().CancelActions(rig.session(), {}, /*all=*/true, std::nullopt, {}).ok());
    rig.Run(2);
    ASSERT_TRUE(rig.engine().DeleteBuffer(rig.session(), admitted.actions.at(1).buffer_id).ok());
  });
}

TEST(EngineMemoryTest, ClippedBlocks) {
  ForgetfulEngine rig;
  ActionSpec loud = PlayInline("loud", 1, 1, 100, 0);
  std::get<PlaySpec>(loud.what).gain = 100;
  std::get<PlaySpec>(loud.what).loop.emplace();
  rig.Schedule(At(100, {std::move(loud)}));
  ExpectNothingLeft([&] { rig.Run(10); });
  EXPECT_GT(rig.engine().GetStats(rig.session(), false)->clipped_samples[0], 2 * kRounds);
}

}  // namespace
}  // namespace rtmixd
