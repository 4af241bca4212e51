#include "server/device/virtual_engine.h"

#include <cmath>
#include <cstdint>
#include <deque>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/device/audio_device.h"
#include "server/device/loopback_cable.h"
#include "server/realtime/audio_block.h"

namespace rtmixd {
namespace {

using Kind = ScriptedFault::Kind;
using ::testing::HasSubstr;

constexpr int64_t kStart = 5'000'000'000;

VirtualEngine::Config Config(int channels = 1) {
  VirtualEngine::Config config;
  config.input_channels = channels;
  config.output_channels = channels;
  config.routes = IdentityRoutes(channels);
  return config;
}

ScriptedFault Fault(Kind kind, int64_t at_frame) {
  ScriptedFault fault;
  fault.kind = kind;
  fault.at_frame = at_frame;
  return fault;
}

ScriptedFault Loss(Kind kind, int64_t at_frame, int64_t frames, bool flagged = true) {
  ScriptedFault fault = Fault(kind, at_frame);
  fault.frames = frames;
  fault.flagged = flagged;
  return fault;
}

ScriptedFault Timed(Kind kind, int64_t at_frame, int64_t nanos, int blocks = 1) {
  ScriptedFault fault = Fault(kind, at_frame);
  fault.nanos = nanos;
  fault.blocks = blocks;
  return fault;
}

// What a run of an engine brought. Every block is entered when it is due; every output channel
// sends frame + 1 in frame, so that what is heard tells where it was sent.
struct EngineRun {
  explicit EngineRun(const VirtualEngine::Config& config)
      : engine(config), heard(config.input_channels) {
    engine.set_start_nanos(kStart);
  }

  // Until `frames` frames are made or nothing is due any more.
  void Until(int64_t frames) {
    while (engine.next_frame() < frames) {
      const std::optional<int64_t> due_nanos = engine.NextDueNanos();
      if (!due_nanos.has_value()) return;
      due.push_back(*due_nanos);
      const AudioBlock block = engine.BeginBlock(*due_nanos);
      blocks.push_back(block);
      for (int k = 0; k < block.frames; ++k) {
        for (size_t c = 0; c < heard.size(); ++c) heard[c].push_back(block.input[c][k]);
        if (block.output != nullptr) {
          block.output[0][k] = static_cast<float>(engine.next_frame() + k + 1);
        }
      }
      engine.EndBlock();
    }
  }

