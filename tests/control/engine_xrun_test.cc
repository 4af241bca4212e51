// A server for hours on the virtual device that loses frames by a script: recordings run all the
// time, several at once, and what their reports say of xruns is compared with the script. All times
// are simulated.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "server/control/engine.h"
#include "tests/control/engine_rig.h"
#include "tests/device/stepped_virtual_device.h"

namespace rtmixd {
namespace {

constexpr int64_t kBlock = SteppedVirtualDevice::kBlockFrames;
constexpr int64_t kSecond = 48000;  // in frames
// A flag may come so long after what it tells of.
constexpr int64_t kMostFlagFrames = kSecond / 5;
constexpr int kXruns = 500;  // in each case

struct Case {
  std::string name;
  bool late;  // callbacks are, as on loaded machines
  bool late_flags;
};

struct Truth {
  int64_t frame;  // it was lost before this one
  int64_t lost_frames;
  XrunSide side;
  bool flagged;
  bool alone;  // no other within three seconds
};

class EngineXrunTest : public testing::TestWithParam<Case> {
 public:
  ~EngineXrunTest() override {
    watch_ = nullptr;
    engine_ = nullptr;
  }

 protected:
  EngineXrunTest() : random_(GetParam().late ? 5 : 6) {
    auto device = std::make_unique<SteppedVirtualDevice>(/*clock_error_ppm=*/50);
    device_ = device.get();
    Engine::Options options;
    options.limits.history = absl::Seconds(1);
    options.manual = true;
    options.enable_device_scripts = true;
    options.default_stream = StreamSettings();
    options.event_capacity = 1'000'000;
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
    spec.label = "recordings";
    spec.ttl = absl::Minutes(30);
    session_ = engine_->CreateSession(spec)->info.session_id;
    watch_ = *engine_->WatchActions(session_, /*include_present=*/false, [] {});
  }

  int64_t Uniform(int64_t least, int64_t most) {
    return std::uniform_int_distribution<int64_t>(least, most)(random_);
  }

  // Loses frames before the next block.
  void Lose(bool alone) {
    ScriptedFault fault;
    constexpr ScriptedFault::Kind kKinds[] = {ScriptedFault::Kind::kLoseInput,
                                              ScriptedFault::Kind::kLoseOutput,
                                              ScriptedFault::Kind::kLoseBoth};
    constexpr XrunSide kSides[] = {XrunSide::kInput, XrunSide::kOutput, XrunSide::kBoth};
    const int side = static_cast<int>(Uniform(0, 2));
    fault.kind = kKinds[side];
    fault.at_frame = device_->next_frame();
    // A quarter of them shorter than a block.
    fault.frames = Uniform(0, 3) == 0 ? Uniform(1, kBlock - 1) : Uniform(kBlock, 20 * kBlock);
    const bool flagged = Uniform(0, 1) == 0;
    const int64_t late_frames = flagged && GetParam().late_flags ? Uniform(0, kMostFlagFrames) : 0;
    fault.flagged = flagged && late_frames == 0;
    std::vector<ScriptedFault> script = {fault};
    if (late_frames > 0) {
      ScriptedFault flag;
      flag.kind = ScriptedFault::Kind::kSpuriousFlags;
      flag.at_frame = fault.at_frame + late_frames;
      if (side != 1) flag.host_flags |= kHostInputOverflow;
      if (side != 0) flag.host_flags |= kHostOutputUnderflow;
      script.push_back(flag);
    }
    const absl::Status loaded = engine_->LoadScript(session_, script);
    ASSERT_TRUE(loaded.ok()) << loaded;
    truth_.push_back({fault.at_frame, fault.frames, kSides[side], flagged, alone});
  }

  void Run(int64_t frames) {
    for (int64_t i = 0; i < frames / kBlock; ++i) {
      const double late_nanos =
          GetParam().late ? std::min(80e6, 100e3 * std::exp(1.76 * normal_(random_))) : 0;
      device_->Step(std::llround(late_nanos));
      if (++blocks_ % 8 != 0) continue;
      engine_->PumpOnce();
      if (blocks_ % 32 == 0) Record();
      if (blocks_ % 256 == 0) TakeReports();
    }
  }

  // From 10 ms to three seconds, sooner or later.
  void Record() {
    const int64_t frames = Uniform(480, Uniform(480, 3 * kSecond));
    engine_->Schedule(session_,
                      At(device_->next_frame() + Uniform(0, kSecond), {RecordNew("", frames, 0)}),
                      [](const absl::StatusOr<BatchAdmitted>& admitted) {
                        EXPECT_TRUE(admitted.ok()) << admitted.status();
                      });
  }

  void TakeReports() {
    while (true) {
      const auto reports = watch_->Read(1000);
      ASSERT_TRUE(reports.ok()) << reports.status();
      if (reports->empty()) return;
      for (const ActionReport& report : *reports) {
        if (report.state != ActionState::kEnded) continue;
        reports_.push_back(report);
        engine_->DeleteBuffer(session_, report.buffer_id).IgnoreError();
      }
    }
  }

