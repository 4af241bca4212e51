// A device that is lost sixty times, at random moments of a fixed seed and in each of the
// ways in which devices go, and is away for as long as it likes. The clock is simulated, so that
// all is known exactly: when a loss must be noticed, when the device must be asked for again, how
// long the gap was, and every sample that is sent and recorded around it.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "tests/control/engine_rig.h"
#include "tests/device/stepped_device.h"
#include "tests/support/dice.h"

namespace rtmixd {
namespace {

constexpr int kLosses = 60;
constexpr absl::Duration kLook = absl::Milliseconds(10);  // between looks of the engine
constexpr absl::Duration kMaxSilence = absl::Milliseconds(500);
constexpr absl::Duration kFirstPause = absl::Milliseconds(100);
constexpr absl::Duration kLongestPause = absl::Seconds(5);
constexpr int kHeld = 1;  // the sound that plays while the device is lost
constexpr int kLate = 2;  // what is to start around it
constexpr int64_t kHeldFrames = 6000;
constexpr int64_t kLateFrames = 700;
constexpr int kChannel = 0;  // the output that plays, and the input that is recorded

enum class Loss { kDies, kFallsSilent, kStops };

float InputSample(int channel, int64_t frame) { return TestSample(7, channel, frame); }

class EngineLostDeviceTest : public testing::Test {
 protected:
  EngineLostDeviceTest() : session_(rig_.Session()) { rig_.device().SetInput(InputSample); }

  // Some blocks of random lengths.
  void Play(int64_t blocks) {
    for (int64_t i = 0; i < blocks; ++i) {
      rig_.Run(1, static_cast<int>(dice_.Between(1, EngineRig::kBlockFrames)));
    }
  }

  // What the log tells of the device since it was last asked: one entry at the most. Nothing: no
  // entry.
  std::optional<LogEntry> Told() {
    const EventPage page = rig_.engine().ReadEvents(
        next_sequence_, {EventKind::kDeviceLost, EventKind::kDeviceRecovered, EventKind::kNote},
        1000);
    next_sequence_ = page.next_sequence;
    EXPECT_LE(page.entries.size(), 1U);
    return page.entries.empty() ? std::nullopt : std::optional(page.entries.back());
  }
  // Lets the engine look until the log tells something. It has to come that long after `since`.
  LogEntry AwaitTold(absl::Time since, absl::Duration after) {
    std::optional<LogEntry> told;
    while (!told.has_value()) {
      rig_.Wait(kLook);
      told = Told();
    }
    EXPECT_GE(told->time - since, after);
    EXPECT_LE(told->time - since, after + kLook);
    return *told;
  }

  // Loses the device, and lets it come back after so many attempts to open it, and perhaps one to
  // start it, that fail.
  void LoseDevice(Loss loss, int64_t failed_opens, bool start_fails) {
    EXPECT_FALSE(Told().has_value());
    died_frame_ = rig_.next_frame();
    const absl::Time died_at = rig_.wall_now();
    if (loss == Loss::kDies) rig_.device().Die();
    if (loss == Loss::kStops) {
      ASSERT_TRUE(rig_.device().Stop().ok());
    }
    LogEntry entry =
        AwaitTold(died_at, loss == Loss::kFallsSilent ? kMaxSilence : absl::ZeroDuration());
    EXPECT_EQ(entry.kind, EventKind::kDeviceLost);
    EXPECT_EQ(entry.frame, died_frame_);

    absl::Duration pause = kFirstPause;
    const int64_t failures = failed_opens + (start_fails ? 1 : 0);
    for (int64_t failure = 0; failure < failures; ++failure) {
      const absl::Status unplugged = absl::UnavailableError("unplugged");
      if (failure < failed_opens) {
        rig_.device().FailNextOpen(unplugged);
      } else {
        rig_.device().FailNextStart(unplugged);
      }
      entry = AwaitTold(entry.time, pause);
      EXPECT_EQ(entry.kind, EventKind::kNote);
      EXPECT_EQ(entry.text, "the device is not back yet: unplugged");
      pause = std::min(2 * pause, kLongestPause);
    }
    entry = AwaitTold(entry.time, pause);
    ASSERT_EQ(entry.kind, EventKind::kDeviceRecovered);
    back_frame_ = *entry.frame;
    EXPECT_EQ(entry.frames, back_frame_ - died_frame_);
    // The frames of that time, from the end of the last block on.
    EXPECT_EQ(entry.frames, std::llround(absl::ToDoubleSeconds(entry.time - died_at) * 48000));
  }

  // The sample of a sound that begins at `begin` and stands still while the device is away.
  float Heard(int sound, int64_t sound_frames, int64_t begin, int64_t frame) const {
    if (begin < died_frame_ && frame >= back_frame_) frame -= back_frame_ - died_frame_;
    const int64_t position = frame - begin;
    return position >= 0 && position < sound_frames ? TestSample(sound, 0, position) : 0.0F;
  }
  // Whether that passed while the device was away.
  bool Missed(int64_t frame) const { return frame >= died_frame_ && frame < back_frame_; }
  // What has to be sent in a frame.
  float Sent(int64_t frame) const {
    const float held = Heard(kHeld, kHeldFrames, Missed(held_at_) ? back_frame_ : held_at_, frame);
    if (!Missed(late_at_)) return held + 3 * Heard(kLate, kLateFrames, late_at_, frame);
    if (frame < back_frame_) return held;
    const int64_t trimmed = frame - late_at_;
    return held + Heard(kLate, kLateFrames, back_frame_, frame) +
           (trimmed < kLateFrames ? TestSample(kLate, 0, trimmed) : 0.0F);
  }
  // What has to come in at the input to which that output is cabled.
  float Input(int64_t frame) const {
    const int64_t base_frame = frame < died_frame_ ? device_base_frame_ : back_frame_;
    const int64_t sent_frame = frame - EngineRig::kCableFrames;
    float sample = InputSample(kChannel, frame - base_frame);
    if (sent_frame >= base_frame) {
      sample += frame < died_frame_ ? sent_before_.at(sent_frame - base_frame) : Sent(sent_frame);
    }
    return sample;
  }