  VirtualEngine engine;
  std::vector<int64_t> due;
  std::vector<AudioBlock> blocks;  // pointers are stale
  std::vector<std::vector<float>> heard;
};

float Sent(int64_t frame) { return frame < 0 ? 0.0F : static_cast<float>(frame + 1); }

TEST(VirtualEngineTest, LoopbackComesBackAfterBothLatencies) {
  EngineRun run(Config());
  run.Until(4096);
  for (int64_t f = 0; f < 4096; ++f) ASSERT_EQ(run.heard[0][f], Sent(f - 512)) << f;
}

TEST(VirtualEngineTest, CableDelayAndStatedLatenciesAddUp) {
  VirtualEngine::Config config = Config();
  config.block_frames = 64;
  config.input_latency_frames = 100;
  config.output_latency_frames = 0;
  config.routes = {{0, 0, 37, 1.0F}};
  EngineRun run(config);
  run.Until(1024);
  for (int64_t f = 0; f < 1024; ++f) ASSERT_EQ(run.heard[0][f], Sent(f - 137)) << f;
}

TEST(VirtualEngineTest, OneSidedStreamsRun) {
  VirtualEngine::Config config = Config();
  config.output_channels = 0;
  EngineRun in(config);
  in.Until(1024);
  EXPECT_EQ(in.blocks[0].output, nullptr);
  EXPECT_TRUE(std::isnan(in.blocks[0].host_output_seconds));
  EXPECT_EQ(in.heard[0], std::vector<float>(1024, 0.0F));
  config = Config();
  config.input_channels = 0;
  EngineRun out(config);
  out.Until(1024);
  EXPECT_EQ(out.blocks[0].input, nullptr);
  EXPECT_TRUE(std::isnan(out.blocks[0].host_input_seconds));
  EXPECT_EQ(out.blocks.size(), 4U);
}

TEST(VirtualEngineTest, DueTimesAreExactForEverAndFollowTheClockError) {
  for (const int ppm : {0, 100, -250}) {
    VirtualEngine::Config config = Config();
    config.sample_rate_hz = 44100;
    config.clock_error_ppm = ppm;
    EngineRun run(config);
    run.Until(256 * 2000);
    for (int64_t n = 0; n < 2000; ++n) {
      // In integers, rounded to the nearest: n * 256 frames at 44100 * (1e6 + ppm) per 1e6 seconds.
      const __int128 numerator = static_cast<__int128>(n) * 256 * 1'000'000 * 1'000'000'000;
      const __int128 denominator = static_cast<__int128>(44100) * (1'000'000 + ppm);
      const auto expected = static_cast<int64_t>((2 * numerator + denominator) / (2 * denominator));
      ASSERT_EQ(run.due[n] - kStart, expected) << n;
    }
  }
}

TEST(VirtualEngineTest, HostTimesRelateTheConvertersToTheCallback) {
  VirtualEngine::Config config = Config();
  config.clock_error_ppm = 1000;
  EngineRun run(config);
  run.Until(256 * 101);
  const AudioBlock& block = run.blocks[100];
  EXPECT_EQ(block.callback_nanos, run.due[100]);
  // The host's clock is the converters': nominal by its own count.
  EXPECT_NEAR(block.host_now_seconds, 1000 + 25600 / 48000.0, 2e-9);
  EXPECT_NEAR(block.host_input_seconds, 1000 + 25344 / 48000.0, 1e-12);
  EXPECT_NEAR(block.host_output_seconds, 1000 + 25856 / 48000.0, 1e-12);
}

// --- Losses: the numbers of the class comment ---

TEST(VirtualEngineTest, LostInputNeverArrivesAndTimeShowsTheHole) {
  EngineRun run(Config());
  ASSERT_TRUE(run.engine.LoadScript({Loss(Kind::kLoseInput, 1100, 64)}).ok());
  run.Until(4096);
  // Frame f of the output is in tick f + 256, frame g of the input in tick g - 256, or -192 from
  // 1024.
  for (int64_t g = 0; g < 4096; ++g) {
    ASSERT_EQ(run.heard[0][g], Sent(g < 1024 ? g - 512 : g - 448)) << g;
  }
  EXPECT_EQ(run.due[3] - kStart, 16'000'000);
  EXPECT_EQ(run.due[4] - kStart, 22'666'667);  // (1024 + 64) / 48000
  for (size_t n = 0; n < run.blocks.size(); ++n) {
    EXPECT_EQ(run.blocks[n].host_flags, n == 4 ? kHostInputOverflow : 0U) << n;
  }
  EXPECT_NEAR(run.blocks[4].host_input_seconds, 1000 + 832 / 48000.0, 1e-12);
  EXPECT_NEAR(run.blocks[4].host_output_seconds, 1000 + 1280 / 48000.0, 1e-12);
  const std::vector<DeviceIncident> incidents = run.engine.TakeIncidents();
  ASSERT_EQ(incidents.size(), 1U);
  EXPECT_EQ(incidents[0].kind, DeviceIncident::Kind::kInjected);
  EXPECT_EQ(incidents[0].frame, 1024);
  EXPECT_EQ(incidents[0].text, "lost 64 input frames, flagged");
}

TEST(VirtualEngineTest, LostOutputIsSilenceOnTheCableAndDelaysBothSides) {
  EngineRun run(Config());
  ASSERT_TRUE(run.engine.LoadScript({Loss(Kind::kLoseOutput, 1024, 64)}).ok());
  run.Until(4096);
  // Silence in ticks 1280 to 1343 is input frames 1536 to 1599.
  for (int64_t g = 0; g < 4096; ++g) {
    const float expected = g < 1536 ? Sent(g - 512) : g < 1600 ? 0.0F : Sent(g - 576);
    ASSERT_EQ(run.heard[0][g], expected) << g;
  }
  EXPECT_EQ(run.due[4] - kStart, 22'666'667);
  EXPECT_EQ(run.blocks[4].host_flags, kHostOutputUnderflow);
  EXPECT_NEAR(run.blocks[4].host_input_seconds, 1000 + 768 / 48000.0, 1e-12);
  EXPECT_NEAR(run.blocks[4].host_output_seconds, 1000 + 1344 / 48000.0, 1e-12);
}

TEST(VirtualEngineTest, LossOfBothLeavesASeamAndTheOldDelay) {
  EngineRun run(Config());
  ASSERT_TRUE(run.engine.LoadScript({Loss(Kind::kLoseBoth, 1024, 64)}).ok());
  run.Until(4096);
  for (int64_t g = 0; g < 4096; ++g) {
    const float expected = g < 1024   ? Sent(g - 512)
                           : g < 1472 ? Sent(g - 448)  // 64 frames were lost,
                           : g < 1536 ? 0.0F           // and then 64 frames of silence sounded
                                      : Sent(g - 512);
    ASSERT_EQ(run.heard[0][g], expected) << g;
  }
  EXPECT_EQ(run.blocks[4].host_flags, kHostInputOverflow | kHostOutputUnderflow);
}

TEST(VirtualEngineTest, LostInputBeyondTheOutputsBufferDrainsIt) {
  EngineRun run(Config());
  ASSERT_TRUE(run.engine.LoadScript({Loss(Kind::kLoseInput, 1024, 300)}).ok());
  run.Until(4096);
  // 256 frames were buffered for output: silence in the 44 ticks from 1280 on, and frame 1024
  // sounds at its callback, tick 1324. Frame 1024 of the input was captured in tick 1068.
  for (int64_t g = 1024; g < 4096; ++g) {
    const int64_t tick = g + 44;
    const float expected = tick < 1280 ? Sent(tick - 256) : tick < 1324 ? 0.0F : Sent(tick - 300);
    ASSERT_EQ(run.heard[0][g], expected) << g;
  }
  EXPECT_EQ(run.blocks[4].host_flags, kHostInputOverflow);
}

TEST(VirtualEngineTest, UnflaggedLossShowsInTimeOnly) {
  EngineRun run(Config());
  ASSERT_TRUE(run.engine.LoadScript({Loss(Kind::kLoseBoth, 1024, 256, /*flagged=*/false)}).ok());
  run.Until(4096);
  for (const AudioBlock& block : run.blocks) EXPECT_EQ(block.host_flags, 0U);
  EXPECT_EQ(run.due[4] - run.due[3], 10'666'667);
}

// The same device as two queues between the callback and converters that work tick by tick.
class QueueModel {
 public:
  explicit QueueModel(const VirtualEngine::Config& config)
      : to_converter_(config.output_latency_frames, 0.0F),
        from_converter_(config.input_latency_frames, 0.0F) {}