  SteppedVirtualDevice* device_ = nullptr;
  std::mt19937 random_;
  std::normal_distribution<double> normal_;
  std::unique_ptr<Engine> engine_;
  std::string session_;
  std::unique_ptr<ActionWatch> watch_;
  int64_t blocks_ = 0;
  std::vector<Truth> truth_;
  std::vector<ActionReport> reports_;
};

TEST_P(EngineXrunTest, ScriptedXrunsAreFoundAndNoRecordingThatTheyTouchedSaysNo) {
  Run(10 * kSecond);
  while (static_cast<int>(truth_.size()) < kXruns) {
    // Every fifth time, another one soon.
    const bool pair = Uniform(0, 4) == 0;
    Lose(!pair);
    if (pair) {
      Run(Uniform(2 * kBlock, 3 * kSecond / 2));
      Lose(false);
    }
    Run(Uniform(3 * kSecond, 7 * kSecond));
  }
  Run(8 * kSecond);
  TakeReports();

  // What the log says of each.
  const std::vector<LogEntry> xruns = engine_->ReadEvents(0, {EventKind::kXrun}, 1'000'000).entries;
  int exact = 0;
  int long_and_alone = 0;
  int undetectable = 0;
  for (const Truth& truth : truth_) {
    SCOPED_TRACE(testing::Message() << truth.lost_frames << " frames before " << truth.frame
                                    << (truth.flagged ? ", flagged" : ""));
    const LogEntry* found = nullptr;
    for (const LogEntry& entry : xruns) {
      if (entry.xrun->earliest_frame <= truth.frame && truth.frame <= entry.xrun->latest_frame) {
        found = &entry;
      }
    }
    if (!truth.flagged && truth.lost_frames < kBlock && found == nullptr) {
      ++undetectable;
      EXPECT_LT(truth.lost_frames, 32);
      continue;
    }
    ASSERT_NE(found, nullptr);
    if (!truth.alone || (!truth.flagged && truth.lost_frames < kBlock)) continue;
    ++long_and_alone;
    EXPECT_EQ(found->xrun->lost_frames, truth.lost_frames);
    EXPECT_EQ(found->xrun->lost_frames_error, 0);
    EXPECT_EQ(found->xrun->flagged, truth.flagged);
    EXPECT_EQ(found->xrun->side, truth.flagged ? truth.side : XrunSide::kUnknown);
    if (found->xrun->frame == truth.frame) ++exact;
    if (!GetParam().late) {
      EXPECT_EQ(found->xrun->frame, truth.frame);
    }
  }
  EXPECT_GE(long_and_alone, kXruns / 2);
  // A callback that was as late as the loss is long hides the place, or a late flag does.
  EXPECT_GE(exact * 100, long_and_alone * (GetParam().late_flags ? 90 : 98));
  EXPECT_LE(undetectable, kXruns / 25);
  for (size_t i = 1; i < xruns.size(); ++i) {
    EXPECT_LT(xruns[i - 1].sequence, xruns[i].sequence);
  }

  // What each recording says.
  int touched = 0;
  int touched_yes = 0;
  int clean = 0;
  int clean_no = 0;
  for (const ActionReport& report : reports_) {
    const int64_t start = *report.start_frame;
    const int64_t end = *report.end_frame;
    int64_t longest = 0;  // of the losses that touched it
    bool flagged = false;
    for (const Truth& truth : truth_) {
      // What was lost before its first frame is not its own.
      if (truth.frame <= start || truth.frame >= end) continue;
      longest = std::max(longest, truth.lost_frames);
      flagged |= truth.flagged;
    }
    if (longest == 0) {
      ++clean;
      EXPECT_NE(report.touched, Touched::kYes) << start << " to " << end;
      if (report.touched == Touched::kNo) ++clean_no;
      continue;
    }
    ++touched;
    if (report.touched == Touched::kYes) ++touched_yes;
    if (report.touched == Touched::kNo) {
      EXPECT_LT(longest, report.shortest_detectable_loss_frames)
          << start << " to " << end << (flagged ? ", flagged" : "");
      EXPECT_FALSE(flagged) << start << " to " << end;
    }
  }
  RecordProperty("recordings", static_cast<int>(reports_.size()));
  RecordProperty("touched", touched);
  RecordProperty("touched_yes", touched_yes);
  RecordProperty("clean", clean);
  RecordProperty("clean_no", clean_no);
  EXPECT_GE(touched, 3 * kXruns);
  EXPECT_GE(touched_yes * 2, touched);
  EXPECT_GE(clean_no * 100, clean * 95);
}

INSTANTIATE_TEST_SUITE_P(All, EngineXrunTest,
                         testing::Values(Case{"ExactStamps", false, false},
                                         Case{"ExactStampsLateFlags", false, true},
                                         Case{"LateCallbacks", true, false},
                                         Case{"LateCallbacksLateFlags", true, true}),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace rtmixd