  void ExpectSent() {
    for (int64_t frame = held_at_; frame < died_frame_; ++frame) {
      ASSERT_EQ(sent_before_.at(frame - device_base_frame_), Sent(frame)) << frame;
    }
    const std::vector<float> sent = rig_.device().sent(kChannel);
    for (int64_t frame = back_frame_; frame < rig_.next_frame(); ++frame) {
      ASSERT_EQ(sent.at(frame - back_frame_), Sent(frame)) << frame;
    }
  }

  void ExpectRecorded(const ActionReport& report, const std::vector<float>& recorded) {
    const int64_t begin = *report.start_frame;
    EXPECT_EQ(begin, *report.requested_start_frame);
    ASSERT_EQ(static_cast<int64_t>(recorded.size()), report.done_frames);
    const auto at = [&](int64_t frame) { return recorded.begin() + (frame - begin); };
    ASSERT_EQ(report.gaps.size(), 1U);
    EXPECT_EQ(report.gaps[0].frame, died_frame_);
    EXPECT_EQ(report.gaps[0].frames, back_frame_ - died_frame_);
    EXPECT_TRUE(std::all_of(at(died_frame_), at(back_frame_), [](float s) { return s == 0; }));
    for (int64_t frame = begin; frame < begin + report.done_frames; ++frame) {
      if (frame == died_frame_) frame = back_frame_;
      ASSERT_EQ(*at(frame), Input(frame)) << frame;
    }
  }

  Dice dice_{6};
  EngineRig rig_;
  std::string session_;
  int64_t next_sequence_ = 1;
  // Of this loss:
  int64_t device_base_frame_ = 0;  // the device counts its frames from here, before it
  std::vector<float> sent_before_;
  int64_t held_at_ = 0;
  int64_t late_at_ = 0;
  int64_t died_frame_ = 0;
  int64_t back_frame_ = 0;
};

TEST_F(EngineLostDeviceTest, EveryLossIsAGapOfItsLengthAndEverySampleAroundItIsRight) {
  int late_ones = 0;
  for (int loss = 0; loss < kLosses; ++loss) {
    SCOPED_TRACE(loss);
    device_base_frame_ = rig_.next_frame() - rig_.device().frames_stepped();
    held_at_ = rig_.next_frame() + dice_.Between(1, 200);
    late_at_ = held_at_ + dice_.Between(0, 25000);
    std::vector<ActionSpec> actions = {PlayInline("", kHeld, 1, kHeldFrames, 0)};
    for (const LatePolicy policy : {LatePolicy::kPlay, LatePolicy::kSkip, LatePolicy::kTrim}) {
      actions.push_back(PlayInline("", kLate, 1, kLateFrames, late_at_ - held_at_));
      actions.back().late_policy = policy;
    }
    ActionSpec record = RecordNew("", std::nullopt, 0);
    std::get<RecordSpec>(record.what).channel_map = std::vector<int>{kChannel + 1};
    const auto recording = rig_.ScheduleNow(session_, At(rig_.next_frame(), {record}));
    const auto admitted = rig_.ScheduleNow(session_, At(held_at_, actions));
    ASSERT_TRUE(recording.ok()) << recording.status();
    ASSERT_TRUE(admitted.ok()) << admitted.status();
    Play(dice_.Between(1, 250));
    sent_before_ = rig_.device().sent(kChannel);

    const int64_t failed_opens = dice_.OneIn(20) ? 8 : dice_.OneIn(3) ? dice_.Between(1, 4) : 0;
    ASSERT_NO_FATAL_FAILURE(LoseDevice(dice_.OneOf({Loss::kDies, Loss::kFallsSilent, Loss::kStops}),
                                       failed_opens, /*start_fails=*/dice_.OneIn(4)));
    const int64_t last_start = std::max({held_at_, late_at_, back_frame_});
    while (rig_.next_frame() < last_start + kHeldFrames) Play(100);
    ASSERT_NO_FATAL_FAILURE(ExpectSent());
    late_ones += Missed(late_at_) ? 1 : 0;
    for (const int i : {1, 2, 3}) {
      const ActionReport report = rig_.Report(session_, admitted->actions[i].action_id);
      EXPECT_EQ(report.late_frames, Missed(late_at_) ? back_frame_ - late_at_ : 0);
      EXPECT_EQ(report.end_reason,
                Missed(late_at_) && i == 2 ? ActionEnd::kSkipped : ActionEnd::kCompleted);
    }
    const std::string& record_id = recording->actions[0].action_id;
    const std::string& buffer_id = recording->actions[0].buffer_id;
    const auto cancelled = rig_.engine().CancelActions(session_, {record_id}, false, {}, {});
    ASSERT_TRUE(cancelled.ok()) << cancelled.status();
    rig_.Finish(session_);
    ASSERT_NO_FATAL_FAILURE(
        ExpectRecorded(rig_.Report(session_, record_id), rig_.Download(session_, buffer_id).at(0)));
    ASSERT_TRUE(rig_.engine().DeleteBuffer(session_, buffer_id).ok());
  }
  EXPECT_GE(late_ones, kLosses / 10);
}

}  // namespace
}  // namespace rtmixd