  void Lose(const ScriptedFault& fault) {
    if (fault.kind != Kind::kLoseInput) {
      to_converter_.insert(to_converter_.end(), fault.frames, 0.0F);
    }
    for (int64_t n = 0; n < fault.frames; ++n) Tick();
    // The queue is overwritten from its old end, so that the gap is before the next frame.
    if (fault.kind != Kind::kLoseOutput) {
      from_converter_.erase(from_converter_.begin(), from_converter_.begin() + fault.frames);
    }
  }

  void Block(int frames, int64_t first_frame) {
    for (int k = 0; k < frames; ++k) {
      heard.push_back(from_converter_.front());
      from_converter_.pop_front();
      to_converter_.push_back(Sent(first_frame + k));
    }
    for (int k = 0; k < frames; ++k) Tick();
  }

  std::vector<float> heard;
  int64_t ticks = 0;

 private:
  void Tick() {
    ++ticks;
    float sounding = 0;
    if (!to_converter_.empty()) {
      sounding = to_converter_.front();
      to_converter_.pop_front();
    }
    from_converter_.push_back(sounding);
  }

  std::deque<float> to_converter_;
  std::deque<float> from_converter_;
};

TEST(VirtualEngineTest, RandomLossesMatchAModelOfTwoQueues) {
  std::mt19937 random(11);
  const auto pick = [&](int low, int high) {
    return std::uniform_int_distribution<int>(low, high)(random);
  };
  for (int round = 0; round < 60; ++round) {
    VirtualEngine::Config config = Config();
    config.block_frames = pick(1, 300);
    config.input_latency_frames = config.block_frames + pick(0, 200);
    config.output_latency_frames = pick(0, 500);
    const int64_t frames = 40 * config.block_frames;
    std::vector<ScriptedFault> script;
    for (int n = pick(0, 12); n > 0; --n) {
      constexpr Kind kKinds[] = {Kind::kLoseInput, Kind::kLoseOutput, Kind::kLoseBoth};
      script.push_back(
          Loss(kKinds[pick(0, 2)], pick(0, static_cast<int>(frames) - 1), pick(1, 400)));
    }
    EngineRun run(config);
    ASSERT_TRUE(run.engine.LoadScript(script).ok());
    run.Until(frames);

    QueueModel model(config);
    std::vector<int64_t> ticks_at_callback;
    for (int64_t f = 0; f < frames; f += config.block_frames) {
      // In order of frame, and as loaded within one.
      for (int64_t at = f; at < f + config.block_frames; ++at) {
        for (const ScriptedFault& fault : script) {
          if (fault.at_frame == at) model.Lose(fault);
        }
      }
      ticks_at_callback.push_back(model.ticks);
      model.Block(config.block_frames, f);
    }
    for (int64_t g = 0; g < frames; ++g) {
      ASSERT_EQ(run.heard[0][g], model.heard[g]) << "round " << round << " frame " << g;
    }
    for (size_t n = 0; n < run.due.size(); ++n) {
      ASSERT_EQ(run.due[n] - kStart, std::llround(ticks_at_callback[n] * 1e9 / 48000)) << n;
    }
  }
}

// --- Other faults ---

TEST(VirtualEngineTest, ReplayedPeriodBringsTheBlockBeforeOnce) {
  EngineRun run(Config());
  ASSERT_TRUE(run.engine.LoadScript({Fault(Kind::kReplayPeriod, 1024)}).ok());
  run.Until(2048);
  for (int64_t g = 0; g < 2048; ++g) {
    const int64_t shown = g >= 1024 && g < 1280 ? g - 256 : g;
    ASSERT_EQ(run.heard[0][g], Sent(shown - 512)) << g;
  }
  EngineRun honest(Config());
  honest.Until(2048);
  EXPECT_EQ(run.due, honest.due);
}

TEST(VirtualEngineTest, StallIsCaughtUpWithNothingLost) {
  EngineRun run(Config());
  ASSERT_TRUE(run.engine.LoadScript({Timed(Kind::kStall, 1024, 20'000'000)}).ok());
  run.Until(4096);
  EngineRun honest(Config());
  honest.Until(4096);
  EXPECT_EQ(run.heard, honest.heard);
  const int64_t over = honest.due[4] + 20'000'000;
  for (size_t n = 0; n < run.due.size(); ++n) {
    EXPECT_EQ(run.due[n], n < 4 ? honest.due[n] : std::max(honest.due[n], over)) << n;
  }
  EXPECT_EQ(run.due[7], over);
  EXPECT_GT(run.due[8], over);
}

TEST(VirtualEngineTest, OffsetMovesAllTimesOfItsBlocksOnly) {
  EngineRun run(Config());
  ASSERT_TRUE(run.engine.LoadScript({Timed(Kind::kTimestampOffset, 512, -3'000'000, 2)}).ok());
  run.Until(2048);
  EngineRun honest(Config());
  honest.Until(2048);
  EXPECT_EQ(run.due, honest.due);
  for (size_t n = 0; n < run.blocks.size(); ++n) {
    const int64_t off_nanos = n == 2 || n == 3 ? -3'000'000 : 0;
    EXPECT_EQ(run.blocks[n].callback_nanos, honest.blocks[n].callback_nanos + off_nanos) << n;
    EXPECT_NEAR(run.blocks[n].host_now_seconds,
                honest.blocks[n].host_now_seconds + static_cast<double>(off_nanos) * 1e-9, 1e-12);
    EXPECT_NEAR(run.blocks[n].host_input_seconds,
                honest.blocks[n].host_input_seconds + static_cast<double>(off_nanos) * 1e-9, 1e-12);
  }
}

TEST(VirtualEngineTest, EqualZeroAndShiftedHostTimes) {
  EngineRun run(Config());
  ASSERT_TRUE(run.engine
                  .LoadScript({Timed(Kind::kTimestampEqual, 512, 0, 2),
                               Timed(Kind::kTimestampZero, 1280, 0, 1),
                               Timed(Kind::kTimestampEpoch, 1536, 89'477'000'000'000)})
                  .ok());
  run.Until(2048);
  EngineRun honest(Config());
  honest.Until(2048);
  for (size_t n = 0; n < run.blocks.size(); ++n) {
    const double expected = n == 2 || n == 3 ? honest.blocks[1].host_output_seconds
                            : n == 5         ? 0
                            : n >= 6         ? honest.blocks[n].host_output_seconds + 89'477
                                             : honest.blocks[n].host_output_seconds;
    EXPECT_NEAR(run.blocks[n].host_output_seconds, expected, 1e-9) << n;
    EXPECT_EQ(run.blocks[n].callback_nanos, honest.blocks[n].callback_nanos) << n;
  }
}

TEST(VirtualEngineTest, CallbacksStopForEverWithTheHealthRunning) {
  EngineRun run(Config());
  ASSERT_TRUE(run.engine.LoadScript({Fault(Kind::kCallbacksStop, 1025)}).ok());
  run.Until(4096);
  EXPECT_EQ(run.engine.next_frame(), 1024);
  EXPECT_EQ(run.engine.health(), AudioDevice::Health::kRunning);
}

TEST(VirtualEngineTest, DeadDeviceStopsTooAndSaysSo) {
  EngineRun run(Config());
  ASSERT_TRUE(run.engine.LoadScript({Fault(Kind::kDie, 0)}).ok());
  EXPECT_EQ(run.engine.health(), AudioDevice::Health::kRunning);
  run.Until(4096);
  EXPECT_EQ(run.engine.next_frame(), 0);
  EXPECT_EQ(run.engine.health(), AudioDevice::Health::kDead);
}

TEST(VirtualEngineTest, StopHangsFromItsFrameOn) {
  EngineRun run(Config());
  ASSERT_TRUE(run.engine.LoadScript({Timed(Kind::kStopHangs, 512, 7)}).ok());
  run.Until(512);
  EXPECT_EQ(run.engine.stop_hang_nanos(), 0);
  run.Until(768);
  EXPECT_EQ(run.engine.stop_hang_nanos(), 7);
}

TEST(VirtualEngineTest, SpuriousFlagsChangeNothingElse) {
  EngineRun run(Config());
  ScriptedFault fault = Fault(Kind::kSpuriousFlags, 600);
  fault.host_flags = kHostOutputOverflow | kHostPrimingOutput;
  ASSERT_TRUE(run.engine.LoadScript({fault}).ok());
  run.Until(2048);
  EngineRun honest(Config());
  honest.Until(2048);
  EXPECT_EQ(run.heard, honest.heard);
  EXPECT_EQ(run.due, honest.due);
  for (size_t n = 0; n < run.blocks.size(); ++n) {
    EXPECT_EQ(run.blocks[n].host_flags, n == 2 ? fault.host_flags : 0U) << n;
  }
}

// --- Loading ---

TEST(VirtualEngineTest, ScriptsLoadDuringARunUntilTheBlockWhoseDueTimeIsTold) {
  EngineRun run(Config());
  run.Until(512);
  ASSERT_TRUE(run.engine.NextDueNanos().has_value());
  EXPECT_EQ(run.engine.actable_frame(), 768);
  const absl::Status past = run.engine.LoadScript({Loss(Kind::kLoseBoth, 767, 1)});
  EXPECT_EQ(past.code(), absl::StatusCode::kOutOfRange);
  EXPECT_THAT(std::string(past.message()), HasSubstr("faults[0].at_frame is 767"));
  ASSERT_TRUE(run.engine.LoadScript({Loss(Kind::kLoseBoth, 768, 48)}).ok());
  run.Until(1024);
  EXPECT_EQ(run.due[3] - kStart, 17'000'000);
}

TEST(VirtualEngineTest, NonsenseIsRefusedWholly) {
  const auto with_flags = [](uint32_t host_flags) {
    ScriptedFault fault = Fault(Kind::kSpuriousFlags, 0);
    fault.host_flags = host_flags;
    return fault;
  };
  const std::vector<std::pair<ScriptedFault, std::string>> cases = {
      {Fault(Kind::kDie, -1), "faults[1].at_frame is -1, must be >= 0"},
      {Loss(Kind::kLoseInput, 0, 0), "faults[1].frames is 0, must be 1 to 1000000"},
      {Loss(Kind::kLoseBoth, 0, 1'000'001), "faults[1].frames is 1000001"},
      {Timed(Kind::kStall, 0, 0), "faults[1].nanos is 0"},
      {Timed(Kind::kStopHangs, 0, -5), "faults[1].nanos is -5"},
      {Timed(Kind::kTimestampOffset, 0, 0), "faults[1].nanos is 0"},
      {Timed(Kind::kTimestampEqual, 0, 1, 0), "faults[1].blocks is 0, must be >= 1"},
      {with_flags(0), "faults[1].host_flags is 0"},
      {with_flags(1U << 31), "faults[1].host_flags is 2147483648"},
      {Fault(static_cast<Kind>(99), 0), "faults[1].kind is 99"},
  };
  for (const auto& [fault, text] : cases) {
    EngineRun run(Config());
    const absl::Status status = run.engine.LoadScript({Fault(Kind::kDie, 0), fault});
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << text;
    EXPECT_THAT(std::string(status.message()), HasSubstr(text));
    run.Until(256);
    EXPECT_EQ(run.engine.next_frame(), 256) << "part of a refused script was loaded: " << text;
  }
  VirtualEngine::Config config = Config();
  config.input_channels = 0;
  VirtualEngine output_only(config);
  EXPECT_EQ(output_only.LoadScript({Loss(Kind::kLoseInput, 0, 1)}).code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(output_only.LoadScript({Fault(Kind::kReplayPeriod, 0)}).code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(output_only.LoadScript({Loss(Kind::kLoseOutput, 0, 1)}).ok());
}

}  // namespace
}  // namespace rtmixd
