// Where the device hands out a period of input again, and neither its time nor a flag tells, no
// recording that holds it says that nothing touched it. On the virtual device, by its script.

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "server/control/engine.h"
#include "tests/control/engine_rig.h"
#include "tests/device/stepped_virtual_device.h"

namespace rtmixd {
namespace {

constexpr int64_t kBlock = SteppedVirtualDevice::kBlockFrames;
constexpr int64_t kBlocksPerSecond = 48000 / kBlock;

class EngineRepeatTest : public testing::Test {
 protected:
  EngineRepeatTest() {
    // What is sent comes back.
    auto device = std::make_unique<SteppedVirtualDevice>(/*clock_error_ppm=*/0, IdentityRoutes(1));
    device_ = device.get();
    Engine::Options options;
    options.manual = true;
    options.enable_device_scripts = true;
    options.default_stream = StreamSettings();
    options.monotonic_nanos = [this] { return device_->now_nanos(); };
    options.wall_time = [this] {
      return absl::UnixEpoch() + absl::Nanoseconds(device_->now_nanos());
    };
    auto engine = Engine::Create(std::move(options), std::move(device));
    EXPECT_TRUE(engine.ok()) << engine.status();
    engine_ = *std::move(engine);
    const absl::Status started = engine_->Start();
    EXPECT_TRUE(started.ok()) << started;
    SessionSpec spec;
    spec.label = "test";
    spec.ttl = absl::Minutes(30);
    session_ = engine_->CreateSession(spec)->info.session_id;
  }

  void Run(int64_t blocks) {
    for (int64_t i = 0; i < blocks; ++i) {
      device_->Step(0);
      engine_->PumpOnce();
    }
  }
  std::vector<std::string> Schedule(const BatchSpec& batch) {
    std::vector<std::string> ids;
    engine_->Schedule(session_, batch, [&](const absl::StatusOr<BatchAdmitted>& admitted) {
      ASSERT_TRUE(admitted.ok()) << admitted.status();
      for (const ScheduledAction& action : admitted->actions) ids.push_back(action.action_id);
    });
    return ids;
  }
  Touched TouchedOf(const std::string& id) { return engine_->GetAction(session_, id)->touched; }

  SteppedVirtualDevice* device_ = nullptr;
  std::unique_ptr<Engine> engine_;
  std::string session_;
};

TEST_F(EngineRepeatTest, NoRecordingOfAReplayedPeriodSaysNo) {
  Run(4 * kBlocksPerSecond);
  const int64_t begin = device_->next_frame() + kBlock;
  const int64_t replayed = begin + 40 * kBlock;  // this block's input is that of the one before
  ScriptedFault fault;
  fault.kind = ScriptedFault::Kind::kReplayPeriod;
  fault.at_frame = replayed;
  ASSERT_TRUE(engine_->LoadScript(session_, {fault}).ok());
  RecordSpec of_outputs;
  of_outputs.frames = 80 * kBlock;
  of_outputs.source = RecordSource::kOutput;
  ActionSpec outputs = RecordNew("outputs", 1, 0);
  outputs.what = of_outputs;
  const std::vector<std::string> ids = Schedule(
      At(begin,
         {PlayInline("play", 1, 1, 100 * kBlock, 0), RecordNew("all", 80 * kBlock, 0),
          RecordNew("first", 40 * kBlock + 1, 0), RecordNew("last", kBlock, 41 * kBlock - 1),
          RecordNew("before", 40 * kBlock, 0), RecordNew("after", kBlock, 41 * kBlock), outputs}));
  ASSERT_EQ(ids.size(), 7U);
  Run(6 * kBlocksPerSecond);
  for (const std::string& id : ids) {
    ASSERT_EQ(engine_->GetAction(session_, id)->state, ActionState::kEnded);
  }
  EXPECT_EQ(TouchedOf(ids[0]), Touched::kNo);  // what was played is not touched
  EXPECT_EQ(TouchedOf(ids[1]), Touched::kCannotTell);
  EXPECT_EQ(TouchedOf(ids[2]), Touched::kCannotTell);
  EXPECT_EQ(TouchedOf(ids[3]), Touched::kCannotTell);
  EXPECT_EQ(TouchedOf(ids[4]), Touched::kNo);
  EXPECT_EQ(TouchedOf(ids[5]), Touched::kNo);
  EXPECT_EQ(TouchedOf(ids[6]), Touched::kNo);
  const std::vector<LogEntry> notes = engine_->ReadEvents(0, {EventKind::kNote}, 1000).entries;
  ASSERT_EQ(notes.size(), 1U);
  EXPECT_EQ(notes[0].frame, replayed);
}

TEST_F(EngineRepeatTest, SilenceIsNoDoubt) {
  Run(4 * kBlocksPerSecond);
  const std::vector<std::string> ids =
      Schedule(At(device_->next_frame() + kBlock, {RecordNew("r", 40 * kBlock, 0)}));
  Run(4 * kBlocksPerSecond);
  EXPECT_EQ(TouchedOf(ids.at(0)), Touched::kNo);
}

}  // namespace
}  // namespace rtmixd
